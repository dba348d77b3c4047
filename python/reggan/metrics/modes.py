"""Metrics of points of a mixture of Gaussians (PacGAN, arXiv 1712.04086, section 4.1)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..data.points import Mixture

__all__ = ["QUALITY", "high_quality", "modes", "reverse_kl", "wasserstein"]

Points = npt.NDArray[np.floating]

QUALITY = 3.0
"""A point is of high quality within this many standard deviations of a center."""


def high_quality(points: Points, mixture: Mixture) -> float:
    """Share of points (N, D) of high quality."""
    return float((mixture.nearest(points)[1] <= QUALITY).mean())


def modes(points: Points, mixture: Mixture) -> int:
    """Number of centers with at least one of the points (N, D) of high quality."""
    nearest, away = mixture.nearest(points)
    return len(np.unique(nearest[away <= QUALITY]))


def reverse_kl(points: Points, mixture: Mixture) -> float:
    """KL(shares || uniform) in nats, for the shares of points (N, D) nearest to each center."""
    shares = np.bincount(mixture.nearest(points)[0], minlength=len(mixture.centers)) / len(points)
    positive = shares[shares > 0]
    return float((positive * np.log(positive * len(shares))).sum())


def wasserstein(points: Points, others: Points) -> float:
    """Wasserstein-1 distance of points (N, 1) on a line to equally many others: the mean distance in sorted order."""
    return float(np.abs(np.sort(points[:, 0]).astype(np.float64) - np.sort(others[:, 0])).mean())
