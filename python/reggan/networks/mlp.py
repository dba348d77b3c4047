"""Fully connected networks, for samples of any shape: points (D,), or images (C, H, W) that are seen as a row."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

__all__ = ["MLP", "FourierFeatures", "MLPDiscriminator", "MLPGenerator"]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "leaky_relu": partial(nn.LeakyReLU, 0.2, inplace=True),
    "tanh": nn.Tanh,
}


OF_SAMPLES, OF_LATENTS = 2.0, 40.0
"""Standard deviations of the frequencies of Fourier features, in radians a unit of samples or latents."""


class FourierFeatures(nn.Module):
    """Rows (N, inputs), and beside them sines and cosines of `count` random projections: (N, inputs + 2 count).

    Of coordinates as they are, networks learn what changes over short ways last (Tancik et al., arXiv 2006.10739).
    """

    def __init__(self, inputs: int, count: int, frequency: float = OF_SAMPLES) -> None:
        super().__init__()
        self.seen = inputs + 2 * count
        self.register_buffer("directions", frequency * torch.randn(inputs, count))

    def forward(self, rows: Tensor) -> Tensor:
        """Rows (N, inputs + 2 count)."""
        phases = rows @ self.get_buffer("directions")
        return torch.cat([rows, phases.sin(), phases.cos()], dim=1)


class MLP(nn.Module):
    """Rows (N, inputs) to rows (N, outputs), through `depth` hidden layers of `width` numbers each.

    It sees the rows with so many Fourier features, whose frequencies have this standard deviation, in radians a unit.

    Raises:
        ValueError: a number is too small, or the activation is unknown.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int = 512,
        depth: int = 3,
        activation: str = "leaky_relu",
        fourier_features: int = 0,
        frequency: float = OF_SAMPLES,
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation is {activation!r}, must be one of {', '.join(ACTIVATIONS)}")
        if width < 1 or depth < 1:
            raise ValueError(f"width is {width} and depth {depth}, must be at least 1")
        if fourier_features < 0:
            raise ValueError(f"fourier_features is {fourier_features}, must be at least 0")
        layers: list[nn.Module] = [FourierFeatures(inputs, fourier_features, frequency)] if fourier_features else []
        for k in range(depth):
            layers += [nn.Linear(width if k else inputs + 2 * fourier_features, width), ACTIVATIONS[activation]()]
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
        fourier_features: int = 0,
    ) -> None:
        super().__init__(latent_dim, math.prod(shape), width, depth, activation, fourier_features, OF_LATENTS)
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
        fourier_features: int = 0,
    ) -> None:
        super().__init__(math.prod(shape), 1, width, depth, activation, fourier_features)

    def forward(self, samples: Tensor) -> Tensor:
        """Logits (N,)."""
        return super().forward(samples.flatten(1)).flatten()
