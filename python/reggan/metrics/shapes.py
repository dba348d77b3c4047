"""Distances between the blobs of images and of references: distributions of size, perimeter and edge softness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..scoring import label
from .comparison import Comparison

__all__ = ["blob_areas", "blob_perimeters", "edge_softness", "perimeter", "size", "softness", "wasserstein"]

Numbers = npt.NDArray[np.float64]

_GRAY = (26, 229)
"""Pixels strictly between these values count as gray: 0.1 to 0.9 of the range."""
_BATCH = 1024
"""Images that are labeled at once; labels take many bytes per pixel."""


def wasserstein(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """Wasserstein-1 distance between two samples of numbers: 0 if both are empty, NaN if one is."""
    if not len(first) or not len(second):
        return 0.0 if len(first) == len(second) else float("nan")
    both = np.sort(np.concatenate([first, second]))
    shares = [np.searchsorted(np.sort(each), both[:-1], side="right") / len(each) for each in (first, second)]
    return float(np.abs(shares[0] - shares[1]) @ np.diff(both))


def _labels(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Labels of components, unique over all images, 0 for paper, with a frame of paper: (N, H + 2, W + 2)."""
    labels = np.pad(label(images).astype(np.int64), ((0, 0), (1, 1), (1, 1)))
    before = np.concatenate([[0], labels.max(axis=(1, 2)).cumsum()[:-1]])
    return np.where(labels > 0, labels + before[:, None, None], 0)


def blob_areas(images: npt.NDArray[np.uint8]) -> Numbers:
    """Area of every blob of images (N, H, W), in pixels: (blobs,)."""
    return np.bincount(_labels(images).ravel())[1:].astype(np.float64)


def blob_perimeters(images: npt.NDArray[np.uint8]) -> Numbers:
    """Perimeter of every blob in pixel sides, including those at the edge of the image: (blobs,)."""
    labels = _labels(images)
    sides = np.zeros(labels.max() + 1)
    for axis in (1, 2):
        for step in (1, -1):
            outward = labels[(labels > 0) & (np.roll(labels, step, axis) == 0)]
            sides += np.bincount(outward, minlength=len(sides))
    return sides[1:]


def edge_softness(images: npt.NDArray[np.uint8]) -> Numbers:
    """Gray pixels over pixel sides of the outline, of each image with ink: (images,). Haze raises it."""
    ink = np.pad(images <= 127, ((0, 0), (1, 1), (1, 1)))
    outline = sum(np.diff(ink, axis=axis).sum(axis=(1, 2)) for axis in (1, 2))
    gray = ((images > _GRAY[0]) & (images < _GRAY[1])).sum(axis=(1, 2))
    drawn = np.asarray(outline) > 0
    return np.asarray(gray[drawn] / np.asarray(outline)[drawn], np.float64)


def _distance(measure: Callable[[npt.NDArray[np.uint8]], Numbers], comparison: Comparison) -> float:
    """Wasserstein-1 distance between a measure of the images and of the references."""

    def measured(gray: npt.NDArray[np.uint8]) -> Numbers:
        return np.concatenate([measure(gray[first : first + _BATCH]) for first in range(0, len(gray), _BATCH)])

    return wasserstein(measured(comparison.images.gray), measured(comparison.reference.gray))


def size(comparison: Comparison) -> float:
    """Distance between the distributions of blob areas, in pixels."""
    return _distance(blob_areas, comparison)


def perimeter(comparison: Comparison) -> float:
    """Distance between the distributions of blob perimeters, in pixel sides."""
    return _distance(blob_perimeters, comparison)


def softness(comparison: Comparison) -> float:
    """Distance between the distributions of edge softness."""
    return _distance(edge_softness, comparison)
