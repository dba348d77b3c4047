"""Openings of images by discs: which ink, or which paper, is narrower than a number of pixels.

Images, `threshold`, `foreground`, `threads` and the errors are those of `reggan.scoring`.

The disc of diameter d is the pixels of a d x d square whose centers are less than d / 2 from the center of the square.
For an even d that is a corner of four pixels. Outside of the image, all pixels belong to the layer that is opened.
This is the disc, and the padding, of imageruler (doi 10.1364/JOSAB.506412), without its extra step for a diameter of 3.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from reggan import _core
from reggan._arrays import Array, Batch, PackedImages, check_threads, choice, integer, number

__all__ = ["check_diameter", "narrow_pixels"]


def narrow_pixels(
    images: Array | PackedImages[Array],
    diameter: int,
    *,
    layer: Literal["foreground", "background"] = "foreground",
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    threads: int | None = None,
) -> Array:
    """How many pixels of a layer are in no disc of this diameter that lies in the layer: (N,) int64.

    These are the pixels that a morphological opening removes. The background is what is not foreground.
    """
    choice("layer", layer, ("foreground", "background"))
    choice("foreground", foreground, ("dark", "light"))
    limit = 0.5 if threshold is None else number("threshold", threshold, 0, 1)
    options = _core.Options(limit, foreground, 4, check_threads(threads))
    batch = Batch.of(images, options)
    counts = batch.result((), np.int64)
    _core.narrow_pixels(check_diameter(diameter), layer == "background", batch.images, counts, batch.options)
    result: Array = batch.finish(counts)
    return result


def check_diameter(diameter: Any) -> int:
    """Check the diameter of a disc in pixels."""
    allowed = f"an integer from 1 to {_core.MAX_DIAMETER}"
    pixels = integer("diameter", diameter, allowed)
    if not 1 <= pixels <= _core.MAX_DIAMETER:
        raise ValueError(f"diameter is {pixels}, but must be {allowed}")
    return pixels
