"""Repairs images: the smallest edit that makes the ink of an image one piece, `repair_connected`.

Images, `threshold`, `connectivity`, `threads` and the errors are those of `reggan.scoring`. Ink is dark on white paper.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Generic, Literal

import numpy as np

from reggan import _core
from reggan._arrays import Array, Batch, PackedImages, check_threads, choice, integer, number, on_host
from reggan.edits import Edit
from reggan.scoring import score

METHODS = ("erase", "slide", "bridge")


@dataclass(frozen=True, eq=False)
class Repaired(Generic[Array]):
    """Repaired images. For a single image, `changed` and `scores` have no axis N."""

    images: Array
    """The images, of the shape and dtype that was given."""
    changed: Array
    """(N,) int32: pixels that changed between ink and paper; 0 where an image obeyed."""
    scores: Array
    """(N,) float32: exact scores of the repaired images; below 1 where the repair failed."""
    edits: tuple[tuple[Edit, ...], ...] | None = None
    """What changed in each image, the largest edit first; only of `reggan.repair` with `explain=True`."""


def repair_connected(
    images: Array,
    *,
    method: Literal["erase", "slide", "bridge"] = "slide",
    width: int = 1,
    threshold: float | None = None,
    connectivity: int = 4,
    threads: int | None = None,
) -> Repaired[Array]:
    """Make the ink of each image one piece, so that its `score` is 1, with as small an edit as the method allows.

    The largest piece, the first in raster order of equal ones, stays where it is. Gray pixels around the ink belong to
    the nearest piece within an eighth of the shorter side: they are its halo, and go where it goes.

    - "erase": the other pieces and their halos become white.
    - "slide": each other piece and its halo move along the shortest way until the piece touches the body, which is the
      largest piece and those that came before, the nearest first. Where they overlap, the darker gray stays. A piece
      that would have to leave the image is joined by a bridge of one pixel.
    - "bridge": bridges `width` >= 1 pixels wide join the pieces. Up to five pieces, in an image of at most 2^20 pixels,
      are joined along the fewest pixels. With more, the nearest piece is joined to the body by a shortest bridge, and
      so on. Bridges have the gray and the halo of the ink's edge.

    Images that obey, empty ones included, are returned unchanged. Images may be (N, H, W), (H, W) or (N, 1, H, W), of
    dtype float64, float32, float16, uint8 or bool; they are repaired as they are, without conversion.

    ValueError: a threshold that makes white paper ink, or any other argument out of range. TypeError: packed images.
    """
    if isinstance(images, PackedImages):
        raise TypeError("images are PackedImages, which have no halo; unpack them to bool images first")
    choice("method", method, METHODS)
    pixels = integer("width", width)
    if pixels < 1:
        raise ValueError(f"width is {pixels}, but must be at least 1 pixel")
    if integer("connectivity", connectivity) not in (4, 8):
        raise ValueError(f"connectivity is {connectivity}, but must be 4 or 8")
    level = 0.5 if threshold is None else number("threshold", threshold, 0, 1)
    options = _core.Options(level, "dark", int(connectivity), check_threads(threads))
    array, wrap = on_host(images)
    batch = Batch.of(array, options)
    repaired = batch.result(batch.sides, array.dtype.type)
    changed = batch.result((), np.int32)
    _core.repair_connected(batch.images, repaired, changed, method, min(pixels, sys.maxsize), batch.options)
    scores = score(repaired, threshold=threshold, connectivity=connectivity, threads=threads)
    results: list[Any] = [repaired.reshape(array.shape), changed, scores]
    return Repaired(*(results if wrap is None else map(wrap, results)))
