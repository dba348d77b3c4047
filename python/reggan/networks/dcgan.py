"""The networks of DCGAN (Radford, Metz and Chintala, arXiv 1511.06434), for sides of 28 to 128 pixels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from .ends import Double, FromImage, FromOnePixel, Halve, ToImage, ToOnePixel

__all__ = ["SIZES", "DCGANDiscriminator", "DCGANEncoder", "DCGANGenerator", "initialize"]

_DOUBLINGS = {start * 2**k: k for k in (2, 3, 4, 5) for start in (4, 5, 6, 7) if 28 <= start * 2**k <= 128}
"""Number of doublings from the smallest feature maps, with sides of 4 to 7, to each image side."""

SIZES = tuple(sorted(_DOUBLINGS))
"""Sides of square images, and shorter sides of others; 64 gives the five layers of the paper."""


def _plan(size: int | tuple[int, int], width: int) -> tuple[tuple[int, int], list[int]]:
    """Height and width of the smallest maps, and maps per layer: (4, 4) and width * (8, 4, 2, 1) at 64."""
    sides = (size, size) if isinstance(size, int) else size
    short, long = sorted(sides)
    remedy = "give another size, or your own networks"
    if short not in _DOUBLINGS:
        given = f"{short}," if short == long else f"{size}, the shorter side"
        raise ValueError(f"size is {given} must be one of {', '.join(map(str, SIZES))}: {remedy}")
    doublings = _DOUBLINGS[short]
    step = 2**doublings
    if long % step or long > 4 * short:
        raise ValueError(f"size is {size}, the longer side must be a multiple of {step}, at most {4 * short}: {remedy}")
    if width < 1:
        raise ValueError(f"width is {width}, must be at least 1")
    return (sides[0] // step, sides[1] // step), [width * 2**k for k in reversed(range(doublings))]


def initialize(module: nn.Module) -> None:
    """Initialize as in the paper: weights from N(0, 0.02), scales of batch norm from N(1, 0.02), biases 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0 if isinstance(layer, nn.BatchNorm2d) else 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class DCGANGenerator(nn.Module):
    """Latents (N, latent_dim) to images (N, channels, height, width) in [-1, 1], by transposed convolutions.

    `size` is one side or (height, width), `width` the number of feature maps next to the image. The shorter side, one
    of SIZES, determines the number k of doublings; the longer side is a multiple of 2^k, at most 4 times as long.

    tanh alone is never white. With a `tanh_scale` above 1 it is scaled and clamped to [-1, 1]; gradients ignore the
    clamp. Images are seamless tiles if they are `tileable`: the layers join opposite sides.
    """

    def __init__(
        self,
        size: int | tuple[int, int] = 64,
        channels: int = 1,
        latent_dim: int = 100,
        width: int = 64,
        tanh_scale: float = 1.0,
        tileable: bool = False,
    ) -> None:
        super().__init__()
        self.latent_dim, self.tanh_scale = latent_dim, tanh_scale
        start, maps = _plan(size, width)
        first = FromOnePixel(latent_dim, maps[0], start, bias=False)
        layers: list[nn.Module] = [first, nn.BatchNorm2d(maps[0]), nn.ReLU(inplace=True)]
        for inputs, outputs in pairwise(maps):
            layers += [Double(inputs, outputs, tileable), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        layers.append(ToImage(maps[-1], channels, tileable))
        self.layers = nn.Sequential(*layers)
        initialize(self)

    def forward(self, z: Tensor) -> Tensor:
        # bfloat16 rounds tanh to 1 from about 3.5 on, where its gradient is 0: white pixels could never turn dark.
        images = torch.tanh(self.layers(z).float())
        if self.tanh_scale == 1:
            return images
        scaled = self.tanh_scale * images
        return scaled + (scaled.clamp(-1, 1) - scaled).detach()


_NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm2d, "layer": partial(nn.GroupNorm, 1)}


class DCGANEncoder(nn.Module):
    """Images (N, channels, height, width) in [-1, 1] to rows (N, outputs); sizes as in DCGANGenerator.

    `norm` is "batch" as in the paper, or "layer" for layer normalization, which treats each image independently. If
    `tileable`, the layers join opposite sides.
    """

    def __init__(
        self,
        size: int | tuple[int, int] = 64,
        channels: int = 1,
        outputs: int = 1,
        width: int = 64,
        norm: str = "batch",
        tileable: bool = False,
    ) -> None:
        super().__init__()
        if norm not in _NORMS:
            raise ValueError(f"norm is {norm!r}, must be one of {', '.join(_NORMS)}")
        start, maps = _plan(size, width)
        maps.reverse()
        layers: list[nn.Module] = [FromImage(channels, maps[0], tileable), nn.LeakyReLU(0.2, inplace=True)]
        for fine, coarse in pairwise(maps):
            layers += [Halve(fine, coarse, tileable), _NORMS[norm](coarse), nn.LeakyReLU(0.2, inplace=True)]
        layers.append(ToOnePixel(maps[-1], outputs, start, bias=False))
        self.layers = nn.Sequential(*layers)
        initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        rows: Tensor = self.layers(images)
        return rows


class DCGANDiscriminator(DCGANEncoder):
    """Images (N, channels, height, width) in [-1, 1] to logits (N,); positive means real."""

    def __init__(
        self,
        size: int | tuple[int, int] = 64,
        channels: int = 1,
        width: int = 64,
        norm: str = "batch",
        tileable: bool = False,
    ) -> None:
        super().__init__(size, channels, 1, width, norm, tileable)

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).flatten()
