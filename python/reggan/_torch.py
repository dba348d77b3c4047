"""Torch tensors at the boundary: converted to and from NumPy, and packed into bits on other devices than the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reggan import _core
from reggan._arrays import SUPPORTED

PIXEL_TYPES = {
    torch.float64: "float64",
    torch.float32: "float32",
    torch.float16: "float16",
    torch.uint8: "uint8",
    torch.bool: "bool",
}


def checked(tensor: torch.Tensor) -> torch.Tensor:
    """The images without their graph; TypeError unless they have a supported dtype and pass `with_data`."""
    if tensor.dtype not in PIXEL_TYPES:
        raise TypeError(f"images have dtype {tensor.dtype}; supported are {SUPPORTED}")
    return with_data("images", tensor)


def with_data(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """The tensor without its graph; TypeError unless it is dense and its storage covers its whole shape."""
    if tensor.is_nested:
        raise TypeError(f"{name}: the tensor is nested; make it dense with torch.nested.to_padded_tensor")
    if tensor.layout != torch.strided:
        raise TypeError(f"{name}: the tensor has layout {tensor.layout}; make it dense")
    if tensor.is_meta:
        raise TypeError(f"{name}: a tensor on the device meta holds no data; pass one that does")
    if tensor.device.type in _WITH_STORAGE and not _has_memory(tensor):
        raise TypeError(
            f"{name}: this {type(tensor).__name__} holds no readable data, as inside torch.vmap, torch.func or "
            "FakeTensorMode, or after its storage was resized; pass a dense tensor, outside of such transforms"
        )
    return tensor.detach().resolve_neg()


_WITH_STORAGE = ("cpu", "cuda")
"""Devices whose tensors have a storage that can be checked."""


def _has_memory(tensor: torch.Tensor) -> bool:
    """Whether the storage exists and covers the shape, strides and offset."""
    try:
        storage = tensor.untyped_storage()
        if storage.device != tensor.device:  # The storage of a FakeTensor is on the device meta.
            return False
        storage.data_ptr()
    except RuntimeError:
        return False
    if tensor.numel() == 0:
        return True
    last = sum((side - 1) * stride for side, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return int(tensor.storage_offset() + last + 1) * tensor.element_size() <= storage.nbytes()


def writable(out: torch.Tensor, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The memory of `out`; TypeError or ValueError unless a result of this dtype can be written there."""
    if str(out.dtype).removeprefix("torch.") != dtype.name:
        raise TypeError(f"out has dtype {out.dtype}, but the result has {dtype}")
    if out.requires_grad:
        raise ValueError("out requires a gradient, but results have none; pass out.detach()")
    if not on_cpu(out):
        raise ValueError(f"out is on {out.device}, but must be on the CPU")
    if out.is_neg():
        raise ValueError("out is a negative view of other memory; pass a separate tensor")
    array: NDArray[Any] = with_data("out", out).numpy()
    return array


def on_cpu(tensor: torch.Tensor) -> bool:
    """Whether NumPy can read the tensor in place."""
    return tensor.device.type == "cpu"


def from_numpy(array: NDArray[Any], device: torch.device) -> torch.Tensor:
    """A tensor on `device`; on the CPU it shares the array's memory."""
    return torch.from_numpy(array).to(device)


def to_host(tensor: torch.Tensor) -> NDArray[Any]:
    """The tensor as a NumPy array, with at most one copy; waits only for earlier work on the tensor's stream."""
    host = tensor
    if tensor.device.type == "cuda":
        host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        host.copy_(tensor, non_blocking=True)
        torch.cuda.current_stream(tensor.device).synchronize()
    array: NDArray[Any] = host.cpu().numpy()
    return array


def packed_rows(images: torch.Tensor, options: _core.Options) -> NDArray[np.uint8]:
    """Images (N, ..., W) as bits (N, ..., ceil(W / 8)) on the CPU: 1 for foreground, pixel 0 in the lowest bit.

    Raises a ValueError that names the first image with NaN.
    """
    *rows, width = images.shape
    host = to_host(pack(images, *options.limit(PIXEL_TYPES[images.dtype])))
    with_nan = host[:, -1].nonzero()[0]
    if len(with_nan):
        raise ValueError(f"image {with_nan[0]} holds NaN, which is neither ink nor paper; clean the images first")
    return host[:, :-1].reshape(*rows, -(-width // 8))


def pack(images: torch.Tensor, limit: float, negate: bool) -> torch.Tensor:
    """Pack images (N, ..., W) into uint8 (N, bytes + 1) on their device, so that one copy to the CPU is enough.

    A row takes ceil(W / 8) bytes, with pixel 0 in the lowest bit: 1 where `(pixel <= limit) != negate`, padded with 0.
    The last byte is 1 if the image holds NaN. The limit is a value of the images' dtype, so the comparison is exact.
    """
    if images.dtype == torch.bool:
        images = images.view(torch.uint8)
    floating = images.is_floating_point()
    counts = (images <= (limit if floating else int(limit))) ^ negate
    width = images.shape[-1]
    counts = torch.nn.functional.pad(counts, (0, -width % 8))
    eights = counts.view(torch.uint8).reshape(*images.shape[:-1], -(-width // 8), 8)
    shifts = torch.arange(8, dtype=torch.uint8, device=images.device)
    rows = (eights << shifts).sum(-1, dtype=torch.uint8)
    nan = images.isnan() if floating else torch.zeros_like(images[..., :1], dtype=torch.bool)
    has_nan = nan.flatten(1).any(1, keepdim=True)
    return torch.cat([rows.flatten(1), has_nan.view(torch.uint8)], 1)
