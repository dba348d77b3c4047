"""Least squares GAN (Mao et al., arXiv 1611.04076): the discriminator's answers are pulled to labels, not past them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from .. import losses
from .dcgan import DCGAN
from .phases import Batch, Networks, Stats

__all__ = ["LSGAN"]


@dataclass(frozen=True)
class LSGAN(DCGAN):
    """DCGAN whose discriminator answers with a number near 1 for real images, and near 0 for generated ones."""

    name: ClassVar[str] = "lsgan"

    def adversarial_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """E[(D(x) - real_label)^2] + E[D(G(z))^2], halved (equation 9)."""
        real = self.judge(networks, batch, batch.real)
        fake = self.judge(networks, batch, self.generate(networks, batch).detach())
        loss = losses.least_squares(real, self.real_label) + losses.least_squares(fake, 0.0)
        return loss / 2, {"on_real": real.detach().mean(), "on_fake": fake.detach().mean()}

    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """E[(D(G(z)) - 1)^2], halved."""
        batch = self.best(batch)
        fake = self.judge(networks, batch, self.generate(networks, batch))
        return losses.least_squares(fake, 1.0) / 2, {}

    def opinion(self, networks: Networks, samples: Tensor) -> Tensor:
        """Answers (N,) from the middle of both labels, positive where samples (N, *shape) are taken for real."""
        return super().opinion(networks, samples) - self.real_label / 2
