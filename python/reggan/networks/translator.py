"""Networks of CycleGAN (Zhu et al., arXiv 1703.10593): translators between two kinds of images, and discriminators.

All are fully convolutional and take pairs (N, 2, channels, height, width), an image of each kind. Sides must be
multiples of 4 and at least 8; discriminators with L strided layers need at least 3 * 2^L pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

__all__ = ["FusedTranslator", "PairDiscriminator", "SeparateTranslator", "Translator"]


class Translator(nn.Module, ABC):
    """Translates each image of a pair to the other kind; the translation of the second image comes first."""

    def forward(self, pairs: Tensor) -> Tensor:
        return self.translate(pairs, keep=False)[0]

    @abstractmethod
    def translate(self, pairs: Tensor, keep: bool) -> tuple[Tensor, Tensor | None]:
        """Pairs of translations in [-1, 1], and if `keep`, the images mapped to their own kind (else None)."""


class SeparateTranslator(Translator):
    """Two separate networks, one for each direction."""

    def __init__(self, channels: int = 1, width: int = 64, blocks: int = 9) -> None:
        super().__init__()
        before = blocks // 2
        self.to_first = nn.Sequential(_encoder(channels, width, before), _decoder(channels, width, blocks - before))
        self.to_second = nn.Sequential(_encoder(channels, width, before), _decoder(channels, width, blocks - before))

    def translate(self, pairs: Tensor, keep: bool) -> tuple[Tensor, Tensor | None]:
        first, second = _split(pairs)
        translations = _join(self.to_first(second), self.to_second(first))
        return translations, _join(self.to_first(first), self.to_second(second)) if keep else None


class FusedTranslator(Translator):
    """One encoder for both kinds and a decoder for each: an image is encoded once, then decoded to either kind."""

    def __init__(self, channels: int = 1, width: int = 64, blocks: int = 6) -> None:
        super().__init__()
        before = blocks // 2
        self.encoder = _encoder(channels, width, before)
        self.to_first = _decoder(channels, width, blocks - before)
        self.to_second = _decoder(channels, width, blocks - before)

    def translate(self, pairs: Tensor, keep: bool) -> tuple[Tensor, Tensor | None]:
        first, second = self.encoder(torch.cat(_split(pairs))).chunk(2)
        if not keep:
            return _join(self.to_first(second), self.to_second(first)), None
        firsts, seconds = self.to_first(torch.cat([second, first])), self.to_second(torch.cat([first, second]))
        count = len(pairs)
        return _join(firsts[:count], seconds[:count]), _join(firsts[count:], seconds[count:])


class PairDiscriminator(nn.Module):
    """Pairs to logits of patches, (N, 2, h, w), by a discriminator for each kind; positive means real.

    `size`, one side or (height, width), is only checked: translators and discriminators must both accept it.
    """

    def __init__(
        self, channels: int = 1, width: int = 64, layers: int = 3, size: int | tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        if size is not None:
            _check_size(size, layers)
        self.first = _patches(channels, width, layers)
        self.second = _patches(channels, width, layers)

    def forward(self, pairs: Tensor) -> Tensor:
        first, second = _split(pairs)
        return torch.cat([self.first(first), self.second(second)], dim=1)


def _check_size(size: int | tuple[int, int], layers: int) -> None:
    sides = (size, size) if isinstance(size, int) else size
    if any(side % 4 or side < 8 for side in sides):
        raise ValueError(
            f"size is {size}, each side must be a multiple of 4 and at least 8: give another size, or your own networks"
        )
    # After the strided layers, each side must be at least 3: instance normalization needs more than one value.
    short = min(sides)
    if short >> layers < 3:
        most = (short // 3).bit_length() - 1
        raise ValueError(
            f"layers is {layers}, must be at most {most} for images of {short} pixels on the shorter side: "
            "give fewer layers, or a larger size"
        )


def _split(pairs: Tensor) -> tuple[Tensor, Tensor]:
    first, second = (pairs[:, k].contiguous(memory_format=torch.channels_last) for k in (0, 1))
    return first, second


def _join(first: Tensor, second: Tensor) -> Tensor:
    # In float32, as in DCGANGenerator: bfloat16 rounds tanh to 1, where its gradient is 0.
    return torch.tanh(torch.stack([first, second], dim=1).float())


def _encoder(channels: int, width: int, blocks: int) -> nn.Sequential:
    """Images to 4 * width feature maps with a quarter of the height and width."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 7, padding=3, padding_mode="reflect"),
        *_norm_relu(width),
        nn.Conv2d(width, 2 * width, 3, 2, 1),
        *_norm_relu(2 * width),
        nn.Conv2d(2 * width, 4 * width, 3, 2, 1),
        *_norm_relu(4 * width),
        *(_Residual(4 * width) for _ in range(blocks)),
    )


def _decoder(channels: int, width: int, blocks: int) -> nn.Sequential:
    """The reverse of _encoder; the final tanh is in _join."""
    return nn.Sequential(
        *(_Residual(4 * width) for _ in range(blocks)),
        nn.ConvTranspose2d(4 * width, 2 * width, 3, 2, 1, output_padding=1),
        *_norm_relu(2 * width),
        nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1),
        *_norm_relu(width),
        nn.Conv2d(width, channels, 7, padding=3, padding_mode="reflect"),
    )


class _Residual(nn.Module):
    """Two convolutions with a skip connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect") for _ in range(2))
        self.layers = nn.Sequential(first, *_norm_relu(width), second, nn.InstanceNorm2d(width))

    def forward(self, maps: Tensor) -> Tensor:
        outputs: Tensor = maps + self.layers(maps)
        return outputs


def _norm_relu(width: int) -> tuple[nn.Module, ...]:
    return nn.InstanceNorm2d(width), nn.ReLU(inplace=True)


def _patches(channels: int, width: int, layers: int) -> nn.Sequential:
    """Images to one logit per patch (Isola et al., arXiv 1611.07004): `layers` strided convolutions, then two more."""
    modules: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
    fine = width
    for k in range(1, layers + 1):
        coarse = width * min(2**k, 8)
        stride = 2 if k < layers else 1
        modules += [nn.Conv2d(fine, coarse, 4, stride, 1), nn.InstanceNorm2d(coarse), nn.LeakyReLU(0.2, inplace=True)]
        fine = coarse
    return nn.Sequential(*modules, nn.Conv2d(fine, 1, 4, 1, 1))
