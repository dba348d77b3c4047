"""Render random images from seeds, and blur images.

An image is a pure function of spec, seed, index and size: its bytes do not depend on the number of threads, the batch
or the machine. `STREAM_VERSION` changes when that function does.

A process may fork at any time. An array that another thread's call uses at that moment stays borrowed in the child;
copy it there.
"""

from __future__ import annotations

import numbers
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from reggan import _core
from reggan._arrays import (
    allocate,
    check_apart,
    check_memory,
    check_sides,
    check_threads,
    check_unmasked,
    choice,
    floats,
    integer,
    number,
    on_host,
    writable,
)
from reggan.specs import RENDERERS, Border, Spec

Indices: TypeAlias = int | Sequence[int] | NDArray[np.integer[Any]]
"""The number of images, or their indices."""

Size: TypeAlias = int | tuple[int, ...]
"""Side in pixels, (height, width), or (depth, height, width) of volumes; 1 to 32,768 each."""

_BORDERS = get_args(Border)
_FARTHEST = 1e30
"""The largest value outside an image for which sums in float32 stay finite."""

STREAM_VERSION: int = _core.STREAM_VERSION
"""Version of the renderers: while it stays the same, a seed and an index give the same image."""


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """The parameters that N images were drawn with. K is the maximum number of shapes in an image of the spec."""

    count: NDArray[np.int64]
    """Number of shapes in each image, (N,)."""
    sigma: NDArray[np.float64]
    """Standard deviation of each image's blur in pixels, (N,); NaN if the renderer does not blur."""
    centers: NDArray[np.float64]
    """Center of each shape in pixels, (N, K, 2) as (y, x), or (N, K, 3) as (z, y, x) in volumes; NaN beyond the count.
    The center of the first pixel is at 0.5."""
    radii: NDArray[np.float64]
    """Radius of each shape in pixels, (N, K); half the box side for polygons; NaN beyond the count, and for shapes
    without a radius."""
    colors: NDArray[np.float32]
    """Red, green and blue of each shape, 0 to 1, (N, K, 3); NaN beyond the count."""


