"""The configuration of a training run: one frozen dataclass, its presets, and its JSON form."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar

import tyro
from pydantic import SkipValidation, TypeAdapter, ValidationError

from .data import Blobs, Files, Pairs, Points, Traffic
from .domains import DOMAINS, Data, Domain
from .networks import SIZES
from .options import check_ranges
from .recipes import DCGAN, GAN, RECIPES, CycleGAN, Harvest, Recipe, Toy1D
from .rules import resolve_rule

__all__ = ["PRESETS", "TrainConfig", "config_from_json", "config_to_json", "lookup", "preset"]

T = TypeVar("T")


@dataclass(frozen=True)
class TrainConfig:
    """What is trained, on what, and for how long. Results are a function of this alone."""

    recipe: Annotated[Recipe, tyro.conf.arg(name=""), SkipValidation]
    """The recipe's own options."""
    data: Annotated[Data, tyro.conf.AvoidSubcommands, SkipValidation] = field(default_factory=Blobs)
    """The training data: rendered images, images of your own, two kinds of them, or points."""
    rule: str = "connected"
    """What samples must obey: rules by name, "connected & ink(0.1, 0.4)", and your own: "ink & my_module:MyRule(3)"."""
    size: int = 32
    """Side of the images in pixels: 28, 32, 40, 48, 56, 64, 80, 96, 112 or 128."""
    steps: int = 1000
    """Steps of the generator's training; what a recipe does before comes on top."""
    batch_size: int = 64
    """Samples in a batch."""
    seed: int = 0
    """Seed of weights, latents and order; the data have their own."""
    init: Annotated[str | None, tyro.conf.arg(metavar="RUN")] = None
    """Run whose trained weights this one starts from, of all networks that have the same shapes in both."""
    device: str = "auto"
    """cpu, cuda, cuda:1, mps, ...; auto takes an accelerator where there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """bfloat16 computes convolutions in mixed precision; auto does so where the hardware is quicker at it."""
    workers: int = 0
    """Processes that make batches, the same for any number; with 0 a small set of images is kept on the device."""
    ema: float = 0.995
    """Decay of the generator's moving average, which makes the samples; 0 for none."""
    decay: float = 0.0
    """Share of the steps, at the end, over which the rates of all optimizers fall linearly toward 0; 0 for none."""
    last_rate: float = 0.05
    """Where they stop falling, as a part of the rate at the beginning."""
    log_every: int = 10
    """Steps between lines of losses."""
    eval_every: int = 100
    """Steps between evaluations by the exact score."""
    eval_images: int = 512
    """Generated samples in an evaluation."""
    sample_every: int = 500
    """Steps between sample sheets."""
    checkpoint_every: int = 500
    """Steps between checkpoints."""

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise ValueError(f"size is {self.size}, must be one of {', '.join(map(str, SIZES))}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema is {self.ema}, must be from 0 to below 1")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed is {self.seed}, must be from 0 to 2**63 - 1")
        check_ranges(
            self,
            steps=(1, 10**9),
            batch_size=(2, 65_536),
            decay=(0.0, 1.0),
            last_rate=(0.0, 1.0),
            workers=(0, 1024),
            log_every=(1, 10**9),
            eval_every=(1, 10**9),
            eval_images=(2, 10**6),
            sample_every=(1, 10**9),
            checkpoint_every=(1, 10**9),
        )
        resolve_rule(self.rule)

    @cached_property
    def domain(self) -> Domain:
        """What samples are; the same object each time, so that what it has opened stays open."""
        return DOMAINS[self.data.kind](self.data, self.size, resolve_rule(self.rule))


_PAPER = TrainConfig(
    DCGAN(),
    Blobs(images=10_000),
    size=64,
    steps=20_000,
    ema=0.999,
    eval_every=500,
    sample_every=2000,
    checkpoint_every=1000,
)
_QUICK = TrainConfig(
    DCGAN(),
    Blobs(images=37_700),
    steps=14_000,
    decay=0.2,
    eval_every=250,
    sample_every=2000,
    checkpoint_every=1000,
)
_FINE = replace(_QUICK, size=64, steps=12_000, eval_every=500)
_PAIRS = TrainConfig(
    CycleGAN(),
    Pairs(),
    steps=4000,
    batch_size=4,
    decay=0.5,
    eval_every=500,
    eval_images=256,
    sample_every=500,
    checkpoint_every=1000,
)
_POINTS = TrainConfig(
    GAN(),
    Points(),
    steps=20_000,
    batch_size=64,
    precision="float32",
    decay=0.6,
    last_rate=0.3,
    log_every=100,
    eval_every=1000,
    eval_images=2500,
    sample_every=2000,
    checkpoint_every=5000,
)
_LINE = replace(
    _POINTS,
    data=Points("normal-3"),
    steps=5000,
    batch_size=256,
    last_rate=0.05,
    eval_every=100,
    sample_every=100,
)


