"""Exact measures of the connected components of images and volumes: `score`, `analyze`, `label`, and masks.

Images are (N, H, W), (H, W) or (N, 1, H, W), with H and W from 1 to 32,768, of dtype float64, float32, float16, uint8
or bool, or `PackedImages` with one bit per pixel. They are NumPy arrays, torch tensors (results are then tensors on the
same device) or any objects with DLPack (results are then NumPy arrays). Images on the CPU with contiguous rows are read
in place, whatever the other strides; others are copied once. Tensors on another device are thresholded there, and only
the bits are copied. For (H, W) the result has no axis N.

Volumes, for `connectivity` 6, 18 or 26, are (N, D, H, W), (D, H, W) or (N, 1, D, H, W), with D in the same range and
D * H * W at most 2^31 - 1. Raster order is that of (z, y, x).

Paper is white (1.0, 255, True) and ink is dark. Every function takes

- `threshold`, 0 to 1 (None is 0.5): with `foreground="dark"` a pixel counts if gray <= 1 - threshold, with
  `foreground="light"` if gray >= threshold. Gray is 0 to 1, uint8 values are divided by 255, and the comparison is as
  exact as in float64.
- `connectivity`: for images 4 (pixels are connected by sides) or 8 (also by corners); for volumes 6 (by faces), 18
  (also by edges) or 26 (also by corners).
- `border`, "open" or "periodic": whether pixels on opposite sides of an image are neighbors, as on a torus; with
  connectivity 8 also across its corners. Volumes have open borders.
- `threads`: maximum number of threads; None is all cores. Results do not depend on it.
- `out`, if it returns one array: a C-contiguous array of the result's shape and dtype to write to and return.

It raises TypeError for unsupported types and dtypes, masked arrays included; ValueError for unsupported shapes and
options, for an `out` that shares memory with the images, and for NaN, naming the first image that holds it; MemoryError
if the result or the working memory cannot be allocated.

A process may fork at any time. An array that another thread's call uses at that moment stays borrowed in the child;
copy it there.
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
    "winding_rank": (np.int64, 0),
}
"""What `analyze` measures: the dtype, and the numbers per axis of an image; 0 is one number in total."""

OF_BORDER = {"bbox": "open", "centroid": "open", "winding_rank": "periodic"}
"""The border that a measure has a meaning with, for those that do not have it with both."""


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Components(Generic[Array]):
    """The requested measures of N images; for a single image without the axis N.

    Other measures raise an AttributeError. Among equally large components, the first in raster order is the largest.
    """

    score: Array
    """(N,) float32: pixels of the largest component over all foreground pixels; 0 without foreground."""
    count: Array
    """(N,) int64: number of components."""
    area: Array
    """(N,) int64: number of foreground pixels."""
    largest_area: Array
    """(N,) int64: number of pixels of the largest component."""
    bbox: Array
    """(N, 4) int32: top, left, bottom, right of the largest component, half-open; zeros if there is none.
    For volumes (N, 6): front, top, left, back, bottom, right."""
    centroid: Array
    """(N, 2) float64: mean (y, x) index of the pixels of the largest component; NaN if there is none.
    For volumes (N, 3): (z, y, x)."""
    holes: Array
    """(N,) int64: background components that do not touch the border; cavities in volumes. The background has the
    connectivity 8 if the foreground has 4, and 4 if it has 8; in volumes 26 for 6, and 6 for 18 and 26. With a periodic
    border, background components that do not wind around the torus: the areas that the foreground encloses in the
    endless tiling of the plane by the image, once per tile."""
    euler: Array
    """(N,) int64: components minus holes; for volumes components minus tunnels plus cavities. With a periodic border,
    the Euler number on the torus, V - E + F of pixels and their neighbors: components minus holes, minus one for each
    component that winds around the torus. It is 0 for a full image."""
    winding_rank: Array
    """(N,) int64: see `winding_rank`. Only with a periodic border, where bbox and centroid have no meaning."""

    def __init__(self, **measures: Array) -> None:
        self.__dict__.update(measures)

    def __getattr__(self, name: str) -> Any:
        if name not in FIELDS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        fields: tuple[str, ...] = tuple(vars(self))
        raise AttributeError(
            f"{name} was not computed: fields was {fields}; call analyze with fields={(*fields, name)}, "
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
    border: Literal["open", "periodic"] = "open",
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The share of each image's foreground that is in its largest component: (N,) float32, 0 to 1.

    This is the score of Di Cerbo, Hirsa, Shayaan (arXiv 2102.04593, section 3.1): 1 exactly if there is one component,
    0 if there is no foreground.

    Arrays of other conventions are misread:

    - A uint8 mask of 0 and 1 is all ink, as 1 is 1/255 of white. Pass `mask.astype(bool)`, whose zeros are the ink; add
      `foreground="light"` to score the ones.
    - RGB (H, W, 3) is read as H images of W x 3 pixels. Convert it to gray first, (H, W).
    """
    batch = Batch.of(images, _options(threshold, foreground, connectivity, threads, border))
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
    border: Literal["open", "periodic"] = "open",
    threads: int | None = None,
) -> Components[Array]:
    """The measures of `Components` for each image; `fields` names those to compute, and None is all of this border."""
    options = _options(threshold, foreground, connectivity, threads, border)
    names = _fields(fields, border)
    batch = Batch.of(images, options)
    axes = len(batch.sides)
    measures = {}
    for name in names:
        dtype, numbers_per_axis = FIELDS[name]
        measures[name] = batch.result((numbers_per_axis * axes,) if numbers_per_axis else (), dtype)
    _core.analyze(batch.images, measures, batch.options)
    return Components(**{name: batch.finish(measure) for name, measure in measures.items()})


