"""Label images per second of ours and of common libraries; labels must be equal up to their order, ours in order."""

from __future__ import annotations

import images
import numpy as np
import oracles
import peers
import pytest
from pytest_benchmark.fixture import BenchmarkFixture


@pytest.mark.parametrize("size", [64, 512])
@pytest.mark.parametrize("by", peers.LABELERS)
def bench_label(benchmark: BenchmarkFixture, pixels: int, size: int, by: str) -> None:
    batch = images.batch("blobs", size, "uint8", pixels)
    out = np.empty(batch.shape, np.int32)
    labeler = peers.LABELERS[by]
    ordered = map(oracles.raster_order, peers.scipy_labels(batch, np.empty_like(out)))
    for found, wanted in zip(labeler(batch, out), ordered, strict=True):
        np.testing.assert_array_equal(found if by == "reggan" else oracles.raster_order(found), wanted)
    benchmark.group = f"label {size}x{size}"
    benchmark.extra_info |= {"job": "label", "by": by, "threads": 1, "kind": "blobs", "dtype": "uint8"}
    benchmark.extra_info |= {"shape": batch.shape, "agreement": "equal up to the order of labels"}
    benchmark(labeler, batch, out)
