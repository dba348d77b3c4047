"""Exact scores a second, against the labellers people use: 64x64 rendered images, equal answers first.

Every peer has the whole batch thresholded and its ink counted by one NumPy call each, inside its time, and
then labels image by image and finds the largest area in the quickest way that it offers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cc3d
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import ndimage
from skimage import measure

import reggan

Images = npt.NDArray[Any]
Scores = npt.NDArray[np.float32]
Scorer = Callable[[Images], Scores]

N, SIZE = 2000, 64
cv2.setNumThreads(1)


def threshold(images: Images) -> npt.NDArray[np.uint8]:
    """Ink as bytes of 0 and 1."""
    return (images <= (127 if images.dtype == np.uint8 else 0.5)).view(np.uint8)


def peer(areas: Callable[[npt.NDArray[np.uint8]], npt.NDArray[Any]]) -> Scorer:
    """A scorer of batches from a function that gives the areas of one image's components."""

    def score(images: Images) -> Scores:
        masks = threshold(images)
        largest = np.array([areas(mask).max(initial=0) for mask in masks])
        return (largest / np.maximum(np.count_nonzero(masks, axis=(1, 2)), 1)).astype(np.float32)

    return score


def opencv_areas(mask: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4, ltype=cv2.CV_32S)
    return np.asarray(stats[1:, cv2.CC_STAT_AREA])


def scipy_areas(mask: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    labels, _ = ndimage.label(mask)
    return np.bincount(labels.ravel())[1:]


def cc3d_areas(mask: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    return np.bincount(cc3d.connected_components(mask, connectivity=4).ravel())[1:]


def skimage_areas(mask: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    return np.bincount(measure.label(mask, connectivity=1).ravel())[1:]


SCORERS: dict[tuple[str, int | None], Scorer] = {
    ("reggan", 1): lambda images: reggan.score(images, threads=1),
    ("reggan", None): lambda images: reggan.score(images, threads=None),
    ("cc3d", 1): peer(cc3d_areas),
    ("opencv", 1): peer(opencv_areas),
    ("scikit-image", 1): peer(skimage_areas),
    ("scipy", 1): peer(scipy_areas),
}


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize(("name", "threads"), SCORERS)
def bench_score(benchmark: BenchmarkFixture, name: str, threads: int | None, dtype: str) -> None:
    images = reggan.render(reggan.Circles(), N, size=SIZE, dtype=np.dtype(dtype))
    scorer = SCORERS[name, threads]
    np.testing.assert_array_equal(scorer(images), reggan.score(images))
    benchmark.group = f"score {dtype}"
    benchmark.extra_info |= {"job": "score", "by": name, "threads": threads or "all", "dtype": dtype}
    benchmark.extra_info |= {"shape": list(images.shape), "agreement": "equal scores"}
    benchmark(scorer, images)