@overload
def render(
    spec: Spec,
    n_or_indices: Indices,
    *,
    seed: int = 0,
    size: Size = 64,
    dtype: DTypeLike = np.uint8,
    with_scores: Literal[False] = False,
    out: NDArray[Any] | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def render(
    spec: Spec,
    n_or_indices: Indices,
    *,
    seed: int = 0,
    size: Size = 64,
    dtype: DTypeLike = np.uint8,
    with_scores: Literal[True],
    out: NDArray[Any] | None = None,
    threads: int | None = None,
) -> tuple[NDArray[Any], NDArray[np.float32]]: ...
def render(
    spec: Spec,
    n_or_indices: Indices,
    *,
    seed: int = 0,
    size: Size = 64,
    dtype: DTypeLike = np.uint8,
    with_scores: bool = False,
    out: NDArray[Any] | None = None,
    threads: int | None = None,
) -> NDArray[Any] | tuple[NDArray[Any], NDArray[np.float32]]:
    """Draw images: (N, H, W), RGB (N, 3, H, W), volumes (N, D, H, W); paper white (1.0 or 255), ink dark.

    Args:
        spec: What to draw, such as `Circles()`.
        n_or_indices: The number of images, for the indices 0 to N - 1, or a sequence of indices, 0 to 2**64 - 1 each.
        seed: 0 to 2**64 - 1.
        size: Side of the images in pixels, (height, width), or (depth, height, width) of volumes; 1 to 32,768 each.
        dtype: uint8 or float32.
        with_scores: Also return the images' scores, (N,) float32, equal to `score(images)`. RGB images are scored by
            their darkest channel, volumes with connectivity 6.
        out: A C-contiguous array of the images' shape and dtype to write to and return.
        threads: Maximum number of threads; None is all cores. The images do not depend on it.

    Raises:
        TypeError: The dtype, the spec or the type of an index is not supported.
        ValueError: A number is out of range, or `out` has the wrong shape or shares memory with the indices.
        MemoryError: The images exceed the machine's memory.
    """
    renderer, seed, pixel = _renderer_of(spec), _seed(seed), _pixel_type(dtype)
    threads = check_threads(threads)
    sides = _sides(spec, size)
    shape = (_count(n_or_indices), *_shape(spec, renderer, sides))
    scratch = renderer.scratch(sides) if shape[0] else 0
    images = allocate(shape, pixel, scratch) if out is None else writable(out, shape, pixel)
    indices = _indices(n_or_indices)
    check_apart(images, indices=indices)
    scores = np.empty(len(indices), np.float32) if with_scores else None
    renderer.render(seed, indices, sides, images, scores, threads)
    result = images if out is None else out
    return result if scores is None else (result, scores)


def render_scores(
    spec: Spec,
    n_or_indices: Indices,
    *,
    seed: int = 0,
    size: Size = 64,
    dtype: DTypeLike = np.uint8,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Draw and score images without keeping them: (N,) float32, the same as `render(..., with_scores=True)`.

    Each thread draws one image after the other into the same cached memory. Arguments and errors are those of `render`.
    `dtype` matters because rounding may move a pixel across the threshold.
    """
    renderer, seed, pixel = _renderer_of(spec), _seed(seed), _pixel_type(dtype)
    threads, sides = check_threads(threads), _sides(spec, size)
    if (images := _count(n_or_indices)) > 0:
        # Only one image is kept at a time.
        check_memory((1, *_shape(spec, renderer, sides)), pixel, renderer.scratch(sides))
    indices = _indices(n_or_indices)
    scores = allocate((images,), np.float32)
    renderer.scores(seed, indices, sides, pixel == np.float32, scores, threads)
    return scores


def ground_truth(
    spec: Spec,
    n_or_indices: Indices,
    *,
    seed: int = 0,
    size: Size = 64,
    threads: int | None = None,
) -> GroundTruth:
    """Return the parameters that images are drawn with, without drawing them; arguments and errors as in `render`."""
    renderer, seed, threads = _renderer_of(spec), _seed(seed), check_threads(threads)
    sides, images = _sides(spec, size), _count(n_or_indices)
    shapes = renderer.most_shapes(sides)
    radii_and_colors = images * shapes * (8 + 3 * 4)
    centers = allocate((images, shapes, 3), np.float64, radii_and_colors)
    truth = GroundTruth(
        count=np.zeros(images, np.int64),
        sigma=np.full(images, np.nan),
        centers=centers[..., -spec.axes :],
        radii=np.full((images, shapes), np.nan),
        colors=np.full((images, shapes, 3), np.nan, np.float32),
    )
    centers.fill(np.nan)
    renderer.scenes(
        seed, _indices(n_or_indices), sides, truth.count, truth.sigma, centers, truth.radii, truth.colors, threads
    )
    return truth


def image_shape(spec: Spec, size: Size = 64) -> tuple[int, ...]:
    """The shape of one image from `render`: (H, W), RGB (3, H, W), volumes (D, H, W); errors as in `render`."""
    return _shape(spec, _renderer_of(spec), _sides(spec, size))


def gaussian_blur(
    images: Any,
    sigma: float | Sequence[float] | NDArray[np.floating[Any]],
    *,
    border: Border = "paper",
    outside: float = 1.0,
    out: Any = None,
    threads: int | None = None,
) -> Any:
    """Blur images by a Gaussian that is cut off at four standard deviations, as `scipy.ndimage.gaussian_filter` does.

    Up to a radius of 64 pixels (sigma below 16.125), the weights are exact to float32. Beyond it, a sum of six cosines
    approximates them with a total error of 4e-5 (Sugimoto, Kyochi, Kamata 2018), so float images differ by at most that
    share of their range of values. The cost grows with sigma up to the image's longest side.

    Args:
        images: (N, H, W), (N, 1, H, W) or (H, W); uint8 or finite float32; an array or a tensor, as is the result then.
            Reshape any other leading axes, such as RGB channels, into N.
        sigma: Standard deviation in pixels, 0 to 32,768: one number, or one for each image, (N,).
        border: What lies outside the image: "paper", "reflect" (the image mirrored, with its outermost pixels repeated)
            or "periodic" (the image repeated).
        outside: The value outside the image for the border "paper", -1e30 to 1e30; 1.0 is white, also for uint8.
        out: A C-contiguous array of the images' shape and dtype to write to and return.
        threads: Maximum number of threads; None is all cores. The result does not depend on it.

    Raises:
        TypeError: The dtype or the type of the images or of an option is not supported.
        ValueError: The images' shape is not supported, a number is out of range, or `out` has the wrong shape or
            shares memory with the images or with sigma.
        MemoryError: The result exceeds the machine's memory.
    """
    (given, wrap), threads = on_host(images), check_threads(threads)
    if given.dtype not in (np.dtype(np.uint8), np.dtype(np.float32)):
        raise TypeError(f"images have dtype {given.dtype}, but must be uint8 or float32")
    if given.ndim not in (2, 3) and not (given.ndim == 4 and given.shape[1] == 1):
        raise ValueError(f"images have shape {given.shape}, but must be (N, H, W), (H, W) or (N, 1, H, W)")
    height, width = given.shape[-2:]
    check_sides(height, width)
    stack = np.ascontiguousarray(given).reshape(-1, height, width)
    sigmas = floats("sigma", sigma)
    if sigmas.shape not in ((), (len(stack),)):
        raise ValueError(f"sigma has shape {sigmas.shape}, but must be one number or one for each image")
    sigmas = np.ascontiguousarray(np.broadcast_to(sigmas, len(stack)))
    if not np.all((sigmas >= 0) & (sigmas <= _core.MAX_SIDE)):
        raise ValueError(f"sigma is {sigma}, but must be from 0 to {_core.MAX_SIDE}")
    choice("border", border, _BORDERS)
    beyond = number("outside", outside, -_FARTHEST, _FARTHEST)
    result = allocate(given.shape, given.dtype) if out is None else writable(out, given.shape, given.dtype)
    check_apart(result, images=stack, sigma=sigmas)
    _core.gaussian_blur(stack, result.reshape(stack.shape), sigmas, border, beyond, threads)
    if out is not None:
        return out
    return result if wrap is None else wrap(result)


def _renderer_of(spec: Spec) -> _core.Renderer:
    if not isinstance(spec, tuple(RENDERERS.values())):
        known = ", ".join(kind.__name__ for kind in RENDERERS.values())
        raise TypeError(f"spec is {spec!r}, but must be an instance of one of: {known}")
    renderer: _core.Renderer = spec._renderer()
    return renderer


def _seed(given: int) -> int:
    allowed = "an integer from 0 to 2**64 - 1"
    seed = integer("seed", given, allowed)
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed is {seed}, but must be {allowed}")
    return seed


def _pixel_type(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        pixel = None if dtype is None else np.dtype(dtype)
    except TypeError:
        pixel = None
    if pixel is None or pixel not in (np.dtype(np.uint8), np.dtype(np.float32)):
        raise TypeError(f"dtype is {dtype!r}, but must be uint8 or float32")
    return pixel


def _sides(spec: Spec, size: Any) -> tuple[int, int, int]:
    """Depth (1 for images), height and width."""
    sides: Any = (size,) * spec.axes if isinstance(size, numbers.Integral) else size
    right_length = isinstance(sides, Sequence) and len(sides) == spec.axes
    if not (right_length and all(isinstance(side, numbers.Integral) for side in sides)):
        names = "(height, width)" if spec.axes == 2 else "(depth, height, width)"
        raise TypeError(f"size is {size!r}, but must be an integer or {names}, all integers")
    checked = [int(side) for side in sides]
    check_sides(*checked)
    depth, height, width = [1, *checked][-3:]
    return depth, height, width


def _shape(spec: Spec, renderer: _core.Renderer, sides: tuple[int, int, int]) -> tuple[int, ...]:
    planes = () if renderer.planes == 1 else (renderer.planes,)
    return (*planes, *sides[-spec.axes :])


def _count(n_or_indices: Any) -> int:
    if not isinstance(n_or_indices, numbers.Integral):
        if getattr(n_or_indices, "ndim", int(isinstance(n_or_indices, Sequence))) != 1:
            raise TypeError(f"indices are {n_or_indices!r}, but must be a number of images or a 1-D sequence")
        try:
            return len(n_or_indices)
        except OverflowError:  # A range can be longer than any array.
            return sys.maxsize
    if n_or_indices < 0:
        raise ValueError(f"the number of images is {n_or_indices}, but must be at least 0")
    return int(n_or_indices)


def _indices(n_or_indices: Any) -> NDArray[np.uint64]:
    """The indices; their memory, which may be much more than that of the images, is checked first."""
    check_unmasked("indices", n_or_indices)
    check_memory((_count(n_or_indices),), np.dtype(np.uint64))
    if isinstance(n_or_indices, numbers.Integral):
        return np.arange(int(n_or_indices), dtype=np.uint64)
    if isinstance(n_or_indices, range):
        _check_indices([*n_or_indices[:1], *n_or_indices[-1:]])
        return np.fromiter(n_or_indices, np.uint64, len(n_or_indices))
    if isinstance(n_or_indices, np.ndarray):
        if n_or_indices.dtype.kind not in "iu":
            raise TypeError(f"indices have dtype {n_or_indices.dtype}, but must be integers")
        _check_indices([int(n_or_indices.min(initial=0))])
        return np.ascontiguousarray(n_or_indices, dtype=np.uint64)
    indices = [integer("an index", index) for index in n_or_indices]
    _check_indices(indices)
    return np.array(indices, dtype=np.uint64)


def _check_indices(indices: Sequence[int]) -> None:
    for index in indices:
        if not 0 <= index < 2**64:
            raise ValueError(f"an index is {index}, but must be from 0 to 2**64 - 1")
