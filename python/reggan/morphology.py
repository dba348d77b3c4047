"""Openings of images by discs, and runs: which ink, or which paper, is narrower than a number of pixels.

Images, `threshold`, `foreground`, `out`, `threads` and the errors are those of `reggan.scoring`. The background is what
is not foreground.

The disc of diameter d is the pixels of a d x d square whose centers are less than d / 2 from the center of the square.
For an even d that is a corner of four pixels. Diameters are from 1 to 1024.

With the border "solid", all pixels outside of the image belong to the layer that is opened. This is the disc, and the
padding, of imageruler (doi 10.1364/JOSAB.506412), without its extra step for a diameter of 3. With "periodic", the
image is repeated on all sides: it is a unit cell, and a disc that leaves it on one side enters it on the other.
"""

from __future__ import annotations

import sys
from typing import Any, Literal

import numpy as np

from reggan import _core
from reggan._arrays import Array, Batch, PackedImages, check_threads, choice, integer, number

__all__ = [
    "check_diameter",
    "closing",
    "minimum_spacing",
    "minimum_width",
    "narrow_pixels",
    "opening",
    "short_runs",
]

LAYERS = {"foreground": [False], "background": [True], "both": [False, True]}
"""For each layer that `narrow_pixels` counts, whether it is the background."""


def opening(
    images: Array | PackedImages[Array],
    diameter: int,
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    border: Literal["solid", "periodic"] = "solid",
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The foreground pixels in discs of this diameter that lie in the foreground: (N, H, W) bool."""
    return _opened(False, images, diameter, threshold, foreground, border, out, threads)


def closing(
    images: Array | PackedImages[Array],
    diameter: int,
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    border: Literal["solid", "periodic"] = "solid",
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The foreground, and the background that is in no disc of background of this diameter: (N, H, W) bool.

    This is the complement of the opening of the background: with the border "solid", all pixels outside are background.
    """
    return _opened(True, images, diameter, threshold, foreground, border, out, threads)


def narrow_pixels(
    images: Array | PackedImages[Array],
    diameter: int,
    *,
    layer: Literal["foreground", "background", "both"] = "foreground",
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    border: Literal["solid", "periodic"] = "solid",
    threads: int | None = None,
) -> Array:
    """How many pixels of a layer are in no disc of this diameter that lies in the layer: (N,) int64.

    These are the pixels that a morphological opening removes. "both" is the sum of both layers.
    """
    choice("layer", layer, tuple(LAYERS))
    options, periodic = _options(threshold, foreground, threads), _periodic(border)
    batch = Batch.of(images, options)
    counts = batch.result((), np.int64)
    _core.narrow_pixels(check_diameter(diameter), LAYERS[layer], periodic, batch.images, counts, batch.options)
    result: Array = batch.finish(counts)
    return result


def minimum_width(
    images: Array | PackedImages[Array],
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    border: Literal["solid", "periodic"] = "solid",
    threads: int | None = None,
) -> Array:
    """The largest diameter such that neither its disc nor any smaller one opens foreground away: (N,) int64.

    It is 0 without foreground, and at most the longer side of the image, or 1024 if that is less.
    """
    return _narrowest(False, images, threshold, foreground, border, threads)


def minimum_spacing(
    images: Array | PackedImages[Array],
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    border: Literal["solid", "periodic"] = "solid",
    threads: int | None = None,
) -> Array:
    """`minimum_width` of the background: (N,) int64."""
    return _narrowest(True, images, threshold, foreground, border, threads)


def short_runs(
    images: Array | PackedImages[Array],
    length: int,
    gap: int,
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    periodic: bool = False,
    threads: int | None = None,
) -> Array:
    """How many runs in the rows and columns of each image are too short: (N,) int64.

    These are the runs of foreground of less than `length` pixels, and the runs of background of less than `gap` pixels
    that are between foreground. If the images are periodic, their rows and columns are rings: runs go on at the
    opposite side, each run of background is between foreground, and a row of one layer alone is no run.
    """
    lengths = check_length("length", length), check_length("gap", gap)
    batch = Batch.of(images, _options(threshold, foreground, threads))
    counts = batch.result((), np.int64)
    _core.short_runs(lengths, bool(periodic), batch.images, counts, batch.options)
    result: Array = batch.finish(counts)
    return result


def check_diameter(diameter: Any) -> int:
    """Check the diameter of a disc in pixels."""
    allowed = f"an integer from 1 to {_core.MAX_DIAMETER}"
    pixels = integer("diameter", diameter, allowed)
    if not 1 <= pixels <= _core.MAX_DIAMETER:
        raise ValueError(f"diameter is {pixels}, but must be {allowed}")
    return pixels


def check_length(name: str, given: Any) -> int:
    """Check the length of a run in pixels."""
    pixels = integer(name, given, "an integer of at least 1")
    if pixels < 1:
        raise ValueError(f"{name} is {pixels}, but must be an integer of at least 1")
    return min(pixels, sys.maxsize)


def _opened(
    background: bool,
    images: Array | PackedImages[Array],
    diameter: int,
    threshold: float | None,
    foreground: Literal["dark", "light"],
    border: Literal["solid", "periodic"],
    out: Array | None,
    threads: int | None,
) -> Array:
    """The foreground after an opening of a layer."""
    options, periodic = _options(threshold, foreground, threads), _periodic(border)
    batch = Batch.of(images, options)
    mask = batch.result(batch.sides, np.bool_, out)
    _core.open_layer(check_diameter(diameter), background, periodic, batch.images, mask, batch.options)
    result: Array = batch.finish(mask, out)
    return result


def _narrowest(
    background: bool,
    images: Array | PackedImages[Array],
    threshold: float | None,
    foreground: Literal["dark", "light"],
    border: Literal["solid", "periodic"],
    threads: int | None,
) -> Array:
    """The minimum width of a layer."""
    options, periodic = _options(threshold, foreground, threads), _periodic(border)
    batch = Batch.of(images, options)
    widths = batch.result((), np.int64)
    _core.minimum_width(background, periodic, batch.images, widths, batch.options)
    result: Array = batch.finish(widths)
    return result


def _options(threshold: float | None, foreground: str, threads: int | None) -> _core.Options:
    """The checked options for the kernels."""
    choice("foreground", foreground, ("dark", "light"))
    limit = 0.5 if threshold is None else number("threshold", threshold, 0, 1)
    return _core.Options(limit, foreground, 4, check_threads(threads))


def _periodic(border: str) -> bool:
    choice("border", border, ("solid", "periodic"))
    return border == "periodic"
