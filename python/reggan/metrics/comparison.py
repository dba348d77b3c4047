"""A comparison of images with reference images, which computes once what several metrics share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from .features import Featured

__all__ = ["MIN_IMAGES", "MIN_SCALE", "NEIGHBORS", "Comparison"]

MIN_IMAGES = 10
"""The fewest images and references of a comparison."""
NEIGHBORS = 5
"""The k of precision, recall, density and coverage, as in arXiv 2002.09797."""
_MIN_RELATIVE_SCALE = 0.5
"""Smallest scale of a feature, over the median scale. Without it, features that hardly vary among the references, such
as those of corners, would dominate; without any scaling, the amount of ink would dominate specks and haze."""
MIN_SCALE = 1e-4
"""Features with a smaller deviation among the references count as constant, so that identical references cause no
division by 0. Rounding causes 1e-7; images of traffic, nearly all the same, have 4e-3."""
_MAX_DISTANCES = 2**24
"""Distances in memory at once (128 MB)."""
_ROUNDING = 1e-5
"""Smaller distances are rounding errors of 0: different images are at least 1 apart."""
_TIES = 1 + 1e-9
"""Distances to copies of one image differ by a smaller factor."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Images and reference images.

    Features are standardized by the references' mean and standard deviation. An image is near another one if it is at
    most as far away as that one's k-th nearest neighbor in its own set.
    """

    images: Featured
    reference: Featured

    @classmethod
    def of(cls, images: npt.NDArray[np.uint8], reference: npt.NDArray[np.uint8]) -> Comparison:
        """The comparison of images (N, H, W) and reference images (M, H, W), or both of RGB: (N, 3, H, W).

        Fewer than 10 images or references, or different sizes, are a ValueError.
        """
        if images.shape[1:] != reference.shape[1:]:
            raise ValueError(f"images are {images.shape[1:]} and reference images {reference.shape[1:]} pixels")
        if min(len(images), len(reference)) < MIN_IMAGES:
            raise ValueError(
                f"there are {len(images)} images and {len(reference)} references, must be at least {MIN_IMAGES} of each"
            )
        return cls(Featured(images), Featured(reference))

    @cached_property
    def features(self) -> tuple[Tensor, Tensor]:
        """Standardized features of the images and of the references.

        Numbers that are not finite raise an ArithmeticError, because linear algebra on them can crash the process.
        """
        mean, scale = self.reference.features.mean(dim=0), self.reference.features.std(dim=0)
        scale = scale.clamp_min(max(_MIN_RELATIVE_SCALE * float(scale.median()), MIN_SCALE))
        images, reference = (self.images.features - mean) / scale, (self.reference.features - mean) / scale
        if not (images.isfinite().all() and reference.isfinite().all()):
            raise ArithmeticError(
                f"features of {len(images)} images and {len(reference)} references are not finite; "
                "give images with finite gray values, and at least 2 references"
            )
        return images, reference

    @property
    def references_vary(self) -> bool:
        """Whether the references are not all alike."""
        return float(self.reference.features.std(dim=0).max()) >= MIN_SCALE

    @cached_property
    def references_near(self) -> Tensor:
        """Number of references that each image is near to: (N,)."""
        images, reference = self.features
        return torch.cat([(rows <= self._reference_radii).sum(dim=1) for rows in _distances(images, reference)])

    @property
    def covered(self) -> Tensor:
        """Whether an image is near to each reference: (M,)."""
        return self._seen_from_references[0]

    @property
    def recalled(self) -> Tensor:
        """Whether each reference is near to an image: (M,)."""
        return self._seen_from_references[1]

    @cached_property
    def _seen_from_references(self) -> tuple[Tensor, Tensor]:
        images, reference = self.features
        radii, blocks = _radii(images), _distances(reference, images)
        nearest, within = zip(*((rows.min(dim=1).values, (rows <= radii).any(dim=1)) for rows in blocks), strict=True)
        return torch.cat(nearest) <= self._reference_radii, torch.cat(within)

    @cached_property
    def _reference_radii(self) -> Tensor:
        return _radii(self.features[1])


def _distances(first: Tensor, second: Tensor) -> Iterator[Tensor]:
    """Distances (rows, M) of features (N, D) to others (M, D), in blocks of rows that fit into memory."""
    for rows in torch.split(first, max(1, _MAX_DISTANCES // len(second))):
        yield F.threshold(torch.cdist(rows, second), _ROUNDING, 0.0)


def _radii(features: Tensor) -> Tensor:
    """Distance of each image to its k-th nearest neighbor, not counting itself, with a margin for ties: (N,)."""
    nearest = (rows.topk(NEIGHBORS + 1, dim=1, largest=False) for rows in _distances(features, features))
    return torch.cat([values[:, -1] for values, _ in nearest]) * _TIES
