"""Presets: configurations by name and recipe.

"paper" is the setting of arXiv 2102.04593, with DCGAN's values for what it leaves open and a number of steps chosen
here. "pairs" translates between two kinds of images, "points" is for mixtures of Gaussians. "quick" takes minutes on
two CPU cores at 32 pixels, "fine" less than an hour at 64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from .config import TrainConfig
from .data import Pairs, Points, RenderedImages
from .options import template
from .recipes import GAN, RECIPES, CycleGAN, Harvest, Recipe, RegGAN, Repair
from .recipes.wgan import Wasserstein

__all__ = ["PRESETS", "preset", "preset_template", "presets_of"]

T = TypeVar("T")

_QUICK: dict[str, Any] = {
    "data": lambda: RenderedImages(images=37_700),
    "steps": 14_000,
    "lr_decay": 0.2,
    "eval_every": 250,
    "sample_every": 2000,
    "checkpoint_every": 1000,
}
_POINTS: dict[str, Any] = {
    "data": Points,
    "steps": 20_000,
    "precision": "float32",
    "lr_decay": 0.6,
    "lr_floor": 0.3,
    "log_every": 100,
    "eval_every": 1000,
    "eval_images": 2500,
    "sample_every": 2000,
    "checkpoint_every": 5000,
}
PRESETS: dict[str, dict[str, Any]] = {
    "fine": _QUICK | {"size": 64, "steps": 12_000, "eval_every": 500},
    "pairs": {
        "data": Pairs,
        "steps": 4000,
        "batch_size": 4,
        "lr_decay": 0.5,
        "eval_every": 500,
        "eval_images": 256,
        "checkpoint_every": 1000,
    },
    "paper": {
        "data": lambda: RenderedImages(images=10_000),
        "size": 64,
        "steps": 20_000,
        "ema": 0.999,
        "eval_every": 500,
        "sample_every": 2000,
        "checkpoint_every": 1000,
    },
    "points": _POINTS,
    "quick": _QUICK,
}
"""Options of all recipes by preset; data are made when they are needed. `preset` adds those of the recipe."""

_LINE = {
    "data": lambda: Points("normal-3"),
    "steps": 5000,
    "batch_size": 256,
    "lr_floor": 0.05,
    "eval_every": 100,
    "sample_every": 100,
}
_POINT_RECIPES: dict[str, dict[str, Any]] = {
    "bigan": {"beta1": 0.0},
    "bigan-pgp": {"beta1": 0.0, "pair_penalty": 0.1},
    "gan": {"beta1": 0.0},
    "wgan": {"lr": 2e-4},
    "wgan-gp": {"gradient_penalty": 0.1},
}
_SCHEDULES: dict[type[Recipe], dict[str, Any]] = {Harvest: {"lr_decay": 0.4}, Repair: {"steps": 4000, "ema": 0.999}}
"""What recipes change of the schedule of "fine" and "quick"."""
_HARVEST: dict[str, dict[str, Any]] = {
    "fine": {"warmup": 6500 / 12_000, "leak": 0.1},
    "quick": {"warmup": 8000 / 14_000},
}


def preset(name: str = "quick", recipe: str = "repair") -> TrainConfig:
    """Return the configuration of a preset for a recipe of RECIPES.

    Raises:
        ValueError: unknown preset, unknown recipe, or a recipe without this preset.
    """
    return TrainConfig(**_fields(name, recipe))


def preset_template(name: str, recipe: str) -> TrainConfig:
    """The same for the command line, which builds the configuration from it: nothing is checked or resolved."""
    return template(TrainConfig, **_fields(name, recipe))


def presets_of(recipe: str) -> list[str]:
    """Names of the presets that a recipe of RECIPES has."""
    makes = _lookup(RECIPES, recipe, "recipe").makes
    return [name for name, fields in PRESETS.items() if fields["data"]().modality in makes]


def _fields(name: str, recipe: str) -> dict[str, Any]:
    fields, default = dict(_lookup(PRESETS, name, "preset")), _lookup(RECIPES, recipe, "recipe")
    if name not in presets_of(recipe):
        raise ValueError(f"recipe {recipe!r} has no preset {name!r}; it has {', '.join(presets_of(recipe))}")
    if recipe == "toy-1d":
        fields |= _LINE
    if name in ("fine", "quick"):
        fields |= _SCHEDULES.get(type(default), {})
    # The budget is in real samples: a recipe whose step trains on several batches has fewer steps.
    steps = fields["steps"] // default.batches
    return fields | {"recipe": _tuned(default, name, recipe), "steps": steps, "data": fields["data"]()}


def _tuned(recipe: Recipe, preset: str, name: str) -> Recipe:
    """A recipe with its options in a preset; "paper" has the recipe's own defaults."""
    if preset == "paper" or name == "toy-1d":
        return recipe
    if preset == "points":
        common = {"latent_dim": 1, "latent": "uniform", "width": 128, "lr": 1.5e-3, "fourier_features": 32}
        return replace(recipe, **(common | _POINT_RECIPES[name]))
    return replace(recipe, **(_small(recipe) | (_HARVEST[preset] if isinstance(recipe, Harvest) else {})))


def _small(recipe: Recipe) -> dict[str, Any]:
    """Options for a CPU."""
    smooth = {"width": 24, "real_label": 0.9, "instance_noise": 0.1}
    match recipe:
        case CycleGAN():
            return {"width": 16}
        case RegGAN():
            base = replace(recipe.base, **_small(recipe.base))
            return {"base": base, "method": "second", "classifier_steps": 3000, "classifier_width": 16}
        case Wasserstein():
            return {"width": 24, "lr": 8e-4}
        case GAN():
            return smooth | {"width": 256}
        case Harvest():
            return smooth | {"candidates": 5}
        case Repair():
            return smooth | {"candidates": 8, "lr": 6e-4, "instance_noise": 0.2}
        case _:
            return smooth


def _lookup(table: Mapping[str, T], name: str, what: str) -> T:
    if name not in table:
        raise ValueError(f"unknown {what} {name!r}; known: {', '.join(table)}")
    return table[name]
