"""Exact scores per second, against the floor and common libraries, after a check that all scores are equal.

Blobs of every size are compared with OpenCV and the floor; blobs of two sizes, and every kind of image at 64x64, with
all libraries.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import images
import numpy as np
import numpy.typing as npt
import peers
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import reggan

SIZES = (32, 64, 128, 256, 512, 2048)
ALL_PEERS = (64, 512)
FEW = (("reggan", 1), ("reggan", None), ("opencv stats", 1), ("floor", 1))
EVERY = tuple((by, threads) for by in peers.SCORERS for threads in ((1, None) if by in peers.THREADED else (1,)))
CALLS = 256


def cases() -> Iterator[tuple[str, int, str, str, int | None]]:
    """Kind, size, dtype, who and threads."""
    for dtype in ("float32", "uint8"):
        for size in SIZES:
            for by, threads in EVERY if size in ALL_PEERS else FEW:
                yield "blobs", size, dtype, by, threads
        yield "blobs", 64, dtype, "reggan", 2
    for kind in images.KINDS[1:]:
        for by, threads in EVERY:
            yield kind, 64, "uint8", by, threads
        for by, threads in FEW:
            yield kind, 512, "uint8", by, threads


@lru_cache(maxsize=2)
def expected(kind: str, size: int, dtype: str, pixels: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """SciPy's scores, and the ink pixels of each image."""
    batch = images.batch(kind, size, dtype, pixels)
    return peers.SCORERS["scipy"](batch, 1), images.ink(batch).sum(axis=(1, 2))


def describe(benchmark: BenchmarkFixture, **info: Any) -> None:
    benchmark.group = " ".join(str(info[key]) for key in ("job", "kind", "dtype", "shape"))
    benchmark.extra_info |= info


@pytest.mark.parametrize(("kind", "size", "dtype", "by", "threads"), list(cases()))
def bench_score(
    benchmark: BenchmarkFixture, pixels: int, kind: str, size: int, dtype: str, by: str, threads: int | None
) -> None:
    batch = images.batch(kind, size, dtype, pixels)
    scores, areas = expected(kind, size, dtype, pixels)
    scorer = peers.SCORERS[by]
    np.testing.assert_array_equal(scorer(batch, threads), areas if by == "floor" else scores)
    describe(
        benchmark,
        **{"job": "score", "by": by, "threads": threads or "all", "kind": kind, "dtype": dtype},
        **{"shape": batch.shape, "agreement": "equal areas" if by == "floor" else "equal scores"},
    )
    benchmark(scorer, batch, threads)


@pytest.mark.parametrize("size", ALL_PEERS)
@pytest.mark.parametrize("threads", [1, 2, None])
def bench_score_of_bits(benchmark: BenchmarkFixture, pixels: int, size: int, threads: int | None) -> None:
    pixels *= 8  # An eighth of a byte each.
    batch = images.batch("blobs", size, "uint8", pixels)
    packed = reggan.PackedImages(np.packbits(~images.ink(batch), axis=-1), size)
    scores, _ = expected("blobs", size, "uint8", pixels)
    np.testing.assert_array_equal(reggan.score(packed, threads=threads), scores)
    describe(
        benchmark,
        **{"job": "score", "by": "reggan", "threads": threads or "all", "kind": "blobs", "dtype": "bits"},
        **{"shape": batch.shape, "agreement": "equal scores"},
    )
    benchmark(reggan.score, packed, threads=threads)


def bench_call(benchmark: BenchmarkFixture) -> None:
    """One call per image: the cost beyond the kernel's time in a batch is Python's overhead."""
    batch = list(images.batch("blobs", 64, "uint8", CALLS * 64**2))
    scores, _ = expected("blobs", 64, "uint8", CALLS * 64**2)

    def calls() -> list[Any]:
        return [reggan.score(image) for image in batch]

    np.testing.assert_array_equal(calls(), scores)
    describe(
        benchmark,
        **{"job": "call", "by": "reggan", "threads": "all", "kind": "blobs", "dtype": "uint8"},
        **{"shape": (CALLS, 64, 64), "agreement": "equal scores"},
    )
    benchmark(calls)
