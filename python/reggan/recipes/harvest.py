"""Harvest: generated images that obey the rule become the discriminator's real images.

It extends RegGAN (Di Cerbo, Hirsa and Shayaan, arXiv 2102.04593). Training on generated samples that pass a test is
expert iteration (Anthony, Tian and Barber, arXiv 1705.08439). Two gradients are balanced by their norms as in VQGAN
(Esser, Rombach and Ommer, arXiv 2012.09841, equation 7).
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from .. import losses
from ..data import normalize, quantize
from ..networks import StridedClassifier, sample
from ..options import options
from ..rules import Rule
from .adversarial import Builders
from .choice import best_of_each, neighborhoods, tilt
from .classes import ScoreClasses, classes_of, fit_classes
from .dcgan import DCGAN
from .memory import Memory
from .phases import Batch, Networks, Phase, Stage, Stats, exact_scores, warmup_steps, warn_of_warmup

__all__ = ["Harvest"]

_START_WEIGHT = 0.1
_GAIN = 0.1
_MOMENTUM = 0.98
_ALL = 1 - 1e-3
"""A harvest with this mean score is the last one: further ones would only narrow the generator's diversity."""
_HELD = 0.01
"""If the mean score is this close to a target below 1, no other harvest is needed."""
_ENOUGH = 1 / 6
"""Share of a harvest from which on it keeps only images that obey, each as often as needed."""
_LOOK = 4096
"""Images that a harvest generates at once."""
_FLAT = 1e-6
"""Lower bound of the last tanh's slope as a divisor; float32 is inaccurate where tanh is flatter."""