def winding_rank(
    images: Array | PackedImages[Array],
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    threads: int | None = None,
) -> Array:
    """In how many directions the foreground winds around the torus that an image with a periodic border is: (N,) int64.

    The rank of the subgroup of Z x Z of its loops: 0 if no path leads from a pixel to a copy of it in another tile of
    the endless tiling by the image, 1 if paths do along one direction, 2 if along two. Components that wind around the
    torus do not cross, so rank 2 is that of one component. It is b0 - e - b + 1 for b0 components with the Euler number
    e, and b background components with the connectivity 8 if the foreground has 4, and 4 if it has 8.

    The components are joined across the border by displacements (Newman and Ziff, Physical Review E 64, 016706, 2001,
    section II E).
    """
    ranks: Array = analyze(
        images,
        fields=("winding_rank",),
        threshold=threshold,
        foreground=foreground,
        connectivity=connectivity,
        border="periodic",
        threads=threads,
    ).winding_rank
    return ranks


def betti_numbers(
    images: Array | PackedImages[Array],
    min_area: int,
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    border: Literal["open", "periodic"] = "open",
    threads: int | None = None,
) -> Array:
    """Components and holes of images, and how small they are: (N, 6) int64.

    The number of components, how many of them have fewer than `min_area` >= 0 pixels, the pixels of all these; and the
    same of the holes, as in `Components`. Not for volumes.
    """
    least = _area(min_area)
    batch = Batch.of(images, _options(threshold, foreground, connectivity, threads, border))
    numbers = batch.result((_core.BETTI_NUMBERS,), np.int64)
    _core.betti(least, batch.images, numbers, batch.options)
    result: Array = batch.finish(numbers)
    return result


