"""Between pixels as they are stored, uint8 from 0 to 255, and as networks see them, float from -1 to 1."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["normalize", "quantize"]


def normalize(images: Tensor) -> Tensor:
    """Images of uint8, white paper 255, to float32 in [-1, 1]."""
    return images.float() / 127.5 - 1


def quantize(images: Tensor) -> Tensor:
    """Images of float in [-1, 1] to the nearest uint8, white paper 255: what is saved, and what is scored."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
