"""Training runs of a study: planned, trained once each, and read for their records."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from reggan.config import TrainConfig, config_to_json
from reggan.data import Blobs
from reggan.recipes import Harvest
from reggan.recipes.phases import warmup_steps
from reggan.report import write_report
from reggan.training import create_run, fit, open_run, private_generator, resolve

from .records import Record

__all__ = ["TrainingRuns", "evaluations", "latents", "opening", "train"]

_SMALLEST = {"width": 4, "classifier_width": 4, "classifier_steps": 4, "warmup": 2 / 6, "kept": 20, "replay": 40}
"""Options of recipes in the smallest form."""
_LATER = ("rounds", "accept", "from_each", "feedback", "target_score", "rule_weight", "gate", "leak")
"""Options of Harvest that act after the first harvest only."""


class TrainingRuns:
    """What comparisons of training runs have in common."""

    def plan(self, config: TrainConfig, seed: int, reduced: bool) -> TrainConfig:
        """The resolved configuration with a seed; the smallest form has the same stages in a few steps."""
        config = replace(config, seed=seed)
        if reduced:
            options = {name: value for name, value in _SMALLEST.items() if hasattr(config.recipe, name)}
            recipe = replace(config.recipe, **options)
            data = replace(config.data, images=200) if isinstance(config.data, Blobs) else config.data
            config = replace(config, recipe=recipe, data=data, batch_size=8)
            config = replace(config, steps=6, eval_every=2, eval_images=32, sample_every=3)
        return resolve(config)

    def to_json(self, config: TrainConfig) -> Record:
        """The configuration as it stands in a record."""
        return config_to_json(config)


def train(directory: Path, config: TrainConfig) -> None:
    """Train a run to its end, from its last checkpoint if there is one, and write its report.

    Raises:
        ValueError: the directory is a run of another configuration.
    """
    if not (directory / "config.json").exists():
        _begin(directory, config)
    elif open_run(directory) != config:
        raise ValueError(f"{directory} is a run of another configuration; remove it, or name another --out")
    fit(directory)
    write_report(directory)


def _begin(directory: Path, config: TrainConfig) -> None:
    """Make a run directory. Runs of Harvest that are equal up to the first harvest train that part once."""
    begun = opening(config)
    if begun is None:
        create_run(directory, config)
        return
    shared, steps = begun
    digest = hashlib.sha256(json.dumps(config_to_json(shared)).encode()).hexdigest()[:12]
    source, copied = directory.with_name(f"opening-{digest}"), directory.with_name(f"{directory.name}-begun")
    if not (source / "config.json").exists():
        create_run(source, shared)
    fit(source, until=steps)
    shutil.rmtree(copied, ignore_errors=True)
    create_run(copied, config)
    for part in ("checkpoints", "samples"):
        shutil.copytree(source / part, copied / part, dirs_exist_ok=True)
    for name in ("metrics.jsonl", "timings.jsonl"):
        shutil.copyfile(source / name, copied / name)
    copied.rename(directory)


def opening(config: TrainConfig) -> tuple[TrainConfig, int] | None:
    """A run of Harvest up to its first harvest: (configuration, steps of all networks); None for other recipes.

    Options that act later have their defaults: runs with equal openings begin alike.
    """
    recipe = config.recipe
    if not isinstance(recipe, Harvest):
        return None
    shared = replace(recipe, **{name: getattr(Harvest, name) for name in _LATER})
    decays = recipe.warmup > 1 - config.decay
    steps = recipe.classifier_steps + warmup_steps(recipe.warmup, config.steps)
    return replace(config, recipe=shared, decay=config.decay if decays else 0.0), steps


def latents(config: TrainConfig, seed: int, purpose: str, count: int) -> Tensor:
    """Inputs (count, ...) of a generator, on the CPU; those of a smaller count are the first of these."""
    return config.domain.inputs(config.recipe.prior, count, private_generator(seed, purpose))


def evaluations(lines: list[Record], keys: tuple[str, ...] = ()) -> dict[str, list[float]]:
    """The evaluations in the lines of metrics.jsonl: these metrics, or all, and their "generator_step"."""
    points = [line for line in lines if "samples/score" in line]
    known = [key.removeprefix("samples/") for key in points[0] if key.startswith("samples/")]
    chosen = [key for key in keys or known if key in known]
    curve = {key: [round(point[f"samples/{key}"], 5) for point in points] for key in chosen}
    return {"generator_step": [point["generator_step"] for point in points], **curve}
