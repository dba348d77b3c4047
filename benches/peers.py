"""Scorers and labelers: ours, the floor, and common libraries, each used in its fastest way.

The time of every peer includes one NumPy call that thresholds the batch, except for Numba, which thresholds in its
kernel. Libraries for single images are called image by image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import cc3d
import cv2
import numba
import numba_union_find
import numpy as np
import numpy.typing as npt
from images import Images, Mask, ink
from scipy import ndimage
from skimage import measure

import reggan

Scores = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]
Scorer = Callable[[Images, int | None], npt.NDArray[Any]]
Labeler = Callable[[Images, Labels], Iterable[npt.NDArray[Any]]]

OPENCV_THREADS = cv2.getNumThreads()
NUMBA_THREADS = numba.get_num_threads()


def floor(images: Images, threads: int | None) -> npt.NDArray[np.int64]:
    """The pass that reads, thresholds, packs and counts: (N,) ink pixels."""
    area: npt.NDArray[np.int64] = reggan.analyze(images, fields=("area",), threads=threads).area
    return area


def numba_scorer(kernel: Callable[[Images], Scores]) -> Scorer:
    def score(images: Images, threads: int | None) -> Scores:
        numba.set_num_threads(threads or NUMBA_THREADS)
        return kernel(images)

    return score


def scorer(areas: Callable[[Mask], npt.NDArray[Any]]) -> Scorer:
    """A scorer of batches from a function that returns the component areas of one image, in any order."""

    def score(images: Images, threads: int | None) -> Scores:
        cv2.setNumThreads(threads or OPENCV_THREADS)
        scores = np.zeros(len(images), np.float32)
        for i, mask in enumerate(ink(images)):
            found = areas(mask)
            if found.size:
                scores[i] = found.max() / found.sum()
        return scores

    return score


def opencv_stats_areas(mask: Mask) -> npt.NDArray[Any]:
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    return np.asarray(stats[1:, cv2.CC_STAT_AREA])


def opencv_areas(mask: Mask) -> npt.NDArray[Any]:
    _, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=4)
    return np.bincount(labels.ravel())[1:]


def cc3d_areas(mask: Mask) -> npt.NDArray[Any]:
    return np.bincount(cc3d.connected_components(mask, connectivity=4).ravel())[1:]


def scipy_areas(mask: Mask) -> npt.NDArray[Any]:
    labels, _ = ndimage.label(mask)
    return np.bincount(labels.ravel())[1:]


def skimage_areas(mask: Mask) -> npt.NDArray[Any]:
    return np.bincount(measure.label(mask, connectivity=1).ravel())[1:]


SCORERS: dict[str, Scorer] = {
    "reggan": lambda images, threads: reggan.score(images, threads=threads),
    "floor": floor,
    "cc3d": scorer(cc3d_areas),
    "numba": numba_scorer(numba_union_find.pixels),
    "numba bits": numba_scorer(numba_union_find.bits),
    "opencv": scorer(opencv_areas),
    "opencv stats": scorer(opencv_stats_areas),
    "scikit-image": scorer(skimage_areas),
    "scipy": scorer(scipy_areas),
}
"""(images, threads) to scores (N,), or to areas for the floor; None is all threads."""

THREADED = ("reggan", "floor", "numba", "numba bits", "opencv", "opencv stats")
"""Scorers with an option for threads."""


def our_labels(images: Images, out: Labels) -> Labels:
    return reggan.label(images, out=out, threads=1)


def opencv_labels(images: Images, out: Labels) -> Labels:
    cv2.setNumThreads(1)
    for mask, labels in zip(ink(images), out, strict=True):
        cv2.connectedComponents(mask.view(np.uint8), labels, 4, cv2.CV_32S)
    return out


def scipy_labels(images: Images, out: Labels) -> Labels:
    for mask, labels in zip(ink(images), out, strict=True):
        ndimage.label(mask, output=labels)
    return out


def cc3d_labels(images: Images, _: Labels) -> list[npt.NDArray[Any]]:
    # It cannot write to a given array, and a copy would only cost time.
    return [cc3d.connected_components(mask, connectivity=4) for mask in ink(images)]


LABELERS: dict[str, Labeler] = {
    "reggan": our_labels,
    "cc3d": cc3d_labels,
    "opencv": opencv_labels,
    "scipy": scipy_labels,
}
"""(images, memory for labels) to labels (N, H, W), on one thread."""
