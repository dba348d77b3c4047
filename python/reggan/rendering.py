"""Random images from seeds: specs of what to draw, and `render`, which draws them.

An image is a pure function of (spec, seed, index) and its size: the same bytes for any number of threads, in
any batch and on any machine. `STREAM_VERSION` changes when that function does.
"""

from __future__ import annotations

import numbers
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from reggan import _core
from reggan._arrays import allocate, check_memory, check_sides, check_threads, integer, writable

Indices: TypeAlias = int | Sequence[int] | NDArray[np.integer[Any]]
"""A number of images, or their indices."""

STREAM_VERSION: int = _core.STREAM_VERSION
"""The version of the images: the same seed and index give the same image as long as it stays the same."""


class Spec(Protocol):
    """What `render` asks of a spec."""

    def _renderer(self) -> _core.Renderer:
        """What draws it."""


@dataclass(frozen=True)
class Circles:
    """Black discs under a Gaussian blur (Di Cerbo, Hirsa, Shayaan, arXiv 2102.04593, section 4).

    Each field is a range (low, high), both ends included. An image draws its number of discs, its blur and
    its `clustering`, and each disc draws its radius and its place, uniformly. Lengths are in pixels of an image
    whose shorter side is 64, and scale with the size. A ValueError names the range that is not allowed.
    """

    count: tuple[int, int] = (11, 18)
    """How many discs: 1 to 65,536."""
    radius: tuple[float, float] = (2.0, 7.0)
    """Above 0, at most 10,000."""
    blur: tuple[float, float] = (0.5, 2.5)
    """Standard deviation of the blur: 0 (none) to 64."""
    clustering: tuple[float, float] = (0.0, 0.0)
    """Probability that a disc touches an earlier one; negative, that it keeps apart from all: -1 to 1."""

    def __post_init__(self) -> None:
        self._check("count", "1 <= low <= high <= 65536", lambda low, high: 1 <= low <= high <= 65536)
        self._check("radius", "0 < low <= high <= 10000", lambda low, high: 0 < low <= high <= 10000)
        self._check("blur", "0 <= low <= high <= 64", lambda low, high: 0 <= low <= high <= 64)
        self._check("clustering", "-1 <= low <= high <= 1", lambda low, high: -1 <= low <= high <= 1)

    def _check(self, name: str, allowed: str, is_allowed: Callable[[float, float], bool]) -> None:
        given = getattr(self, name)
        number = numbers.Integral if name == "count" else numbers.Real
        if not (isinstance(given, Sequence) and len(given) == 2 and all(isinstance(end, number) for end in given)):
            raise TypeError(f"{name} is {given!r}, but must be two numbers, (low, high)")
        low, high = map(int if name == "count" else float, given)
        if not is_allowed(low, high):
            raise ValueError(f"{name} is ({low}, {high}), but must be (low, high) with {allowed}")
        object.__setattr__(self, name, (low, high))

    def _renderer(self) -> _core.Renderer:
        return _core.Renderer.circles(self.count, self.radius, self.blur, self.clustering)


RENDERERS: dict[str, type[Spec]] = {"circles": Circles}
"""The specs by their names."""


@overload
def render(
    spec: Spec,
    n_or_indices: Indices,
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
    spec: Spec,
    n_or_indices: Indices,
    *,
    seed: int = 0,
    size: int | tuple[int, int] = 64,
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
    size: int | tuple[int, int] = 64,
    dtype: DTypeLike = np.uint8,
    with_scores: bool = False,
    out: NDArray[Any] | None = None,
    threads: int | None = None,
) -> NDArray[Any] | tuple[NDArray[Any], NDArray[np.float32]]:
    """Draw images: (N, H, W), paper white (1.0 or 255), ink dark.

    Args:
        spec: What to draw, such as `Circles()`.
        n_or_indices: How many images, which then have the indices 0 to N - 1, or a sequence of indices, each
            from 0 to 2**64 - 1.
        seed: 0 to 2**64 - 1.
        size: Side of the images in pixels, or (height, width); 1 to 32,768 each.
        dtype: uint8 or float32.
        with_scores: Also return the images' scores, (N,) float32, just as `score(images)` gives them.
        out: An array of the images' shape and dtype, C-contiguous, to write to and return.
        threads: At most so many threads; None is all cores. The images do not depend on it.

    Raises:
        TypeError: A dtype, a spec or a kind of index that is not served.
        ValueError: A number that is out of range, or an `out` of another shape.
        MemoryError: More than the machine's memory.
    """
    renderer, seed, pixel = _renderer_of(spec), _seed(seed), _pixel_type(dtype)
    threads = check_threads(threads)
    shape = (_count(n_or_indices), *_sides(size))
    images = allocate(shape, pixel) if out is None else writable(out, shape, pixel)
    indices = _indices(n_or_indices)
    scores = np.empty(len(indices), np.float32) if with_scores else None
    renderer.render(seed, indices, images, scores, threads)
    result = images if out is None else out
    return result if scores is None else (result, scores)


