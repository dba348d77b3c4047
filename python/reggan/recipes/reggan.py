"""RegGAN (Di Cerbo, Hirsa and Shayaan, arXiv 2102.04593): a classifier of the rule's score stands for the rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from .. import losses
from ..data import quantize
from ..networks import ScoreClassifier
from ..options import check_ranges
from ..rules import Rule
from .adversarial import Adversarial
from .dcgan import DCGAN
from .phases import Batch, Networks, Options, Phase, Stage, Stats, exact_scores, warmup_steps, warn_of_warmup
from .wgan_gp import WGANGP

__all__ = ["RegGAN", "RegWGANGP", "Ruled"]


@dataclass(frozen=True)
class Ruled(Adversarial):
    """Any GAN, whose generator takes a second step, against a classifier of the rule's score."""

    makes: ClassVar[tuple[str, ...]] = ("images",)
    learned: ClassVar[Options] = {"method": "second", "classifier_steps": 3000, "classifier_width": 16}

    method: Literal["first", "second"] = "first"
    """first: the classifier is frozen; second: it keeps learning, from generated images with their exact scores too."""
    classifier_steps: int = 15_000
    """Steps of the classifier's training, before the generator's."""
    classifier_width: int = 32
    """Feature maps of the classifier's first layer."""
    classifier_lr: float = 1e-3
    """Adam rate of the classifier."""
    warmup: float = 0.0
    """Share of the generator's steps before its rule step sets in, so that there is something to rule over."""
    rule_ratio: float = 1.0
    """Rate of the generator's rule step over its other one's. Adam cancels a loss weight, so that this ratio is it."""
    rule_loss: Literal["expected", "soft", "top"] = "top"
    """What the rule step minimizes: see reggan.losses.RULE_LOSSES."""
    rule_beta: float = 10.0
    """Sharpness of the "soft" rule loss."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(
            self,
            classifier_steps=(0, 10**9),
            classifier_width=(1, 4096),
            classifier_lr=(0.0, 1.0),
            warmup=(0.0, 1.0),
            rule_ratio=(0.0, 1000.0),
            rule_beta=(0.0, 1000.0),
        )
        if self.method not in ("first", "second"):
            raise ValueError(f"method is {self.method!r}, must be first or second")
        if self.rule_loss not in losses.RULE_LOSSES:
            raise ValueError(f"rule_loss is {self.rule_loss!r}, must be one of {', '.join(losses.RULE_LOSSES)}")

    def build(self, shape: tuple[int, ...], rule: Rule) -> dict[str, nn.Module]:
        """The GAN's networks, and the classifier."""
        channels, size, _ = shape
        classifier = ScoreClassifier(size, channels, rule.classes, self.classifier_width)
        return super().build(shape, rule) | {"classifier": classifier}

    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        """The classifier alone; then the GAN's phases, and the generator against the classifier."""
        lessons = partial(torch.optim.Adam, lr=self.classifier_lr, fused=True)
        classifier = Phase("classifier", "classifier", self.classifier_loss, lessons)
        teach = Phase("teach", "classifier", partial(self.teaching_loss, rule), lessons)
        phases = self.adversarial_phases()
        optimizer = partial(self.rule_optimizer, phases[-1])
        ruled = (*phases, Phase("rule", "generator", partial(self.rule_step_loss, rule), optimizer))

        warmup = warmup_steps(self.warmup, steps)
        return (
            Stage("classifier", self.classifier_steps, (classifier,)),
            Stage("warmup", warmup, phases),
            Stage("rule", steps - warmup, (teach, *ruled) if self.method == "second" else ruled),
        )

    def warn(self, steps: int) -> str:
        """Whether there is no rule step."""
        return warn_of_warmup(self.warmup, steps)

    def rule_optimizer(self, generator: Phase, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """The kind of optimizer that the generator's own phase has, at another rate."""
        optimizer = generator.optimizer(parameters)
        for options in (optimizer.defaults, *optimizer.param_groups):
            options["lr"] *= self.rule_ratio
        return optimizer

    def monitor(self, networks: Networks, made: Tensor, rule: Rule) -> Stats:
        """The score that the classifier expects of generated images: above the exact score where it is fooled."""
        logits = networks["classifier"](made).float()
        return {"expected_score": losses.expected_score(logits, _values(rule, logits)).mean()}

    def classifier_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Cross-entropy to the exact classes."""
        batch = self.any(batch)
        logits = networks["classifier"](batch.real)
        accuracy = (logits.detach().argmax(dim=1) == batch.classes).float().mean()
        return F.cross_entropy(logits, batch.classes), {"accuracy": accuracy}

    def teaching_loss(self, rule: Rule, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Cross-entropy to the exact classes, on as many generated images as there are real ones."""
        batch = self.any(batch)
        generated = self.generate(networks, batch).detach()
        scores = exact_scores(rule, quantize(generated))
        classes = torch.from_numpy(rule.classify(scores)).to(batch.classes.device)
        logits = networks["classifier"](torch.cat([batch.real, generated]))
        return F.cross_entropy(logits, torch.cat([batch.classes, classes])), {"exact": scores.mean()}

    def rule_step_loss(self, rule: Rule, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The classifier shall find the best score in generated images."""
        logits = networks["classifier"](self.generate(networks, self.any(batch), again=True)).float()
        return losses.RULE_LOSSES[self.rule_loss](logits, _values(rule, logits), self.rule_beta).mean(), {}


@dataclass(frozen=True)
class RegGAN(Ruled, DCGAN):
    """RegGAN: a DCGAN whose generator takes a second step, against a classifier of the rule's score."""

    name: ClassVar[str] = "reggan"
    small: ClassVar[Options] = {**DCGAN.small, **Ruled.learned}


@dataclass(frozen=True)
class RegWGANGP(Ruled, WGANGP):
    """RegGAN on a WGAN-GP."""

    name: ClassVar[str] = "reggan-wgan-gp"
    small: ClassVar[Options] = {**WGANGP.small, **Ruled.learned}

    lr: float = WGANGP.lr
    """Rate of Adam in the critic's and the generator's steps against it."""


def _values(rule: Rule, like: Tensor) -> Tensor:
    return torch.from_numpy(rule.values).to(like)
