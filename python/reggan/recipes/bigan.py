"""BiGAN (Donahue, Krähenbühl and Darrell, arXiv 1605.09782): the discriminator sees samples with their latents."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from .. import losses
from ..networks import MLP, DCGANEncoder, DCGANGenerator, FourierFeatures, JointDiscriminator
from ..options import options
from ..rules import Rule
from .adversarial import Builders, LatentOptions
from .dcgan import DCGAN
from .phases import Batch, Networks, Phase, Stats

__all__ = ["BiGAN"]


@options
class BiGAN(LatentOptions, DCGAN):
    """GAN with an encoder: real samples with their codes, against latents with the samples made from them."""

    makes: ClassVar[tuple[str, ...]] = ("images", "points")

    beta2: Annotated[float, Field(ge=0, le=0.99999)] = 0.999
    """Second Adam coefficient."""

    def prior(self, count: int, generator: torch.Generator) -> Tensor:
        return self.latents(count, self.latent_dim, generator)

    def build(self, shape: tuple[int, ...], rule: Rule) -> Builders:
        """Generator, encoder, and a discriminator of samples with their latents."""
        latent_dim, width = self.latent_dim, self.width
        if len(shape) == 1:
            features = FourierFeatures(shape[0], self.fourier_features)
            return {
                "generator": self.fully_connected(shape, latent_dim, width)["generator"],
                "encoder": partial(MLP, shape[0], latent_dim, width),
                "discriminator": partial(JointDiscriminator, features, features.num_features, latent_dim, width),
            }
        channels, *sides = shape
        size, num_features = (sides[0], sides[1]), 8 * width
        convolutions = DCGANEncoder(size, channels, num_features, width, self.norm)
        return {
            "generator": partial(DCGANGenerator, size, channels, latent_dim, width),
            "encoder": partial(DCGANEncoder, size, channels, latent_dim, width),
            "discriminator": partial(JointDiscriminator, convolutions, num_features, latent_dim, num_features, depth=1),
        }

    def adam(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        """Adam with this recipe's coefficients."""
        return Adam(parameters, lr=lr, betas=(self.beta1, self.beta2), fused=True)

    def adversarial_phases(self) -> tuple[Phase, ...]:
        """Discriminator, encoder and generator."""
        adam = partial(self.adam, lr=self.lr)
        return (
            Phase("discriminator", "discriminator", self.discriminator_loss, adam),
            Phase("encoder", "encoder", self.encoder_loss, adam),
            Phase("generator", "generator", self.generator_loss, adam),
        )

    def adversarial_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """(x, E(x)) against (G(z), z)."""
        with torch.no_grad():
            codes = networks["encoder"](batch.real)
        real = self.discriminate_joint(networks, batch, batch.real, codes)
        generated = self.generate(networks, batch).detach()
        fake = self.discriminate_joint(networks, batch, generated, batch.shared["latents"])
        loss = losses.discriminator_bce(real, fake, self.real_label)
        return loss + self.penalty(networks, batch, codes), {
            "on_real": real.detach().sigmoid().mean(),
            "on_fake": fake.detach().sigmoid().mean(),
        }

    def penalty(self, networks: Networks, batch: Batch, codes: Tensor) -> Tensor:
        """Added to the discriminator's loss on real samples with these codes."""
        return batch.real.new_zeros(())

    def encoder_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The discriminator should take real samples with their codes for generated ones."""
        batch = self.best(batch)
        codes = networks["encoder"](batch.real)
        return losses.encoder_bce(self.discriminate_joint(networks, batch, batch.real, codes)), {}

    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The discriminator should take generated samples with their latents for real."""
        batch = self.best(batch)
        fake = self.generate(networks, batch)
        return losses.generator_bce(self.discriminate_joint(networks, batch, fake, batch.shared["latents"])), {}

    def generate(self, networks: Networks, batch: Batch, again: bool = False) -> Tensor:
        """Generated samples, and in `shared` their latents."""
        if again or "generated" not in batch.shared:
            batch.shared["latents"] = batch.draw(len(batch.real), self.prior)
            batch.shared["generated"] = networks["generator"](batch.shared["latents"])
        return batch.shared["generated"]

    def discriminate_joint(self, networks: Networks, batch: Batch, samples: Tensor, latents: Tensor) -> Tensor:
        """Logits (N,) of the discriminator on samples with instance noise."""
        logits: Tensor = networks["discriminator"](self.noisy(batch, samples), latents)
        return logits

    def discriminate(self, networks: Networks, samples: Tensor) -> Tensor:
        """Logits (N,) of samples with their codes."""
        logits: Tensor = networks["discriminator"](samples, networks["encoder"](samples))
        return logits