def label(
    images: Array | PackedImages[Array],
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    border: Literal["open", "periodic"] = "open",
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The component of each pixel: (N, H, W) int32, for volumes (N, D, H, W).

    The background is 0; components are 1, 2, ... in raster order of their first pixels.
    """
    options = _options(threshold, foreground, connectivity, threads, border)
    result: Array = _paint(_core.label, images, np.int32, out, options)
    return result


def largest_component(
    images: Array | PackedImages[Array],
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    border: Literal["open", "periodic"] = "open",
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The pixels of the largest component, the first in raster order on a tie: (N, H, W) bool or (N, D, H, W)."""
    options = _options(threshold, foreground, connectivity, threads, border)
    result: Array = _paint(_core.largest_component, images, np.bool_, out, options)
    return result


def largest_components(
    images: Array | PackedImages[Array],
    k: int,
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    border: Literal["open", "periodic"] = "open",
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The ranks of the k largest components, k >= 1: (N, H, W) int32, for volumes (N, D, H, W).

    Pixels of the largest component are 1, of the next 2, up to k; all others are 0. Ties rank in raster order.
    """
    most = integer("k", k)
    if most < 1:
        raise ValueError(f"k is {most}, but must be at least 1")
    options = _options(threshold, foreground, connectivity, threads, border)
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
    border: Literal["open", "periodic"] = "open",
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The components with at least `min_area` >= 0 pixels: (N, H, W) bool, for volumes (N, D, H, W)."""
    options = _options(threshold, foreground, connectivity, threads, border)
    kernel = partial(_core.remove_small, _area(min_area))
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
    """The foreground pixels that `score` counts: (N, H, W) bool, for volumes (N, D, H, W).

    `connectivity` only distinguishes images from volumes. The cost is that of `remove_small`.
    """
    # The kernel that keeps all components, so that the foreground has one definition.
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
    """Run a kernel that writes one value per pixel."""
    batch = Batch.of(images, options)
    pixels = batch.result(batch.sides, dtype, out)
    kernel(batch.images, pixels, batch.options)
    return batch.finish(pixels, out)


_DEFAULT = _core.Options(0.5, "dark", 4, None)
_OF_WHITE = ", or None for 0.5; divide a gray value of 0 to 255 by 255, for uint8 images too"


def _options(
    threshold: Any, foreground: Any, connectivity: Any, threads: int | None, border: Any = "open"
) -> _core.Options:
    """The checked options for the kernels."""
    # Most calls use the defaults; checking these would take a tenth of the time of a small call.
    is_default = type(connectivity) is int and connectivity == 4 and type(foreground) is str and foreground == "dark"
    if is_default and threshold is threads is None and type(border) is str and border == "open":
        return _DEFAULT
    limit = 0.5 if threshold is None else number("threshold", threshold, 0, 1, _OF_WHITE)
    choice("foreground", foreground, ("dark", "light"))
    choice("border", border, ("open", "periodic"))
    neighbors, is_periodic = _connectivity(connectivity), border == "periodic"
    if is_periodic and neighbors not in (4, 8):
        raise ValueError(f"border is 'periodic' with connectivity {neighbors}, but only images, not volumes, have it")
    return _core.Options(limit, foreground, neighbors, check_threads(threads), periodic=is_periodic)


def _connectivity(given: Any) -> int:
    allowed = "4 or 8 for images, and 6, 18 or 26 for volumes"
    connectivity = integer("connectivity", given, allowed)
    if connectivity not in (4, 8, 6, 18, 26):
        raise ValueError(f"connectivity is {connectivity}, but must be {allowed}")
    return connectivity


def _area(min_area: Any) -> int:
    least = integer("min_area", min_area)
    if least < 0:
        raise ValueError(f"min_area is {least}, but must be at least 0")
    return min(least, sys.maxsize)


def _fields(fields: Iterable[str] | None, border: Any) -> tuple[str, ...]:
    """The names of the requested measures, without duplicates."""
    if fields is None:
        return tuple(name for name in FIELDS if OF_BORDER.get(name, border) == border)
    if not isinstance(fields, Iterable):
        raise TypeError(f"fields is {fields!r}, but must be None or an iterable of names")
    names = tuple(fields)
    if isinstance(fields, str) or any(name not in tuple(FIELDS) for name in names):
        raise ValueError(f"fields is {fields!r}, but must be an iterable of names from {', '.join(FIELDS)}")
    for name in names:
        if (wanted := OF_BORDER.get(name, border)) != border:
            raise ValueError(f"{name} has no meaning with border {border!r}, only with {wanted!r}")
    return tuple(dict.fromkeys(names))
