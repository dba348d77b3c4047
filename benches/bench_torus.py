"""Periodic scores, winding ranks, holes and Betti numbers of bits, against SciPy's labels.

Every answer is compared with labels of the open image, joined across its border, and with labels of the paper, before
it is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import images
import numpy as np
import numpy.typing as npt
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

import reggan
from reggan.rules import Betti, Connected, Wraps
from reggan.scoring import betti_numbers

SIZES = (32, 64)
KINDS = ("blobs", "noise 50%")
PIXELS = 2**20
MIN_AREA = 8
FOUR, EIGHT = ndimage.generate_binary_structure(2, 1), np.ones((3, 3))

Numbers = npt.NDArray[np.int64]


def measures(mask: images.Mask) -> dict[str, float]:
    """The answers for one image, connectivity 4."""

    def areas(layer: images.Mask, structure: npt.NDArray[Any], periodic: bool) -> npt.NDArray[np.int64]:
        labels, count = ndimage.label(layer, structure)
        if periodic:
            reach = (-1, 0, 1) if structure is EIGHT else (0,)
            pairs = [(grid[0], np.roll(grid[-1], k)) for grid in (labels, labels.T) for k in reach]
            near, far = (np.concatenate(side) for side in zip(*pairs, strict=True))
            touch = (near > 0) & (far > 0)
            graph = coo_array((np.ones(touch.sum()), (near[touch], far[touch])), (count + 1, count + 1))
            _, joined = connected_components(graph, directed=False)
            labels = np.where(labels, joined[labels] + 1, 0)
        found = np.bincount(labels.ravel())[1:]
        return found[found > 0]

    ink, around = areas(mask, FOUR, False), areas(mask, FOUR, True)
    labels, _ = ndimage.label(np.pad(~mask, 1, constant_values=True), EIGHT)
    holes = np.bincount(labels.ravel())[2:]
    left, up = np.roll(mask, 1, 1), np.roll(mask, 1, 0)
    euler = mask.sum() - (mask & left).sum() - (mask & up).sum() + (mask & left & up & np.roll(left, 1, 0)).sum()
    rank = len(around) - euler - len(areas(~mask, EIGHT, True)) + 1
    lacking = sum((1 - each[each < MIN_AREA] / MIN_AREA).sum() for each in (ink, holes))
    off = abs(len(ink) - 1) + len(holes)
    periodic = around.max(initial=0) / max(mask.sum(), 1)
    return {
        "connected": ink.max(initial=0) / max(mask.sum(), 1),
        "periodic score": periodic,
        "winding_rank": rank,
        "wraps": periodic * (1 + rank) / 3,
        "count + holes": len(ink) + len(holes),
        "betti": 4 / (4 + off),
        f"betti of {MIN_AREA} pixels": 4 / (4 + off + lacking),
        "betti_numbers": len(ink) + len(holes),
    }


def count_and_holes(packed: reggan.PackedImages[Any]) -> Numbers:
    found = reggan.analyze(packed, fields=("count", "holes"), threads=1)
    return found.count + found.holes  # type: ignore[no-any-return]


JOBS: dict[str, Callable[[Any], Any]] = {
    "connected": lambda packed: reggan.score(packed, threads=1),
    "periodic score": lambda packed: reggan.score(packed, border="periodic", threads=1),
    "winding_rank": lambda packed: reggan.winding_rank(packed, threads=1),
    "wraps": Wraps(),
    "count + holes": count_and_holes,
    "betti": Betti(),
    f"betti of {MIN_AREA} pixels": Betti(min_area=MIN_AREA),
    "betti_numbers": lambda packed: betti_numbers(packed, MIN_AREA, threads=1)[:, [0, 3]].sum(axis=1),
}


ONE_THREAD = ("connected", "periodic score", "winding_rank", "count + holes", "betti_numbers")
"""Jobs whose threads can be set; rules use all."""


@lru_cache(maxsize=4)
def case(kind: str, size: int) -> tuple[reggan.PackedImages[Any], list[dict[str, float]]]:
    """Images as bits, and the answers for each."""
    ink = images.ink(images.batch(kind, size, "uint8", PIXELS))
    return reggan.PackedImages(np.packbits(~ink, axis=-1), size), [measures(mask) for mask in ink]


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def bench_torus(benchmark: BenchmarkFixture, size: int, kind: str, job: str) -> None:
    packed, expected = case(kind, size)
    np.testing.assert_allclose(JOBS[job](packed), [each[job] for each in expected], rtol=1e-6)
    benchmark.group = f"torus {kind} bits {size}"
    benchmark.extra_info |= {
        **{"job": job, "by": "reggan", "threads": 1 if job in ONE_THREAD else "all", "kind": kind, "dtype": "bits"},
        **{"shape": (len(expected), size, size), "agreement": "equal answers"},
    }
    benchmark(JOBS[job], packed)


@pytest.mark.parametrize("size", SIZES)
def bench_oracle(benchmark: BenchmarkFixture, size: int) -> None:
    """What SciPy takes for all answers of one image."""
    ink = images.ink(images.batch("blobs", size, "uint8", PIXELS))[:50]
    assert Connected()(images.batch("blobs", size, "uint8", PIXELS))[:50].tolist() == [
        pytest.approx(measures(mask)["connected"]) for mask in ink
    ]
    benchmark.group = f"torus blobs bits {size}"
    benchmark.extra_info |= {"job": "oracle", "by": "scipy", "threads": 1, "kind": "blobs", "shape": ink.shape}
    benchmark(lambda: [measures(mask) for mask in ink])
