"""WGAN (Arjovsky, Chintala and Bottou, arXiv 1701.07875): a critic with bounded weights measures a distance."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer, RMSprop

from .. import losses
from ..options import check_ranges
from .adversarial import ChoosesPrior
from .phases import Batch, Networks, Options, Phase, Stats

__all__ = ["WGAN", "Wasserstein"]


@dataclass(frozen=True)
class Wasserstein(ChoosesPrior):
    """A critic that takes several steps for each one of the generator, so that its loss is minus a distance."""

    makes: ClassVar[tuple[str, ...]] = ("images", "points")
    small: ClassVar[Options] = {"width": 24, "lr": 8e-4}

    critic_steps: int = 5
    """Steps of the critic for each one of the generator, each with real samples of its own."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, critic_steps=(1, 1000))

    @property
    def batches(self) -> int:
        """One for each of the critic's steps."""
        return self.critic_steps

    def adversarial_phases(self) -> tuple[Phase, ...]:
        """The critic's steps, then the generator's."""
        parts = (partial(self.critic_loss, part) for part in range(self.critic_steps))
        critic = (Phase("discriminator", "discriminator", loss, self.critic_optimizer) for loss in parts)
        return (*critic, Phase("generator", "generator", self.generator_loss, self.optimizer))

    @abstractmethod
    def optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """What trains the generator."""

    def critic_optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """What trains the critic: the same."""
        return self.optimizer(parameters)

    def critic_loss(self, part: int, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The loss of one of the critic's steps."""
        return self.discriminator_loss(networks, batch.part(part, self.critic_steps))

    def adversarial_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Minus the distance that the critic sees between these real samples and new ones of the generator."""
        with torch.no_grad():
            fake = networks["generator"](batch.draw(len(batch.real), self.prior))
        real = batch.real
        loss = losses.critic_wasserstein(self.judge(networks, batch, real), self.judge(networks, batch, fake))
        return loss + self.penalty(networks, batch, real, fake), {"distance": -loss.detach()}

    def penalty(self, networks: Networks, batch: Batch, real: Tensor, fake: Tensor) -> Tensor:
        """What is added to the critic's loss: nothing."""
        return real.new_zeros(())

    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The critic shall take generated samples for real."""
        made = self.generate(networks, self.any(batch))
        return losses.generator_wasserstein(self.judge(networks, batch, made)), {}


@dataclass(frozen=True)
class WGAN(Wasserstein):
    """WGAN: a critic whose weights are clipped."""

    name: ClassVar[str] = "wgan"
    of_points: ClassVar[Options] = {**Wasserstein.of_points, "lr": 2e-4}

    lr: float = 5e-5
    """Rate of both RMSprop optimizers."""
    clip: float = 0.01
    """The critic's weights are kept from minus this to this."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, clip=(0.0, 1000.0))

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """RMSprop: momentum makes the training unstable (section 4 of the paper)."""
        return RMSprop(parameters, lr=self.lr, foreach=True)

    def critic_optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """RMSprop that clips what it has changed."""
        optimizer = self.optimizer(parameters)

        @torch.no_grad()
        def clip(*_: Any) -> None:
            for group in optimizer.param_groups:
                torch._foreach_clamp_min_(group["params"], -self.clip)
                torch._foreach_clamp_max_(group["params"], self.clip)

        optimizer.register_step_post_hook(clip)
        return optimizer
