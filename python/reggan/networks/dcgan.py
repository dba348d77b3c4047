"""The networks of DCGAN (Radford, Metz and Chintala, arXiv 1511.06434), for 28 to 128 pixels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from .ends import FromImage, FromOnePixel, ToImage, ToOnePixel

__all__ = ["SIZES", "DCGANDiscriminator", "DCGANEncoder", "DCGANGenerator"]

_PLANS = {start * 2**k: (start, k) for k in (2, 3, 4, 5) for start in (4, 5, 6, 7) if 28 <= start * 2**k <= 128}
"""Side of the image: side of the smallest maps, and how often it doubles."""

SIZES = tuple(sorted(_PLANS))
"""Image sides that the networks are built for; 64 has the five layers of the paper."""


def _plan(size: int, width: int) -> tuple[int, list[int]]:
    """Side of the smallest maps, and numbers of maps from there to the image: 4, width * (8, 4, 2, 1) at 64 pixels."""
    if size not in SIZES:
        raise ValueError(f"size is {size}, must be one of {SIZES}")
    if width < 1:
        raise ValueError(f"width is {width}, must be at least 1")
    start, doublings = _PLANS[size]
    return start, [width * 2**k for k in reversed(range(doublings))]


def _initialize(module: nn.Module) -> None:
    """DCGAN's start: weights N(0, 0.02), batch-norm scales N(1, 0.02), no biases but batch norm's 0."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(part.weight, 0.0, 0.02)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, 0.02)
            nn.init.zeros_(part.bias)


class DCGANGenerator(nn.Module):
    """Latents (N, latent_dim) to images (N, channels, size, size) in [-1, 1], by transposed convolutions."""

    def __init__(self, size: int = 64, channels: int = 1, latent_dim: int = 100, width: int = 64) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        start, maps = _plan(size, width)
        layers: list[nn.Module] = [
            FromOnePixel(latent_dim, maps[0], start, bias=False),
            nn.BatchNorm2d(maps[0]),
            nn.ReLU(inplace=True),
        ]
        for inputs, outputs in pairwise(maps):
            layers += [
                nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
        layers.append(ToImage(maps[-1], channels))
        self.layers = nn.Sequential(*layers)
        _initialize(self)

    def forward(self, z: Tensor) -> Tensor:
        """Images in [-1, 1] of latents (N, latent_dim)."""
        # In bfloat16 tanh rounds to 1 from about 3.5 on, where its gradient is 0: white paper could not be drawn on.
        return torch.tanh(self.layers(z).float())


_NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm2d, "layer": partial(nn.GroupNorm, 1)}


class DCGANEncoder(nn.Module):
    """Images (N, channels, size, size) to rows (N, outputs).

    `norm` is "batch" as in the paper, or "layer" for layer normalization, which leaves each image by itself.
    """

    def __init__(
        self, size: int = 64, channels: int = 1, outputs: int = 1, width: int = 64, norm: str = "batch"
    ) -> None:
        super().__init__()
        if norm not in _NORMS:
            raise ValueError(f"norm is {norm!r}, must be one of {', '.join(_NORMS)}")
        start, maps = _plan(size, width)
        maps.reverse()
        layers: list[nn.Module] = [
            FromImage(channels, maps[0]),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        for fine, coarse in pairwise(maps):
            layers += [
                nn.Conv2d(fine, coarse, 4, 2, 1, bias=False),
                _NORMS[norm](coarse),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        layers.append(ToOnePixel(maps[-1], outputs, start, bias=False))
        self.layers = nn.Sequential(*layers)
        _initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Rows (N, outputs) of images in [-1, 1]."""
        rows: Tensor = self.layers(images)
        return rows


class DCGANDiscriminator(DCGANEncoder):
    """Images (N, channels, size, size) to one logit each, (N,); positive means real."""

    def __init__(self, size: int = 64, channels: int = 1, width: int = 64, norm: str = "batch") -> None:
        super().__init__(size, channels, 1, width, norm)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N,) of images in [-1, 1]."""
        return super().forward(images).flatten()
