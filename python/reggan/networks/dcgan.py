"""The networks of DCGAN (Radford, Metz and Chintala, arXiv 1511.06434), for sides of 8 to 128 pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .ends import Double, FromImage, FromOnePixel, Halve, ToImage, ToOnePixel
from .morphology import Clear

__all__ = ["SIZES", "DCGANDiscriminator", "DCGANEncoder", "DCGANGenerator", "initialize"]

SIZES = range(8, 129)
"""Sides of square images, and shorter sides of others; 64 gives the five layers of the paper."""

_FEWEST_DOUBLINGS, _LARGEST_START = 2, 7


@dataclass(frozen=True)
class _Plan:
    """How networks of an image size are built: k times the side doubles, from smallest maps with sides of up to 7.

    Images whose sides are no multiples of 2^k are the middle of larger ones.
    """

    start: tuple[int, int]
    """Height and width of the smallest maps: (4, 4) at 64."""
    maps: list[int]
    """Feature maps of each layer, the coarsest first: width * (8, 4, 2, 1) at 64."""
    margins: tuple[int, int, int, int]
    """Pixels around the image, as in `torch.nn.functional.pad`: left, right, top and bottom."""

    @classmethod
    def of(cls, size: int | tuple[int, int], width: int, tileable: bool) -> _Plan:
        sides = (size, size) if isinstance(size, int) else size
        short, long = sorted(sides)
        remedy = "give another size, or your own networks"
        if short not in SIZES:
            given = f"{short}," if short == long else f"{size}, the shorter side"
            raise ValueError(f"size is {given} must be from {SIZES[0]} to {SIZES[-1]}: {remedy}")
        if long > 4 * short:
            raise ValueError(f"size is {size}, the longer side must be at most 4 times the shorter one: {remedy}")
        if width < 1:
            raise ValueError(f"width is {width}, must be at least 1")
        doublings = _FEWEST_DOUBLINGS
        while -(-short >> doublings) > _LARGEST_START:
            doublings += 1
        height, breadth = (-(-side // 2**doublings) for side in sides)
        above, left = (start * 2**doublings - side for start, side in zip((height, breadth), sides, strict=True))
        if tileable and (above or left):
            step = 2**doublings
            raise ValueError(f"size is {size}, the sides of seamless tiles must be multiples of {step}: {remedy}")
        margins = left // 2, left - left // 2, above // 2, above - above // 2
        return cls((height, breadth), [width * 2**k for k in reversed(range(doublings))], margins)

    @property
    def crop(self) -> tuple[int, int, int, int]:
        """The margins, to take off instead of adding."""
        left, right, top, bottom = self.margins
        return -left, -right, -top, -bottom


def initialize(module: nn.Module) -> None:
    """Initialize as in the paper: weights from N(0, 0.02), scales of batch norm from N(1, 0.02), biases 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0 if isinstance(layer, nn.BatchNorm2d) else 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class DCGANGenerator(nn.Module):
    """Latents (N, latent_dim) to images (N, channels, height, width) in [-1, 1], by transposed convolutions.

    `size` is one side or (height, width), `width` the number of feature maps next to the image. The shorter side is one
    of SIZES, the longer side at most 4 times as long.

    tanh alone is never white. With a `tanh_scale` above 1 it is scaled and clamped to [-1, 1]; gradients ignore the
    clamp. Images are seamless tiles if they are `tileable`: the layers join opposite sides, which are then multiples of
    a power of 2. With `discs` above 1, evaluation mode ends with `Clear`.
    """

    def __init__(
        self,
        size: int | tuple[int, int] = 64,
        channels: int = 1,
        latent_dim: int = 100,
        width: int = 64,
        tanh_scale: float = 1.0,
        tileable: bool = False,
        discs: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__()
        self.clear = Clear(*discs, periodic=tileable)
        self.latent_dim, self.tanh_scale = latent_dim, tanh_scale
        plan = _Plan.of(size, width, tileable)
        self.crop, maps = plan.crop, plan.maps
        first = FromOnePixel(latent_dim, maps[0], plan.start, bias=False)
        layers: list[nn.Module] = [first, nn.BatchNorm2d(maps[0]), nn.ReLU(inplace=True)]
        for inputs, outputs in pairwise(maps):
            layers += [Double(inputs, outputs, tileable), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        layers.append(ToImage(maps[-1], channels, tileable))
        self.layers = nn.Sequential(*layers)
        initialize(self)

    def forward(self, z: Tensor) -> Tensor:
        # bfloat16 rounds tanh to 1 from about 3.5 on, where its gradient is 0: white pixels could never turn dark.
        images = torch.tanh(_padded(self.layers(z), self.crop).float())
        if self.tanh_scale != 1:
            scaled = self.tanh_scale * images
            images = scaled + (scaled.clamp(-1, 1) - scaled).detach()
        cleared: Tensor = self.clear(images)
        return cleared


def _padded(images: Tensor, margins: tuple[int, int, int, int]) -> Tensor:
    """Images with margins of white paper, or, if these are negative, without their margins."""
    return F.pad(images, margins, value=1.0) if any(margins) else images


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
        plan = _Plan.of(size, width, tileable)
        self.margins, maps = plan.margins, plan.maps[::-1]
        layers: list[nn.Module] = [FromImage(channels, maps[0], tileable), nn.LeakyReLU(0.2, inplace=True)]
        for fine, coarse in pairwise(maps):
            layers += [Halve(fine, coarse, tileable), _NORMS[norm](coarse), nn.LeakyReLU(0.2, inplace=True)]
        layers.append(ToOnePixel(maps[-1], outputs, plan.start, bias=False))
        self.layers = nn.Sequential(*layers)
        initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        rows: Tensor = self.layers(_padded(images, self.margins))
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
