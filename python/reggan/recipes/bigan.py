"""BiGAN (Donahue, Krähenbühl and Darrell, arXiv 1605.09782): the discriminator sees samples with their latents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from .. import losses
from ..networks import MLP, DCGANEncoder, DCGANGenerator, FourierFeatures, JointDiscriminator, MLPGenerator
from ..options import check_ranges
from ..rules import Rule
from .adversarial import ChoosesPrior
from .dcgan import DCGAN
from .phases import Batch, Networks, Options, Phase, Stats

__all__ = ["BiGAN"]


@dataclass(frozen=True)
class BiGAN(ChoosesPrior, DCGAN):
    """GAN with an encoder: real samples with what they are encoded as, against latents with what is made of them."""

    name: ClassVar[str] = "bigan"
    makes: ClassVar[tuple[str, ...]] = ("images", "points")
    of_points: ClassVar[Options] = {**ChoosesPrior.of_points, "beta1": 0.0}

    beta1: float = 0.5
    """First Adam coefficient."""
    beta2: float = 0.999
    """Second Adam coefficient."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, beta2=(0.0, 0.99999))

    def build(self, shape: tuple[int, ...], rule: Rule) -> dict[str, nn.Module]:
        """Generator, encoder, and a discriminator of pairs."""
        latent_dim, width = self.latent_dim, self.width
        if len(shape) == 1:
            features = FourierFeatures(shape[0], self.fourier_features)
            return {
                "generator": MLPGenerator(shape, latent_dim, width, fourier_features=self.fourier_features),
                "encoder": MLP(shape[0], latent_dim, width),
                "discriminator": JointDiscriminator(features, features.seen, latent_dim, width),
            }
        channels, size, _ = shape
        seen = 8 * width
        convolutions = DCGANEncoder(size, channels, seen, width, self.norm)
        return {
            "generator": DCGANGenerator(size, channels, latent_dim, width),
            "encoder": DCGANEncoder(size, channels, latent_dim, width),
            "discriminator": JointDiscriminator(convolutions, seen, latent_dim, seen, depth=1),
        }

    def adam(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        """Adam with this recipe's coefficients."""
        return Adam(parameters, lr=lr, betas=(self.beta1, self.beta2), fused=True)

    def adversarial_phases(self) -> tuple[Phase, ...]:  # type: ignore[override]
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
        real = self.judge_pairs(networks, batch, batch.real, codes)
        made = self.generate(networks, batch).detach()
        fake = self.judge_pairs(networks, batch, made, batch.shared["latents"])
        loss = losses.discriminator_bce(real, fake, self.real_label)
        return loss + self.penalty(networks, batch, codes), {
            "on_real": real.detach().sigmoid().mean(),
            "on_fake": fake.detach().sigmoid().mean(),
        }

    def penalty(self, networks: Networks, batch: Batch, codes: Tensor) -> Tensor:
        """What is added to the discriminator's loss on real samples with these codes: nothing."""
        return batch.real.new_zeros(())

    def encoder_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The discriminator shall take real samples with their codes for generated ones."""
        batch = self.best(batch)
        codes = networks["encoder"](batch.real)
        return losses.encoder_bce(self.judge_pairs(networks, batch, batch.real, codes)), {}

    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The discriminator shall take generated samples with their latents for real."""
        batch = self.best(batch)
        made = self.generate(networks, batch)
        return losses.generator_bce(self.judge_pairs(networks, batch, made, batch.shared["latents"])), {}

    def generate(self, networks: Networks, batch: Batch, again: bool = False) -> Tensor:
        """As many samples as the batch has, made once for all phases of a step, and their latents."""
        if again or "generated" not in batch.shared:
            batch.shared["latents"] = batch.draw(len(batch.real), self.prior)
            batch.shared["generated"] = networks["generator"](batch.shared["latents"])
        return batch.shared["generated"]

    def judge_pairs(self, networks: Networks, batch: Batch, samples: Tensor, latents: Tensor) -> Tensor:
        """Logits (N,) of the discriminator, behind the instance noise."""
        logits: Tensor = networks["discriminator"](self.noisy(batch, samples), latents)
        return logits

    def opinion(self, networks: Networks, samples: Tensor) -> Tensor:
        """Logits (N,) of samples with their codes."""
        logits: Tensor = networks["discriminator"](samples, networks["encoder"](samples))
        return logits
