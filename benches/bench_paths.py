"""Images per second of paths: diameters, distances and spans, beside SciPy; results must be equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import images
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import ndimage, sparse
from scipy.sparse import csgraph

import reggan


def steps_of(mask: images.Mask) -> sparse.csr_array:
    """The graph of the pixels of an image, with sides in common."""
    number = np.arange(mask.size).reshape(mask.shape)
    pairs = [(number[:, :-1], number[:, 1:]), (number[:-1], number[1:])]
    ends = [np.stack([here.ravel(), there.ravel()]) for here, there in pairs]
    here, there = np.concatenate([each[:, mask.ravel()[each].all(axis=0)] for each in ends], axis=1)
    return sparse.csr_array((np.ones(len(here)), (here, there)), shape=(mask.size, mask.size))


def scipy_diameter(mask: images.Mask) -> int:
    inside = np.flatnonzero(mask)
    between = csgraph.shortest_path(steps_of(mask)[inside][:, inside], directed=False, unweighted=True)
    return int(between[np.isfinite(between)].max())


def scipy_distance(mask: images.Mask) -> images.Images:
    """Steps from the first pixel of ink."""
    start = int(np.flatnonzero(mask)[0])
    found = csgraph.dijkstra(steps_of(mask), directed=False, indices=start, unweighted=True)
    return np.where(np.isfinite(found), found, -1).reshape(mask.shape)


def scipy_spans(mask: images.Mask) -> list[int]:
    places = ndimage.find_objects(ndimage.label(mask)[0])
    return [max(place[axis].stop - place[axis].start for place in places) for axis in (0, 1)]


def first_pixels(masks: images.Mask) -> images.Mask:
    return masks & (np.cumsum(masks.reshape(len(masks), -1), axis=1).reshape(masks.shape) == 1)


def bench(benchmark: BenchmarkFixture, job: str, by: str, kind: str, masks: images.Mask, ours: Any, peer: Any) -> None:
    """Time ours on all images, or the peer on a few; both are compared on these."""
    few = masks[:50]
    scipy = np.array([peer(mask) for mask in few])
    np.testing.assert_array_equal(ours(few), scipy)
    shape = masks.shape if by == "reggan" else few.shape
    benchmark.group = f"{job} {masks.shape[1]}x{masks.shape[2]} {kind}"
    dtype = "bits" if job == "path" else "bool"
    benchmark.extra_info |= {"job": job, "by": by, "threads": 1, "kind": kind, "dtype": dtype}
    benchmark.extra_info |= {"shape": shape, "agreement": "equal"}
    if by == "scipy":
        benchmark(lambda: [peer(mask) for mask in few])
    elif job == "path":
        packed = reggan.PackedImages(np.packbits(masks, axis=-1), masks.shape[2])
        benchmark(reggan.geodesic_diameter, packed, foreground="light", threads=1)
    else:
        benchmark(ours, masks)


def one_piece(masks: images.Mask) -> images.Mask:
    return reggan.largest_component(masks, foreground="light")


KINDS: dict[str, Callable[[images.Mask], images.Mask]] = {"noise 50%": lambda masks: masks, "one piece": one_piece}


@pytest.mark.parametrize("size", [14, 32])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by", ["reggan", "scipy"])
def bench_path(benchmark: BenchmarkFixture, pixels: int, size: int, kind: str, by: str) -> None:
    share = "noise 50%" if kind == "noise 50%" else "noise 59%"
    masks = KINDS[kind](images.ink(images.batch(share, size, "uint8", pixels)))

    def ours(batch: images.Mask) -> images.Images:
        return reggan.geodesic_diameter(batch, foreground="light", threads=1)

    bench(benchmark, "path", by, kind, masks, ours, scipy_diameter)


@pytest.mark.parametrize("by", ["reggan", "scipy"])
def bench_geodesic_distance(benchmark: BenchmarkFixture, pixels: int, by: str) -> None:
    masks = images.ink(images.batch("noise 59%", 64, "uint8", pixels))
    seeds = first_pixels(masks)

    def ours(batch: images.Mask) -> images.Images:
        return reggan.geodesic_distance(batch, seeds[: len(batch)], foreground="light", threads=1)

    bench(benchmark, "geodesic_distance", by, "noise 59%", masks, ours, scipy_distance)


@pytest.mark.parametrize("by", ["reggan", "scipy"])
def bench_spans(benchmark: BenchmarkFixture, pixels: int, by: str) -> None:
    masks = images.ink(images.batch("blobs", 64, "uint8", pixels))

    def ours(batch: images.Mask) -> images.Images:
        return reggan.spans(batch, foreground="light", threads=1)

    bench(benchmark, "spans", by, "blobs", masks, ours, scipy_spans)
