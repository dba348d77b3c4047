"""Between pixels as they are stored, uint8 from 0 to 255, and as networks see them, float from -1 to 1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["arrays", "normalize", "quantize", "tensor"]


def arrays(images: Tensor) -> npt.NDArray[np.uint8]:
    """Images (N, C, H, W) uint8 as NumPy has them: (N, H, W) of gray, (N, 3, H, W) of RGB."""
    pixels: npt.NDArray[np.uint8] = images.cpu().numpy()
    return pixels[:, 0] if pixels.shape[1] == 1 else pixels


def tensor(images: npt.NDArray[np.uint8]) -> Tensor:
    """The reverse of `arrays`: images (N, H, W) or (N, 3, H, W) as torch has them, (N, C, H, W)."""
    return torch.from_numpy(images if images.ndim == 4 else images[:, None])


def normalize(images: Tensor) -> Tensor:
    """Images of uint8, white paper 255, to float32 in [-1, 1]."""
    return images.float() / 127.5 - 1


def quantize(images: Tensor) -> Tensor:
    """Images of float in [-1, 1] to the nearest uint8, white paper 255: what is saved, and what is scored.

    Raises:
        ArithmeticError: a NaN, which would be ink.
    """
    if images.isnan().any():
        raise ArithmeticError("generated images hold NaN: the training diverged; try a smaller --lr")
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
