"""Repair: a DCGAN that learns from repaired images, so that every real image obeys the rule from the first step on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from ..data import normalize, quantize, to_numpy, to_tensor
from ..networks import DCGANGenerator
from ..options import options
from ..rules import Rule, repair_samples
from .adversarial import Builders
from .dcgan import DCGAN
from .phases import Batch, Networks, Stage, Stats

__all__ = ["Repair"]


@options
class Repair(DCGAN):
    """DCGAN whose real images are the best candidates, repaired until they obey the rule."""

    method: str | None = None
    """How the rule repairs, such as erase or slide; by default the rule's first method."""
    tanh_scale: Annotated[float, Field(ge=1, le=2)] = 1.08
    """Scale of the generator's last tanh, which is then clamped; above 1, white paper is exactly white."""

    def build(self, shape: tuple[int, ...], rule: Rule) -> Builders:
        channels, height, width = shape
        generator = partial(DCGANGenerator, (height, width), channels, self.latent_dim, self.width, self.tanh_scale)
        return {**super().build(shape, rule), "generator": generator}

    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        """One stage: the discriminator on repaired images, then the generator against it."""
        (stage,) = super().stages(steps, rule)
        discriminator, generator = stage.phases
        repaired = partial(self.repaired_discriminator_loss, rule)
        return (replace(stage, phases=(replace(discriminator, loss=repaired), generator)),)

    def repaired_discriminator_loss(self, rule: Rule, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Repaired images against generated ones."""
        return self.adversarial_loss(networks, self.repaired(rule, batch))

    def repaired(self, rule: Rule, batch: Batch) -> Batch:
        """The best candidates, repaired."""
        best = self.best(batch)
        seed = int(torch.randint(2**62, (), generator=batch.generator))
        repaired = repair_samples(rule, to_numpy(quantize(best.real)), method=self.method, seed=seed)
        real = normalize(to_tensor(repaired.images)).to(best.real)
        return replace(best, real=real.contiguous(memory_format=torch.channels_last))
