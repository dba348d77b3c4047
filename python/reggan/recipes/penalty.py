"""The explicit penalty that fails according to RegGAN (arXiv 2102.04593, section 3.3): a score has no gradient."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import Field
from torch import Tensor

from .. import losses
from ..data import quantize
from ..options import options
from ..rules import Rule
from .dcgan import DCGAN
from .phases import Batch, Networks, Phase, Stage, Stats, exact_scores

__all__ = ["Penalty"]


@options
class Penalty(DCGAN):
    """DCGAN with minus the mean exact score in the generator's loss, which has no gradient."""

    penalty: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    """Weight lambda of the score in the loss L - lambda * score."""

    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        adam = partial(self.adam, lr=self.lr)
        discriminator, _ = self.adversarial_phases()
        generator = Phase("generator", "generator", partial(self.penalized_generator_loss, rule), adam)
        return (Stage("gan", steps, (discriminator, generator)),)

    def penalized_generator_loss(self, rule: Rule, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """-E[log D(G(z))] - lambda * E[s(G(z))]."""
        batch = self.best(batch)
        generated = self.generate(networks, batch)
        scores = exact_scores(rule, quantize(generated.detach()))
        adversarial = losses.generator_bce(self.discriminate_noisy(networks, batch, generated))
        return adversarial - self.penalty * scores.mean().to(adversarial), {"batch_score": scores.mean()}
