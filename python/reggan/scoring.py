"""Exact measures of the connected components of images and volumes: `score`, `analyze`, `label`, and masks.

Images are (N, H, W), (H, W) or (N, 1, H, W) of float64, float32, float16, uint8 or bool, or `PackedImages` of one
bit a pixel; H and W from 1 to 32,768. They are NumPy arrays, torch tensors (then results are tensors on the same
device), or anything that speaks DLPack (then results are NumPy arrays). They are read where they lie, whatever the
strides, if that is on the CPU and each row is contiguous; otherwise they are copied once. Of tensors on another
device only bits are copied: they are thresholded there. For (H, W) the result has no axis N.

Volumes are (N, D, H, W), (D, H, W) or (N, 1, D, H, W), which is what `connectivity` 6, 18 or 26 takes; D as H and W
are, and D * H * W at most 2^31 - 1. Raster order is that of (z, y, x).

Paper is white (1.0, 255, True) and ink is dark. Every function takes

- `threshold`, 0 to 1: with `foreground="dark"` a pixel counts when gray <= 1 - threshold, with `foreground="light"`
  when gray >= threshold; gray, 0 to 1, is compared as if in float64, of uint8 images as parts of 255. None is 0.5;
- `connectivity`: of images 4, pixels that share a side are connected, or 8, those that share a corner are, too;
  of volumes 6, voxels that share a face, 18, or an edge, or 26, or a corner;
- `threads`: at most so many threads; None is all cores. Results do not depend on it;

those that give one array take `out`, an array of the result's shape and dtype, C-contiguous, to write to and return;
and they raise TypeError for arrays and dtypes that are not served, masked arrays among them, and for options of another
kind; ValueError for shapes and options that are not served, for an `out` that shares memory with the images, and for
NaN in an image, naming the first such image; MemoryError where the result or the working memory cannot be allocated.

A process may fork at any time, and both go on. But an array that a call in another thread used at that moment stays in
use in the child: there, use a copy of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Literal

import numpy as np

from reggan import _core
from reggan._arrays import Array, Batch, PackedImages, check_threads, choice, integer, number

FIELDS: dict[str, tuple[type[np.generic], int]] = {
    "score": (np.float32, 0),
    "count": (np.int64, 0),
    "area": (np.int64, 0),
    "largest_area": (np.int64, 0),
    "bbox": (np.int32, 2),
    "centroid": (np.float64, 1),
    "holes": (np.int64, 0),
    "euler": (np.int64, 0),
}
"""What `analyze` measures: the dtype, and how many numbers there are for each axis of an image; 0 is one in all."""


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Components(Generic[Array]):
    """What was asked of the components of N images; for a single image without the axis N.

    A measure that was not asked for is an AttributeError. Of equally large components the largest is the first
    in raster order.
    """

    score: Array
    """(N,) float32: pixels of the largest component over all foreground pixels; 0 without foreground."""
    count: Array
    """(N,) int64: how many components there are."""
    area: Array
    """(N,) int64: all foreground pixels."""
    largest_area: Array
    """(N,) int64: pixels of the largest component."""
    bbox: Array
    """(N, 4) int32: top, left, bottom, right of the largest component, half-open; zeros if there is none.
    Of volumes (N, 6): front, top, left, back, bottom, right."""
    centroid: Array
    """(N, 2) float64: the mean (y, x) of the pixels of the largest component, as indices; NaN if there is none.
    Of volumes (N, 3): (z, y, x)."""
    holes: Array
    """(N,) int64: components of the background that do not touch the border, cavities in volumes. The background
    is connected by 8 where the foreground is by 4, by 26 where that is by 6, by 6 where that is by 18, and so on."""
    euler: Array
    """(N,) int64: components less holes; of volumes components less tunnels plus cavities."""

    def __init__(self, **measures: Array) -> None:
        self.__dict__.update(measures)

    def __getattr__(self, name: str) -> Any:
        if name not in FIELDS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        asked: tuple[str, ...] = tuple(vars(self))
        raise AttributeError(
            f"{name} was not asked for: fields was {asked}; call analyze with fields={(*asked, name)}, "
            "or without fields for all"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


def score(
    images: Array | PackedImages[Array],
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

    Mind what arrays of other conventions are taken for:

    - A uint8 mask of 0 and 1 is all ink, as 1 is 1 / 255 of white. Pass `mask.astype(bool)`, whose zeros are the ink,
      with `foreground="light"` if it is the ones that count.
    - RGB (H, W, 3) is H images of W x 3 pixels. Convert it to gray first; with a channel axis the images are
      (N, 1, H, W).
    """
    batch = Batch.of(images, _options(threshold, foreground, connectivity, threads))
    scores = batch.result((), np.float32, out)
    _core.score(batch.images, scores, batch.options)
    result: Array = batch.finish(scores, out)
    return result


