"""Arrays at the boundary: what callers may pass in, turned into what the kernels read and write."""

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
SERVED = "float64, float32, float16, uint8 and bool"
MAX_PIXELS = 2**31 - 1
"""Of a volume, as labels are int32. Images always have fewer."""


@dataclass(frozen=True, eq=False)
class PackedImages(Generic[Array]):
    """Images of one bit a pixel, accepted wherever images are, with the meaning of the bool images they stand for.

    `np.packbits(bool_images, axis=-1, bitorder=...)` makes them. A one is white, so with `foreground="dark"` the
    zeros are scored. Raises TypeError for bits that are not uint8 arrays, ValueError for a width or a bit order
    that does not fit.
    """

    bits: Array
    """(N, H, ceil(W / 8)), (H, ceil(W / 8)) or (N, 1, H, ceil(W / 8)) uint8, a NumPy array or a torch tensor;
    of volumes as volumes are. What pads the last byte of a row is not looked at."""
    width: int
    """W, pixels in a row."""
    bitorder: Literal["big", "little"] = "big"
    """Which bit of a byte is its first pixel: the highest or the lowest."""

    def __post_init__(self) -> None:
        width = integer("width", self.width)
        object.__setattr__(self, "width", width)
        if not (isinstance(self.bits, np.ndarray) or _is_tensor(self.bits)):
            raise TypeError(f"bits are a {type(self.bits).__name__}; they must be a NumPy array or a torch tensor")
        check_unmasked("bits", self.bits)
        if str(self.bits.dtype).removeprefix("torch.") != "uint8":
            raise TypeError(f"bits have dtype {self.bits.dtype}, but must be uint8, as np.packbits makes them")
        if not 1 <= width <= MAX_SIDE:
            raise ValueError(f"width is {width}, but must be from 1 to {MAX_SIDE}")
        choice("bitorder", self.bitorder, ("big", "little"))
        shape, wanted = tuple(self.bits.shape), -(-width // 8)
        if not shape or shape[-1] != wanted:
            raise ValueError(f"bits have the shape {shape}, but rows of {width} pixels have {wanted} bytes")


@dataclass(slots=True)
class Batch:
    """Images as the kernels read them, and the way back to what the caller works with."""

    images: NDArray[Any] | tuple[NDArray[np.uint8], int, str]
    """Native byte order, aligned, rows contiguous; with the axes that the caller gave, less a channel axis."""
    options: _core.Options
    """What the kernels look for."""
    axes: tuple[int, ...]
    """(N,), or () for one image without a batch axis, which the result has not either."""
    sides: tuple[int, ...]
    """(H, W) or (D, H, W)."""
    wrap: Callable[[NDArray[Any]], Any] | None = None
    """From a NumPy result to the caller's kind of array, if that is another."""

    @classmethod
    def of(cls, given: object, options: _core.Options) -> Batch:
        """The images of whatever is served; copied if need be."""
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
        """Thresholds and packs the images where they are, so that an eighth of a byte a pixel is copied."""
        from reggan import _torch

        shape = tuple(tensor.shape)
        axes, sides, channel = _layout(shape, shape[-1] if shape else 1, options.spatial)
        images = tensor[:, 0] if channel else tensor
        rows = _torch.packed_rows(images if axes else images[None], options)
        wrap = partial(_torch.from_numpy, device=tensor.device)
        return cls((rows if axes else rows[0], sides[-1], "little"), options.of_bits(), axes, sides, wrap)

    def result(self, per_image: tuple[int, ...], dtype: type[np.generic], out: object = None) -> NDArray[Any]:
        """(N, *per_image), or less the N, what a kernel writes its result to: the memory of `out`, or new."""
        shape = self.axes + per_image
        if out is None:
            return allocate(shape, dtype)
        array = writable(out, shape, np.dtype(dtype))
        check_apart(array, images=self.images[0] if isinstance(self.images, tuple) else self.images)
        return array

    def finish(self, result: NDArray[Any], out: object = None) -> Any:
        """A result as the caller gets it: `out`, or an array of the caller's kind."""
        if out is not None:
            return out
        return result if self.wrap is None else self.wrap(result)


def on_host(given: object) -> tuple[NDArray[Any], Callable[[NDArray[Any]], Any] | None]:
    """An array or a tensor as a NumPy array, and the way back to what the caller works with, if that is another."""
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
    """Batch axes, sides, and whether there is a channel axis of 1, of images or volumes `width` pixels wide."""
    count, sides = len(shape), 3 if spatial else 2
    channel = count == sides + 2 and shape[1] == 1
    if not (count == sides or count == sides + 1 or channel):
        raise ValueError(_wrong_shape(shape, spatial))
    found = (*shape[-sides:-1], width)
    check_sides(*found)
    return () if count == sides else shape[:1], found, channel


def _wrong_shape(shape: tuple[int, ...], spatial: bool) -> str:
    if spatial:
        return f"volumes have the shape {shape}; served are (N, D, H, W), (D, H, W) and (N, 1, D, H, W)"
    text = f"images have the shape {shape}; served are (N, H, W), (H, W) and (N, 1, H, W)"
    if len(shape) in (4, 5):
        text += "; for volumes pass connectivity 6, 18 or 26; convert RGB images to gray first"
    return text


def check_unmasked(name: str, given: object) -> None:
    """Raise a TypeError for a masked array, as kernels see what is under the mask."""
    if isinstance(given, np.ma.MaskedArray):
        raise TypeError(f"{name}: a masked array is not served, as its mask would be lost; pass array.filled(value)")


def check_apart(out: NDArray[Any], **others: NDArray[Any]) -> None:
    """Raise a ValueError if `out`, which is written, has memory of what is read, given by its name."""
    for name, other in others.items():
        if np.may_share_memory(out, other):
            raise ValueError(f"out shares memory with {name}; pass an array of its own")


def choice(name: str, given: object, allowed: Sequence[str]) -> None:
    """Raise a TypeError or a ValueError unless `given` is one of some words."""
    if not (isinstance(given, str) and given in allowed):
        *others, last = (f'"{word}"' for word in allowed)
        error = ValueError if isinstance(given, str) else TypeError
        raise error(f"{name} is {given!r}, but must be {', '.join(others)} or {last}")


def floats(name: str, given: Any) -> NDArray[np.float64]:
    """A number, or numbers of any shape, as float64."""
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
    """A real number of any kind, from `low` to `high`."""
    allowed = f"must be a number from {low:g} to {high:g}{hint}"
    if type(given) is not float and not isinstance(given, numbers.Real):
        raise TypeError(f"{name} is {given!r}, but {allowed}")
    value: Any = given
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}, but {allowed}")
    return float(value)


