"""Arrays at the boundary: checks what callers pass in, and converts it to what the kernels read and write."""

from __future__ import annotations

import numbers
import operator
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import prod
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeGuard, TypeVar

import numpy as np
from numpy.typing import NDArray

from reggan import _core
from reggan._core import MAX_SIDE

if TYPE_CHECKING:
    import torch

Array = TypeVar("Array", "NDArray[Any]", "torch.Tensor")
"""NumPy arrays in, NumPy arrays out; torch tensors in, torch tensors out."""

PIXEL_TYPES = tuple(np.dtype(name) for name in ("float32", "uint8", "float16", "float64", "bool"))
SUPPORTED = "float64, float32, float16, uint8 and bool"
MAX_PIXELS = 2**31 - 1
"""Limit for volumes, as labels are int32. Images always have fewer."""


@dataclass(frozen=True, eq=False)
class PackedImages(Generic[Array]):
    """Bool images packed to one bit per pixel, accepted wherever images are.

    `np.packbits(bool_images, axis=-1, bitorder=...)` makes them. Ones are white, so `foreground="dark"` scores the
    zeros. Raises TypeError for bits that are not a uint8 array, ValueError for a wrong width or bit order.
    """

    bits: Array
    """uint8, NumPy or torch: (N, H, ceil(W / 8)), (H, ceil(W / 8)) or (N, 1, H, ceil(W / 8)), for volumes with D before
    H. Padding bits are ignored."""
    width: int
    """W, pixels in a row."""
    bitorder: Literal["big", "little"] = "big"
    """Whether the highest or the lowest bit of a byte is its first pixel."""

    def __post_init__(self) -> None:
        width = integer("width", self.width)
        object.__setattr__(self, "width", width)
        if not (isinstance(self.bits, np.ndarray) or _is_tensor(self.bits)):
            raise TypeError(f"bits is a {type(self.bits).__name__}, but must be a NumPy array or a torch tensor")
        check_unmasked("bits", self.bits)
        if str(self.bits.dtype).removeprefix("torch.") != "uint8":
            raise TypeError(f"bits has dtype {self.bits.dtype}, but must be uint8, as np.packbits makes it")
        if not 1 <= width <= MAX_SIDE:
            raise ValueError(f"width is {width}, but must be from 1 to {MAX_SIDE}")
        choice("bitorder", self.bitorder, ("big", "little"))
        shape, wanted = tuple(self.bits.shape), -(-width // 8)
        if not shape or shape[-1] != wanted:
            raise ValueError(f"bits has shape {shape}, but rows of {width} pixels have {wanted} bytes")


@dataclass(slots=True)
class Batch:
    """Images as the kernels read them, and how to return results in the caller's kind of array."""

    images: NDArray[Any] | tuple[NDArray[np.uint8], int, str]
    """Native byte order, aligned, contiguous rows; the caller's axes without a channel axis."""
    options: _core.Options
    axes: tuple[int, ...]
    """(N,), or () for a single image; the first axes of a result."""
    sides: tuple[int, ...]
    """(H, W) or (D, H, W)."""
    wrap: Callable[[NDArray[Any]], Any] | None = None
    """Converts a NumPy result to the caller's kind of array, if that is not NumPy."""

    @classmethod
    def of(cls, given: object, options: _core.Options) -> Batch:
        """Check images of any supported kind, and copy them only if needed."""
        if isinstance(given, PackedImages):
            return cls._of_packed(given, options)
        if _is_tensor(given):
            from reggan import _torch

            tensor = _torch.checked(given)
            if not _torch.on_cpu(tensor):
                return cls._of_device(tensor, options)
        array, wrap = on_host(given)
        if array.dtype not in PIXEL_TYPES:
            array = _native(array)
        axes, sides, channel = _layout(array.shape, array.shape[-1] if array.ndim else 1, options.spatial)
        return cls(_readable(array[:, 0] if channel else array), options, axes, sides, wrap)

    @classmethod
    def _of_packed(cls, given: PackedImages[Any], options: _core.Options) -> Batch:
        bits, wrap = given.bits, None
        if _is_tensor(bits):
            from reggan import _torch

            tensor = _torch.checked(bits)
            bits, wrap = _torch.to_host(tensor), partial(_torch.from_numpy, device=tensor.device)
        axes, sides, channel = _layout(bits.shape, given.width, options.spatial)
        rows = _readable(np.asarray(bits[:, 0] if channel else bits))
        return cls((rows, given.width, given.bitorder), options, axes, sides, wrap)

    @classmethod
    def _of_device(cls, tensor: torch.Tensor, options: _core.Options) -> Batch:
        """Threshold and pack the images on their device, so that only one bit per pixel is copied."""
        from reggan import _torch

        shape = tuple(tensor.shape)
        axes, sides, channel = _layout(shape, shape[-1] if shape else 1, options.spatial)
        images = tensor[:, 0] if channel else tensor
        rows = _torch.packed_rows(images if axes else images[None], options)
        wrap = partial(_torch.from_numpy, device=tensor.device)
        return cls((rows if axes else rows[0], sides[-1], "little"), options.of_bits(), axes, sides, wrap)

    def result(self, per_image: tuple[int, ...], dtype: type[np.generic], out: object = None) -> NDArray[Any]:
        """An array (*axes, *per_image) for a kernel to write to: the memory of `out`, or new."""
        shape = self.axes + per_image
        if out is None:
            return allocate(shape, dtype)
        array = writable(out, shape, np.dtype(dtype))
        check_apart(array, images=self.images[0] if isinstance(self.images, tuple) else self.images)
        return array

    def finish(self, result: NDArray[Any], out: object = None) -> Any:
        """What the caller gets: `out`, or the result as the caller's kind of array."""
        if out is not None:
            return out
        return result if self.wrap is None else self.wrap(result)


def on_host(given: object) -> tuple[NDArray[Any], Callable[[NDArray[Any]], Any] | None]:
    """Convert to a NumPy array; also return what converts a result back, or None if no conversion is needed."""
    if type(given) is np.ndarray:
        return given, None
    check_unmasked("images", given)
    if isinstance(given, np.ndarray):
        return np.asarray(given), None
    if _is_tensor(given):
        from reggan import _torch

        tensor = _torch.checked(given)
        return _torch.to_host(tensor), partial(_torch.from_numpy, device=tensor.device)
    return _from_dlpack(given), None


def _layout(shape: tuple[int, ...], width: int, spatial: bool) -> tuple[tuple[int, ...], tuple[int, ...], bool]:
    """The batch axes, the sides, and whether there is a channel axis, for images or volumes `width` pixels wide."""
    count, sides = len(shape), 3 if spatial else 2
    channel = count == sides + 2 and shape[1] == 1
    if not (count == sides or count == sides + 1 or channel):
        raise ValueError(_wrong_shape(shape, spatial))
    found = (*shape[-sides:-1], width)
    check_sides(*found)
    return () if count == sides else shape[:1], found, channel


def _wrong_shape(shape: tuple[int, ...], spatial: bool) -> str:
    if spatial:
        return f"volumes have shape {shape}, but must be (N, D, H, W), (D, H, W) or (N, 1, D, H, W)"
    text = f"images have shape {shape}, but must be (N, H, W), (H, W) or (N, 1, H, W)"
    if len(shape) in (4, 5):
        text += "; for volumes pass connectivity 6, 18 or 26; convert RGB images to gray first"
    return text


def check_unmasked(name: str, given: object) -> None:
    """Raise a TypeError for a masked array, because kernels would read the masked values."""
    if isinstance(given, np.ma.MaskedArray):
        raise TypeError(f"{name}: a masked array would lose its mask; pass array.filled(value)")


def check_apart(out: NDArray[Any], **others: NDArray[Any]) -> None:
    """Raise a ValueError if `out` shares memory with one of the named inputs."""
    for name, other in others.items():
        if np.may_share_memory(out, other):
            raise ValueError(f"out shares memory with {name}; pass a separate array")


def choice(name: str, given: object, allowed: Sequence[str]) -> None:
    """Raise a TypeError or a ValueError unless `given` is one of the allowed words."""
    if not (isinstance(given, str) and given in allowed):
        *others, last = (f'"{word}"' for word in allowed)
        error = ValueError if isinstance(given, str) else TypeError
        raise error(f"{name} is {given!r}, but must be {', '.join(others)} or {last}")


def floats(name: str, given: Any) -> NDArray[np.float64]:
    """Convert a number, or an array of numbers of any shape, to float64."""
    check_unmasked(name, given)
    if _is_tensor(given):
        from reggan import _torch

        given = _torch.to_host(_torch.with_data(name, given))
    try:
        array = np.asarray(given)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} is {given!r}, but must be a number or an array of numbers")
    return array.astype(np.float64, copy=False)


