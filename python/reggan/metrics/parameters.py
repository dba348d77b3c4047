"""Parameters of rendered circles, estimated from images: the number of discs, their mean radius, and the blur."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

from ..rendering import ground_truth, render
from ..specs import Circles
from .comparison import Comparison
from .features import RandomFeatures
from .ridge import Ridge
from .two_sample import DETAILED

__all__ = ["compare_parameters", "estimate_parameters", "kolmogorov_smirnov"]

Numbers = npt.NDArray[np.floating]

_NAMES = ("count", "radius", "blur")
_RENDERS, _SEED = 10_000, 1610_06545
"""Number and seed of the renders that the estimator learns from."""
_BATCH = 2048


def compare_parameters(comparison: Comparison, spec: Circles) -> dict[str, float]:
    """Kolmogorov-Smirnov statistics "ks_count", "ks_radius" and "ks_blur" between estimates of both sides, 0 to 1."""
    images, reference = (estimate_parameters(side.gray, spec) for side in (comparison.images, comparison.reference))
    return {
        f"ks_{name}": kolmogorov_smirnov(*sides) for name, *sides in zip(_NAMES, images.T, reference.T, strict=True)
    }


def estimate_parameters(images: npt.NDArray[np.uint8], spec: Circles) -> Numbers:
    """Number of discs, their mean radius and the blur's standard deviation in pixels, of images (N, H, W): (N, 3)."""
    network, estimator = RandomFeatures(*DETAILED), _estimator(spec, images.shape[1], images.shape[2])
    batches = np.array_split(images, -(-len(images) // _BATCH))
    # Without the last digits, parameters that the spec fixes have equal estimates.
    return np.concatenate([estimator(network.of(batch)).float().numpy() for batch in batches])


@lru_cache(maxsize=4)
def _estimator(spec: Circles, height: int, width: int) -> Ridge:
    """Ridge regression from features of renders to the parameters that they are drawn with."""
    images = render(spec, _RENDERS, seed=_SEED, size=(height, width), dtype=np.uint8)
    truth = ground_truth(spec, _RENDERS, seed=_SEED, size=(height, width))
    targets = np.column_stack([truth.count, np.nanmean(truth.radii, axis=1), truth.sigma])
    return Ridge.fit(RandomFeatures(*DETAILED).of(images), torch.from_numpy(targets))


def kolmogorov_smirnov(first: Numbers, second: Numbers) -> float:
    """Largest difference between the distribution functions of two samples of numbers: 0 to 1."""
    both = np.concatenate([first, second])
    below = [np.searchsorted(np.sort(each), both, side="right") / len(each) for each in (first, second)]
    return float(np.abs(below[0] - below[1]).max())