@options
class Harvest(DCGAN):
    """Generated images that obey the rule become the real ones; a classifier that keeps learning pulls the others."""

    warmup: Annotated[float, Field(ge=0, le=1)] = 8000 / 14_000
    """Share of the generator's steps before the first harvest, which train on only the best data."""
    rounds: Annotated[int, Field(ge=1, le=10**6)] = 6
    """Number of harvests, evenly spaced over the remaining steps. A harvest in which all images obey is the last."""
    harvest_size: Annotated[int, Field(ge=1, le=10**6)] = 24_000
    """Images in a harvest."""
    acceptance: Annotated[float, Field(ge=0.001, le=1)] = 0.06
    """Share of the generated images that a harvest keeps: those that obey the rule, or the best if few obey."""
    min_per_niche: Annotated[int, Field(ge=1, le=10**6)] = 32
    """If few images obey, the fewest to keep from each niche of similar images; with `harvest_size`, there is a single
    niche."""
    harvest_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of the discriminator's real images that come from the harvest; the others are the best data."""
    target_score: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Mean exact score to reach; at 1, the rule's weight stays at its maximum."""
    rule_weight: Annotated[float, Field(ge=0, le=1000)] = 9.0
    """Largest norm of the rule's gradient on a sample, relative to the discriminator's mean norm; 0 turns it off."""
    gate: bool = True
    """Apply the rule's gradient only to samples that fail the exact rule."""
    leak: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Smallest slope of the last tanh for the rule's gradient, which then can darken white pixels; 0 turns it off."""
    teach_classifier: bool = True
    """Keep training the classifier: half on data, half on generated images with their exact scores."""
    replay: Annotated[int, Field(ge=1, le=10**6)] = 4096
    """Generated images in the classifier's replay buffer."""
    classifier_steps: Annotated[int, Field(ge=0, le=10**9)] = 400
    """Training steps of the classifier on data, before the generator's."""
    classifier_width: Annotated[int, Field(ge=1, le=4096)] = 16
    """Feature maps of the classifier's first layer."""
    classifier_lr: Annotated[float, Field(ge=0, le=1)] = 1e-3
    """Learning rate of the classifier's Adam optimizer."""

    def build(self, shape: tuple[int, ...], rule: Rule) -> Builders:
        channels, height, width = shape
        classes = ScoreClasses.count(rule, full=True)
        return {
            **super().build(shape, rule),
            "classifier": partial(StridedClassifier, (height, width), channels, classes, self.classifier_width),
            "classes": partial(ScoreClasses, rule, full=True),
            "memory": partial(Memory, shape, self.harvest_size, self.replay),
        }

    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        """The classifier alone; the generator without the rule; then rounds that each begin with a harvest."""
        adam = partial(torch.optim.Adam, lr=self.classifier_lr, fused=True)
        classifier = Phase("classifier", "classifier", partial(self.classifier_loss, rule), adam)
        teach = Phase("teach", "classifier", partial(self.teaching_loss, rule), adam)
        discriminator, generator = self.adversarial_phases()
        fed = replace(discriminator, loss=self.fed_discriminator_loss)
        pulled = replace(generator, loss=partial(self.pulled_generator_loss, rule))
        ruled = (teach, fed, pulled) if self.teach_classifier else (fed, pulled)

        warmup = warmup_steps(self.warmup, steps)
        ends = [warmup + (steps - warmup) * k // self.rounds for k in range(self.rounds + 1)]
        harvest = partial(self.harvest, rule)
        return (
            Stage("classifier", self.classifier_steps, (classifier,), begin=fit_classes(rule)),
            Stage("warmup", warmup, (discriminator, generator)),
            *(
                Stage(f"round {k + 1}", ends[k + 1] - ends[k], ruled, begin=harvest)
                for k in range(self.rounds)
                if ends[k + 1] > ends[k]
            ),
        )

    def warn(self, steps: int) -> str:
        return warn_of_warmup(self.warmup, steps)

    def extra_metrics(self, networks: Networks, fake: Tensor, rule: Rule) -> Stats:
        """The score that the classifier expects of generated images; it exceeds the exact score if it is fooled."""
        logits = networks["classifier"](fake).float()
        return {"expected_score": losses.expected_score(logits, classes_of(networks).values).mean()}

    def harvest(self, rule: Rule, networks: Networks, batch: Batch) -> Stats:
        """Generate images with the averaged generator, and keep those that obey the rule, or the best.

        With a target below 1, they are drawn so that their mean score is the target: see `tilt`. If the generator still
        misses the target, the next harvest aims higher or lower by the difference.
        """
        memory = cast(Memory, networks["memory"])
        if memory.harvest_score > _ALL:
            return {"score": memory.harvest_score.clone()}
        averaged, ranks = networks["averaged"], batch.ranks
        tried = max(round(self.harvest_size / self.acceptance), self.replay)
        latents = batch.draw(math.ceil(tried / ranks.count), self.prior)
        # All these images would not fit into memory at 128 pixels, so the chosen ones are generated again.
        looks = [self.look(rule, sample(averaged, part)) for part in torch.split(latents, _LOOK)]
        scores, layouts = (ranks.all_gather(torch.cat(parts)) for parts in zip(*looks, strict=True))
        latents = ranks.all_gather(latents)
        # As many scores of samples as of data.
        classes_of(networks).fit(torch.cat([batch.scores.cpu(), scores[:: math.ceil(tried / len(batch.scores))]]))
        aim = self.target_score
        if aim < 1 and memory.written:
            short = aim - float(scores.mean())
            if abs(short) < _HELD:
                return {"score": memory.harvest_score.clone()}
            aim = min(float(memory.harvest_score) + short, _ALL)
        chosen = self.choose(scores, layouts, aim, batch.generator)
        memory.harvested.copy_(sample(averaged, latents[chosen.to(latents.device)]))
        memory.harvest_score.copy_(scores[chosen].mean())
        memory.harvest_obeying.copy_((scores[chosen] >= 1).float().mean())
        if not memory.written:
            memory.add(sample(averaged, latents[: self.replay]), scores[: self.replay])
            memory.score.copy_(scores.mean())
            memory.obeying.copy_((scores >= 1).float().mean())
        # Gives the discriminator time to learn the new harvest.
        memory.weight.fill_(min(_START_WEIGHT, self.rule_weight))
        return {"score": memory.harvest_score.clone(), "obeying": memory.harvest_obeying.clone()}

    def look(self, rule: Rule, images: Tensor) -> tuple[Tensor, Tensor]:
        """Exact scores (N,) of uint8 images, and their layouts (N, 16 C): the means over a 4 x 4 grid."""
        return exact_scores(rule, images), F.adaptive_avg_pool2d(images.float(), 4).flatten(1).cpu()

    def choose(self, scores: Tensor, layouts: Tensor, aim: float, generator: torch.Generator) -> Tensor:
        """Indices (harvest_size,) of the images to keep, for a mean score of `aim`.

        If enough images obey, they fill the harvest, repeated as needed. Otherwise it takes the best of each
        neighborhood, since the best of all are much alike. For an aim below 1, it takes images with that mean score.
        """
        if aim < 1:
            return tilt(scores, self.harvest_size, aim, generator)
        obeying = torch.nonzero(scores >= 1).flatten()
        if len(obeying) >= _ENOUGH * self.harvest_size:
            return obeying[torch.arange(self.harvest_size) % len(obeying)]
        groups = 2 ** int(math.log2(max(1, self.harvest_size // self.min_per_niche)))
        return best_of_each(scores, neighborhoods(layouts, groups, generator), self.harvest_size)

    def classifier_loss(self, rule: Rule, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Cross-entropy with the exact classes of data, half of them with thinned or thickened ink."""
        images, scores = self.classifier_batch(rule, batch)
        return self.cross_entropy(networks, images, scores)

    def teaching_loss(self, rule: Rule, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The same with equally many generated images, half of them from the last step."""
        images, scores = self.classifier_batch(rule, batch)
        memory, ranks = cast(Memory, networks["memory"]), batch.ranks
        count = len(images) * ranks.count
        latest = min(_remembered(count), len(memory.generated))
        fake, fake_scores = map(ranks.shard, memory.sample_replay(latest, count - latest, batch.generator))
        return self.cross_entropy(networks, torch.cat([images, normalize(fake)]), torch.cat([scores, fake_scores]))

    def fed_discriminator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Harvested images, and the best data for the rest of the batch, against generated images."""
        best = self.best(batch)
        count = round(self.harvest_share * len(best.real)) * batch.ranks.count
        fed = normalize(batch.ranks.shard(cast(Memory, networks["memory"]).sample_harvest(count, batch.generator)))
        return self.adversarial_loss(networks, replace(best, real=torch.cat([fed, best.real[len(fed) :]])))

    def pulled_generator_loss(self, rule: Rule, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The discriminator's gradient on every sample, and the rule's on those that fail, in one backward pass.

        For n images x: g = grad log D(x) / n, and r = grad log C(x) on samples that fail, where C is the classifier's
        probability that x obeys. Each r is scaled to the length w * p * h * (1 - C(x)) * mean |g|, with the rule's
        weight w, the running share p of obeying samples, and the share h of obeying images in the harvest. Thus the
        scales of the networks do not matter, and the pull is weak while hardly any sample or real image obeys, and on
        samples that the classifier believes to obey. The generator moves along g + r.

        White pixels saturate the generator's last tanh, so hardly any of an r that would darken them reaches the
        weights. With a `leak`, that tanh has at least this slope for r, and lengths are measured at its input.
        """
        memory, ranks = cast(Memory, networks["memory"]), batch.ranks
        batch = self.best(batch)
        images = self.generate(networks, batch)
        saved = quantize(images.detach())
        scores = exact_scores(rule, saved)
        memory.add(
            ranks.all_gather(saved[: _remembered(len(saved))]), ranks.all_gather(scores[: _remembered(len(saved))])
        )
        failing = (scores < 1).to(images) if self.gate else torch.ones_like(scores).to(images)
        memory.score.lerp_(ranks.mean(scores.mean()).to(memory.score), 1 - _MOMENTUM)
        memory.obeying.lerp_(ranks.mean((scores >= 1).float().mean()).to(memory.obeying), 1 - _MOMENTUM)
        memory.weight.mul_(torch.exp(_GAIN * (self.target_score - memory.score)))
        memory.weight.clamp_(min(_START_WEIGHT / 10, self.rule_weight), self.rule_weight)

        leaf = images.detach().requires_grad_()
        adversarial = losses.generator_bce(self.discriminate_noisy(networks, batch, leaf))
        (realism,) = torch.autograd.grad(adversarial, leaf)
        logits = networks["classifier"](leaf).float()
        (obedience,) = torch.autograd.grad(losses.rule_top(logits, logits).sum(), leaf)
        doubt = 1 - logits.detach().softmax(dim=1)[:, -1]
        slope = 1 - leaf.detach().square() if self.leak else torch.ones_like(leaf)
        scale = ranks.mean((slope * realism).flatten(1).norm(dim=1).mean())
        length = memory.weight * memory.obeying * memory.harvest_obeying * scale * failing * doubt
        obedience = (slope.clamp(min=self.leak) * obedience).flatten(1)
        obedience = (F.normalize(obedience, dim=1) * length[:, None]).view_as(slope) / slope.clamp(min=_FLAT)
        pull = (images * (realism + obedience)).sum()
        # The value of the adversarial loss, and the gradient of the pull.
        loss = adversarial.detach() + pull - pull.detach()
        return loss, {
            "batch_score": scores.mean(),
            "running_score": memory.score.clone(),
            "obeying": memory.obeying.clone(),
            "rule_weight": memory.weight.clone(),
            "failing": failing.mean(),
            "doubt": (doubt * failing).sum() / failing.sum().clamp(min=1),
        }

    def classifier_batch(self, rule: Rule, batch: Batch) -> tuple[Tensor, Tensor]:
        """A batch of data with scores; a quarter is thinned and a quarter thickened, so that all scores occur."""
        batch = self.any(batch)
        quarter = len(batch.real) // 4
        reach = 2 * max(1, batch.real.shape[-1] // 32) + 1
        thin = F.max_pool2d(batch.real[:quarter], reach, 1, reach // 2)
        thick = -F.max_pool2d(-batch.real[quarter : 2 * quarter], reach, 1, reach // 2)
        changed = torch.cat([thin, thick])
        scores = exact_scores(rule, quantize(changed)).to(batch.scores)
        rest = 2 * quarter
        return torch.cat([changed, batch.real[rest:]]), torch.cat([scores, batch.scores[rest:]])

    def cross_entropy(self, networks: Networks, images: Tensor, scores: Tensor) -> tuple[Tensor, Stats]:
        """Cross-entropy of the classifier with the classes of these scores."""
        classes = classes_of(networks).classify(scores)
        logits = networks["classifier"](images.contiguous(memory_format=torch.channels_last)).float()
        accuracy = (logits.detach().argmax(dim=1) == classes).float().mean()
        return F.cross_entropy(logits, classes), {"accuracy": accuracy}


def _remembered(batch_size: int) -> int:
    """Images of a step that go into the replay buffer."""
    return max(1, batch_size // 2)
