"""How well points cover a mixture of Gaussians, as PacGAN (arXiv 1712.04086, section 4.1) counts it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..data.points import Mixture

__all__ = ["QUALITY", "high_quality", "modes", "reverse_kl", "wasserstein"]

Points = npt.NDArray[np.floating]

QUALITY = 3.0
"""Standard deviations from the nearest center within which a point is of high quality."""


def high_quality(points: Points, mixture: Mixture) -> float:
    """Share of points (N, D) that are near to a center."""
    return float((mixture.nearest(points)[1] <= QUALITY).mean())


def modes(points: Points, mixture: Mixture) -> int:
    """Centers with at least one point of high quality, of points (N, D)."""
    nearest, away = mixture.nearest(points)
    return len(np.unique(nearest[away <= QUALITY]))


def reverse_kl(points: Points, mixture: Mixture) -> float:
    """KL(found || uniform) in nats, of the shares of points (N, D) that each center is the nearest of."""
    shares = np.bincount(mixture.nearest(points)[0], minlength=len(mixture.centres)) / len(points)
    found = shares[shares > 0]
    return float((found * np.log(found * len(shares))).sum())


def wasserstein(points: Points, others: Points) -> float:
    """Wasserstein-1 distance of equally many points (N, 1) on a line: the mean over the sorted ones' distances."""
    return float(np.abs(np.sort(points[:, 0]).astype(np.float64) - np.sort(others[:, 0])).mean())