def _each(config: TrainConfig, options: str = "small") -> dict[str, TrainConfig]:
    """The configuration with every recipe that makes such samples, with these of its options.

    The budget is in real samples: a recipe whose step draws several batches has fewer steps.
    """
    recipes = [kind(**getattr(kind, options)) for kind in RECIPES.values() if config.data.kind in kind.makes]
    return {recipe.name: replace(config, recipe=recipe, steps=config.steps // recipe.batches) for recipe in recipes}


def _harvest(config: TrainConfig, **options: Any) -> dict[str, TrainConfig]:
    """Harvest has options of its own, a warm-up above all, and rates that fall from about its end."""
    return {"harvest": replace(config, recipe=Harvest(**Harvest.small, **options), decay=0.4)}


PRESETS: dict[str, dict[str, TrainConfig]] = {
    "fine": _each(_FINE) | _harvest(_FINE, warmup=6500 / 12_000, leak=0.1),
    "pairs": _each(_PAIRS),
    "paper": _each(_PAPER, "full"),
    "points": _each(_POINTS, "of_points") | {"toy-1d": replace(_LINE, recipe=Toy1D())},
    "quick": _each(_QUICK) | _harvest(_QUICK, warmup=8000 / 14_000),
}
"""Configurations by preset and recipe. "paper" is arXiv 2102.04593, with what it leaves open as in DCGAN and the number
of steps chosen here. "pairs" translates between
two kinds of images, "points" is of mixtures of Gaussians. "quick" is for minutes on two CPU cores at 32 pixels, "fine"
for less than an hour at 64; docs/results.md has what they reach."""


def lookup(table: dict[str, T], name: str, what: str) -> T:
    """Find an entry of a table.

    Raises:
        ValueError: the name is not in the table; says which names are.
    """
    if name not in table:
        raise ValueError(f"unknown {what} {name!r}; known: {', '.join(table)}")
    return table[name]


def preset(name: str = "quick", recipe: str = "harvest") -> TrainConfig:
    """Return the configuration of a preset for a recipe.

    Raises:
        ValueError: unknown preset, unknown recipe, or a recipe without this preset.
    """
    lookup(RECIPES, recipe, "recipe")
    return lookup(lookup(PRESETS, name, "preset"), recipe, f"recipe of the preset {name!r}")


def config_to_json(config: TrainConfig) -> dict[str, Any]:
    """Return the configuration as JSON data; the recipe's name stands beside its options."""
    raw = dataclasses.asdict(config)
    raw["recipe"] = {"name": config.recipe.name, **raw["recipe"]}
    if config.init is None:  # Only runs that start from another one say so.
        del raw["init"]
    return json.loads(json.dumps(raw))  # type: ignore[no-any-return]


def config_from_json(raw: Any) -> TrainConfig:
    """Rebuild a configuration from its JSON data.

    Raises:
        ValueError: a field is missing, unknown, of a wrong type or out of range; names the field.
    """
    try:
        options = dict(raw["recipe"])
        recipe = _validate(lookup(RECIPES, options.pop("name"), "recipe"), options, "recipe.")
        kind = next((kind for field, kind in _DATA.items() if field in raw["data"]), Blobs)
        data = _validate(kind, raw["data"], "data.")
        config = replace(_validate(TrainConfig, raw), recipe=recipe, data=data)
    except (KeyError, TypeError) as error:
        raise ValueError(f"the configuration does not name its recipe or its data: {error}") from error
    if config_to_json(config) != raw:
        raise ValueError("the configuration has fields that are unknown here, or lacks some that are not")
    return config


_DATA: dict[str, type[Data]] = {"busy": Traffic, "first": Pairs, "mixture": Points, "path": Files}
"""Kinds of data by a field that only they have."""


def _validate(kind: type[T], raw: dict[str, Any], where: str = "") -> T:
    try:
        return TypeAdapter(kind).validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        # Kinds of specs are named where there is a choice of them.
        place = where + ".".join(str(part) for part in first["loc"] if not str(part)[:1].isupper())
        raise ValueError(f"configuration field {place or '(top)'}: {first['msg']}") from error
