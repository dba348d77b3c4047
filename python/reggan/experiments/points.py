"""Studies of points: which recipes find all modes of a mixture, and how soon."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from ..config import TrainConfig, config_to_json
from ..data import MIXTURES, Points
from ..files import atomic_file, atomic_write
from ..training import create_run, fit, generate, load_generator, open_run, private_inputs, resolve
from .records import (
    Columns,
    Record,
    check_arms,
    is_done,
    read_records,
    record_path,
    seconds_trained,
    spread,
    table,
)

__all__ = ["PointArm", "PointStudy"]

_POINTS, _FEW_POINTS = 2500, 100
"""Points that are measured, as many as in PacGAN (arXiv 1712.04086), and in the smallest form."""
_NEAR = 0.1
"""Points on a line have converged when their distance to the data is under this many of its standard deviations."""
_FRAME = 120
"""Milliseconds of a picture in the animation."""


@dataclass(frozen=True)
class PointArm:
    """One line of a table: a recipe on a mixture."""

    label: str
    config: TrainConfig

    @property
    def mixture(self) -> str:
        """Name of the mixture; there is a table of each."""
        data = self.config.data
        assert isinstance(data, Points)
        return data.mixture


@dataclass(frozen=True)
class PointStudy:
    """What `python -m reggan.experiment NAME` runs."""

    about: str
    arms: Mapping[str, PointArm]
    """Arms by name, those of a mixture one after the other."""
    animated: bool = False
    """Whether the training with the first seed is kept as a GIF, too."""

    def run(self, out: Path, seeds: int, reduced: bool, only: tuple[str, ...] = ()) -> None:
        """Train and measure every arm with every seed, or those named in `only`, and write tables and figures to `out`.

        Raises:
            ValueError: `only` names an arm that is not there, or a run directory is of another configuration.
        """
        check_arms(only, self.arms)
        for seed in range(seeds):
            for name in only or self.arms:
                _record(out, name, _reduce(self.arms[name].config, seed, reduced), reduced, self.animated and seed == 0)
        records = read_records(out, self.arms)
        labels = {name: self.arms[name].label for name in records}
        described = {name: {"label": labels[name], **spread(found, COLUMNS)} for name, found in records.items()}
        results = {"reduced": reduced, "arms": described}
        atomic_write(out / "results.json", json.dumps(results, indent=1) + "\n")
        groups: dict[str, list[str]] = {}
        for name in records:
            groups.setdefault(self.arms[name].mixture, []).append(name)
        told = "Mean ± standard deviation over seeds."
        if reduced:
            told += " The smallest form: the numbers mean nothing."
        tables = [
            f"{_title(mixture)}:\n\n{table({name: described[name] for name in names}, COLUMNS)}"
            for mixture, names in groups.items()
        ]
        atomic_write(out / "results.md", "\n\n".join([told, *tables]) + "\n")
        _pictures(out, {_title(m): {labels[n]: n for n in names} for m, names in groups.items()}, records)
        _curves({_title(m): {labels[n]: records[n] for n in names} for m, names in groups.items()}).savefig(
            out / "curves.png", dpi=110
        )


def _title(mixture: str) -> str:
    return f"{mixture}, {len(MIXTURES[mixture].centres)} modes"


def _reduce(config: TrainConfig, seed: int, reduced: bool) -> TrainConfig:
    """The configuration with a seed; the smallest form has a few steps."""
    config = replace(config, seed=seed)
    if reduced:
        recipe = replace(config.recipe, width=8)  # type: ignore[call-arg]
        config = replace(config, recipe=recipe, steps=6, eval_every=2, eval_images=32, sample_every=3, batch_size=16)
    return resolve(config)


def _record(out: Path, arm: str, config: TrainConfig, reduced: bool, animated: bool) -> None:
    """Train and measure one run, unless its record says that this was done."""
    path, asked = record_path(out, arm, config.seed), config_to_json(config)
    if is_done(path, asked):
        return
    directory = out / "runs" / path.stem
    if not (directory / "config.json").exists():
        create_run(directory, config)
    elif open_run(directory) != config:
        raise ValueError(f"{directory} is a run of another configuration; remove it, or name another --out")
    fit(directory)
    _, generator = load_generator(directory)
    latents = private_inputs(config, 0, "evaluate", _FEW_POINTS if reduced else _POINTS)
    figures = config.domain.summarize(generate(generator, latents, config.domain))
    pictures = sorted((directory / "samples").glob("step-*.png"))
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path.with_suffix(".png"), pictures[-1].read_bytes())
    if animated:
        _animate(pictures, path.with_suffix(".gif"))
    told = {"config": asked, "seconds": seconds_trained(directory), "figures": figures, **_history(directory)}
    atomic_write(path, json.dumps(told) + "\n")


def _history(directory: Path) -> dict[str, Any]:
    """The evaluations, and the first step at which points on a line had come near."""
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    points = [line for line in lines if "samples/score" in line]
    keys = [key for key in ("score", "modes", "wasserstein") if f"samples/{key}" in points[0]]
    curve = {key: [round(p[f"samples/{key}"], 5) for p in points] for key in keys}
    near = (p["generator_step"] for p in points if p.get("samples/wasserstein", math.inf) < _NEAR)
    return {
        "curve": {"generator_step": [p["generator_step"] for p in points], **curve},
        "converged": next(near, None),
    }


def _animate(pictures: list[Path], path: Path) -> None:
    """Write the pictures of a training as a GIF, each with its step."""
    frames = []
    for picture in pictures:
        with Image.open(picture) as image:
            frame = image.convert("RGB")
        ImageDraw.Draw(frame).text((frame.width - 90, 4), f"step {int(picture.stem[5:]):,}", fill="black")
        frames.append(frame.quantize(32))
    with atomic_file(path) as file:
        frames[0].save(
            file, "GIF", save_all=True, append_images=frames[1:], duration=[*[_FRAME] * (len(frames) - 1), 2000], loop=0
        )


def _found_all(record: Record) -> float:
    return float(record["figures"]["modes"] == len(MIXTURES[record["config"]["data"]["mixture"]].centres))


COLUMNS: Columns = {
    "modes": ("modes found", lambda r: r["figures"]["modes"], ".1f"),
    "all": ("seeds with all", _found_all, ".0%"),
    "quality": ("high quality", lambda r: r["figures"]["score"], ".1%"),
    "reverse_kl": ("reverse KL", lambda r: r["figures"]["reverse_kl"], ".3f"),
    "wasserstein": ("distance", lambda r: r["figures"].get("wasserstein"), ".3f"),
    "converged": ("first step near", lambda r: r["converged"], ",.0f"),
    "minutes": ("minutes", lambda r: r["seconds"] / 60, ".1f"),
}


def _pictures(out: Path, groups: dict[str, dict[str, str]], records: dict[str, list[Record]]) -> None:
    """Where the points of the first seed lie in the end: mixtures in rows."""
    rows = []
    for title, arms in groups.items():
        figure = Figure(figsize=(3.2 * len(arms), 3.5), layout="constrained")
        figure.suptitle(title, fontsize=10)
        for axes, (label, name) in zip(np.atleast_1d(figure.subplots(1, len(arms))), arms.items(), strict=True):
            with Image.open(record_path(out, name, records[name][0]["config"]["seed"]).with_suffix(".png")) as image:
                axes.imshow(np.asarray(image))
            axes.set_title(label, fontsize=9)
            axes.set_axis_off()
        rows.append(figure)
    for title, figure in zip(groups, rows, strict=True):
        figure.savefig(out / f"points-{title.partition(',')[0]}.png", dpi=110)


def _curves(groups: dict[str, dict[str, list[Record]]]) -> Figure:
    """Modes found over the training, or the distance of points on a line: one line a seed."""
    figure = Figure(figsize=(8, 2.6 * len(groups)), layout="constrained")
    for axes, (title, arms) in zip(np.atleast_1d(figure.subplots(len(groups))), groups.items(), strict=True):
        for k, (label, found) in enumerate(arms.items()):
            for first, record in enumerate(found):
                curve = record["curve"]
                key = "wasserstein" if "wasserstein" in curve else "modes"
                told = None if first else label
                axes.plot(curve["generator_step"], curve[key], color=f"C{k}", lw=1.1, label=told)
        axes.set(ylabel="distance" if key == "wasserstein" else "modes found")
        if key == "wasserstein":
            axes.set_yscale("log")
            axes.axhline(_NEAR, color="0.6", lw=0.8, ls="--")
        axes.set_title(title, fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
    axes.set_xlabel("generator step")
    return figure
