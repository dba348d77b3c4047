"""A discriminator of pairs: a sample and its latent (BiGAN, Donahue et al., arXiv 1605.09782)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .mlp import MLP

__all__ = ["JointDiscriminator"]


class JointDiscriminator(nn.Module):
    """Samples (N, *shape) with latents (N, latent_dim) to one logit each, (N,); positive means a real sample.

    `features` turns samples into rows (N, seen), which a fully connected head takes beside the latents.
    """

    def __init__(self, features: nn.Module, seen: int, latent_dim: int, width: int = 512, depth: int = 3) -> None:
        super().__init__()
        self.features = features
        self.head = MLP(seen + latent_dim, 1, width, depth)

    def forward(self, samples: Tensor, latents: Tensor) -> Tensor:
        """Logits (N,)."""
        logits: Tensor = self.head(torch.cat([self.features(samples), latents], dim=1))
        return logits.flatten()
