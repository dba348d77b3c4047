"""What a recipe is made of: networks, a batch, phases and stages. The training loop knows only these."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..data import arrays
from ..distributed import Ranks
from ..rules import Rule, darkest

__all__ = [
    "Batch",
    "Begin",
    "Loss",
    "Networks",
    "Options",
    "Phase",
    "Prior",
    "Recipe",
    "Stage",
    "Stats",
    "exact_scores",
    "warmup_steps",
    "warn_of_warmup",
]

Networks = Mapping[str, nn.Module]
"""Networks by their name: "generator", "discriminator", "classifier", ..."""

Prior = Callable[[int, torch.Generator], Tensor]
"""Draws so many numbers or rows of numbers on the CPU."""

Options = Mapping[str, Any]
"""Options of a recipe by their name, where they are not the defaults."""

Stats = dict[str, Tensor]
"""Detached scalars worth a line in metrics.jsonl, by their name."""


@dataclass(frozen=True)
class Batch:
    """One step's data on the training device, and the step's private source of randomness.

    The training loop gives every rank the same batch, of which `take` leaves it its stripe. Without torchrun there is
    one rank, whose stripe is all.
    """

    real: Tensor
    """(B, *shape) float; images (B, C, H, W) are in [-1, 1], white paper 1. B is the batch size times what the recipe
    draws."""
    scores: Tensor
    """(B,) float32, exact scores of the rule in [0, 1]."""
    classes: Tensor
    """(B,) int64, score classes."""
    generator: torch.Generator
    """On the CPU, seeded by (seed, step): latents are the same on every device, and a resumed run needs no state."""
    shared: dict[str, Tensor] = field(default_factory=dict)
    """What one phase of the step made for the others."""
    ranks: Ranks = field(default_factory=Ranks)
    """The processes that train together, and which of them this is."""

    def take(self, chosen: Tensor | slice) -> Batch:
        """Leave this rank its stripe of these samples, with the same source of randomness, and sharing the same."""
        real, scores, classes = (self.ranks.share(t[chosen]) for t in (self.real, self.scores, self.classes))
        return replace(self, real=real, scores=scores, classes=classes)

    def part(self, k: int, of: int) -> Batch:
        """Part k of equal ones, with the same source of randomness, and sharing the same."""
        count = len(self.real) // of
        part = slice(k * count, (k + 1) * count)
        return replace(self, real=self.real[part], scores=self.scores[part], classes=self.classes[part])

    def draw(self, count: int, prior: Prior) -> Tensor:
        """Random numbers (count, ...) on the device of the samples: this rank's stripe of what all ranks draw."""
        joined = prior(count * self.ranks.count, self.generator)
        return self.ranks.share(joined).to(self.real.device, non_blocking=True)

    def uniform(self, count: int, *shape: int) -> Tensor:
        """Numbers (count, *shape) from 0 to 1."""
        return self.draw(count, lambda n, generator: torch.rand(n, *shape, generator=generator))

    def noise(self, count: int, *shape: int) -> Tensor:
        """Standard normal numbers (count, *shape)."""
        return self.draw(count, lambda n, generator: torch.randn(n, *shape, generator=generator))


Loss = Callable[[Networks, Batch], tuple[Tensor, Stats]]
Begin = Callable[[Networks, Batch], Stats]


def exact_scores(rule: Rule, images: Tensor) -> Tensor:
    """Exact scores (N,), on the CPU, of images (N, C, H, W) as they would be saved, uint8."""
    return torch.from_numpy(rule(darkest(arrays(images))))


def warmup_steps(warmup: float, steps: int) -> int:
    """Steps of a warm-up that is this share of the generator's `steps`."""
    return round(warmup * steps)


def warn_of_warmup(warmup: float, steps: int) -> str:
    """A warning about a recipe whose rule never acts, as all steps are warm-up; empty if it does."""
    if warmup_steps(warmup, steps) < steps:
        return ""
    return (
        f"all {steps:,} steps are warm-up, and the rule is not used: --warmup is {warmup:.3g} of the steps, give less"
        + (" or more --steps" if warmup < 1 else "")
    )


@dataclass(frozen=True)
class Phase:
    """One optimizer step on one network: what is updated, by which loss, and how often."""

    name: str
    updates: str
    """Name of the network whose parameters are trained; all others are held fixed."""
    loss: Loss
    """Where it uses what the generator made, and the generator is held fixed, it detaches it."""
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer]
    """Each phase has its own optimizer, so that two phases on one network are weighed by their rates. Phases of one
    name share one: their networks and optimizers must be the same. Groups of parameters keep rates of their own."""
    every: int = 1
    """The phase runs at every so many steps."""


@dataclass(frozen=True)
class Stage:
    """Phases that run in this order at each of a number of steps."""

    name: str
    steps: int
    phases: tuple[Phase, ...]
    begin: Begin | None = None
    """What is done once before the first step, without gradients; it also gets the generator's moving average, as the
    network "averaged"."""

    @property
    def makes_samples(self) -> bool:
        """Whether the generator is trained, so that samples are worth a look."""
        return any(phase.updates == "generator" for phase in self.phases)


@dataclass(frozen=True)
class Recipe(ABC):
    """Options of a recipe, which builds networks and says how they are trained.

    A network named "generator" makes the samples, of latents (N, latent_dim) or of data. What a recipe remembers
    between steps is in buffers of a network, which may have nothing to train: so it is part of a checkpoint. There all
    numbers must be finite; a mask of infinities is a buffer that is not persistent.
    """

    name: ClassVar[str]
    makes: ClassVar[tuple[str, ...]] = ("images",)
    """What kinds of samples it can be trained to make: names in reggan.domains.DOMAINS."""
    full: ClassVar[Options] = {}
    """Options of the preset "paper"."""
    small: ClassVar[Options] = {}
    """Options for images or pairs on a CPU."""
    of_points: ClassVar[Options] = {}
    """Options for points."""

    @property
    def batches(self) -> int:
        """Batches of real samples that a step trains with."""
        return 1

    @property
    def draws(self) -> int:
        """Batches of real samples that a step draws."""
        return 1

    def prior(self, count: int, generator: torch.Generator) -> Tensor:
        """Latents (count, ...) on the CPU, if the generator takes any; fewer are the first of these."""
        raise NotImplementedError(f"{self.name} makes samples of data, and has no latents")

    @abstractmethod
    def build(self, shape: tuple[int, ...], rule: Rule) -> dict[str, nn.Module]:
        """Make the networks for samples of this shape, freshly initialized from torch's default generator."""

    @abstractmethod
    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        """List the stages in order; those that train the generator have `steps` steps together."""

    def warn(self, steps: int) -> str:
        """What someone who trains the generator for `steps` steps should know before; nothing if all is well."""
        return ""

    def opinion(self, networks: Networks, samples: Tensor) -> Tensor:
        """What is thought of samples (N, *shape): logits (N,), positive where they are taken for real."""
        logits: Tensor = networks["discriminator"](samples)
        return logits

    def monitor(self, networks: Networks, made: Tensor, rule: Rule) -> Stats:
        """Extra figures on generated samples (N, *shape), for the evaluations during training."""
        return {}
