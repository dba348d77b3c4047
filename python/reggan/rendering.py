"""Random images from seeds: specs of what to draw, and `render`, which draws them.

An image is a pure function of (spec, seed, index) and its size: the same bytes for any number of threads, any batch it
is drawn in and any machine. `STREAM_VERSION` changes when that function does.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from reggan import _core
from reggan._arrays import allocate, check_memory, check_sides, check_threads, writable

STREAM_VERSION: int = _core.STREAM_VERSION
"""The version of the images: the same seed and index give the same image as long as it stays the same."""


class Renderer(Protocol):
    """What a spec has to offer to `render`."""

    def draw(
        self,
        seed: int,
        indices: NDArray[np.uint64],
        images: NDArray[Any],
        scores: NDArray[np.float32] | None,
        threads: int | None,
    ) -> None:
        """Write the images `indices` of `seed` into `images`, and their scores into `scores`."""


@dataclass(frozen=True)
class Circles:
    """Black discs under a Gaussian blur (Di Cerbo, Hirsa, Shayaan, arXiv 2102.04593, section 4).

    Each image draws its number of discs, its blur and its `attach`, and each disc its radius and its place, uniformly from
    (low, high), both included. Lengths are in pixels of an image whose shorter side is 64, and scale with the size.
    A ValueError says which range is not allowed.
    """

    count: tuple[int, int] = (11, 18)
    """How many discs: 1 to 65,536."""
    radius: tuple[float, float] = (2.0, 7.0)
    """Above 0, at most 10,000."""
    blur: tuple[float, float] = (0.5, 2.5)
    """Standard deviation of the blur: 0 (none) to 64."""
    attach: tuple[float, float] = (0.0, 0.0)
    """The probability that a disc touches an earlier one instead of lying anywhere: 0 to 1."""

    def __post_init__(self) -> None:
        for name, allowed, served in (
            ("count", "1 <= low <= high <= 65536", lambda low, high: 1 <= low <= high <= 65536),
            ("radius", "0 < low <= high <= 10000", lambda low, high: 0 < low <= high <= 10000),
            ("blur", "0 <= low <= high <= 64", lambda low, high: 0 <= low <= high <= 64),
            ("attach", "0 <= low <= high <= 1", lambda low, high: 0 <= low <= high <= 1),
        ):
            ends = _pair(name, getattr(self, name), integers=name == "count")
            if not served(*ends):
                raise ValueError(f"{name} is {ends}, but must be (low, high) with {allowed}")
            object.__setattr__(self, name, ends)

    def draw(
        self,
        seed: int,
        indices: NDArray[np.uint64],
        images: NDArray[Any],
        scores: NDArray[np.float32] | None,
        threads: int | None,
    ) -> None:
        """Write the images `indices` of `seed` into `images`, and their scores into `scores`."""
        ranges = (self.count, self.radius, self.blur, self.attach)
        _core.render_circles(*ranges, seed, indices, images, scores, threads)


RENDERERS = {"circles": Circles}


@overload
def render(
    spec: Renderer,
    n_or_indices: int | Sequence[int] | NDArray[np.integer],
    *,
    seed: int = 0,
    size: int | tuple[int, int] = 64,
    dtype: DTypeLike = np.uint8,
    with_scores: Literal[False] = False,
    out: NDArray[Any] | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
@overload
def render(
    spec: Renderer,
    n_or_indices: int | Sequence[int] | NDArray[np.integer],
    *,
    seed: int = 0,
    size: int | tuple[int, int] = 64,
    dtype: DTypeLike = np.uint8,
    with_scores: Literal[True],
    out: NDArray[Any] | None = None,
    threads: int | None = None,
) -> tuple[NDArray[Any], NDArray[np.float32]]: ...
def render(
    spec: Renderer,
    n_or_indices: int | Sequence[int] | NDArray[np.integer],
    *,
    seed: int = 0,
    size: int | tuple[int, int] = 64,
    dtype: DTypeLike = np.uint8,
    with_scores: bool = False,
    out: NDArray[Any] | None = None,
    threads: int | None = None,
) -> NDArray[Any] | tuple[NDArray[Any], NDArray[np.float32]]:
    """Draw images: (N, H, W), white paper 1.0 or 255, dark ink.

    Args:
        spec: What to draw, such as `Circles()`.
        n_or_indices: How many images, which then have the indices 0 to N - 1; or their indices, each 0 to 2**64 - 1.
        seed: 0 to 2**64 - 1.
        size: Side of the images in pixels, or (height, width); 1 to 16,384 each.
        dtype: uint8 or float32.
        with_scores: Also return the images' scores, (N,) float32, exactly as `score(images)` gives them.
        out: An array of the images' shape and dtype to write to and return.
        threads: How many threads may be used at most; None is all cores. The images do not depend on it.

    Raises:
        TypeError: A dtype, spec, or kind of index that is not served.
        ValueError: A number out of range, or an `out` of another shape.
        MemoryError: More images than the machine's memory holds.
    """
    if not hasattr(spec, "draw"):
        raise TypeError(f"spec is {spec!r}, but must be a spec such as {', '.join(RENDERERS)}: Circles()")
    seed = operator.index(seed)
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed is {seed}, but must be from 0 to 2**64 - 1")
    height, width = _size(size)
    pixel = np.dtype(dtype)
    if pixel not in (np.dtype(np.uint8), np.dtype(np.float32)):
        raise TypeError(f"images of dtype {pixel} are not served; served are uint8 and float32")
    threads = check_threads(threads)

    n = _count(n_or_indices)
    shape = (n, height, width)
    if out is None:
        check_memory(shape, pixel)
    check_memory((n,), np.dtype(np.uint64))
    images = allocate(shape, pixel) if out is None else writable(out, shape, pixel)
    indices = _indices(n_or_indices)
    scores = np.empty(n, np.float32) if with_scores else None
    spec.draw(seed, indices, images, scores, threads)
    returned = images if out is None else out
    return returned if scores is None else (returned, scores)


def _pair(name: str, given: Any, *, integers: bool) -> tuple[Any, Any]:
    kind, text = (numbers.Integral, "integers") if integers else (numbers.Real, "numbers")
    if not (isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(end, kind) for end in given)):
        raise TypeError(f"{name} is {given!r}, but must be (low, high), two {text}")
    low, high = given
    return (int(low), int(high)) if integers else (float(low), float(high))


def _size(size: int | tuple[int, int]) -> tuple[int, int]:
    sides = (size, size) if isinstance(size, numbers.Integral) else size
    if not (isinstance(sides, tuple | list) and len(sides) == 2):
        raise TypeError(f"size is {size!r}, but must be an integer or (height, width)")
    height, width = map(operator.index, sides)
    check_sides(height, width)
    return height, width


def _count(n_or_indices: int | Sequence[int] | NDArray[np.integer]) -> int:
    if isinstance(n_or_indices, numbers.Integral):
        if n_or_indices < 0:
            raise ValueError(f"the number of images is {n_or_indices}, but must be at least 0")
        return int(n_or_indices)
    if getattr(n_or_indices, "ndim", 1) != 1 or not hasattr(n_or_indices, "__len__"):
        raise TypeError(f"indices are {n_or_indices!r}, but must be a number of images or a 1-D sequence of integers")
    return len(n_or_indices)


def _indices(n_or_indices: int | Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint64]:
    if isinstance(n_or_indices, numbers.Integral):
        return np.arange(int(n_or_indices), dtype=np.uint64)
    if isinstance(n_or_indices, np.ndarray):
        if n_or_indices.dtype.kind not in "iu":
            raise TypeError(f"indices of dtype {n_or_indices.dtype} are not served; they must be integers")
        if n_or_indices.size and n_or_indices.min() < 0:
            raise ValueError(f"index {n_or_indices.min()} is not from 0 to 2**64 - 1")
        return np.ascontiguousarray(n_or_indices, dtype=np.uint64)
    if isinstance(n_or_indices, range):
        ends = (n_or_indices[0], n_or_indices[-1]) if n_or_indices else ()
        _check_indices(ends)
        # Modulo 2**64, where a negative step is a very large one.
        step = np.uint64(n_or_indices.step % 2**64)
        start = np.uint64(ends[0] if ends else 0)
        return np.arange(len(n_or_indices), dtype=np.uint64) * step + start
    indices = [operator.index(index) for index in n_or_indices]
    _check_indices(indices)
    return np.array(indices, dtype=np.uint64)


def _check_indices(indices: Sequence[int]) -> None:
    for index in indices:
        if not 0 <= index < 2**64:
            raise ValueError(f"index {index} is not from 0 to 2**64 - 1")
