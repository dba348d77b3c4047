"""Paths through the foreground, a step to a neighboring pixel each: distances, diameters, and how far pieces extend.

Images, `threshold`, `foreground`, `out`, `threads` and the errors are those of `reggan.scoring`, without volumes.
With `connectivity` 4 a step leads to a pixel that shares a side, with 8 also to one that shares a corner; both are one
step long.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from reggan import _core
from reggan._arrays import Array, Batch, PackedImages, check_apart, check_threads, choice, integer, number, on_host

__all__ = ["geodesic_diameter", "geodesic_distance", "spans"]


def geodesic_distance(
    images: Array | PackedImages[Array],
    seeds: Array,
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """Steps of the shortest path through the foreground from the nearest seed: (N, H, W) int32.

    -1 where no path leads: in the background, also at its seeds, and in pieces without seeds. This is the geodesic
    distance of Lantuejoul and Maisonneuve (1984), in steps.

    Args:
        images: The images.
        seeds: bool, True at the pixels to start from: (N, H, W), or (H, W) for all images.
        threshold: Limit of the foreground.
        foreground: The side of the limit that is foreground.
        connectivity: 4 or 8.
        out: int32, as the result.
        threads: Maximum number of threads; None is all cores.
    """
    batch = Batch.of(images, _options(threshold, foreground, connectivity, threads))
    starts, _ = on_host(seeds)
    shape = batch.axes + batch.sides
    if starts.dtype != np.bool_:
        raise TypeError(f"seeds have dtype {starts.dtype}, but must be bool")
    if starts.shape not in (shape, batch.sides):
        raise ValueError(f"seeds have shape {starts.shape}, but must be {shape} or {batch.sides}, as the images")
    distances = batch.result(batch.sides, np.int32, out)
    check_apart(distances, seeds=starts)
    # The kernel reads the seeds from its output: 0 at seeds, -1 elsewhere.
    np.subtract(starts, 1, out=distances, dtype=np.int32)
    _core.geodesic_distance(batch.images, distances, batch.options)
    result: Array = batch.finish(distances, out)
    return result


def geodesic_diameter(
    images: Array | PackedImages[Array],
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The longest of all shortest paths between two pixels of one piece, in steps: (N,) int64, exactly.

    0 where no two pixels of the foreground touch. This is the path length of PCGRL's binary problem (Khalifa et al.,
    arXiv 2001.09212), which takes the longest shortest path over all regions. Most images need a few wavefronts, by the
    bounds of Takes and Kosters (doi 10.1145/2063576.2063748); an image of n pixels never needs more than n.
    """
    options = _options(threshold, foreground, connectivity, threads)
    result: Array = _measure(_core.geodesic_diameter, (), images, options, out)
    return result


def spans(
    images: Array | PackedImages[Array],
    *,
    threshold: float | None = None,
    foreground: Literal["dark", "light"] = "dark",
    connectivity: int = 4,
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The longest extent of a piece along y, and that of a piece along x, in pixels: (N, 2) int64.

    Both are 0 without foreground. They may be those of different pieces.
    """
    options = _options(threshold, foreground, connectivity, threads)
    result: Array = _measure(_core.spans, (2,), images, options, out)
    return result


def _measure(kernel: Any, per_image: tuple[int, ...], images: object, options: _core.Options, out: Any) -> Any:
    """Run a kernel that writes int64 numbers for each image."""
    batch = Batch.of(images, options)
    numbers = batch.result(per_image, np.int64, out)
    kernel(batch.images, numbers, batch.options)
    return batch.finish(numbers, out)


def _options(threshold: Any, foreground: Any, connectivity: Any, threads: int | None) -> _core.Options:
    """The checked options for the kernels."""
    limit = 0.5 if threshold is None else number("threshold", threshold, 0, 1)
    choice("foreground", foreground, ("dark", "light"))
    if integer("connectivity", connectivity, "4 or 8") not in (4, 8):
        raise ValueError(f"connectivity is {connectivity}, but must be 4 or 8")
    return _core.Options(limit, foreground, int(connectivity), check_threads(threads))
