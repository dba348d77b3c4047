"""What a recipe consists of: networks, a batch, phases and stages. The trainer knows only these."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Annotated, Any, ClassVar

import torch
from pydantic import BeforeValidator, PlainSerializer, TypeAdapter
from torch import Tensor, nn
from torch.optim import Optimizer

from ..data import to_numpy
from ..distributed import Ranks
from ..options import check, load_object, options
from ..rules import Rule, checked_scores, min_channel

__all__ = [
    "AnyRecipe",
    "Batch",
    "Begin",
    "Loss",
    "Networks",
    "Phase",
    "Prior",
    "Recipe",
    "Stage",
    "Stats",
    "check_restorable",
    "exact_scores",
    "make_optimizers",
    "name_of",
    "restore",
    "to_json",
    "warmup_steps",
    "warn_of_warmup",
]

Networks = Mapping[str, nn.Module]
"""Networks by their name: "generator", "discriminator", "classifier", ..."""

Prior = Callable[[int, torch.Generator], Tensor]
"""Draws latents (count, ...) on the CPU."""

Stats = dict[str, Tensor]
"""Detached scalars for the log, by their name."""


@dataclass(frozen=True)
class Batch:
    """One step's data on the training device, and the step's private source of randomness.

    Every rank gets the same batch, and `take` returns its shard. Without torchrun there is one rank.
    """

    real: Tensor
    """(B, *shape) float; images (B, C, H, W) are in [-1, 1], white paper 1. B is the batch size times `draws`."""
    score: Callable[[], Tensor]
    """Computes `scores`, for the recipes that use them."""
    generator: torch.Generator
    """On the CPU, seeded by (seed, step): latents are the same on every device, and resuming needs no state."""
    shared: dict[str, Tensor] = field(default_factory=dict)
    """What one phase of the step leaves for the next ones."""
    ranks: Ranks = field(default_factory=Ranks)
    """The processes that train together, and this one's number."""

    @cached_property
    def scores(self) -> Tensor:
        """(B,) float32, exact scores of the rule in [0, 1]."""
        return self.score().to(self.real.device)

    def take(self, chosen: Tensor | slice) -> Batch:
        """Shard of these samples for this rank, with the same randomness and the same `shared`."""
        return replace(
            self, real=self.ranks.shard(self.real[chosen]), score=lambda: self.ranks.shard(self.scores[chosen])
        )

    def part(self, k: int, of: int) -> Batch:
        """Part k of equal ones, with the same randomness and the same `shared`."""
        count = len(self.real) // of
        part = slice(k * count, (k + 1) * count)
        return replace(self, real=self.real[part], score=lambda: self.scores[part])

    def draw(self, count: int, prior: Prior) -> Tensor:
        """Random numbers (count, ...) on the device of the samples: this rank's shard of what all ranks draw."""
        joined = prior(count * self.ranks.count, self.generator)
        return self.ranks.shard(joined).to(self.real.device, non_blocking=True)

    def uniform(self, count: int, *shape: int) -> Tensor:
        """Numbers (count, *shape) from 0 to 1."""
        return self.draw(count, lambda n, generator: torch.rand(n, *shape, generator=generator))

    def noise(self, count: int, *shape: int) -> Tensor:
        """Standard normal numbers (count, *shape)."""
        return self.draw(count, lambda n, generator: torch.randn(n, *shape, generator=generator))


Loss = Callable[[Networks, Batch], tuple[Tensor, Stats]]
Begin = Callable[[Networks, Batch], Stats]


def exact_scores(rule: Rule, images: Tensor) -> Tensor:
    """Exact scores (N,), on the CPU, of images (N, C, H, W) uint8."""
    return torch.from_numpy(checked_scores(rule, min_channel(to_numpy(images))))


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
    """One optimizer step on one network: what it updates, by which loss, and how often."""

    name: str
    updates: str
    """Name of the network whose parameters are trained; all others are held fixed."""
    loss: Loss
    """A loss that uses generated samples without training the generator detaches them."""
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer]
    """Each phase has its own optimizer, so that the learning rates weigh two phases on one network. Phases of one name
    share one: their networks and optimizers must be equal. Groups of parameters keep rates of their own."""
    every: int = 1
    """Number of steps from one run of the phase to the next."""


@dataclass(frozen=True)
class Stage:
    """Phases that run in this order at each of a number of steps."""

    name: str
    steps: int
    phases: tuple[Phase, ...]
    begin: Begin | None = None
    """Runs once before the first step, without gradients; also gets the moving average of the generator, as the
    network "averaged"."""

    @property
    def trains_generator(self) -> bool:
        """Whether samples are worth a look."""
        return any(phase.updates == "generator" for phase in self.phases)


