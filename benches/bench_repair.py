"""Images repaired per second, by ours and by SciPy doing the same image by image.

SciPy gets the same job with less of it: its pieces have no halo. Erased ink must be equal; slid and bridged images must
obey, ours with at most 1 % more ink than SciPy's by bridges.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import images
import numpy as np
import numpy.typing as npt
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import ndimage

import reggan
from reggan.repairing import METHODS, repair_connected

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
CROSS = ndimage.generate_binary_structure(2, 1)


def erase(image: Images, labels: Labels, largest: int) -> Images:
    return np.where((labels > 0) & (labels != largest), np.uint8(255), image)


def slide(image: Images, labels: Labels, largest: int) -> Images:
    """Move the nearest stray beside the body, and look again."""
    body, result = labels == largest, np.where((labels > 0) & (labels != largest), np.uint8(255), image)
    left = labels * ~body
    while left.any():
        beside = ndimage.binary_dilation(body, CROSS)
        distance, nearest = ndimage.distance_transform_edt(~beside, return_indices=True)
        start = np.unravel_index(np.where(left, distance, np.inf).argmin(), body.shape)
        move = nearest[:, start[0], start[1]] - np.array(start)
        piece = np.argwhere(left == left[start])
        places = piece + move
        inside = ((places >= 0) & (places < body.shape)).all(axis=1)
        places, piece = places[inside], piece[inside]
        left[left == left[start]] = 0
        body[tuple(places.T)] = True
        result[tuple(places.T)] = np.minimum(result[tuple(places.T)], image[tuple(piece.T)])
    return result


def bridge(image: Images, labels: Labels, largest: int) -> Images:
    """Draw the shortest bridge to the nearest stray, and look again."""
    body, result = labels == largest, image.copy()
    left = labels * ~body
    while left.any():
        distance, nearest = ndimage.distance_transform_cdt(~body, "taxicab", return_indices=True)
        y, x = np.unravel_index(np.where(left, distance, image.size).argmin(), body.shape)
        to_y, to_x = nearest[:, y, x]
        path = (slice(min(y, to_y), max(y, to_y) + 1), x), (to_y, slice(min(x, to_x), max(x, to_x) + 1))
        for line in path:
            result[line] = np.minimum(result[line], image[y, x])
            body[line] = True
        body |= left == left[y, x]
        left[body] = 0
    return result


SCIPY: dict[str, Callable[[Images, Labels, int], Images]] = {
    "erase": erase,
    "slide": slide,
    "bridge": bridge,
}


def scipy_repair(batch: Images, method: str) -> Images:
    repaired = batch.copy()
    for image, mask, out in zip(batch, images.ink(batch), repaired, strict=True):
        found, count = ndimage.label(mask)
        labels = found.astype(np.int32, copy=False)
        if count > 1:
            out[:] = SCIPY[method](image, labels, int(np.bincount(labels.ravel())[1:].argmax()) + 1)
    return repaired


def check(batch: Images, ours: Images, scipy: Images, method: str) -> str:
    """Assert that ours is at least as good, and say how."""
    if method == "erase":
        np.testing.assert_array_equal(images.ink(ours), images.ink(scipy))
        return "equal ink"
    assert (reggan.score(ours) == 1).all()
    if method == "slide":
        return "all obey"
    assert (reggan.score(scipy) == 1).all()
    # Both join the nearest piece next; equally short bridges differ in what they lead past.
    assert images.ink(ours).sum() <= 1.01 * images.ink(scipy).sum()
    return "all obey, at most 1 % more ink"


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize(("by", "threads"), [("reggan", 1), ("reggan", None), ("scipy", 1)])
@pytest.mark.parametrize("method", METHODS)
def bench_repair(
    benchmark: BenchmarkFixture, pixels: int, size: int, method: Any, by: str, threads: int | None
) -> None:
    # SciPy takes milliseconds an image.
    batch = images.batch("blobs", size, "uint8", pixels if by == "reggan" else pixels // 32)
    some = batch[:100]
    agreement = check(some, repair_connected(some, method=method).images, scipy_repair(some, method), method)
    benchmark.group = f"repair {method} {size}x{size}"
    benchmark.extra_info |= {"job": f"repair {method}", "by": by, "threads": threads or "all", "kind": "blobs"}
    benchmark.extra_info |= {"dtype": "uint8", "shape": batch.shape, "agreement": agreement}
    if by == "reggan":
        benchmark(repair_connected, batch, method=method, threads=threads)
    else:
        benchmark(scipy_repair, batch, method)


def bench_repair_of_obeying_images(benchmark: BenchmarkFixture, pixels: int) -> None:
    """The cost of a score and a copy."""
    batch = repair_connected(images.batch("blobs", 64, "uint8", pixels)).images
    assert (reggan.score(batch) == 1).all()
    benchmark.group = "repair nothing 64x64"
    benchmark.extra_info |= {"job": "repair nothing", "by": "reggan", "threads": 1, "kind": "slid blobs"}
    benchmark.extra_info |= {"dtype": "uint8", "shape": batch.shape, "agreement": "equal images"}
    np.testing.assert_array_equal(benchmark(repair_connected, batch, threads=1).images, batch)
