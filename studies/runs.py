"""Training runs of a study: their configurations, their training, and their metrics for the records."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from reggan.config import TrainConfig, config_to_json
from reggan.data import RenderedImages
from reggan.modalities import Samples
from reggan.randomness import private_generator
from reggan.recipes import Harvest, RegGAN
from reggan.recipes.phases import warmup_steps
from reggan.report import write_report
from reggan.runs import RunDirectory
from reggan.sampler import Sampler
from reggan.training import Step, Trainer

from .records import Record

__all__ = ["TrainingRuns", "evaluations", "latents", "make", "opening", "train"]

_SMALLEST = {
    "width": 4,
    "classifier_width": 4,
    "classifier_steps": 4,
    "warmup": 2 / 6,
    "harvest_size": 20,
    "replay": 40,
    "evaluations": 2,
}
"""Options of recipes in the reduced form."""
_LATER = ("rounds", "acceptance", "min_per_niche", "harvest_share", "target_score", "rule_weight", "gate", "leak")
"""Options of Harvest that have no effect before the first harvest."""


class TrainingRuns:
    """Base class of comparisons of training runs."""

    def plan(self, config: TrainConfig, seed: int, reduced: bool) -> TrainConfig:
        """The resolved configuration with a seed; if `reduced`, the same stages in a few steps."""
        config = replace(config, seed=seed)
        if reduced:
            recipe = config.recipe
            if isinstance(recipe, RegGAN):
                recipe = replace(recipe, base=replace(recipe.gan, width=int(_SMALLEST["width"])))
            recipe = replace(recipe, **{name: value for name, value in _SMALLEST.items() if hasattr(recipe, name)})
            data = replace(config.data, images=200) if isinstance(config.data, RenderedImages) else config.data
            config = replace(config, recipe=recipe, data=data, batch_size=8)
            config = replace(config, steps=6, eval_every=2, eval_images=32, sample_every=3)
        return config

    def to_json(self, config: TrainConfig) -> Record:
        """The configuration as JSON data of a record."""
        return config_to_json(config)


def train(directory: Path, config: TrainConfig) -> None:
    """Train a run from its last checkpoint, if any, to its end, and write its report."""
    if not (directory / "config.json").exists():
        _begin(directory, config)
    run = RunDirectory.open(directory)
    if run.config != config:
        raise ValueError(f"{directory} is a run of another configuration; remove it, or choose another --out")
    run.train()
    write_report(directory)


def _begin(directory: Path, config: TrainConfig) -> None:
    """Create a run directory. Runs of Harvest that are equal up to the first harvest share that part."""
    begun = opening(config)
    if begun is None:
        RunDirectory.create(directory, config)
        return
    shared, steps = begun
    digest = hashlib.sha256(json.dumps(config_to_json(shared)).encode()).hexdigest()[:12]
    source, copied = directory.with_name(f"opening-{digest}"), directory.with_name(f"{directory.name}-begun")
    is_new = not (source / "config.json").exists()
    run = RunDirectory.create(source, shared) if is_new else RunDirectory.open(source)

    def stop_before_the_harvest(trainer: Trainer, step: Step) -> None:
        if step.number == steps:
            trainer.stop()

    if run.step < steps:
        run.train([stop_before_the_harvest])
    shutil.rmtree(copied, ignore_errors=True)
    RunDirectory.create(copied, config)
    for part in ("checkpoints", "samples"):
        shutil.copytree(source / part, copied / part, dirs_exist_ok=True)
    for name in ("metrics.jsonl", "timings.jsonl"):
        shutil.copyfile(source / name, copied / name)
    copied.rename(directory)


def opening(config: TrainConfig) -> tuple[TrainConfig, int] | None:
    """A run of Harvest up to its first harvest: (configuration, steps of all networks); None for other recipes.

    Options without effect before the harvest have their defaults, so that equal configurations share the opening.
    """
    recipe = config.recipe
    if not isinstance(recipe, Harvest):
        return None
    shared = replace(recipe, **{name: getattr(Harvest, name) for name in _LATER})
    decays = recipe.warmup > 1 - config.lr_decay
    steps = recipe.classifier_steps + warmup_steps(recipe.warmup, config.steps)
    return replace(config, recipe=shared, lr_decay=config.lr_decay if decays else 0.0), steps


def latents(config: TrainConfig, seed: int, purpose: str, count: int) -> Tensor:
    """Inputs (count, ...) of a generator, on the CPU; a smaller count gives the first of them."""
    return config.modality.inputs(config.recipe.prior, count, private_generator(seed, purpose))


def make(config: TrainConfig, generator: nn.Module, inputs: Tensor) -> Samples:
    """Samples of a generator on the CPU."""
    return Sampler(config.recipe, config.modality, generator, torch.device("cpu")).make(inputs)


def evaluations(lines: list[Record], keys: tuple[str, ...] = ()) -> dict[str, list[float]]:
    """The evaluations in the lines of metrics.jsonl: these metrics, or all, and their "generator_step"."""
    points = [line for line in lines if "samples/score" in line]
    known = [key.removeprefix("samples/") for key in points[0] if key.startswith("samples/")]
    chosen = [key for key in keys or known if key in known]
    curve = {key: [round(point[f"samples/{key}"], 5) for point in points] for key in chosen}
    return {"generator_step": [point["generator_step"] for point in points], **curve}
