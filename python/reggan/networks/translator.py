"""Networks of CycleGAN (Zhu et al., arXiv 1703.10593): translators between two kinds of images, and patch critics.

All take pairs (N, 2, channels, size, size): an image of the first kind, and one of the second.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

__all__ = ["FusedTranslator", "PairDiscriminator", "SeparateTranslator", "Translator"]


class Translator(nn.Module, ABC):
    """Turns both images of a pair into the other's kind; what becomes of the second is the new first."""

    def forward(self, pairs: Tensor) -> Tensor:
        """Pairs of translations in [-1, 1]."""
        return self.translate(pairs, keep=False)[0]

    @abstractmethod
    def translate(self, pairs: Tensor, keep: bool) -> tuple[Tensor, Tensor | None]:
        """Pairs of translations, and with `keep` what becomes of images that are turned into their own kind."""


class SeparateTranslator(Translator):
    """Two networks that have nothing in common."""

    def __init__(self, channels: int = 1, width: int = 64, blocks: int = 9) -> None:
        super().__init__()
        before = blocks // 2
        self.to_first = nn.Sequential(_encoder(channels, width, before), _decoder(channels, width, blocks - before))
        self.to_second = nn.Sequential(_encoder(channels, width, before), _decoder(channels, width, blocks - before))

    def translate(self, pairs: Tensor, keep: bool) -> tuple[Tensor, Tensor | None]:
        """See `Translator.translate`."""
        first, second = _apart(pairs)
        turned = _together(self.to_first(second), self.to_second(first))
        return turned, _together(self.to_first(first), self.to_second(second)) if keep else None


class FusedTranslator(Translator):
    """One encoder of both kinds, and a decoder into each: an image is encoded once for all that it is turned into."""

    def __init__(self, channels: int = 1, width: int = 64, blocks: int = 6) -> None:
        super().__init__()
        before = blocks // 2
        self.encoder = _encoder(channels, width, before)
        self.to_first = _decoder(channels, width, blocks - before)
        self.to_second = _decoder(channels, width, blocks - before)

    def translate(self, pairs: Tensor, keep: bool) -> tuple[Tensor, Tensor | None]:
        """See `Translator.translate`."""
        first, second = self.encoder(torch.cat(_apart(pairs))).chunk(2)
        if not keep:
            return _together(self.to_first(second), self.to_second(first)), None
        firsts, seconds = self.to_first(torch.cat([second, first])), self.to_second(torch.cat([first, second]))
        count = len(pairs)
        return _together(firsts[:count], seconds[:count]), _together(firsts[count:], seconds[count:])


class PairDiscriminator(nn.Module):
    """Pairs to logits of patches, (N, 2, h, w): a discriminator of each kind, which sees no whole image."""

    def __init__(self, channels: int = 1, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        self.first = _patches(channels, width, layers)
        self.second = _patches(channels, width, layers)

    def forward(self, pairs: Tensor) -> Tensor:
        """Logits (N, 2, h, w); positive means real."""
        first, second = _apart(pairs)
        return torch.cat([self.first(first), self.second(second)], dim=1)


def _apart(pairs: Tensor) -> tuple[Tensor, Tensor]:
    first, second = (pairs[:, k].contiguous(memory_format=torch.channels_last) for k in (0, 1))
    return first, second


def _together(first: Tensor, second: Tensor) -> Tensor:
    # As in DCGANGenerator: in bfloat16 tanh rounds to 1, where its gradient is 0.
    return torch.tanh(torch.stack([first, second], dim=1).float())


def _encoder(channels: int, width: int, blocks: int) -> nn.Sequential:
    """Images to 4 * width maps at a quarter of their sides."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 7, padding=3, padding_mode="reflect"),
        *_normalized(width),
        nn.Conv2d(width, 2 * width, 3, 2, 1),
        *_normalized(2 * width),
        nn.Conv2d(2 * width, 4 * width, 3, 2, 1),
        *_normalized(4 * width),
        *(_Residual(4 * width) for _ in range(blocks)),
    )


def _decoder(channels: int, width: int, blocks: int) -> nn.Sequential:
    """The reverse, but for the tanh at the end."""
    return nn.Sequential(
        *(_Residual(4 * width) for _ in range(blocks)),
        nn.ConvTranspose2d(4 * width, 2 * width, 3, 2, 1, output_padding=1),
        *_normalized(2 * width),
        nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1),
        *_normalized(width),
        nn.Conv2d(width, channels, 7, padding=3, padding_mode="reflect"),
    )


class _Residual(nn.Module):
    """Two convolutions that are added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect"),
            *_normalized(width),
            nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect"),
            nn.InstanceNorm2d(width),
        )

    def forward(self, maps: Tensor) -> Tensor:
        found: Tensor = maps + self.layers(maps)
        return found


def _normalized(width: int) -> tuple[nn.Module, ...]:
    return nn.InstanceNorm2d(width), nn.ReLU(inplace=True)


def _patches(channels: int, width: int, layers: int) -> nn.Sequential:
    """Images to one logit a patch (Isola et al., arXiv 1611.07004): `layers` strides, then two convolutions."""
    parts: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
    fine = width
    for k in range(1, layers + 1):
        coarse = width * min(2**k, 8)
        stride = 2 if k < layers else 1
        parts += [nn.Conv2d(fine, coarse, 4, stride, 1), nn.InstanceNorm2d(coarse), nn.LeakyReLU(0.2, inplace=True)]
        fine = coarse
    return nn.Sequential(*parts, nn.Conv2d(fine, 1, 4, 1, 1))
