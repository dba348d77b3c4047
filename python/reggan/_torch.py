"""Torch tensors at the boundary: to NumPy and back, and into bits where they are when that is not the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reggan import _core
from reggan._arrays import SERVED

PIXEL_TYPES = {
    torch.float64: "float64",
    torch.float32: "float32",
    torch.float16: "float16",
    torch.uint8: "uint8",
    torch.bool: "bool",
}


def checked(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor without its graph; TypeError unless its dtype and layout are served and it holds data."""
    if tensor.dtype not in PIXEL_TYPES:
        raise TypeError(f"images of dtype {tensor.dtype} are not served; served are {SERVED}")
    if tensor.layout != torch.strided:
        raise TypeError(f"images of layout {tensor.layout} are not served; make them dense")
    if tensor.is_meta:
        raise TypeError("images on the device meta hold no pixels; pass a tensor with data")
    return tensor.detach().resolve_neg()


def on_cpu(tensor: torch.Tensor) -> bool:
    """Whether NumPy can read the tensor where it is."""
    return tensor.device.type == "cpu"


def from_numpy(array: NDArray[Any], device: torch.device) -> torch.Tensor:
    """A tensor on `device`; one on the CPU shares the array's memory."""
    return torch.from_numpy(array).to(device)


def to_host(tensor: torch.Tensor) -> NDArray[Any]:
    """The tensor as an array on the CPU, after one copy at most; waits for the work before it on its stream alone."""
    host = tensor
    if tensor.device.type == "cuda":
        host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        host.copy_(tensor, non_blocking=True)
        torch.cuda.current_stream(tensor.device).synchronize()
    array: NDArray[Any] = host.cpu().numpy()
    return array


def packed_rows(images: torch.Tensor, options: _core.Options) -> NDArray[np.uint8]:
    """(N, ..., W) images as (N, ..., ceil(W / 8)) bits on the CPU: 1 for foreground, pixel 0 in the lowest bit.

    Raises a ValueError that names the first image that holds NaN.
    """
    *rows, width = images.shape
    host = to_host(pack(images, *options.limit(PIXEL_TYPES[images.dtype])))
    broken = host[:, -1].nonzero()[0]
    if len(broken):
        raise ValueError(f"image {broken[0]} holds NaN, which is neither ink nor paper; clean the images first")
    return host[:, :-1].reshape(*rows, -(-width // 8))


def pack(images: torch.Tensor, limit: float, negate: bool) -> torch.Tensor:
    """(N, ..., W) images into (N, bytes + 1) uint8 on their device, so that one copy takes all that is needed.

    The bytes are the images' rows, each of ceil(W / 8) bytes with pixel 0 in the lowest bit, 1 where
    `(pixel <= limit) != negate`, and 0 beyond the row; the last byte is 1 if the image holds NaN. The limit is
    a value of the images' dtype, which makes the comparison exact; bool is compared as the byte it is.
    """
    if images.dtype == torch.bool:
        images = images.view(torch.uint8)
    floating = images.is_floating_point()
    counts = (images <= (limit if floating else int(limit))) ^ negate
    width = images.shape[-1]
    counts = torch.nn.functional.pad(counts, (0, -width % 8))
    eights = counts.view(torch.uint8).reshape(*images.shape[:-1], -(-width // 8), 8)
    places = torch.arange(8, dtype=torch.uint8, device=images.device)
    rows = (eights << places).sum(-1, dtype=torch.uint8)
    nan = images.isnan() if floating else torch.zeros_like(images[..., :1], dtype=torch.bool)
    any_nan = nan.flatten(1).any(1, keepdim=True)
    return torch.cat([rows.flatten(1), any_nan.view(torch.uint8)], 1)
