"""Conversion between stored pixels, uint8 from 0 to 255, and pixels for networks, float from -1 to 1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["normalize", "quantize", "to_numpy", "to_tensor"]


def to_numpy(images: Tensor) -> npt.NDArray[np.uint8]:
    """Images (N, C, H, W) uint8 as a NumPy array: (N, H, W) for gray, (N, 3, H, W) for RGB."""
    pixels: npt.NDArray[np.uint8] = images.cpu().numpy()
    return pixels[:, 0] if pixels.shape[1] == 1 else pixels


def to_tensor(images: npt.NDArray[np.uint8]) -> Tensor:
    """The inverse of `to_numpy`: images (N, H, W) or (N, 3, H, W) as a tensor (N, C, H, W)."""
    return torch.from_numpy(images if images.ndim == 4 else images[:, None])


def normalize(images: Tensor) -> Tensor:
    """Images uint8, white paper 255, to float32 in [-1, 1]."""
    return images.float() / 127.5 - 1


def quantize(images: Tensor) -> Tensor:
    """Float images in [-1, 1] to the nearest uint8, white paper 255, for saving and scoring; NaN is an error."""
    if images.isnan().any():
        raise ArithmeticError("generated images contain NaN: training diverged; try a smaller lr")
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