def render_scores(
    spec: Spec,
    n_or_indices: Indices,
    *,
    seed: int = 0,
    size: int | tuple[int, int] = 64,
    dtype: DTypeLike = np.uint8,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Score images without keeping them: (N,) float32, just as `render(..., with_scores=True)` gives them.

    An image is drawn and scored where it stays in the cache of its thread, and is overwritten by the next.

    Args:
        spec: What to draw, such as `Circles()`.
        n_or_indices: How many images, or a sequence of indices, as in `render`.
        seed: 0 to 2**64 - 1.
        size: Side of the images in pixels, or (height, width); 1 to 32,768 each.
        dtype: uint8 or float32: what the images would be, as rounding may move a pixel over the threshold.
        threads: At most so many threads; None is all cores. The scores do not depend on it.

    Raises:
        TypeError: A dtype, a spec or a kind of index that is not served.
        ValueError: A number that is out of range.
    """
    renderer, seed, pixel = _renderer_of(spec), _seed(seed), _pixel_type(dtype)
    threads, sides = check_threads(threads), _sides(size)
    indices = _indices(n_or_indices)
    scores = np.empty(len(indices), np.float32)
    renderer.scores(seed, indices, sides, pixel == np.float32, scores, threads)
    return scores


def _renderer_of(spec: Spec) -> _core.Renderer:
    if not isinstance(spec, tuple(RENDERERS.values())):
        served = ", ".join(kind.__name__ for kind in RENDERERS.values())
        raise TypeError(f"spec is {spec!r}, but must be an instance of one of: {served}")
    renderer: _core.Renderer = spec._renderer()
    return renderer


def _seed(given: int) -> int:
    seed = integer("seed", given)
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed is {seed}, but must be from 0 to 2**64 - 1")
    return seed


def _pixel_type(dtype: DTypeLike) -> np.dtype[Any]:
    pixel = np.dtype(dtype)
    if pixel not in (np.dtype(np.uint8), np.dtype(np.float32)):
        raise TypeError(f"images of dtype {pixel} are not served; served are uint8 and float32")
    return pixel


def _sides(size: int | tuple[int, int]) -> tuple[int, int]:
    sides = (size, size) if isinstance(size, numbers.Integral) else size
    if not (isinstance(sides, Sequence) and len(sides) == 2):
        raise TypeError(f"size is {size!r}, but must be an integer or (height, width)")
    height, width = (integer("size", side) for side in sides)
    check_sides(height, width)
    return height, width


def _count(n_or_indices: Any) -> int:
    if not isinstance(n_or_indices, numbers.Integral):
        if getattr(n_or_indices, "ndim", int(isinstance(n_or_indices, Sequence))) != 1:
            raise TypeError(f"indices are {n_or_indices!r}; they must be a number of images or a 1-D sequence")
        try:
            return len(n_or_indices)
        except OverflowError:
            # A range that is longer than any array can be.
            return sys.maxsize
    if n_or_indices < 0:
        raise ValueError(f"the number of images is {n_or_indices}, but must be at least 0")
    return int(n_or_indices)


def _indices(n_or_indices: Any) -> NDArray[np.uint64]:
    """The indices, whose memory may be many times that of the images, and is checked before it is touched."""
    check_memory((_count(n_or_indices),), np.dtype(np.uint64))
    if isinstance(n_or_indices, numbers.Integral):
        return np.arange(int(n_or_indices), dtype=np.uint64)
    if isinstance(n_or_indices, range):
        _check_indices([*n_or_indices[:1], *n_or_indices[-1:]])
        return np.fromiter(n_or_indices, np.uint64, len(n_or_indices))
    if isinstance(n_or_indices, np.ndarray):
        if n_or_indices.dtype.kind not in "iu":
            raise TypeError(f"indices of dtype {n_or_indices.dtype} are not served; they must be integers")
        _check_indices([int(n_or_indices.min(initial=0))])
        return np.ascontiguousarray(n_or_indices, dtype=np.uint64)
    indices = [integer("an index", index) for index in n_or_indices]
    _check_indices(indices)
    return np.array(indices, dtype=np.uint64)


def _check_indices(indices: Sequence[int]) -> None:
    for index in indices:
        if not 0 <= index < 2**64:
            raise ValueError(f"index {index} is not from 0 to 2**64 - 1")
