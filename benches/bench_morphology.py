"""Openings and runs per second: ours, and those of SciPy, OpenCV and NumPy, which must be equal.

The peers get masks, and a margin of solid pixels around them; ours gets packed images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import images
import numpy as np
import numpy.typing as npt
import pytest
from images import Mask
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import ndimage

import reggan

Counts = npt.NDArray[np.int64]
DIAMETER = 5
MARGIN = DIAMETER - 1
LENGTHS = (3, 3)


def disc() -> Mask:
    centers = np.arange(DIAMETER) - (DIAMETER - 1) / 2
    found: Mask = np.hypot(centers[:, None], centers) < DIAMETER / 2
    return found


def packed(masks: Mask) -> reggan.PackedImages[Any]:
    return reggan.PackedImages(np.packbits(~masks, axis=-1), masks.shape[2])


def solid(masks: Mask) -> Mask:
    """With ink all around."""
    return np.pad(masks, [(0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)], constant_values=True)


def scipy_opening(masks: Mask) -> Mask:
    opened: Mask = ndimage.binary_opening(solid(masks), disc()[None])[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    return opened


def opencv_opening(masks: Mask) -> Mask:
    cv2.setNumThreads(1)
    opened, kernel = np.empty_like(masks), disc().view(np.uint8)
    for mask, out in zip(solid(masks).view(np.uint8), opened, strict=True):
        out[:] = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    return opened


def narrow_by(opening: Callable[[Mask], Mask]) -> Callable[[Mask], Counts]:
    """Narrow pixels of both layers."""

    def narrow(masks: Mask) -> Counts:
        ink, paper = masks & ~opening(masks), ~masks & ~opening(~masks)
        counts: Counts = (ink | paper).sum(axis=(1, 2))
        return counts

    return narrow


def numpy_runs(masks: Mask) -> Counts:
    """Short runs of rows and columns, from the places where pixels change."""
    total = np.zeros(len(masks), np.int64)
    for lines in (masks, masks.swapaxes(1, 2)):
        count, rows, width = lines.shape
        edges = np.flatnonzero(np.diff(lines.reshape(-1, width), axis=1, prepend=False, append=False))
        row, place = np.divmod(edges, width + 1)
        inks, gaps = place[1::2] - place[::2], place[2::2] - place[1:-1:2]
        short = [row[::2][inks < LENGTHS[0]], row[2::2][(row[2::2] == row[1:-1:2]) & (gaps < LENGTHS[1])]]
        total += np.bincount(np.concatenate(short) // rows, minlength=count)
    return total


JOBS: dict[str, dict[str, Callable[[Any], npt.NDArray[Any]]]] = {
    "clear(5)": {
        "reggan": lambda batch: reggan.narrow_pixels(batch, DIAMETER, layer="both", threads=1),
        "opencv": narrow_by(opencv_opening),
        "scipy": narrow_by(scipy_opening),
    },
    "opening(5)": {
        "reggan": lambda batch: reggan.opening(batch, DIAMETER, threads=1),
        "opencv": opencv_opening,
        "scipy": scipy_opening,
    },
    "runs(3, 3)": {
        "reggan": lambda batch: reggan.short_runs(batch, *LENGTHS, threads=1),
        "numpy": numpy_runs,
    },
}


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize(("job", "by"), [(job, by) for job, makers in JOBS.items() for by in makers])
def bench_morphology(benchmark: BenchmarkFixture, pixels: int, size: int, job: str, by: str) -> None:
    # The peers take too long for as many images.
    masks = images.ink(images.batch("blobs", size, "uint8", pixels if by == "reggan" else pixels // 32))
    run = JOBS[job][by]
    given = packed(masks) if by == "reggan" else masks
    some = masks[:500]
    np.testing.assert_array_equal(run(given)[:500], JOBS[job]["reggan"](packed(some)))
    if by == "reggan":
        for peer in list(JOBS[job])[1:]:
            np.testing.assert_array_equal(run(given)[:500], JOBS[job][peer](some))
    benchmark.group = f"{job} {size}x{size}"
    benchmark.extra_info |= {"job": job, "by": by, "threads": 1, "kind": "blobs", "dtype": "bits"}
    benchmark.extra_info |= {"shape": masks.shape, "agreement": "equal"}
    benchmark(run, given)
