"""How near images are to reference images, in the features of `features.py`: each a function of both sets.

Where all references are alike, distances are in units of the least spread that features may have; what is undefined
then is NaN.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from .features import Featured, standardize, varies

__all__ = ["NEIGHBORS", "coverage", "density", "frechet", "kernel", "precision", "recall", "vendi"]

NEIGHBORS = 5
"""The k of precision, recall, density and coverage, as in arXiv 2002.09797."""
_ALONE: dict[str, Any] = {"sync_on_compute": False}
"""One rank measures: torchmetrics would wait for the others."""
_KERNEL_SUBSETS = 100
_KERNEL_SUBSET = 500
_DISTANCES = 2**24
"""Distances that are held at once, at most (128 MB), whatever the number of images."""
_ROUNDING = 1e-5
"""Up to this distance images are the same: different ones are 1 and more apart."""
_TIES = 1 + 1e-9
"""Distances to copies of one image differ by less."""


class _Given(nn.Identity):
    """Stands where torchmetrics has its own network: the features are given."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.num_features = features.shape[1]


def frechet(images: Featured, reference: Featured) -> float:
    """Frechet distance between the Gaussians of both sets (Heusel et al., arXiv 1706.08500), at least 0.

    NaN of a single image, which has no covariance.
    """
    if len(images.images) < 2:
        return math.nan
    # Imported where it is used: torchmetrics takes as long to import as torch, and no training needs it.
    from torchmetrics.image.fid import FrechetInceptionDistance

    found, wanted = standardize(images, reference)
    metric = FrechetInceptionDistance(feature=_Given(wanted), **_ALONE).set_dtype(torch.float64)
    metric.update(wanted, real=True)
    metric.update(found, real=False)
    return max(float(metric.compute()), 0.0)


def kernel(images: Featured, reference: Featured) -> float:
    """Squared maximum mean discrepancy under a cubic kernel (Binkowski et al., arXiv 1801.01401); about 0 at best.

    NaN of a single image.
    """
    if len(images.images) < 2:
        return math.nan
    from torchmetrics.image.kid import KernelInceptionDistance

    found, wanted = standardize(images, reference)
    size = min(_KERNEL_SUBSET, len(found), len(wanted))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*save all extracted features in buffer")
        metric = KernelInceptionDistance(feature=_Given(wanted), subsets=_KERNEL_SUBSETS, subset_size=size, **_ALONE)
    metric.update(wanted, real=True)
    metric.update(found, real=False)
    # It draws its subsets from the global state.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return float(metric.compute()[0])


def _distances(first: Tensor, second: Tensor) -> Iterator[Tensor]:
    """Distances (rows, M) of features (N, D) to others (M, D), some rows after another, as memory has room for."""
    for rows in torch.split(first, max(1, _DISTANCES // len(second))):
        yield nn.functional.threshold(torch.cdist(rows, second), _ROUNDING, 0.0)


def _radii(features: Tensor) -> Tensor:
    """Distance of each to its k-th nearest neighbor, itself not counted, which equal distances are within."""
    nearest = (rows.topk(NEIGHBORS + 1, dim=1, largest=False) for rows in _distances(features, features))
    return torch.cat([values[:, -1] for values, _ in nearest]) * _TIES


def _within(first: Tensor, second: Tensor) -> Tensor:
    """How many of the second each of the first is as near to as their k-th neighbors are: (N,)."""
    radii = _radii(second)
    return torch.cat([(rows <= radii).sum(dim=1) for rows in _distances(first, second)])


def precision(images: Featured, reference: Featured) -> float:
    """Share of images within the k-th neighbor's distance of a reference (Kynkaanniemi et al., arXiv 1904.06991)."""
    found, wanted = standardize(images, reference)
    return float((_within(found, wanted) > 0).double().mean())


def recall(images: Featured, reference: Featured) -> float:
    """Share of references within the k-th neighbor's distance of an image (arXiv 1904.06991)."""
    found, wanted = standardize(images, reference)
    return float((_within(wanted, found) > 0).double().mean())


def density(images: Featured, reference: Featured) -> float:
    """References that an image is near to, over k (Naeem et al., arXiv 2002.09797); about 1 for equal distributions."""
    found, wanted = standardize(images, reference)
    return float(_within(found, wanted).double().mean() / NEIGHBORS)


def coverage(images: Featured, reference: Featured) -> float:
    """Share of references with an image within the distance of their k-th neighbor (arXiv 2002.09797)."""
    found, wanted = standardize(images, reference)
    nearest = torch.cat([rows.min(dim=1).values for rows in _distances(wanted, found)])
    return float((nearest <= _radii(wanted)).double().mean())


def vendi(images: Featured, reference: Featured) -> float:
    """Effective number of different images (Friedman and Dieng, arXiv 2210.02410), 1 to N, over the reference's.

    The similarity is the cosine between features, around the references' mean: NaN where these are all alike.
    """

    def effective(features: Tensor) -> Tensor:
        unit = nn.functional.normalize(features, dim=1)
        shares = torch.linalg.eigvalsh(unit.T @ unit / len(unit)).clamp_min(1e-300)
        return torch.exp(-(shares * shares.log()).sum())

    found, wanted = standardize(images, reference)
    return float(effective(found) / effective(wanted)) if varies(reference) else math.nan
