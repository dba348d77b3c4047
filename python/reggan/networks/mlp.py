"""Fully connected networks, for samples of any shape: points (D,), or images (C, H, W) that are seen as a row."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

__all__ = ["MLP", "MLPDiscriminator", "MLPGenerator", "Waves"]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "leaky_relu": partial(nn.LeakyReLU, 0.2, inplace=True),
    "tanh": nn.Tanh,
}


OF_SAMPLES, OF_LATENTS = 2.0, 6.0
"""Standard deviations of the waves' frequencies, in radians a unit."""


class Waves(nn.Module):
    """Rows (N, inputs), and beside them sines and cosines of `waves` random directions: (N, inputs + 2 waves).

    Of coordinates as they are, networks learn what changes over short ways last (Tancik et al., arXiv 2006.10739).
    """

    def __init__(self, inputs: int, waves: int, frequency: float = OF_SAMPLES) -> None:
        super().__init__()
        self.seen = inputs + 2 * waves
        self.register_buffer("directions", frequency * torch.randn(inputs, waves))

    def forward(self, rows: Tensor) -> Tensor:
        """Rows with their waves."""
        phases = rows @ self.get_buffer("directions")
        return torch.cat([rows, phases.sin(), phases.cos()], dim=1)


class MLP(nn.Module):
    """Rows (N, inputs) to rows (N, outputs), through `depth` hidden layers of `width` numbers each.

    With `waves` it sees so many of the rows, too.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int = 512,
        depth: int = 3,
        activation: str = "leaky_relu",
        waves: int = 0,
        frequency: float = OF_SAMPLES,
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation is {activation!r}, must be one of {', '.join(ACTIVATIONS)}")
        if width < 1 or depth < 1:
            raise ValueError(f"width is {width} and depth {depth}, must be at least 1")
        layers: list[nn.Module] = [Waves(inputs, waves, frequency)] if waves else []
        for k in range(depth):
            layers += [nn.Linear(width if k else inputs + 2 * waves, width), ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, outputs))

    def forward(self, rows: Tensor) -> Tensor:
        """Rows (N, outputs)."""
        found: Tensor = self.layers(rows)
        return found


class MLPGenerator(MLP):
    """Latents (N, latent_dim) to samples (N, *shape); images are in [-1, 1], points anywhere."""

    def __init__(
        self,
        shape: tuple[int, ...],
        latent_dim: int = 100,
        width: int = 512,
        depth: int = 3,
        activation: str = "leaky_relu",
        waves: int = 0,
    ) -> None:
        super().__init__(latent_dim, math.prod(shape), width, depth, activation, waves, OF_LATENTS)
        self.shape = shape

    def forward(self, z: Tensor) -> Tensor:
        """Samples of latents (N, latent_dim)."""
        # As in DCGANGenerator: in bfloat16 tanh rounds to 1, where its gradient is 0.
        samples = super().forward(z).float().view(-1, *self.shape)
        return torch.tanh(samples) if len(self.shape) == 3 else samples


class MLPDiscriminator(MLP):
    """Samples (N, *shape) to one logit each, (N,); positive means real."""

    def __init__(
        self,
        shape: tuple[int, ...],
        width: int = 512,
        depth: int = 3,
        activation: str = "leaky_relu",
        waves: int = 0,
    ) -> None:
        super().__init__(math.prod(shape), 1, width, depth, activation, waves)

    def forward(self, samples: Tensor) -> Tensor:
        """Logits (N,)."""
        return super().forward(samples.flatten(1)).flatten()
