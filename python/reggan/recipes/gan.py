"""GAN (Goodfellow et al., arXiv 1406.2661): the game by itself, with fully connected networks."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from .. import losses
from ..options import options
from ..rules import Rule
from .adversarial import Builders, LatentOptions
from .dcgan import DCGAN
from .phases import Batch, Networks, Stats

__all__ = ["GAN"]


@options
class GAN(LatentOptions, DCGAN):
    """GAN with fully connected networks, of images or points."""

    makes: ClassVar[tuple[str, ...]] = ("images", "points")

    width: Annotated[int, Field(ge=1, le=4096)] = 512
    """Size of each hidden layer."""
    depth: Annotated[int, Field(ge=1, le=100)] = 3
    """Hidden layers."""
    loss: Literal["minimax", "non-saturating"] = "non-saturating"
    """Generator's loss: E[log(1 - D(G(z)))], or -E[log D(G(z))], whose gradient does not vanish."""

    def prior(self, count: int, generator: torch.Generator) -> Tensor:
        return self.latents(count, self.latent_dim, generator)

    def build(self, shape: tuple[int, ...], rule: Rule) -> Builders:
        return self.fully_connected(shape, self.latent_dim, self.width, self.depth)

    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The discriminator should take generated samples for real."""
        batch = self.best(batch)
        fake = self.discriminate_noisy(networks, batch, self.generate(networks, batch))
        return (losses.generator_minimax(fake) if self.loss == "minimax" else losses.generator_bce(fake)), {}
