"""Harvest against DCGAN: the quick preset, equal steps, the same data, several seeds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..config import TrainConfig, preset
from ..data import Blobs
from ..drawing import highlight, panels
from ..files import atomic_write
from ..rules import resolve_rule
from ..training import Images, create_run, fit, generate, load_generator, open_run, private_latents, resolve

__all__ = ["ABOUT", "run"]

ABOUT = "Harvest against DCGAN, the quick preset: exact scores, pieces, ink and diversity over seeds"
RECIPES = ("dcgan", "harvest")
LABELS = {"data": "data set", "dcgan": "DCGAN", "harvest": "Harvest"}
SHOWN = 32


def configure(recipe: str, seed: int, reduced: bool) -> TrainConfig:
    """The quick preset of a recipe; the smallest form has the same stages in a few steps."""
    config = replace(preset("quick", recipe), seed=seed)
    if reduced:
        options: dict[str, Any] = {"width": 4}
        if recipe == "harvest":
            options |= {"classifier_steps": 4, "classifier_width": 4, "warmup": 2, "kept": 20, "replay": 40}
        config = replace(
            config,
            recipe=replace(config.recipe, **options),
            data=Blobs(images=500),
            steps=6,
            eval_every=2,
            eval_images=32,
            batch_size=8,
        )
    return resolve(config)


def run(out: Path, seeds: int, reduced: bool) -> None:
    """Train every recipe with every seed, and write results.json, results.md, scores.png and samples.png to `out`.

    A run that is finished is not trained again, and one that was stopped goes on.
    """
    summaries: dict[str, list[dict[str, float]]] = {name: [] for name in RECIPES}
    data: dict[str, float] = {}
    for seed in range(seeds):
        for name in RECIPES:
            directory = _directory(out, name, seed)
            config = configure(name, seed, reduced)
            if not (directory / "config.json").exists():
                create_run(directory, config)
            elif open_run(directory) != config:
                raise ValueError(f"{directory} is a run of another configuration; remove it, or name another --out")
            summary = fit(directory)
            summaries[name].append(summary["generator"])
            data = summary["data"]
    results = {"data": data, **{name: _spread(those) for name, those in summaries.items()}}
    described = {"seeds": seeds, "reduced": reduced, "results": results, "checks": _checks(data, summaries)}
    atomic_write(out / "results.json", json.dumps(described, indent=1) + "\n")
    atomic_write(out / "results.md", _table(described))
    _curves(out, seeds, data["score"]).savefig(out / "scores.png", dpi=110)
    panels({LABELS[name]: highlight(images) for name, images in _samples(out).items()}).save(out / "samples.png")


def _directory(out: Path, recipe: str, seed: int) -> Path:
    return out / "runs" / f"{recipe}-seed{seed}"


def _spread(summaries: list[dict[str, float]]) -> dict[str, dict[str, Any]]:
    columns = {key: [summary[key] for summary in summaries] for key in summaries[0]}
    return {
        key: {"mean": float(np.mean(values)), "std": float(np.std(values)), "seeds": values}
        for key, values in columns.items()
    }


def _checks(data: dict[str, float], summaries: dict[str, list[dict[str, float]]]) -> dict[str, list[float]]:
    """What is claimed, seed by seed: the gain in score over DCGAN, and ink and diversity relative to the data's."""
    pairs = list(zip(summaries["harvest"], summaries["dcgan"], strict=True))
    return {
        "score_gain": [harvest["score"] - dcgan["score"] for harvest, dcgan in pairs],
        "ink_ratio": [harvest["ink"] / data["ink"] for harvest, _ in pairs],
        "diversity_ratio": [harvest["diversity"] / data["diversity"] for harvest, _ in pairs],
    }


def _table(described: dict[str, Any]) -> str:
    results, seeds = described["results"], described["seeds"]
    form = "the smallest form of the quick preset" if described["reduced"] else "the quick preset"
    lines = [
        f"Mean ± standard deviation over {seeds} seeds, {form}.",
        "",
        "| | " + " | ".join(LABELS[name] for name in results) + " |",
        "|---|" + "---|" * len(results),
    ]
    for key, value in results["data"].items():
        cells = [f"{value:.3f}"] + [f"{results[n][key]['mean']:.3f} ± {results[n][key]['std']:.3f}" for n in RECIPES]
        lines.append(f"| {key.replace('_', ' ')} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "| Harvest, seed by seed | " + " | ".join(map(str, range(seeds))) + " |",
        "|---|" + "---|" * seeds,
    ]
    for key, values in described["checks"].items():
        lines.append(f"| {key.replace('_', ' ')} | " + " | ".join(f"{value:.3f}" for value in values) + " |")
    return "\n".join(lines) + "\n"


def _curves(out: Path, seeds: int, data_score: float) -> Figure:
    """The paper's figure: mean exact score of generated images over training."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, colour in zip(RECIPES, ("#8a8a8a", "#b3261e"), strict=True):
        for seed in range(seeds):
            log = (_directory(out, name, seed) / "metrics.jsonl").read_text()
            lines = [json.loads(line) for line in log.splitlines()]
            points = [(line["generator_step"], line["samples/score"]) for line in lines if "samples/score" in line]
            axes.plot(*zip(*points, strict=True), color=colour, lw=1.2, label=None if seed else LABELS[name])
    axes.axhline(data_score, color="black", lw=0.8, ls=":", label="data set")
    axes.set(xlabel="generator step", ylabel="mean exact score", ylim=(0, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    return figure


def _samples(out: Path) -> dict[str, Images]:
    """As many images of the data set and of each recipe's first seed."""
    config = open_run(_directory(out, RECIPES[0], 0))
    drawn, _, _ = config.data.open(config.size, resolve_rule(config.rule)).items(np.arange(SHOWN))
    images = {"data": drawn[:, 0].numpy()}
    for name in RECIPES:
        config, generator = load_generator(_directory(out, name, 0))
        images[name] = generate(generator, private_latents(config.seed, "sheet", SHOWN, config.recipe.latent_dim))
    return images