def analyze(
    images: Array | PackedImages[Array],
    *,
    fields: Iterable[str] | None = None,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    threads: int | None = None,
) -> Components[Array]:
    """The score of each image, and more: the measures that `Components` lists.

    `fields`: names of measures; only these are computed and returned. None is all.
    """
    asked = _fields(fields)
    batch = Batch.of(images, _options(threshold, foreground, connectivity, threads))
    axes = len(batch.sides)
    measures = {}
    for name in asked:
        dtype, numbers_per_axis = FIELDS[name]
        measures[name] = batch.result((numbers_per_axis * axes,) if numbers_per_axis else (), dtype)
    _core.analyze(batch.images, measures, batch.options)
    return Components(**{name: batch.finish(measure) for name, measure in measures.items()})


def label(
    images: Array | PackedImages[Array],
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The component of each pixel: (N, H, W) int32, of volumes (N, D, H, W).

    Background is 0; components are 1, 2, ... in raster order of their first pixels.
    """
    options = _options(threshold, foreground, connectivity, threads)
    result: Array = _paint(_core.label, images, np.int32, out, options)
    return result


def largest_component(
    images: Array | PackedImages[Array],
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The pixels of the largest component: (N, H, W) bool, of volumes (N, D, H, W).

    Of equally large ones it is that which comes first in raster order.
    """
    options = _options(threshold, foreground, connectivity, threads)
    result: Array = _paint(_core.largest_component, images, np.bool_, out, options)
    return result


def largest_components(
    images: Array | PackedImages[Array],
    k: int,
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The pixels of the k largest components, k >= 1: (N, H, W) int32, of volumes (N, D, H, W).

    A pixel of the largest is 1, of the next 2, and so on to k; of the rest it is 0. Of equally large components
    that which comes first in raster order ranks first.
    """
    most = integer("k", k)
    if most < 1:
        raise ValueError(f"k is {most}, but must be at least 1")
    options = _options(threshold, foreground, connectivity, threads)
    kernel = partial(_core.largest_components, min(most, sys.maxsize))
    result: Array = _paint(kernel, images, np.int32, out, options)
    return result


def remove_small(
    images: Array | PackedImages[Array],
    min_area: int,
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The foreground without its small components: (N, H, W) bool, of volumes (N, D, H, W).

    True are the pixels of components of at least `min_area` pixels, min_area >= 0.
    """
    least = integer("min_area", min_area)
    if least < 0:
        raise ValueError(f"min_area is {least}, but must be at least 0")
    options = _options(threshold, foreground, connectivity, threads)
    kernel = partial(_core.remove_small, min(least, sys.maxsize))
    result: Array = _paint(kernel, images, np.bool_, out, options)
    return result


def ink_mask(
    images: Array | PackedImages[Array],
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The foreground, which is what `score` counts, of any dtype: (N, H, W) bool, of volumes (N, D, H, W).

    `connectivity` only says whether these are images or volumes. It costs as much as `remove_small`.
    """
    # All components are kept: so there is one definition of what the foreground is.
    return remove_small(
        images,
        0,
        threshold=threshold,
        foreground=foreground,
        connectivity=connectivity,
        out=out,
        threads=threads,
    )


def _paint(
    kernel: Callable[..., None], images: object, dtype: type[np.generic], out: object, options: _core.Options
) -> Any:
    """What `kernel` writes for each pixel, as the caller gets it."""
    batch = Batch.of(images, options)
    pixels = batch.result(batch.sides, dtype, out)
    kernel(batch.images, pixels, batch.options)
    return batch.finish(pixels, out)


_DEFAULT = _core.Options(0.5, "dark", 4, None)
_OF_WHITE = ", or None for 0.5: a part of white, so divide gray values of 0 to 255 by 255, of uint8 images too"


def _options(threshold: Any, foreground: Any, connectivity: Any, threads: int | None) -> _core.Options:
    """The options, checked, as kernels take them."""
    # Most calls have the defaults, and checking them would take a tenth of a small one's time.
    is_default = type(connectivity) is int and connectivity == 4 and type(foreground) is str and foreground == "dark"
    if is_default and threshold is threads is None:
        return _DEFAULT
    limit = 0.5 if threshold is None else number("threshold", threshold, 0, 1, _OF_WHITE)
    choice("foreground", foreground, ("dark", "light"))
    return _core.Options(limit, foreground, _connectivity(connectivity), check_threads(threads))


def _connectivity(given: Any) -> int:
    allowed = "4 or 8 for images, and 6, 18 or 26 for volumes"
    connectivity = integer("connectivity", given, allowed)
    if connectivity not in (4, 8, 6, 18, 26):
        raise ValueError(f"connectivity is {connectivity}, but must be {allowed}")
    return connectivity


def _fields(fields: Iterable[str] | None) -> tuple[str, ...]:
    """The names of the measures that are asked for, each once."""
    if fields is None:
        return tuple(FIELDS)
    if not isinstance(fields, Iterable):
        raise TypeError(f"fields is {fields!r}, but must be None or an iterable of names")
    asked = (fields,) if isinstance(fields, str) else tuple(fields)
    unknown = [name for name in asked if name not in tuple(FIELDS)]
    if unknown or isinstance(fields, str):
        raise ValueError(f"fields is {fields!r}, but must be an iterable of names out of {', '.join(FIELDS)}")
    return tuple(dict.fromkeys(asked))
