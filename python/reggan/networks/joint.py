"""A discriminator of samples together with their latents (BiGAN, Donahue et al., arXiv 1605.09782)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .mlp import MLP

__all__ = ["JointDiscriminator"]


class JointDiscriminator(nn.Module):
    """Samples (N, *shape) and latents (N, latent_dim) to logits (N,); positive means a real sample.

    `features` maps samples to rows (N, num_features); a fully connected head takes them concatenated with the latents.
    """

    def __init__(
        self, features: nn.Module, num_features: int, latent_dim: int, width: int = 512, depth: int = 3
    ) -> None:
        super().__init__()
        self.features = features
        self.head = MLP(num_features + latent_dim, 1, width, depth)

    def forward(self, samples: Tensor, latents: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.cat([self.features(samples), latents], dim=1))
        return logits.flatten()
