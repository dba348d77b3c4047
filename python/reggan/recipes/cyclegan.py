"""CycleGAN (Zhu et al., arXiv 1703.10593): translation between two kinds of images without paired examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated, ClassVar, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from .. import losses
from ..networks import PairDiscriminator, SeparateTranslator, Translator
from ..networks.dcgan import initialize
from ..options import options
from ..rules import Rule
from .memory import ReplayBuffer
from .phases import Batch, Networks, Phase, Recipe, Stage, Stats

__all__ = ["CycleGAN"]


@options
class CycleGAN(Recipe):
    """Translators in both directions: translations look like the other kind, and translate back to their source."""

    makes: ClassVar[tuple[str, ...]] = ("pairs",)

    width: Annotated[int, Field(ge=1, le=4096)] = 64
    """Feature maps of the first and last layers."""
    blocks: Annotated[int, Field(ge=0, le=100)] = 9
    """Residual blocks of a translator."""
    patch_layers: Annotated[int, Field(ge=1, le=6)] = 3
    """Strided layers of the discriminators, which determine the patch size."""
    lr: Annotated[float, Field(ge=0, le=1)] = 2e-4
    """Learning rate of both Adam optimizers, whose coefficients are 0.5 and 0.999."""
    cycle: Annotated[float, Field(ge=0, le=1e6)] = 10.0
    """Weight of the cycle loss."""
    identity: Annotated[float, Field(ge=0, le=1e6)] = 0.5
    """Weight of the identity loss, as a multiple of `cycle`; 0 turns it off."""
    history: Annotated[int, Field(ge=1, le=100_000)] = 50
    """Translations of earlier steps in the discriminators' replay buffer."""

    def build(self, shape: tuple[int, ...], rule: Rule) -> dict[str, Callable[[], nn.Module]]:
        """Both translators as one generator, both discriminators as one, and the replay buffer."""
        _, channels, height, width = shape
        # Both are created before either is initialized.
        translator = self.translator(channels)
        discriminator = PairDiscriminator(channels, self.width, self.patch_layers, (height, width))
        for network in (translator, discriminator):
            initialize(network)
        return {
            "generator": lambda: translator,
            "discriminator": lambda: discriminator,
            "history": partial(ReplayBuffer, self.history, shape),
        }

    def translator(self, channels: int) -> Translator:
        return SeparateTranslator(channels, self.width, self.blocks)

    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        phases = (
            Phase("generator", "generator", self.generator_loss, self.adam),
            Phase("discriminator", "discriminator", self.discriminator_loss, self.adam),
        )
        return (Stage("gan", steps, phases),)

    def adam(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        return Adam(parameters, lr=self.lr, betas=(0.5, 0.999), fused=True)

    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Least squares of the discriminators, plus the cycle and identity losses."""
        real = batch.take(slice(None)).real
        translator = cast(Translator, networks["generator"])
        fake, same = translator.translate(real, keep=self.identity > 0)
        batch.shared["generated"] = fake.detach()
        fooled = losses.least_squares(networks["discriminator"](fake), 1.0)
        lost = F.l1_loss(translator(fake), real)
        # The paper sums over both kinds; these are means.
        loss = 2 * (fooled + self.cycle * lost)
        stats = {"fooled": fooled.detach(), "cycle": lost.detach()}
        if same is not None:
            identity = F.l1_loss(same, real)
            loss = loss + 2 * self.cycle * self.identity * identity
            stats["identity"] = identity.detach()
        return loss, stats

    def discriminator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Least squares of real images against translations of this and earlier steps."""
        real = batch.take(slice(None)).real
        if "generated" not in batch.shared:
            with torch.no_grad():
                batch.shared["generated"] = networks["generator"](real)
        history = cast(ReplayBuffer, networks["history"])
        fake = batch.ranks.shard(history.exchange(batch.ranks.all_gather(batch.shared["generated"]), batch.generator))
        on_real, on_fake = (networks["discriminator"](pairs) for pairs in (real, fake))
        # Half of the sum for each kind, as in the paper.
        return losses.least_squares(on_real, 1.0) + losses.least_squares(on_fake, 0.0), {
            "on_real": on_real.detach().mean(),
            "on_fake": on_fake.detach().mean(),
        }

    def discriminate(self, networks: Networks, samples: Tensor) -> Tensor:
        """Means over the patches of both images, minus the midpoint of both labels: (N,)."""
        return super().discriminate(networks, samples).flatten(1).mean(dim=1) - 0.5
