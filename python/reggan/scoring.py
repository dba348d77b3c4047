"""Exact measures of the connected components of images: `score`, `analyze`, `label`, `largest_component`.

Images are (N, H, W), (H, W) or (N, 1, H, W) of float32, float16, uint8 or bool, H and W from 1 to 16,384:
NumPy arrays, torch tensors (then results are tensors on the same device), or anything that speaks DLPack
(then results are NumPy arrays). They are read where they lie, whatever the strides, if that is on the CPU and
each row is contiguous; otherwise they are copied once. For (H, W) the result has no axis N.

Paper is white (1.0, 255, True) and ink is dark. Every function takes

- `threshold`: with `foreground="dark"` a pixel counts when gray <= 1 - threshold, with `foreground="light"`
  when gray >= threshold; gray, 0 to 1, is compared as if in float64. None is 0.5, any finite number will do;
- `connectivity`: 4, pixels that share a side are connected; or 8, those that share a corner are, too;
- `threads`: at most so many threads; None is all cores. Results do not depend on it;

and raises TypeError for arrays and dtypes that are not served; ValueError for shapes and options that are
not, and for NaN in an image, naming the first such image; MemoryError for results larger than the memory.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any, Generic, Literal

import numpy as np

from reggan import _core
from reggan._arrays import Array, Batch, check_threads


@dataclass(frozen=True)
class Components(Generic[Array]):
    """What is known of the components of N images; for a single (H, W) image without the axis N."""

    score: Array
    """(N,) float32: pixels of the largest component over all foreground pixels; 0 without foreground."""
    count: Array
    """(N,) int64: how many components there are."""
    area: Array
    """(N,) int64: all foreground pixels."""
    largest_area: Array
    """(N,) int64: pixels of the largest component."""
    holes: Array
    """(N,) int64: components of the background, with the other connectivity, that do not touch the border."""
    bbox: Array
    """(N, 4) int32: top, left, bottom, right of the largest component, half-open; zeros if there is none."""


def score(
    images: Array,
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The part of each image's foreground that is in one piece: (N,) float32, 0 to 1.

    That is the pixels of the largest component over all foreground pixels (Di Cerbo, Hirsa, Shayaan, arXiv
    2102.04593, section 3.1): 1 exactly when there is one component. An image without foreground scores 0.
    `out`: a float32 array of the result's shape, C-contiguous, to write to and return.
    """
    batch, options = _prepare(images, threshold, foreground, connectivity, threads)
    scores = batch.result((), np.float32, out)
    _core.score(batch.images, scores, **options)
    result: Array = batch.finish(scores, out)
    return result


def analyze(
    images: Array,
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    threads: int | None = None,
) -> Components[Array]:
    """The score of each image, and more: see `Components`. Of equally large ones, that which comes first."""
    batch, options = _prepare(images, threshold, foreground, connectivity, threads)
    measures: dict[str, Any] = {
        "score": batch.result((), np.float32),
        "count": batch.result((), np.int64),
        "area": batch.result((), np.int64),
        "largest_area": batch.result((), np.int64),
        "holes": batch.result((), np.int64),
        "bbox": batch.result((4,), np.int32),
    }
    _core.analyze(batch.images, **measures, **options)
    return Components(**{name: batch.finish(measure) for name, measure in measures.items()})


def label(
    images: Array,
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The component of each pixel: (N, H, W) int32.

    Background is 0; components are 1, 2, ... in raster order of their first pixels.
    `out`: an int32 array of the result's shape, C-contiguous, to write to and return.
    """
    batch, options = _prepare(images, threshold, foreground, connectivity, threads)
    labels = batch.result(batch.images.shape[1:], np.int32, out)
    _core.label(batch.images, labels, **options)
    result: Array = batch.finish(labels, out)
    return result


def largest_component(
    images: Array,
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    threads: int | None = None,
) -> Array:
    """The pixels of the largest component: (N, H, W) bool. Of equally large ones, that which comes first."""
    batch, options = _prepare(images, threshold, foreground, connectivity, threads)
    mask = batch.result(batch.images.shape[1:], np.bool_)
    _core.largest_component(batch.images, mask, **options)
    result: Array = batch.finish(mask)
    return result


def _prepare(
    images: object, threshold: Any, foreground: str, connectivity: int, threads: int | None
) -> tuple[Batch, dict[str, Any]]:
    """The images as kernels read them, and the options, checked, as kernels take them."""
    if threshold is None:
        threshold = 0.5
    if not isinstance(threshold, numbers.Real):
        raise TypeError(f"threshold is {threshold!r}, but must be a number or None")
    try:
        limit = float(threshold)
    except OverflowError:
        limit = math.inf
    if not math.isfinite(limit):
        raise ValueError(f"threshold is {threshold}, but must be finite in float64")
    if foreground not in ("dark", "light"):
        raise ValueError(f'foreground is {foreground!r}, but must be "dark" or "light"')
    if connectivity not in (4, 8):
        raise ValueError(f"connectivity is {connectivity!r}, but must be 4 or 8")
    options = {
        "threshold": limit,
        "foreground": foreground,
        "connectivity": int(connectivity),
        "threads": check_threads(threads),
    }
    return Batch.of(images), options
