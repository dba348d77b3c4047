"""Periodic scores, winding ranks, holes and Betti numbers of bits, beside SciPy's labels; answers must be equal."""

from __future__ import annotations

from collections.abc import Callable
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
from reggan.scoring import betti_numbers

MIN_AREA = 8
FOUR, EIGHT = ndimage.generate_binary_structure(2, 1), np.ones((3, 3))

Areas = npt.NDArray[np.int64]
Answers = npt.NDArray[Any]


def areas(layer: images.Mask, structure: npt.NDArray[Any], periodic: bool = False) -> Areas:
    """Pixels of each component, those of a periodic image joined across its border."""
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


def holes(mask: images.Mask) -> Areas:
    """Pixels of each hole: the paper around the image is one component with all that touches the border."""
    labels, _ = ndimage.label(np.pad(~mask, 1, constant_values=True), EIGHT)
    return np.bincount(labels.ravel())[2:]


def scipy_connected(mask: images.Mask) -> float:
    return float(areas(mask, FOUR).max(initial=0) / max(mask.sum(), 1))


def scipy_wraps(mask: images.Mask) -> float:
    pieces = areas(mask, FOUR, periodic=True)
    left, up = np.roll(mask, 1, 1), np.roll(mask, 1, 0)
    euler = mask.sum() - (mask & left).sum() - (mask & up).sum() + (mask & left & up & np.roll(left, 1, 0)).sum()
    rank = len(pieces) - euler - len(areas(~mask, EIGHT, periodic=True)) + 1
    return float(pieces.max(initial=0) / max(mask.sum(), 1) * (1 + rank) / 3)


def scipy_betti(mask: images.Mask) -> tuple[int, int]:
    return len(areas(mask, FOUR)), len(holes(mask))


def scipy_betti_of_areas(mask: images.Mask) -> tuple[int, ...]:
    """How many pieces there are, how many of them are small, the pixels of these; and the same of holes."""
    ink, enclosed = areas(mask, FOUR), holes(mask)
    small, small_holes = ink[ink < MIN_AREA], enclosed[enclosed < MIN_AREA]
    return len(ink), len(small), small.sum(), len(enclosed), len(small_holes), small_holes.sum()


def connected(packed: reggan.PackedImages[Any]) -> Answers:
    scores: Answers = reggan.score(packed, threads=1)
    return scores


def wraps(packed: reggan.PackedImages[Any]) -> Answers:
    found = reggan.analyze(packed, fields=("score", "winding_rank"), border="periodic", threads=1)
    scores: Answers = found.score * (1 + found.winding_rank) / 3
    return scores


def betti(packed: reggan.PackedImages[Any]) -> Answers:
    found = reggan.analyze(packed, fields=("count", "holes"), threads=1)
    return np.stack([found.count, found.holes], axis=1)


def betti_of_areas(packed: reggan.PackedImages[Any]) -> Answers:
    numbers: Answers = betti_numbers(packed, MIN_AREA, threads=1)
    return numbers


JOBS: dict[str, tuple[Callable[[Any], Answers], Callable[[images.Mask], Any]]] = {
    "connected": (connected, scipy_connected),
    "wraps": (wraps, scipy_wraps),
    "betti": (betti, scipy_betti),
    "betti of areas": (betti_of_areas, scipy_betti_of_areas),
}


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("kind", ["blobs", "noise 50%"])
@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("by", ["reggan", "scipy"])
def bench_torus(benchmark: BenchmarkFixture, pixels: int, size: int, kind: str, job: str, by: str) -> None:
    ink = images.ink(images.batch(kind, size, "uint8", pixels))
    packed, few = reggan.PackedImages(np.packbits(~ink, axis=-1), size), ink[:50]
    ours, peer = JOBS[job]
    checked = ink[: 2**20 // size**2]
    np.testing.assert_allclose(ours(packed)[: len(checked)], [peer(mask) for mask in checked], rtol=1e-6)
    benchmark.group = f"{job} {kind} {size}x{size}"
    benchmark.extra_info |= {"job": job, "by": by, "threads": 1, "kind": kind, "dtype": "bits", "agreement": "equal"}
    benchmark.extra_info |= {"shape": ink.shape if by == "reggan" else few.shape}
    if by == "reggan":
        benchmark(ours, packed)
    else:
        benchmark(lambda: [peer(mask) for mask in few])
