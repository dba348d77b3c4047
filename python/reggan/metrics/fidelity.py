"""Metrics of the similarity of images to reference images, in the features of `features.py`.

If all references are alike, features are in units of the least deviation that `Comparison` allows, and `vendi` is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from .comparison import NEIGHBORS, Comparison

__all__ = ["coverage", "density", "frechet", "frechet_to", "kernel", "precision", "recall", "vendi"]

_KERNEL_SUBSETS = 100
_KERNEL_SUBSET = 500


def frechet(comparison: Comparison) -> float:
    """Fréchet distance between the Gaussians of both sets (Heusel et al., arXiv 1706.08500), at least 0.

    NaN for a single image, which has no covariance.
    """
    images, reference = comparison.features
    return frechet_to(reference)(images) if len(images) > 1 else math.nan


def frechet_to(reference: Tensor) -> Callable[[Tensor], float]:
    """The Fréchet distance from features (M, D): a function of other features (N, D)."""
    mean, covariance = reference.mean(dim=0), torch.cov(reference.T)
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T

    def distance(features: Tensor) -> float:
        other = torch.cov(features.T)
        # The trace of the root of both covariances' product, by a symmetric matrix with the same eigenvalues.
        overlap = torch.linalg.eigvalsh(root @ other @ root).clamp_min(0).sqrt().sum()
        apart = (features.mean(dim=0) - mean).square().sum()
        return max(float(apart + other.trace() + covariance.trace() - 2 * overlap), 0.0)

    return distance


def kernel(comparison: Comparison) -> float:
    """Squared maximum mean discrepancy under a cubic kernel (Binkowski et al., arXiv 1801.01401); about 0 at best.

    The mean of unbiased estimates from 100 random subsets of at most 500 images. NaN for a single image.
    """
    images, reference = comparison.features
    if len(images) < 2:
        return math.nan
    size, random = min(_KERNEL_SUBSET, len(images), len(reference)), torch.Generator().manual_seed(0)

    def subset(features: Tensor) -> Tensor:
        return features[torch.randperm(len(features), generator=random)[:size]]

    found = [_discrepancy(subset(reference), subset(images)) for _ in range(_KERNEL_SUBSETS)]
    return float(torch.stack(found).mean())


def _discrepancy(one: Tensor, other: Tensor) -> Tensor:
    """The unbiased estimate of the squared maximum mean discrepancy of two sets of features (N, D)."""
    count, dim = one.shape
    within_one, within_other, between = (
        (a @ b.T / dim + 1) ** 3 for a, b in ((one, one), (other, other), (one, other))
    )
    pairs = within_one.sum() - within_one.trace() + within_other.sum() - within_other.trace()
    return pairs / (count * (count - 1)) - 2 * between.mean()


def precision(comparison: Comparison) -> float:
    """Share of images near a reference (Kynkäänniemi et al., arXiv 1904.06991)."""
    return float((comparison.references_near > 0).double().mean())


def recall(comparison: Comparison) -> float:
    """Share of references near an image (arXiv 1904.06991)."""
    return float(comparison.recalled.double().mean())


def density(comparison: Comparison) -> float:
    """References near an image, over k (Naeem et al., arXiv 2002.09797); about 1 for equal distributions."""
    return float(comparison.references_near.double().mean() / NEIGHBORS)


def coverage(comparison: Comparison) -> float:
    """Share of references with an image near them (arXiv 2002.09797)."""
    return float(comparison.covered.double().mean())


def vendi(comparison: Comparison) -> float:
    """Effective number of different images, 1 to N (Friedman and Dieng, arXiv 2210.02410), over that of references.

    The similarity is the cosine between standardized features. NaN if all references are alike.
    """

    def effective_number(features: Tensor) -> Tensor:
        unit = nn.functional.normalize(features, dim=1)
        shares = torch.linalg.eigvalsh(unit.T @ unit / len(unit)).clamp_min(1e-300)
        return torch.exp(-(shares * shares.log()).sum())

    images, reference = comparison.features
    return float(effective_number(images) / effective_number(reference)) if comparison.references_vary else math.nan
