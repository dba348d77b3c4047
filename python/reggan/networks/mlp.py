"""Fully connected networks, for samples of any shape: points (D,) or flattened images (C, H, W)."""

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

SAMPLE_FREQUENCY, LATENT_FREQUENCY = 2.0, 40.0
"""Standard deviations of the frequencies of Fourier features, in radians per unit of samples and of latents."""


class FourierFeatures(nn.Module):
    """Rows (N, inputs) with the sines and cosines of `count` random projections appended: (N, inputs + 2 count).

    Networks learn high frequencies of plain coordinates slowly (Tancik et al., arXiv 2006.10739).
    """

    def __init__(self, inputs: int, count: int, frequency: float = SAMPLE_FREQUENCY) -> None:
        super().__init__()
        self.num_features = inputs + 2 * count
        self.register_buffer("directions", frequency * torch.randn(inputs, count))

    def forward(self, rows: Tensor) -> Tensor:
        phases = rows @ self.get_buffer("directions")
        return torch.cat([rows, phases.sin(), phases.cos()], dim=1)


class MLP(nn.Module):
    """Rows (N, inputs) to rows (N, outputs), through `depth` hidden layers of `width` units.

    `fourier_features` is the number of random projections (see FourierFeatures), `frequency` the standard deviation of
    their frequencies in radians per unit.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int = 512,
        depth: int = 3,
        activation: str = "leaky_relu",
        fourier_features: int = 0,
        frequency: float = SAMPLE_FREQUENCY,
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
        outputs: Tensor = self.layers(rows)
        return outputs


class MLPGenerator(MLP):
    """Latents (N, latent_dim) to samples (N, *shape); images are in [-1, 1], points are unbounded."""

    def __init__(
        self,
        shape: tuple[int, ...],
        latent_dim: int = 100,
        width: int = 512,
        depth: int = 3,
        activation: str = "leaky_relu",
        fourier_features: int = 0,
    ) -> None:
        super().__init__(latent_dim, math.prod(shape), width, depth, activation, fourier_features, LATENT_FREQUENCY)
        self.shape = shape

    def forward(self, z: Tensor) -> Tensor:
        # In float32, as in DCGANGenerator: bfloat16 rounds tanh to 1, where its gradient is 0.
        samples = super().forward(z).float().view(-1, *self.shape)
        return torch.tanh(samples) if len(self.shape) == 3 else samples


class MLPDiscriminator(MLP):
    """Samples (N, *shape) to logits (N,); positive means real."""

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
        return super().forward(samples.flatten(1)).flatten()