def number(name: str, given: Any, low: float, high: float, hint: str = "") -> float:
    """Convert a real number from `low` to `high` to a float."""
    allowed = f"must be a number from {low:g} to {high:g}{hint}"
    if type(given) is not float and not isinstance(given, numbers.Real):
        raise TypeError(f"{name} is {given!r}, but {allowed}")
    value: Any = given
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}, but {allowed}")
    return float(value)


def integer(name: str, given: Any, allowed: str = "an integer") -> int:
    """Convert an integer of any type to an int."""
    try:
        return operator.index(given)
    except TypeError:
        raise TypeError(f"{name} is {given!r}, but must be {allowed}") from None


def whole_numbers(positions: Any) -> NDArray[np.int64]:
    """Convert positions (N,) of any integer dtype to int64; if empty, they may have any dtype."""
    check_unmasked("positions", positions)
    given = np.asarray(positions)
    if given.size and given.dtype.kind not in "iu":
        raise TypeError(f"positions have dtype {given.dtype}, but must be integers")
    return given.astype(np.int64, copy=False)


def check_sides(*sides: int) -> None:
    """Raise a ValueError if a side of an image or a volume, or the number of a volume's pixels, is out of range."""
    if min(sides) < 1 or max(sides) > MAX_SIDE:
        allowed = f"all sides must be from 1 to {MAX_SIDE}"
    elif len(sides) == 3 and prod(sides) > MAX_PIXELS:
        allowed = f"a volume may have at most {MAX_PIXELS}, as labels are int32"
    else:
        return
    raise ValueError(f"the size is {' x '.join(map(str, sides))} pixels, but {allowed}")


