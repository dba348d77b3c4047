"""RegGAN (Di Cerbo, Hirsa and Shayaan, arXiv 2102.04593): a classifier of the rule's score stands for the rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field
from functools import partial
from typing import Annotated, Literal, cast

import torch
import tyro
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from .. import losses
from ..data import quantize
from ..networks import ScoreClassifier
from ..options import options
from ..rules import Rule
from .adversarial import Adversarial
from .classes import ScoreClasses, classes_of, fit_classes
from .dcgan import DCGAN
from .phases import AnyRecipe, Batch, Networks, Phase, Recipe, Stage, Stats, exact_scores, warmup_steps, warn_of_warmup

__all__ = ["RegGAN"]


@options
class RegGAN(Recipe):
    """A GAN of images whose generator takes a second step, against a classifier of the rule's score."""

    base: Annotated[AnyRecipe, tyro.conf.arg(name="")] = field(default_factory=DCGAN)
    """The GAN: DCGAN as in the paper, or another one, such as WGAN-GP."""
    method: Literal["first", "second"] = "first"
    """first: the classifier is frozen; second: it keeps learning, also from generated images with exact scores."""
    classifier_steps: Annotated[int, Field(ge=0, le=10**9)] = 15_000
    """Training steps of the classifier, before the generator's."""
    classifier_width: Annotated[int, Field(ge=1, le=4096)] = 32
    """Feature maps of the classifier's first layer."""
    classifier_lr: Annotated[float, Field(ge=0, le=1)] = 1e-3
    """Learning rate of the classifier's Adam optimizer."""
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the generator's steps that it trains without the rule at first."""
    rule_ratio: Annotated[float, Field(ge=0, le=1000)] = 1.0
    """Learning rate of the rule step over that of the generator's other step; Adam would cancel a loss weight."""
    rule_loss: Literal["expected", "soft", "top"] = "top"
    """Loss of the rule step: see reggan.losses.RULE_LOSSES."""
    rule_beta: Annotated[float, Field(ge=0, le=1000)] = 10.0
    """Sharpness of the "soft" rule loss."""

    def __post_init__(self) -> None:
        if not isinstance(self.base, Adversarial):
            raise ValueError(f"base is {self.base}, must be a GAN with a discriminator, such as DCGAN or WGANGP")

    @property
    def gan(self) -> Adversarial:
        """The base."""
        return cast(Adversarial, self.base)

    @property
    def batches(self) -> int:
        return self.base.batches

    @property
    def draws(self) -> int:
        return self.base.draws

    def prior(self, count: int, generator: torch.Generator) -> Tensor:
        return self.base.prior(count, generator)

    def discriminate(self, networks: Networks, samples: Tensor) -> Tensor:
        return self.base.discriminate(networks, samples)

    def build(self, shape: tuple[int, ...], rule: Rule) -> dict[str, Callable[[], nn.Module]]:
        """The classifier, and the GAN's networks."""
        channels, height, width = shape
        count = ScoreClasses.count(rule)
        classifier = partial(ScoreClassifier, (height, width), channels, count, self.classifier_width)
        base = self.base.build(shape, rule)
        if "classifier" in base:
            raise ValueError(f"base is {type(self.base).__name__}, which has a classifier already; use it by itself")
        return {"classifier": classifier, "classes": partial(ScoreClasses, rule), **base}

    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        """The classifier alone; then the GAN's phases, and the generator against the classifier."""
        adam = partial(torch.optim.Adam, lr=self.classifier_lr, fused=True)
        classifier = Phase("classifier", "classifier", partial(self.classifier_loss, rule), adam)
        teach = Phase("teach", "classifier", partial(self.teaching_loss, rule), adam)
        phases = self.gan.adversarial_phases()
        optimizer = partial(self.rule_optimizer, phases[-1])
        ruled = (*phases, Phase("rule", "generator", partial(self.rule_step_loss, rule), optimizer))

        warmup = warmup_steps(self.warmup, steps)
        begin = None if self.classifier_steps else fit_classes(rule)
        return (
            Stage("classifier", self.classifier_steps, (classifier,), begin=fit_classes(rule)),
            Stage("warmup", warmup, phases),
            Stage("rule", steps - warmup, (teach, *ruled) if self.method == "second" else ruled, begin=begin),
        )

    def warn(self, steps: int) -> str:
        return warn_of_warmup(self.warmup, steps)

    def rule_optimizer(self, generator: Phase, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """An optimizer of the same kind as in the generator's own phase, with another learning rate."""
        optimizer = generator.optimizer(parameters)
        for group in (optimizer.defaults, *optimizer.param_groups):
            group["lr"] *= self.rule_ratio
        return optimizer

    def extra_metrics(self, networks: Networks, fake: Tensor, rule: Rule) -> Stats:
        """The score that the classifier expects of generated images: above the exact score where it is fooled."""
        logits = networks["classifier"](fake).float()
        return {"expected_score": losses.expected_score(logits, classes_of(networks).values).mean()}

    def classifier_loss(self, rule: Rule, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Cross-entropy to the exact classes."""
        batch = self.gan.any(batch)
        logits, classes = networks["classifier"](batch.real), classes_of(networks).classify(batch.scores)
        accuracy = (logits.detach().argmax(dim=1) == classes).float().mean()
        return F.cross_entropy(logits, classes), {"accuracy": accuracy}

    def teaching_loss(self, rule: Rule, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Cross-entropy to the exact classes, on real images and as many generated ones."""
        batch = self.gan.any(batch)
        generated = self.gan.generate(networks, batch).detach()
        scores = exact_scores(rule, quantize(generated))
        classes = classes_of(networks).classify(torch.cat([batch.scores, scores.to(batch.scores)]))
        logits = networks["classifier"](torch.cat([batch.real, generated]))
        return F.cross_entropy(logits, classes), {"exact": scores.mean()}

    def rule_step_loss(self, rule: Rule, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The classifier should find the best score in generated images."""
        generated = self.gan.generate(networks, self.gan.any(batch), again=True)
        logits = networks["classifier"](generated).float()
        return losses.RULE_LOSSES[self.rule_loss](logits, classes_of(networks).values, self.rule_beta).mean(), {}
