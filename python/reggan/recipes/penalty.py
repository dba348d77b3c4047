"""The explicit penalty that RegGAN (arXiv 2102.04593, section 3.3) shows not to work: a score has no gradient."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor

from .. import losses
from ..data import quantize
from ..options import check_ranges
from ..rules import Rule
from .dcgan import DCGAN
from .phases import Batch, Networks, Phase, Stage, Stats, exact_scores

__all__ = ["Penalty"]


@dataclass(frozen=True)
class Penalty(DCGAN):
    """DCGAN with minus the mean exact score in the generator's loss, which no gradient comes from."""

    name: ClassVar[str] = "penalty"

    penalty: float = 1.0
    """The lambda of L - lambda * score."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, penalty=(0.0, 1e6))

    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        """One stage, as in DCGAN."""
        adam = partial(self.adam, lr=self.lr)
        discriminator, _ = self.adversarial_phases()
        generator = Phase("generator", "generator", partial(self.penalized_generator_loss, rule), adam)
        return (Stage("gan", steps, (discriminator, generator)),)

    def penalized_generator_loss(self, rule: Rule, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """-E[log D(G(z))] - lambda * E[s(G(z))]."""
        batch = self.best(batch)
        generated = self.generate(networks, batch)
        scores = exact_scores(rule, quantize(generated.detach()))
        adversarial = losses.generator_bce(self.judge(networks, batch, generated))
        return adversarial - self.penalty * scores.mean().to(adversarial), {"batch_score": scores.mean()}
