"""Bootstrap intervals of coverage and the Fréchet distance: how much they depend on which images were drawn.

Coverage is a mean over references, so these are resampled; the Fréchet distance is resampled over the images. With
both, the intervals would be twice as wide as the spread over new draws: an image that occurs twice adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .comparison import Comparison
from .fidelity import frechet_to

__all__ = ["intervals"]

_RESAMPLES, _SEED = 100, 0
_ENDS = (0.025, 0.975)


def intervals(comparison: Comparison) -> dict[str, tuple[float, float]]:
    """95 % percentile intervals of "coverage" and "frechet", (low, high)."""
    random = torch.Generator().manual_seed(_SEED)

    def resampled(rows: Tensor) -> Iterator[Tensor]:
        return (rows[torch.randint(len(rows), (len(rows),), generator=random)] for _ in range(_RESAMPLES))

    images, reference = comparison.features
    distance = frechet_to(reference)
    coverages = [float(covered.double().mean()) for covered in resampled(comparison.covered)]
    return {
        "coverage": _percentiles(coverages),
        "frechet": _percentiles([distance(features) for features in resampled(images)], distance(images)),
    }


def _percentiles(values: list[float], center: float | None = None) -> tuple[float, float]:
    """Percentiles of resampled values; moved so that their mean is the center, where repeats bias them."""
    found = torch.tensor(values, dtype=torch.float64)
    moved = found if center is None else found - found.mean() + center
    low, high = moved.quantile(torch.tensor(_ENDS, dtype=torch.float64)).tolist()
    return low, high