def integer(name: str, given: Any, allowed: str = "an integer") -> int:
    """An integer of any kind as an int."""
    try:
        return operator.index(given)
    except TypeError:
        raise TypeError(f"{name} is {given!r}, but must be {allowed}") from None


def whole_numbers(positions: Any) -> NDArray[np.int64]:
    """Positions (N,) of any integer dtype; no positions may be of any."""
    check_unmasked("positions", positions)
    given = np.asarray(positions)
    if given.size and given.dtype.kind not in "iu":
        raise TypeError(f"positions are of dtype {given.dtype}, but must be integers")
    return given.astype(np.int64, copy=False)


def check_sides(*sides: int) -> None:
    """Raise a ValueError unless images, or volumes, of this size are served."""
    if min(sides) < 1 or max(sides) > MAX_SIDE:
        size = " x ".join(map(str, sides))
        raise ValueError(f"images of {size} pixels are not served; all sides must be from 1 to {MAX_SIDE}")
    if len(sides) == 3 and prod(sides) > MAX_PIXELS:
        size = " x ".join(map(str, sides))
        raise ValueError(
            f"volumes of {size} pixels are not served; the most is {MAX_PIXELS} pixels, as labels are int32"
        )


def check_threads(threads: int | None) -> int | None:
    """The number of threads for the kernels; None is all cores."""
    if threads is None:
        return None
    allowed = "an integer, at least 1, or None for all cores"
    threads = integer("threads", threads, allowed)
    if threads < 1:
        raise ValueError(f"threads is {threads}, but must be {allowed}")
    return min(threads, sys.maxsize)


def allocate(shape: tuple[int, ...], dtype: type[np.generic] | np.dtype[Any], scratch: int = 0) -> NDArray[Any]:
    """An uninitialized array, or a MemoryError before any memory is touched if `check_memory` raises it."""
    check_memory(shape, np.dtype(dtype), scratch)
    return np.empty(shape, dtype)


def check_memory(shape: tuple[int, ...], dtype: np.dtype[Any], scratch: int = 0) -> None:
    """Raise a MemoryError if an array is larger than the machine's memory, with `scratch`: the bytes that making it
    needs besides, whatever the input and the number of threads.
    """
    asked, memory = prod(shape) * dtype.itemsize + scratch, machine_memory()
    if asked > memory:
        work = f", with {scratch / 2**30:.1f} GiB to work on," if scratch else ""
        raise MemoryError(
            f"an array of shape {shape} and dtype {dtype}{work} needs {asked / 2**30:.1f} GiB, "
            f"but this machine has {memory / 2**30:.1f} GiB; work in smaller batches"
        )


def writable(out: object, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """`out` as a NumPy array that a kernel may write to: of exactly this shape and dtype, in one piece."""
    check_unmasked("out", out)
    if _is_tensor(out):
        from reggan import _torch

        out = _torch.writable(out, dtype)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out is a {type(out).__name__}; it must be a NumPy array or a torch CPU tensor")
    if out.dtype != dtype:
        raise TypeError(f"out has dtype {out.dtype}, but this result is {dtype}")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, but this result is {shape}")
    if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned):
        raise ValueError("out must be C-contiguous, aligned and writeable")
    return out


def _is_tensor(given: object) -> TypeGuard[torch.Tensor]:
    # Who passes a tensor has imported torch; who does not should not have to wait for it.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(given, getattr(torch, "Tensor", ()))


def _from_dlpack(given: object) -> NDArray[Any]:
    kind = type(given).__name__
    if not hasattr(given, "__dlpack__"):
        raise TypeError(
            f"images are a {kind}; served are NumPy arrays, torch tensors, objects with __dlpack__ and PackedImages"
        )
    try:
        return np.from_dlpack(given)
    except (BufferError, RuntimeError) as error:
        raise TypeError(f"this {kind} cannot be read on the CPU ({error}); copy it to the host first") from error


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """In the byte order of this machine."""
    native = array.dtype.newbyteorder("=")
    if native not in PIXEL_TYPES:
        raise TypeError(f"images of dtype {array.dtype} are not served; served are {SERVED}")
    return array.astype(native)


def _readable(array: NDArray[Any]) -> NDArray[Any]:
    """Aligned, and rows contiguous."""
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
    """Bytes of memory that the machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        # A system that does not tell: what can be addressed at all.
        return sys.maxsize
