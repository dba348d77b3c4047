"""What blobs look like, against a reference: distances between distributions of size, perimeter and edge softness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..scoring import label
from .features import Featured

__all__ = ["blob_areas", "blob_perimeters", "edge_softness", "perimeter", "size", "softness", "wasserstein"]

Numbers = npt.NDArray[np.float64]

_GRAY = (26, 229)
"""Pixels strictly between are neither ink nor paper: gray 0.1 to 0.9."""
_BATCH = 1024
"""Images whose components are numbered at once, which takes many bytes a pixel."""


def wasserstein(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """Wasserstein-1 distance between two samples of numbers, in their unit; NaN if only one is empty."""
    if not len(first) or not len(second):
        return 0.0 if len(first) == len(second) else float("nan")
    both = np.sort(np.concatenate([first, second]))
    shares = [np.searchsorted(np.sort(each), both[:-1], side="right") / len(each) for each in (first, second)]
    return float(np.abs(shares[0] - shares[1]) @ np.diff(both))


def _labels(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Components of all images, each with a number of its own, 0 for paper, with a frame of paper."""
    labels = np.pad(label(images).astype(np.int64), ((0, 0), (1, 1), (1, 1)))
    before = np.concatenate([[0], labels.max(axis=(1, 2)).cumsum()[:-1]])
    return np.where(labels > 0, labels + before[:, None, None], 0)


def blob_areas(images: npt.NDArray[np.uint8]) -> Numbers:
    """Pixels of every blob of images (N, H, W), (blobs,)."""
    return np.bincount(_labels(images).ravel())[1:].astype(np.float64)


def blob_perimeters(images: npt.NDArray[np.uint8]) -> Numbers:
    """Sides of pixels between every blob and paper or the image's end, (blobs,)."""
    labels = _labels(images)
    sides = np.zeros(labels.max() + 1)
    for axis in (1, 2):
        for step in (1, -1):
            outward = labels[(labels > 0) & (np.roll(labels, step, axis) == 0)]
            sides += np.bincount(outward, minlength=len(sides))
    return sides[1:]


def edge_softness(images: npt.NDArray[np.uint8]) -> Numbers:
    """Gray pixels of each image that has ink, for each side of its outline, (images,); haze raises it."""
    ink = np.pad(images <= 127, ((0, 0), (1, 1), (1, 1)))
    outline = sum(np.diff(ink, axis=axis).sum(axis=(1, 2)) for axis in (1, 2))
    gray = ((images > _GRAY[0]) & (images < _GRAY[1])).sum(axis=(1, 2))
    drawn = np.asarray(outline) > 0
    return np.asarray(gray[drawn] / np.asarray(outline)[drawn], np.float64)


def _distance(numbers: Callable[[npt.NDArray[np.uint8]], Numbers], images: Featured, reference: Featured) -> float:
    """Wasserstein-1 distance between what a function gives for images and for reference images."""

    def joined(gray: npt.NDArray[np.uint8]) -> Numbers:
        return np.concatenate([numbers(gray[first : first + _BATCH]) for first in range(0, len(gray), _BATCH)])

    return wasserstein(joined(images.gray), joined(reference.gray))


def size(images: Featured, reference: Featured) -> float:
    """Distance between the distributions of blob areas, in pixels."""
    return _distance(blob_areas, images, reference)


def perimeter(images: Featured, reference: Featured) -> float:
    """Distance between the distributions of blob perimeters, in sides of pixels."""
    return _distance(blob_perimeters, images, reference)


def softness(images: Featured, reference: Featured) -> float:
    """Distance between the distributions of gray pixels for each side of the outline."""
    return _distance(edge_softness, images, reference)
