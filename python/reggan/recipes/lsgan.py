"""Least squares GAN (Mao et al., arXiv 1611.04076): squared distances to labels instead of logarithms."""

from __future__ import annotations

from torch import Tensor

from .. import losses
from ..options import options
from .dcgan import DCGAN
from .phases import Batch, Networks, Stats

__all__ = ["LSGAN"]


@options
class LSGAN(DCGAN):
    """DCGAN whose discriminator learns to return 1 for real images and 0 for generated ones."""

    def adversarial_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """E[(D(x) - real_label)^2] + E[D(G(z))^2], halved (equation 9)."""
        real = self.discriminate_noisy(networks, batch, batch.real)
        fake = self.discriminate_noisy(networks, batch, self.generate(networks, batch).detach())
        loss = losses.least_squares(real, self.real_label) + losses.least_squares(fake, 0.0)
        return loss / 2, {"on_real": real.detach().mean(), "on_fake": fake.detach().mean()}

    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """E[(D(G(z)) - 1)^2], halved."""
        batch = self.best(batch)
        fake = self.discriminate_noisy(networks, batch, self.generate(networks, batch))
        return losses.least_squares(fake, 1.0) / 2, {}

    def discriminate(self, networks: Networks, samples: Tensor) -> Tensor:
        """Outputs (N,) minus the midpoint of both labels; positive for samples (N, *shape) that seem real."""
        return super().discriminate(networks, samples) - self.real_label / 2
