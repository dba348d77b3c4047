"""CycleGAN with a fused encoder: both kinds of images are read by one network, and written by two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..networks import FusedTranslator, Translator
from .cyclegan import CycleGAN

__all__ = ["FusedCycleGAN"]


@dataclass(frozen=True)
class FusedCycleGAN(CycleGAN):
    """CycleGAN with one encoder of both kinds and two decoders: smaller and faster."""

    name: ClassVar[str] = "cyclegan-fused"

    blocks: int = 6
    """Residual blocks from an image to its translation, half of them in the encoder."""

    def translator(self, channels: int) -> Translator:
        """The translators both ways."""
        return FusedTranslator(channels, self.width, self.blocks)
