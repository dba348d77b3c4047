"""CycleGAN (Zhu et al., arXiv 1703.10593): two kinds of images, each turned into the other and back."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from .. import losses
from ..networks import PairDiscriminator, SeparateTranslator, Translator
from ..options import check_ranges
from ..rules import Rule
from .memory import Pool
from .phases import Batch, Networks, Options, Phase, Recipe, Stage, Stats

__all__ = ["CycleGAN"]

_FEWEST_PATCHES = 3
"""Maps of this side are left after the discriminators' strides, or there is nothing to normalize behind them."""


@dataclass(frozen=True)
class CycleGAN(Recipe):
    """Translators both ways: their translations look like the other kind, and lead back to where they came from."""

    name: ClassVar[str] = "cyclegan"
    makes: ClassVar[tuple[str, ...]] = ("pairs",)
    small: ClassVar[Options] = {"width": 16}

    width: int = 64
    """Feature maps next to the images."""
    blocks: int = 9
    """Residual blocks from an image to its translation."""
    patch_layers: int = 3
    """Strides of the discriminators, which decide on how large a patch is."""
    lr: float = 2e-4
    """Rate of both Adam optimizers, whose coefficients are 0.5 and 0.999."""
    cycle: float = 10.0
    """Weight of what the way there and back loses."""
    identity: float = 0.5
    """Weight of what images lose that are turned into their own kind, as a part of `cycle`; 0 for none."""
    history: int = 50
    """Translations of earlier steps that the discriminators see, too."""

    def __post_init__(self) -> None:
        check_ranges(
            self,
            width=(1, 4096),
            blocks=(0, 100),
            patch_layers=(1, 6),
            lr=(0.0, 1.0),
            cycle=(0.0, 1e6),
            identity=(0.0, 1e6),
            history=(1, 100_000),
        )

    def build(self, shape: tuple[int, ...], rule: Rule) -> dict[str, nn.Module]:
        """The translators, which are the generator; the discriminators; and the translations of earlier steps."""
        _, channels, size, _ = shape
        if size >> self.patch_layers < _FEWEST_PATCHES:
            most = int(math.log2(size / _FEWEST_PATCHES))
            raise ValueError(f"patch_layers is {self.patch_layers}, must be at most {most} for images of {size} pixels")
        networks = {
            "generator": self.translator(channels),
            "discriminator": PairDiscriminator(channels, self.width, self.patch_layers),
        }
        for network in networks.values():
            _initialize(network)
        return {**networks, "history": Pool(self.history, shape)}

    def translator(self, channels: int) -> Translator:
        """The translators both ways."""
        return SeparateTranslator(channels, self.width, self.blocks)

    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        """One stage: the translators, then the discriminators."""
        phases = (
            Phase("generator", "generator", self.generator_loss, self.adam),
            Phase("discriminator", "discriminator", self.discriminator_loss, self.adam),
        )
        return (Stage("gan", steps, phases),)

    def adam(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """Adam with the coefficients of the paper."""
        return Adam(parameters, lr=self.lr, betas=(0.5, 0.999), fused=True)

    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The discriminators shall take translations for real; and nothing is lost on the way back, or at home."""
        real = batch.take(slice(None)).real
        translator = cast(Translator, networks["generator"])
        made, kept = translator.translate(real, keep=self.identity > 0)
        batch.shared["generated"] = made.detach()
        fooled = losses.least_squares(networks["discriminator"](made), 1.0)
        lost = F.l1_loss(translator(made), real)
        # Means over both kinds, of which the paper has the sums.
        loss = 2 * (fooled + self.cycle * lost)
        stats = {"fooled": fooled.detach(), "cycle": lost.detach()}
        if kept is not None:
            at_home = F.l1_loss(kept, real)
            loss = loss + 2 * self.cycle * self.identity * at_home
            stats["identity"] = at_home.detach()
        return loss, stats

    def discriminator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Real images against translations of this step and earlier ones."""
        real = batch.take(slice(None)).real
        if "generated" not in batch.shared:
            with torch.no_grad():
                batch.shared["generated"] = networks["generator"](real)
        history = cast(Pool, networks["history"])
        made = batch.ranks.share(history.exchange(batch.ranks.join(batch.shared["generated"]), batch.generator))
        on_real, on_made = (networks["discriminator"](pairs) for pairs in (real, made))
        # Half of the sum for each kind, as in the paper.
        return losses.least_squares(on_real, 1.0) + losses.least_squares(on_made, 0.0), {
            "on_real": on_real.detach().mean(),
            "on_fake": on_made.detach().mean(),
        }

    def opinion(self, networks: Networks, samples: Tensor) -> Tensor:
        """Means over the patches of both images, less the middle between real and made ones: (N,)."""
        return super().opinion(networks, samples).flatten(1).mean(dim=1) - 0.5


def _initialize(network: nn.Module) -> None:
    """Weights N(0, 0.02), biases 0."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(part.weight, 0.0, 0.02)
            nn.init.zeros_(cast(Tensor, part.bias))
