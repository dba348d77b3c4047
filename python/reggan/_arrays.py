"""Arrays at the boundary: what callers may pass in, turned into what the kernels read and write."""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

import numpy as np
from numpy.typing import NDArray

from reggan._core import MAX_SIDE

if TYPE_CHECKING:
    import torch

Array = TypeVar("Array", "NDArray[Any]", "torch.Tensor")
"""NumPy arrays in, NumPy arrays out; torch tensors in, torch tensors out."""

PIXEL_TYPES = (np.dtype(np.float32), np.dtype(np.float16), np.dtype(np.uint8), np.dtype(np.bool_))
SERVED = "float32, float16, uint8 and bool"


@dataclass(frozen=True)
class Batch:
    """Images as the kernels read them, and the way back to what the caller works with."""

    images: NDArray[Any]
    """(N, H, W), native byte order, aligned, rows contiguous."""
    single: bool
    """One image without a batch axis was given, so the result has none either."""
    wrap: Callable[[NDArray[Any]], Any]
    """From a NumPy result to the caller's kind of array."""

    @classmethod
    def of(cls, given: object) -> Batch:
        """The images of a NumPy array, a torch tensor or an object that speaks DLPack; copied if need be."""
        array, wrap = _to_numpy(given)
        if array.dtype.newbyteorder("=") not in PIXEL_TYPES:
            raise TypeError(f"images of dtype {array.dtype} are not served; served are {SERVED}")
        if array.ndim == 4 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim not in (2, 3):
            raise ValueError(f"images have the shape {array.shape}; served are (N, H, W), (H, W) and (N, 1, H, W)")
        check_sides(*array.shape[-2:])
        single = array.ndim == 2
        return cls(_readable(array[np.newaxis] if single else array), single, wrap)

    def result(self, per_image: tuple[int, ...], dtype: type[np.generic], out: object = None) -> NDArray[Any]:
        """(N, *per_image), what a kernel writes its result to: the memory of `out`, or new."""
        shape = (len(self.images), *per_image)
        if out is None:
            return allocate(shape, dtype)
        array = writable(out, per_image if self.single else shape, np.dtype(dtype))
        if np.may_share_memory(array, self.images):
            raise ValueError("out shares memory with the images; pass an array of its own")
        return array.reshape(shape)

    def finish(self, result: NDArray[Any], out: object = None) -> Any:
        """A result as the caller gets it: `out`, or an array of the caller's kind, with the caller's axes."""
        if out is not None:
            return out
        return self.wrap(result[0] if self.single else result)


def integer(name: str, given: Any) -> int:
    """An integer of any kind as an int."""
    try:
        return operator.index(given)
    except TypeError:
        raise TypeError(f"{name} is {given!r}, but must be an integer") from None


def check_sides(height: int, width: int) -> None:
    """Raise a ValueError unless images of this size are served."""
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise ValueError(f"images of {height} x {width} pixels are not served; both sides must be from 1 to {MAX_SIDE}")


def check_threads(threads: int | None) -> int | None:
    """The number of threads for the kernels; None is all cores."""
    if threads is None:
        return None
    threads = integer("threads", threads)
    if threads < 1:
        raise ValueError(f"threads is {threads}, but must be at least 1, or None for all cores")
    return min(threads, sys.maxsize)


def allocate(shape: tuple[int, ...], dtype: type[np.generic] | np.dtype[Any]) -> NDArray[Any]:
    """An uninitialised array, or a MemoryError before any memory is touched if the machine cannot hold it."""
    check_memory(shape, np.dtype(dtype))
    return np.empty(shape, dtype)


def check_memory(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise a MemoryError if an array is larger than the machine's memory."""
    asked, memory = prod(shape) * dtype.itemsize, _machine_memory()
    if asked > memory:
        raise MemoryError(
            f"an array of shape {shape} and dtype {dtype} needs {asked / 2**30:.1f} GiB, "
            f"but this machine has {memory / 2**30:.1f} GiB; work in smaller batches"
        )


def writable(out: object, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """`out` as a NumPy array that a kernel may write to: of exactly this shape and dtype, in one piece."""
    if _is_tensor(out):
        if out.device.type != "cpu" or out.requires_grad:
            raise ValueError(f"out must be a CPU tensor that needs no gradient, but is on {out.device}")
        out = out.numpy()
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out is a {type(out).__name__}; it must be a NumPy array or a torch CPU tensor")
    if out.dtype != dtype:
        raise TypeError(f"out has dtype {out.dtype}, but this result is {dtype}")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, but this result is {shape}")
    if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned):
        raise ValueError("out must be C-contiguous, aligned and writeable")
    return out


def _to_numpy(given: object) -> tuple[NDArray[Any], Callable[[NDArray[Any]], Any]]:
    if isinstance(given, np.ndarray):
        return np.asarray(given), np.asanyarray
    if _is_tensor(given):
        return _tensor_to_numpy(given), partial(_tensor_from_numpy, device=given.device)
    kind = type(given).__name__
    if not hasattr(given, "__dlpack__"):
        raise TypeError(f"images are a {kind}; served are NumPy arrays, torch tensors and objects with __dlpack__")
    try:
        return np.from_dlpack(given), np.asanyarray
    except (BufferError, RuntimeError) as error:
        raise TypeError(f"this {kind} cannot be read on the CPU ({error}); copy it to the host first") from error


def _is_tensor(given: object) -> TypeGuard[torch.Tensor]:
    # Who passes a tensor has imported torch; who does not should not have to wait for it.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(given, getattr(torch, "Tensor", ()))


def _tensor_to_numpy(tensor: torch.Tensor) -> NDArray[Any]:
    import torch

    if tensor.dtype not in (torch.float32, torch.float16, torch.uint8, torch.bool):
        raise TypeError(f"images of dtype {tensor.dtype} are not served; served are {SERVED}")
    if tensor.layout != torch.strided:
        raise TypeError(f"images of layout {tensor.layout} are not served; make them dense")
    if tensor.is_meta:
        raise TypeError("images on the device meta hold no pixels; pass a tensor with data")
    array: NDArray[Any] = tensor.detach().cpu().resolve_neg().numpy()
    return array


def _tensor_from_numpy(array: NDArray[Any], device: torch.device) -> torch.Tensor:
    import torch

    # One score is a scalar in NumPy, and an array of no axes in torch.
    return torch.from_numpy(np.asarray(array)).to(device)


def _readable(array: NDArray[Any]) -> NDArray[Any]:
    native = array.dtype.isnative and array.flags.aligned
    rows = array.shape[-1] == 1 or array.strides[-1] == array.itemsize
    whole = all(stride % array.itemsize == 0 for stride in array.strides)
    if native and rows and whole and array.size > 0:
        return array
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def _machine_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        # A system that does not tell: what can be addressed at all.
        return sys.maxsize
