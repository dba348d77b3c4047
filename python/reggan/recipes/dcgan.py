"""DCGAN (Radford, Metz and Chintala, arXiv 1511.06434): the baseline that knows no rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from .. import losses
from ..options import check_ranges
from .adversarial import Adversarial
from .phases import Batch, Networks, Options, Phase, Stats

__all__ = ["DCGAN"]


@dataclass(frozen=True)
class DCGAN(Adversarial):
    """DCGAN, the baseline that knows no rule."""

    name: ClassVar[str] = "dcgan"
    small: ClassVar[Options] = {"width": 24, "real_label": 0.9, "instance_noise": 0.1}

    beta1: float = 0.5
    """First Adam coefficient; the second is 0.999."""
    real_label: float = 1.0
    """What the discriminator is told of real images; below 1 is one-sided label smoothing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, beta1=(0.0, 0.9999), real_label=(0.5, 1.0))

    def adversarial_phases(self) -> tuple[Phase, Phase]:
        """Discriminator and generator."""
        adam = partial(self.adam, lr=self.lr)
        return (
            Phase("discriminator", "discriminator", self.discriminator_loss, adam),
            Phase("generator", "generator", self.generator_loss, adam),
        )

    def adam(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        """Adam with this recipe's coefficients."""
        return Adam(parameters, lr=lr, betas=(self.beta1, 0.999), fused=True)

    def adversarial_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """These real images against as many generated ones."""
        real = self.judge(networks, batch, batch.real)
        fake = self.judge(networks, batch, self.generate(networks, batch).detach())
        right = torch.cat([real.detach() > 0, fake.detach() < 0]).float().mean()
        return losses.discriminator_bce(real, fake, self.real_label), {
            "accuracy": right,
            "on_real": real.detach().sigmoid().mean(),
            "on_fake": fake.detach().sigmoid().mean(),
        }

    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The discriminator shall take generated images for real."""
        batch = self.best(batch)
        return losses.generator_bce(self.judge(networks, batch, self.generate(networks, batch))), {}
