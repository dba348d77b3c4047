"""Images of a generator, as they would be saved."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..data import quantize

__all__ = ["sample"]


@torch.no_grad()
def sample(generator: nn.Module, latents: Tensor, batch_size: int = 256) -> Tensor:
    """Images (N, C, H, W) uint8, white paper 255, of latents (N, latent_dim); the generator is left in eval mode."""
    generator.eval()
    return torch.cat([quantize(generator(z)) for z in torch.split(latents, batch_size)])
