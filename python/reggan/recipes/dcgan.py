"""DCGAN (Radford, Metz and Chintala, arXiv 1511.06434): the baseline that knows no rule."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from .. import losses
from ..options import options
from .adversarial import Adversarial
from .phases import Batch, Networks, Phase, Stats

__all__ = ["DCGAN"]


@options
class DCGAN(Adversarial):
    """DCGAN, the baseline that knows no rule."""

    beta1: Annotated[float, Field(ge=0, le=0.9999)] = 0.5
    """First Adam coefficient; the second is 0.999."""
    real_label: Annotated[float, Field(ge=0.5, le=1)] = 1.0
    """Discriminator's label of real samples; below 1 is one-sided label smoothing."""

    def adversarial_phases(self) -> tuple[Phase, ...]:
        adam = partial(self.adam, lr=self.lr)
        return (
            Phase("discriminator", "discriminator", self.discriminator_loss, adam),
            Phase("generator", "generator", self.generator_loss, adam),
        )

    def adam(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        """Adam with this recipe's coefficients."""
        return Adam(parameters, lr=lr, betas=(self.beta1, 0.999), fused=True)

    def adversarial_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """These real samples against as many generated ones."""
        real = self.discriminate_noisy(networks, batch, batch.real)
        fake = self.discriminate_noisy(networks, batch, self.generate(networks, batch).detach())
        right = torch.cat([real.detach() > 0, fake.detach() < 0]).float().mean()
        return losses.discriminator_bce(real, fake, self.real_label), {
            "accuracy": right,
            "on_real": real.detach().sigmoid().mean(),
            "on_fake": fake.detach().sigmoid().mean(),
        }

    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The discriminator should take generated samples for real."""
        batch = self.best(batch)
        return losses.generator_bce(self.discriminate_noisy(networks, batch, self.generate(networks, batch))), {}