def make_optimizers(stages: tuple[Stage, ...], parameters: dict[str, list[nn.Parameter]]) -> dict[str, Optimizer]:
    """The optimizer of each phase name; each group of parameters keeps its learning rate as "initial_lr".

    Raises:
        ValueError: phases of one name differ in their network or optimizer, or there is no such network.
    """
    phases: dict[str, Phase] = {}
    for phase in (phase for stage in stages for phase in stage.phases):
        if phase.updates not in parameters:
            raise ValueError(f"phase {phase.name!r} updates {phase.updates!r}, must be one of {', '.join(parameters)}")
        first = phases.setdefault(phase.name, phase)
        for what, one, other in (
            ("networks", first.updates, phase.updates),
            ("optimizers", _described(first.optimizer), _described(phase.optimizer)),
        ):
            if one != other:
                raise ValueError(f"two phases named {phase.name!r} have different {what}; give each a name of its own")
        if not parameters[phase.updates]:
            raise ValueError(f"network {phase.updates} has no parameters to train, which phase {phase.name!r} updates")
    optimizers = {name: phase.optimizer(parameters[phase.updates]) for name, phase in phases.items()}
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
    return optimizers


def _described(make: Callable[..., Optimizer]) -> object:
    """An optimizer's maker, so that equal partials, which compare by identity, are equal."""
    return (make.func, make.args, make.keywords) if isinstance(make, partial) else make


@options
class Recipe(ABC):
    """Options of a recipe, which builds networks and defines how to train them.

    The network "generator" makes the samples, from latents (N, latent_dim) or from data. State that a recipe keeps
    between steps is in buffers of a network, which may have no parameters: so checkpoints hold it. All numbers there
    must be finite; a mask with infinities is a buffer that is not persistent.

    A recipe of your own is a subclass that is a frozen dataclass; config.json names it by "module:Name".
    """

    makes: ClassVar[tuple[str, ...]] = ("images",)
    """Kinds of samples that it can be trained on: "images", "pairs", "points"."""

    @property
    def batches(self) -> int:
        """Batches of real samples that a step trains on."""
        return 1

    @property
    def draws(self) -> int:
        """Batches of real samples that a step draws."""
        return 1

    def prior(self, count: int, generator: torch.Generator) -> Tensor:
        """Latents (count, ...) on the CPU, if the generator takes any; those of a smaller count are the first ones."""
        raise NotImplementedError(f"{type(self).__name__} makes samples from data, and has no latents")

    @abstractmethod
    def build(self, shape: tuple[int, ...], rule: Rule) -> dict[str, Callable[[], nn.Module]]:
        """Functions that make the networks for samples of this shape, initialized from torch's default generator."""

    @abstractmethod
    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        """The stages in order; those that train the generator have `steps` steps together."""

    def warn(self, steps: int) -> str:
        """A warning for a training of `steps` generator steps, or an empty string."""
        return ""

    def discriminate(self, networks: Networks, samples: Tensor) -> Tensor:
        """Logits (N,) of samples (N, *shape), positive where the discriminator takes them for real."""
        logits: Tensor = networks["discriminator"](samples)
        return logits

    def extra_metrics(self, networks: Networks, fake: Tensor, rule: Rule) -> Stats:
        """Metrics of generated samples (N, *shape) that only this recipe has."""
        return {}


def _recipe_from_json(given: object) -> object:
    """The recipe of JSON data, which name its class; a recipe is returned as it is."""
    return given if isinstance(given, Recipe) else restore(given)


def to_json(recipe: Recipe) -> dict[str, Any]:
    """The name and the options of a recipe."""
    return {"name": name_of(recipe), **TypeAdapter(type(recipe)).dump_python(recipe, mode="json")}


def name_of(recipe: Recipe) -> str:
    """Name in RECIPES, or "module:Name" of a recipe of your own."""
    from . import RECIPES

    kind = type(recipe)
    return next(
        (name for name, known in RECIPES.items() if type(known) is kind), f"{kind.__module__}:{kind.__qualname__}"
    )


def restore(raw: object) -> Recipe:
    """The recipe of JSON data: its name, or "module:Name", and its options.

    Raises:
        ValueError: there is no such recipe, or an option is missing, unknown or out of range.
    """
    from . import RECIPES

    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
        raise ValueError("the configuration does not name its recipe")
    name, fields = raw["name"], {key: value for key, value in raw.items() if key != "name"}
    known = f"recipe, known: {', '.join(RECIPES)}"
    kind = type(RECIPES[name]) if name in RECIPES else load_object(name, Recipe, known)  # type: ignore[type-abstract]
    if not isinstance(kind, type):
        raise ValueError(f"{name} is not a class of recipes")
    return check(kind, fields)


def check_restorable(recipe: Recipe) -> None:
    """Raise a ValueError if files could not name this recipe: its class is not found, or an option is not valid."""
    raw = to_json(recipe)
    try:
        restored: object = restore(raw)
    except ValueError as error:
        raise ValueError(f"{raw['name']} cannot be restored from a file: {error}; define it in a module") from error
    if restored != recipe:
        raise ValueError(f"{recipe} cannot be restored from a file, which would give {restored}; make it @options")


AnyRecipe = Annotated[Recipe, BeforeValidator(_recipe_from_json), PlainSerializer(to_json)]
"""A recipe whose JSON form names its class."""