def check_threads(threads: int | None) -> int | None:
    """Check a number of threads; None is all cores."""
    if threads is None:
        return None
    allowed = "an integer, at least 1, or None for all cores"
    threads = integer("threads", threads, allowed)
    if threads < 1:
        raise ValueError(f"threads is {threads}, but must be {allowed}")
    return min(threads, sys.maxsize)


def allocate(shape: tuple[int, ...], dtype: type[np.generic] | np.dtype[Any], scratch: int = 0) -> NDArray[Any]:
    """An uninitialized array, or a MemoryError from `check_memory` before any memory is touched."""
    check_memory(shape, np.dtype(dtype), scratch)
    return np.empty(shape, dtype)


def check_memory(shape: tuple[int, ...], dtype: np.dtype[Any], scratch: int = 0) -> None:
    """Raise a MemoryError if an array and `scratch` bytes of working memory exceed the machine's memory."""
    needed, memory = prod(shape) * dtype.itemsize + scratch, machine_memory()
    if needed > memory:
        working = f", with {scratch / 2**30:.1f} GiB of working memory," if scratch else ""
        raise MemoryError(
            f"an array of shape {shape} and dtype {dtype}{working} needs {needed / 2**30:.1f} GiB, "
            f"but this machine has {memory / 2**30:.1f} GiB; use smaller batches"
        )


def writable(out: object, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """`out` as a NumPy array that a kernel can write to: of exactly this shape and dtype, C-contiguous."""
    check_unmasked("out", out)
    if _is_tensor(out):
        from reggan import _torch

        out = _torch.writable(out, dtype)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out is a {type(out).__name__}, but must be a NumPy array or a torch CPU tensor")
    if out.dtype != dtype:
        raise TypeError(f"out has dtype {out.dtype}, but the result has {dtype}")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, but the result has {shape}")
    if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned):
        raise ValueError("out must be C-contiguous, aligned and writeable")
    return out


def _is_tensor(given: object) -> TypeGuard[torch.Tensor]:
    # A caller with a tensor has imported torch; other callers need not wait for the import.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(given, getattr(torch, "Tensor", ()))


def _from_dlpack(given: object) -> NDArray[Any]:
    kind = type(given).__name__
    if not hasattr(given, "__dlpack__"):
        raise TypeError(
            f"images are a {kind}, but must be a NumPy array, a torch tensor, PackedImages or an object with __dlpack__"
        )
    try:
        return np.from_dlpack(given)
    except (BufferError, RuntimeError) as error:
        raise TypeError(f"this {kind} cannot be read on the CPU ({error}); copy it to the CPU first") from error


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """Convert to this machine's byte order; TypeError unless the dtype is supported."""
    native = array.dtype.newbyteorder("=")
    if native not in PIXEL_TYPES:
        raise TypeError(f"images have dtype {array.dtype}; supported are {SUPPORTED}")
    return array.astype(native)


def _readable(array: NDArray[Any]) -> NDArray[Any]:
    """The array if it is aligned with contiguous rows, or such a copy."""
    flags = array.flags
    if flags.aligned:
        if flags.c_contiguous:
            return array
        rows = array.shape[-1] == 1 or array.strides[-1] == array.itemsize
        whole = all(stride % array.itemsize == 0 for stride in array.strides)
        if rows and whole and array.size > 0:
            return array
    return np.array(array, order="C")


@cache
def machine_memory() -> int:
    """Bytes of physical memory."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        # The system does not report it, so any addressable size passes.
        return sys.maxsize
