"""CycleGAN with a fused encoder: one network encodes both kinds of images, and two decode them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..networks import FusedTranslator, Translator
from ..options import options
from .cyclegan import CycleGAN

__all__ = ["FusedCycleGAN"]


@options
class FusedCycleGAN(CycleGAN):
    """CycleGAN with one encoder for both kinds and two decoders: smaller and faster."""

    blocks: Annotated[int, Field(ge=0, le=100)] = 6
    """Residual blocks from an image to its translation, half of them in the encoder."""

    def translator(self, channels: int) -> Translator:
        return FusedTranslator(channels, self.width, self.blocks)
