"""Samples of a generator, as they would be saved."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..data import quantize

__all__ = ["sample"]


@torch.no_grad()
def sample(
    generator: nn.Module, latents: Tensor, decode: Callable[[Tensor], Tensor] = quantize, batch_size: int = 256
) -> Tensor:
    """Samples of latents (N, latent_dim), by default images (N, C, H, W) uint8 with white paper 255.

    The generator is left in evaluation mode.
    """
    generator.eval()
    return torch.cat([decode(generator(z)) for z in torch.split(latents, batch_size)])
