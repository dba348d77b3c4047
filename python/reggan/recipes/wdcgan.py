"""WDCGAN: a DCGAN weighted by the score, the baseline of RegGAN (arXiv 2102.04593, section 4.2).

The paper gives no formula. This is importance weighting after Diesendruck et al. (arXiv 1806.02512), which can only
shift weight within the distribution of the data.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from ..data import quantize
from ..distributed import Ranks
from ..options import options
from ..rules import Rule
from .dcgan import DCGAN
from .phases import Batch, Networks, Phase, Stage, Stats, exact_scores

__all__ = ["WDCGAN"]


@options
class WDCGAN(DCGAN):
    """DCGAN whose real and generated images count in proportion to their exact scores."""

    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        adam = partial(self.adam, lr=self.lr)
        discriminator = Phase("discriminator", "discriminator", self.weighed_discriminator_loss, adam)
        generator = Phase("generator", "generator", partial(self.weighed_generator_loss, rule), adam)
        return (Stage("gan", steps, (discriminator, generator)),)

    def weighed_discriminator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """-Sum_i w_i log D(x_i) - E[log(1 - D(G(z)))] with the weights w_i = s(x_i) / Sum_j s(x_j)."""
        batch = self.best(batch)
        real = self.discriminate_noisy(networks, batch, batch.real)
        fake = self.discriminate_noisy(networks, batch, self.generate(networks, batch).detach())
        on_real = F.binary_cross_entropy_with_logits(real, torch.full_like(real, self.real_label), reduction="none")
        return (_normalized(batch.scores, batch.ranks) * on_real).sum() + F.softplus(fake).mean(), {
            "on_real": real.detach().sigmoid().mean(),
            "on_fake": fake.detach().sigmoid().mean(),
        }

    def weighed_generator_loss(self, rule: Rule, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """-Sum_i w_i log D(G(z_i)) with w_i = s(G(z_i)) / Sum_j s(G(z_j)), through which no gradient flows."""
        batch = self.best(batch)
        generated = self.generate(networks, batch)
        scores = exact_scores(rule, quantize(generated.detach()))
        fake = self.discriminate_noisy(networks, batch, generated)
        return (_normalized(scores, batch.ranks).to(fake) * F.softplus(-fake)).sum(), {"batch_score": scores.mean()}


def _normalized(scores: Tensor, ranks: Ranks) -> Tensor:
    """Weights (N,) proportional to the scores, with a mean sum of 1 over the ranks; equal if all scores are 0."""
    total = ranks.mean(scores.sum())
    return scores / total if total > 0 else torch.full_like(scores, 1 / len(scores))
