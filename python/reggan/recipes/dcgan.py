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
from ..networks import DCGANDiscriminator, DCGANGenerator
from ..options import check_ranges
from ..rules import Rule
from .phases import Batch, Networks, Phase, Recipe, Stage, Stats

__all__ = ["DCGAN"]


@dataclass(frozen=True)
class DCGAN(Recipe):
    """DCGAN, the baseline that knows no rule."""

    name: ClassVar[str] = "dcgan"

    width: int = 64
    """Feature maps next to the image; at 64 pixels the layers have width * (8, 4, 2, 1)."""
    lr: float = 2e-4
    """Rate of both Adam optimizers."""
    beta1: float = 0.5
    """First Adam coefficient; the second is 0.999."""
    real_label: float = 1.0
    """What the discriminator is told of real images; below 1 is one-sided label smoothing."""
    instance_noise: float = 0.0
    """Standard deviation of the noise on every image that the discriminator sees."""

    pool_beta: float = 0.0
    """How the discriminator's images are chosen from the pool: 0 takes those with the best scores; above, they are
    drawn in proportion to exp(pool_beta * score)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(
            self,
            width=(1, 4096),
            lr=(0.0, 1.0),
            beta1=(0.0, 0.9999),
            real_label=(0.5, 1.0),
            instance_noise=(0.0, 10.0),
            pool_beta=(0.0, 1000.0),
        )

    def build(self, size: int, channels: int, rule: Rule) -> dict[str, nn.Module]:
        """Generator and discriminator."""
        return {
            "generator": DCGANGenerator(size, channels, self.latent_dim, self.width),
            "discriminator": DCGANDiscriminator(size, channels, self.width),
        }

    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        """One stage: the discriminator, then the generator against it."""
        return (Stage("gan", steps, self.adversarial_phases()),)

    def best(self, batch: Batch) -> Batch:
        """The part of the pool that the discriminator sees, one batch size of images on all ranks together."""
        if self.pool == 1:
            return batch.take(slice(None))
        keys = batch.scores
        if self.pool_beta:
            # The Gumbel-top-k trick draws without replacement (Kool, van Hoof and Welling, arXiv 1903.06059).
            uniform = torch.rand(len(keys), generator=batch.generator).to(keys)
            keys = self.pool_beta * keys - torch.log(-torch.log(uniform))
        order = keys.argsort(descending=True, stable=True)
        return batch.take(order[: len(order) // self.pool])

    def any(self, batch: Batch) -> Batch:
        """A part of the pool with all scores, one batch size of images on all ranks together."""
        return batch.take(slice(len(batch.images) // self.pool))

    def adversarial_phases(self) -> tuple[Phase, Phase]:
        """The two phases of every GAN."""
        adam = partial(self.adam, lr=self.lr)
        return (
            Phase("discriminator", "discriminator", self.discriminator_loss, adam),
            Phase("generator", "generator", self.generator_loss, adam),
        )

    def adam(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        """Adam with this recipe's coefficients.

        Not `fused`: on a CPU it takes tensors for equally laid out that are not, as after a resume, and is then wrong.
        """
        return Adam(parameters, lr=lr, betas=(self.beta1, 0.999), foreach=True)

    def generate(self, networks: Networks, batch: Batch, again: bool = False) -> Tensor:
        """As many images as the batch has, made once for all phases of a step; `again` where the generator changed."""
        if again or "generated" not in batch.shared:
            batch.shared["generated"] = networks["generator"](batch.noise(len(batch.images), self.latent_dim))
        return batch.shared["generated"]

    def judge(self, networks: Networks, batch: Batch, images: Tensor) -> Tensor:
        """Logits (N,) of the discriminator, behind the instance noise."""
        if self.instance_noise:
            images = images + self.instance_noise * batch.noise(*images.shape)
        logits: Tensor = networks["discriminator"](images)
        return logits

    def discriminator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The best real images of the pool against generated ones."""
        return self.adversarial_loss(networks, self.best(batch))

    def adversarial_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """These real images against as many generated ones."""
        real = self.judge(networks, batch, batch.images)
        fake = self.judge(networks, batch, self.generate(networks, batch).detach())
        return losses.discriminator_bce(real, fake, self.real_label), {
            "on_real": real.detach().sigmoid().mean(),
            "on_fake": fake.detach().sigmoid().mean(),
        }

    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The discriminator shall take generated images for real."""
        batch = self.best(batch)
        return losses.generator_bce(self.judge(networks, batch, self.generate(networks, batch))), {}
