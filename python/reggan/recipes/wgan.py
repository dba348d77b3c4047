"""WGAN (Arjovsky, Chintala and Bottou, arXiv 1701.07875): a critic with clipped weights estimates a distance."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from functools import partial
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer, RMSprop

from .. import losses
from ..options import options
from ..rules import Rule
from .adversarial import Adversarial, Builders, LatentOptions
from .phases import Batch, Networks, Phase, Stats

__all__ = ["WGAN", "Wasserstein"]


@options
class Wasserstein(LatentOptions, Adversarial):
    """A critic that takes several steps for each generator step, so that its loss is near minus the distance."""

    makes: ClassVar[tuple[str, ...]] = ("images", "points")

    critic_steps: Annotated[int, Field(ge=1, le=1000)] = 5
    """Critic steps per generator step, each with its own real samples."""

    @property
    def batches(self) -> int:
        return self.critic_steps

    def prior(self, count: int, generator: torch.Generator) -> Tensor:
        return self.latents(count, self.latent_dim, generator)

    def build(self, shape: tuple[int, ...], rule: Rule) -> Builders:
        """Convolutions for images, fully connected layers for points."""
        is_images = len(shape) == 3
        return super().build(shape, rule) if is_images else self.fully_connected(shape, self.latent_dim, self.width)

    def adversarial_phases(self) -> tuple[Phase, ...]:
        parts = (partial(self.critic_loss, part) for part in range(self.critic_steps))
        critic = (Phase("discriminator", "discriminator", loss, self.critic_optimizer) for loss in parts)
        return (*critic, Phase("generator", "generator", self.generator_loss, self.optimizer))

    @abstractmethod
    def optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """The generator's optimizer."""

    def critic_optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        return self.optimizer(parameters)

    def critic_loss(self, part: int, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The loss of critic step number `part`, on its own part of the batch."""
        return self.discriminator_loss(networks, batch.part(part, self.critic_steps))

    def adversarial_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Minus the critic's estimate of the distance between real and generated samples, plus the penalty."""
        with torch.no_grad():
            fake = networks["generator"](batch.draw(len(batch.real), self.prior))
        real = batch.real
        on_real, on_fake = (self.discriminate_noisy(networks, batch, samples) for samples in (real, fake))
        loss = losses.critic_wasserstein(on_real, on_fake)
        return loss + self.penalty(networks, batch, real, fake), {"distance": -loss.detach()}

    def penalty(self, networks: Networks, batch: Batch, real: Tensor, fake: Tensor) -> Tensor:
        """Penalty of the critic."""
        return real.new_zeros(())

    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        fake = self.generate(networks, self.any(batch))
        return losses.generator_wasserstein(self.discriminate_noisy(networks, batch, fake)), {}


@options
class WGAN(Wasserstein):
    """WGAN: a critic whose weights are clipped."""

    lr: Annotated[float, Field(ge=0, le=1)] = 5e-5
    """Learning rate of both RMSprop optimizers."""
    clip: Annotated[float, Field(ge=0, le=1000)] = 0.01
    """Largest magnitude of a weight of the critic."""

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """RMSprop: momentum makes the training unstable (section 4 of the paper)."""
        return RMSprop(parameters, lr=self.lr, foreach=True)

    def critic_optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """RMSprop that clips the weights after each step."""
        optimizer = self.optimizer(parameters)

        @torch.no_grad()
        def clip(*_: Any) -> None:
            for group in optimizer.param_groups:
                torch._foreach_clamp_min_(group["params"], -self.clip)
                torch._foreach_clamp_max_(group["params"], self.clip)

        optimizer.register_step_post_hook(clip)
        return optimizer
