"""Harvest, the recommended recipe: generated images that obey become the real ones, and the rule pulls the others.

docs/method.md tells how it goes beyond RegGAN (Di Cerbo, Hirsa and Shayaan, arXiv 2102.04593), and docs/results.md what
that brings. Training on what a generator made and a test accepted is expert iteration (Anthony, Tian and Barber, arXiv
1705.08439); the balance of two gradients by their norms is that of VQGAN (Esser, Rombach and Ommer, arXiv 2012.09841,
equation 7).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .. import losses
from ..data import normalize, quantize
from ..networks import StridedClassifier, sample
from ..options import check_ranges
from ..rules import Rule
from .choice import best_of_each, neighborhoods, tilt
from .dcgan import DCGAN
from .memory import Memory
from .phases import Batch, Networks, Options, Phase, Stage, Stats, exact_scores, warmup_steps, warn_of_warmup

__all__ = ["Harvest"]

_START_WEIGHT = 0.1
_GAIN = 0.1
_MOMENTUM = 0.98
_ALL = 1 - 1e-3
"""A harvest with this mean score is the last one: each further one would repeat what the generator likes to make."""
_HELD = 0.01
"""So near to a target below 1 the generator needs no other harvest."""
_ENOUGH = 1 / 6
"""Where so many images obey the rule, of those that a harvest keeps, it keeps no others."""
_LOOK = 4096
"""Images that a harvest makes at once."""
_FLAT = 1e-6
"""The slope of the last tanh is not divided by less: where it is flatter, float32 has next to nothing left of it."""


@dataclass(frozen=True)
class Harvest(DCGAN):
    """Generated images that obey the rule become the real ones; an honest classifier pulls those that fail."""

    name: ClassVar[str] = "harvest"
    small: ClassVar[Options] = {**DCGAN.small, "pool": 5}

    warmup: float = 8000 / 14_000
    """Share of the generator's steps that it trains on the best data alone, before the first harvest."""
    rounds: int = 6
    """Harvests, at equal distances over the steps that remain; none is made anymore once all of one obey."""
    kept: int = 24_000
    """Images of a harvest."""
    accept: float = 0.06
    """Share of the images looked at that a harvest keeps: those that obey the rule, or the best where few do."""
    from_each: int = 32
    """Where few do, the fewest images that it keeps of each neighborhood of similar ones; `kept` is the best of all."""
    feedback: float = 1.0
    """Share of the discriminator's real images that come from the harvest; the others are the best data."""
    target_score: float = 1.0
    """Mean exact score to hold. 1 is as high as it gets: the rule's weight then stays at its most."""
    rule_weight: float = 9.0
    """The longest gradient of the rule on a sample, over the discriminator's mean (docs/method.md); 0 for no pull."""
    gate: bool = True
    """The rule's gradient acts only on samples that fail the exact rule."""
    leak: float = 0.0
    """The least slope of the last tanh for the rule's gradient, so that it reaches white; 0 for tanh as it is."""
    honest: bool = True
    """The classifier keeps learning, half from data, half from generated images with their exact scores."""
    replay: int = 4096
    """Generated images that are remembered for the classifier."""
    classifier_steps: int = 400
    """Steps of the classifier's training on data, before the generator's."""
    classifier_width: int = 16
    """Feature maps of the classifier's first layer."""
    classifier_lr: float = 1e-3
    """Adam rate of the classifier."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(
            self,
            warmup=(0.0, 1.0),
            rounds=(1, 10**6),
            kept=(1, 10**6),
            accept=(0.001, 1.0),
            from_each=(1, 10**6),
            feedback=(0.0, 1.0),
            target_score=(0.0, 1.0),
            rule_weight=(0.0, 1000.0),
            leak=(0.0, 1.0),
            replay=(1, 10**6),
            classifier_steps=(0, 10**9),
            classifier_width=(1, 4096),
            classifier_lr=(0.0, 1.0),
        )

    def build(self, shape: tuple[int, ...], rule: Rule) -> dict[str, nn.Module]:
        """Generator, discriminator, classifier, and the memory."""
        channels, size, _ = shape
        return super().build(shape, rule) | {
            "classifier": StridedClassifier(size, channels, len(_edges(rule)) + 1, self.classifier_width),
            "memory": Memory(size, channels, self.kept, self.replay),
        }

    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        """The classifier alone; the generator without the rule; then rounds that each begin with a harvest."""
        adam = partial(torch.optim.Adam, lr=self.classifier_lr, fused=True)
        classifier = Phase("classifier", "classifier", partial(self.classifier_loss, rule), adam)
        teach = Phase("teach", "classifier", partial(self.teaching_loss, rule), adam)
        discriminator, generator = self.adversarial_phases()
        fed = replace(discriminator, loss=self.fed_discriminator_loss)
        pulled = replace(generator, loss=partial(self.pulled_generator_loss, rule))
        ruled = (teach, fed, pulled) if self.honest else (fed, pulled)

        warmup = warmup_steps(self.warmup, steps)
        ends = [warmup + (steps - warmup) * k // self.rounds for k in range(self.rounds + 1)]
        harvest = partial(self.harvest, rule)
        return (
            Stage("classifier", self.classifier_steps, (classifier,)),
            Stage("warmup", warmup, (discriminator, generator)),
            *(
                Stage(f"round {k + 1}", ends[k + 1] - ends[k], ruled, begin=harvest)
                for k in range(self.rounds)
                if ends[k + 1] > ends[k]
            ),
        )

    def warn(self, steps: int) -> str:
        """Whether there is no harvest."""
        return warn_of_warmup(self.warmup, steps)

    def monitor(self, networks: Networks, made: Tensor, rule: Rule) -> Stats:
        """The score that the classifier expects of generated images: above the exact score where it is fooled."""
        logits = networks["classifier"](made).float()
        values = torch.from_numpy(rule.values).to(logits)
        if len(_edges(rule)) > len(rule.edges):
            # The last class is obeying the rule; the one before is the rest of the rule's own last class.
            values = torch.cat([values[:-1], values.new_tensor([(rule.edges[-1] + 1) / 2, 1.0])])
        return {"expected_score": losses.expected_score(logits, values).mean()}

    def harvest(self, rule: Rule, networks: Networks, batch: Batch) -> Stats:
        """Look at images of the averaged generator, and keep those that obey the rule, or the best.

        With a target below 1 they are drawn so that their mean score is the target: see `tilt`. If the generator falls
        short of it all the same, or exceeds it, the next harvest aims as much higher or lower.
        """
        memory = cast(Memory, networks["memory"])
        if memory.harvest_score > _ALL:
            return {"score": memory.harvest_score.clone()}
        averaged, ranks = networks["averaged"], batch.ranks
        looked_at = max(round(self.kept / self.accept), self.replay)
        latents = batch.draw(math.ceil(looked_at / ranks.count), self.prior)
        # So many images would fill the memory at 128 pixels: what is kept is made a second time.
        looks = [self.look(rule, sample(averaged, part)) for part in torch.split(latents, _LOOK)]
        scores, layouts = (ranks.join(torch.cat(parts)) for parts in zip(*looks, strict=True))
        latents = ranks.join(latents)
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
            memory.remember(sample(averaged, latents[: self.replay]), scores[: self.replay])
            memory.score.copy_(scores.mean())
            memory.obeying.copy_((scores >= 1).float().mean())
        # The discriminator learns a new harvest first.
        memory.weight.fill_(min(_START_WEIGHT, self.rule_weight))
        return {"score": memory.harvest_score.clone(), "obeying": memory.harvest_obeying.clone()}

    def look(self, rule: Rule, images: Tensor) -> tuple[Tensor, Tensor]:
        """Exact scores (N,) of images uint8, and their layouts (N, 16 C): the mean of each sixteenth of the square."""
        return exact_scores(rule, images), F.adaptive_avg_pool2d(images.float(), 4).flatten(1).cpu()

    def choose(self, scores: Tensor, layouts: Tensor, aim: float, generator: torch.Generator) -> Tensor:
        """Places (kept,) of the images that a harvest keeps, of all that were looked at, for a mean score of `aim`.

        Those that obey, as often as it takes, where they are not too few; else the best of each neighborhood, since
        the best of all are what is easiest, over and over. For an aim below 1, images with that mean score.
        """
        if aim < 1:
            return tilt(scores, self.kept, aim, generator)
        obeying = torch.nonzero(scores >= 1).flatten()
        if len(obeying) >= _ENOUGH * self.kept:
            return obeying[torch.arange(self.kept) % len(obeying)]
        groups = 2 ** int(math.log2(max(1, self.kept // self.from_each)))
        return best_of_each(scores, neighborhoods(layouts, groups, generator), self.kept)

    def classifier_loss(self, rule: Rule, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Cross-entropy to the exact classes of data, half of them with their ink thinned or thickened."""
        images, scores = self.lesson(rule, batch)
        return self.cross_entropy(rule, networks, images, scores)

    def teaching_loss(self, rule: Rule, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The same with as many generated images, half of which were made in the last step."""
        images, scores = self.lesson(rule, batch)
        memory, ranks = cast(Memory, networks["memory"]), batch.ranks
        count = len(images) * ranks.count
        latest = min(_share(count), len(memory.made))
        made, made_scores = map(ranks.share, memory.recall(latest, count - latest, batch.generator))
        return self.cross_entropy(
            rule, networks, torch.cat([images, normalize(made)]), torch.cat([scores, made_scores])
        )

    def fed_discriminator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Harvested images, and the best data for what is left of the batch, against generated images."""
        best = self.best(batch)
        count = round(self.feedback * len(best.real)) * batch.ranks.count
        fed = normalize(batch.ranks.share(cast(Memory, networks["memory"]).draw(count, batch.generator)))
        return self.adversarial_loss(networks, replace(best, real=torch.cat([fed, best.real[len(fed) :]])))

    def pulled_generator_loss(self, rule: Rule, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The discriminator's gradient on every sample, and the rule's on those that fail, in one backward pass.

        On the images x, n of them: g = grad log D(x) / n, and r = grad log C(x) on a sample that fails, where C is the
        classifier's probability of obeying. Each r is given the length w * p * h * (1 - C(x)) * mean |g|, with the
        rule's weight w, the running share p of samples that obey, and the share h of the harvest that does. So no scale
        of either network matters, nothing is torn apart while hardly a sample obeys, or pulled to where no real image
        is, and nothing is moved where the classifier has nothing to say. The generator is moved along g + r.

        White is where the generator's last tanh is flat, and of an r that would darken it hardly a part arrives. With a
        `leak` that tanh has at least this slope for r, and lengths are measured behind it, on the way back.
        """
        memory, ranks = cast(Memory, networks["memory"]), batch.ranks
        batch = self.best(batch)
        images = self.generate(networks, batch)
        saved = quantize(images.detach())
        scores = exact_scores(rule, saved)
        memory.remember(ranks.join(saved[: _share(len(saved))]), ranks.join(scores[: _share(len(saved))]))
        failing = (scores < 1).to(images) if self.gate else torch.ones_like(scores).to(images)
        memory.score.lerp_(ranks.mean(scores.mean()).to(memory.score), 1 - _MOMENTUM)
        memory.obeying.lerp_(ranks.mean((scores >= 1).float().mean()).to(memory.obeying), 1 - _MOMENTUM)
        memory.weight.mul_(torch.exp(_GAIN * (self.target_score - memory.score)))
        memory.weight.clamp_(min(_START_WEIGHT / 10, self.rule_weight), self.rule_weight)

        leaf = images.detach().requires_grad_()
        adversarial = losses.generator_bce(self.judge(networks, batch, leaf))
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
        # Its value is the adversarial loss, its gradient that of the pull.
        loss = adversarial.detach() + pull - pull.detach()
        return loss, {
            "batch_score": scores.mean(),
            "running_score": memory.score.clone(),
            "obeying": memory.obeying.clone(),
            "rule_weight": memory.weight.clone(),
            "failing": failing.mean(),
            "doubt": (doubt * failing).sum() / failing.sum().clamp(min=1),
        }

    def lesson(self, rule: Rule, batch: Batch) -> tuple[Tensor, Tensor]:
        """Images and scores: a batch of data, a quarter thinned and a quarter thickened, so that all scores occur."""
        batch = self.any(batch)
        quarter = len(batch.real) // 4
        reach = 2 * max(1, batch.real.shape[-1] // 32) + 1
        thin = F.max_pool2d(batch.real[:quarter], reach, 1, reach // 2)
        thick = -F.max_pool2d(-batch.real[quarter : 2 * quarter], reach, 1, reach // 2)
        changed = torch.cat([thin, thick])
        scores = exact_scores(rule, quantize(changed)).to(batch.scores)
        rest = 2 * quarter
        return torch.cat([changed, batch.real[rest:]]), torch.cat([scores, batch.scores[rest:]])

    def cross_entropy(self, rule: Rule, networks: Networks, images: Tensor, scores: Tensor) -> tuple[Tensor, Stats]:
        """Cross-entropy of the classifier to the classes of these scores."""
        classes = torch.bucketize(scores.float(), torch.tensor(_edges(rule), device=scores.device), right=True)
        logits = networks["classifier"](images.contiguous(memory_format=torch.channels_last)).float()
        accuracy = (logits.detach().argmax(dim=1) == classes).float().mean()
        return F.cross_entropy(logits, classes), {"accuracy": accuracy}


def _share(batch_size: int) -> int:
    """Images of a step that are remembered."""
    return max(1, batch_size // 2)


def _edges(rule: Rule) -> tuple[float, ...]:
    """The rule's classes, and one more for obeying it entirely: samples are pulled there."""
    return rule.edges if rule.edges[-1] >= 1 else (*rule.edges, 1.0)
