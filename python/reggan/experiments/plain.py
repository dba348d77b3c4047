"""Plain studies: arms are compared by what their samples' domain knows of them, without references."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw

from ..config import TrainConfig, config_to_json
from ..data import Blobs
from ..files import atomic_file, atomic_write, write_json
from ..report import write_report
from ..training import create_run, fit, load_networks, open_run, resolve, seconds_trained
from .measures import NEAR, Measure
from .records import (
    Columns,
    Record,
    check_arms,
    is_done,
    read_lines,
    read_records,
    record_path,
    save_picture,
    spread,
    table,
)

__all__ = ["PlainArm", "PlainStudy"]

Groups = Mapping[str, Mapping[str, list[Record]]]
"""The records of each seed, by the label of their arm, by group."""

_LINES = 200
_ACCURACY = "discriminator/accuracy"
_CURVES = {"modes": "modes found", "score": "kept on the way back", "wasserstein": "distance"}
"""What figures that are drawn over the training are called."""
_FRAME = 120
"""Milliseconds of a picture in the animation."""


@dataclass(frozen=True)
class PlainArm:
    """One line of a table."""

    label: str
    group: str
    """The table that it is in."""
    config: TrainConfig
    prepare: Callable[[], None] | None = None
    """Makes its data, where they are not there yet, before the first run."""


@dataclass(frozen=True)
class PlainStudy:
    """What `python -m reggan.experiment NAME` runs."""

    about: str
    arms: Callable[[Path], Mapping[str, PlainArm]]
    """Arms by name, those of a group one after the other, given a folder for data that have to be made."""
    columns: Columns
    count: int
    """Samples that are measured."""
    curve: str
    """What is drawn over the training: a figure of the evaluations."""
    measure: Measure
    """What is measured in the end."""
    expected: tuple[float, ...] = ()
    """Wanted shares of images by their number of pieces, from 0: where given, those found are drawn."""
    animated: bool = False
    """Whether the training with the first seed is kept as a GIF, too."""

    def run(self, out: Path, seeds: int, reduced: bool, only: tuple[str, ...] = ()) -> None:
        """Train and measure every arm with every seed, or those named in `only`, and write tables and figures to `out`.

        Raises:
            ValueError: `only` names an arm that is not there, or a run directory is of another configuration.
        """
        arms = self.arms(out / "runs")
        check_arms(only, arms)
        for seed in range(seeds):
            for name in only or arms:
                self._record(out, name, arms[name], seed, reduced)
        records = read_records(out, arms)
        described = {
            name: {"label": arms[name].label, **spread(found, self.columns)} for name, found in records.items()
        }
        write_json(out / "results.json", {"reduced": reduced, "arms": described}, indent=1)
        groups: dict[str, dict[str, str]] = {}
        for name in records:
            groups.setdefault(arms[name].group, {})[arms[name].label] = name
        told = "Mean ± standard deviation over seeds."
        if reduced:
            told += " The smallest form: the numbers mean nothing."
        tables = [
            f"{group}:\n\n{table({name: described[name] for name in names.values()}, self.columns)}"
            for group, names in groups.items()
        ]
        atomic_write(out / "results.md", "\n\n".join([told, *tables]) + "\n")
        for k, (group, names) in enumerate(groups.items(), start=1):
            shown = {label: records[name][0] for label, name in names.items()}
            save_picture(_pictures(out, group, shown, names), out / f"samples-{k}.png")
        by_label = {group: {label: records[name] for label, name in names.items()} for group, names in groups.items()}
        save_picture(_curves(by_label, self.curve), out / "curves.png")
        save_picture(_losses(by_label), out / "losses.png")
        if self.expected:
            save_picture(_bars(by_label, self.expected), out / "counts.png")

    def _record(self, out: Path, name: str, arm: PlainArm, seed: int, reduced: bool) -> None:
        """Train and measure one run, unless its record says that this was done."""
        config = _reduce(arm.config, seed, reduced)
        path, asked = record_path(out, name, seed), config_to_json(config)
        if is_done(path, asked):
            return
        if arm.prepare:
            arm.prepare()
        directory = out / "runs" / path.stem
        if not (directory / "config.json").exists():
            create_run(directory, config)
        elif open_run(directory) != config:
            raise ValueError(f"{directory} is a run of another configuration; remove it, or name another --out")
        fit(directory)
        write_report(directory)
        _, networks = load_networks(directory)
        figures, picture = self.measure(config, networks, 100 if reduced else self.count)
        pictures = sorted((directory / "samples").glob("step-????????.png"))
        path.parent.mkdir(parents=True, exist_ok=True)
        save_picture(picture or Image.open(pictures[-1]), path.with_suffix(".png"))
        if self.animated and config.seed == 0:
            _animate(pictures, path.with_suffix(".gif"))
        told = {
            "config": asked,
            "seconds": round(seconds_trained(directory), 1),
            "rate": _rate(directory),
            "parameters": sum(parameter.numel() for parameter in networks["generator"].parameters()),
            "figures": figures,
            "curve": _curve(directory),
            "losses": _thinned(directory),
        }
        write_json(path, told)


def _reduce(config: TrainConfig, seed: int, reduced: bool) -> TrainConfig:
    """The configuration with a seed; the smallest form has a few steps."""
    config = replace(config, seed=seed)
    if reduced:
        recipe = replace(config.recipe, width=8)  # type: ignore[call-arg]
        data = replace(config.data, images=200) if isinstance(config.data, Blobs) else config.data
        config = replace(config, recipe=recipe, data=data, steps=6, eval_every=2, eval_images=32, sample_every=3)
        config = replace(config, batch_size=4)
    return resolve(config)


def _rate(directory: Path) -> float:
    """Images or points a second, the median over the lines of the training."""
    lines = read_lines(directory / "timings.jsonl")
    return round(float(statistics.median(line["images_per_second"] for line in lines)), 1)


def _curve(directory: Path) -> dict[str, list[float]]:
    """The figures of the evaluations, and their steps."""
    points = [line for line in read_lines(directory / "metrics.jsonl") if "samples/score" in line]
    keys = [key for key in points[0] if key.startswith("samples/")]
    curve = {key.removeprefix("samples/"): [round(point[key], 5) for point in points] for key in keys}
    return {"generator_step": [point["generator_step"] for point in points], **curve}


def _thinned(directory: Path) -> dict[str, list[float]]:
    """Losses and the discriminator's accuracy over the training, at some of its steps."""
    lines = [line for line in read_lines(directory / "metrics.jsonl") if "generator/loss" in line]
    chosen = lines[:: max(1, len(lines) // _LINES)]
    keys = [key for key in chosen[0] if key.endswith("/loss") or key == _ACCURACY]
    return {"step": [line["step"] for line in chosen]} | {key: [round(line[key], 4) for line in chosen] for key in keys}


def _animate(pictures: list[Path], path: Path) -> None:
    """Write the pictures of a training as a GIF, each with its step."""
    frames = []
    for picture in pictures:
        with Image.open(picture) as image:
            frame = image.convert("RGB")
        ImageDraw.Draw(frame).text((4, frame.height - 16), f"step {int(picture.stem[5:]):,}", fill="black")
        frames.append(frame.quantize(32))
    with atomic_file(path) as file:
        frames[0].save(
            file, "GIF", save_all=True, append_images=frames[1:], duration=[*[_FRAME] * (len(frames) - 1), 2000], loop=0
        )


def _pictures(out: Path, group: str, shown: dict[str, Record], names: dict[str, str]) -> Figure:
    """What samples of the first seed look like in the end, arms side by side."""
    figure = Figure(figsize=(3.2 * len(shown), 3.6), layout="constrained")
    figure.suptitle(group, x=0.01, ha="left", fontsize=10)
    for axes, (label, record) in zip(np.atleast_1d(figure.subplots(1, len(shown))), shown.items(), strict=True):
        with Image.open(record_path(out, names[label], record["config"]["seed"]).with_suffix(".png")) as image:
            axes.imshow(np.asarray(image.convert("RGB")))
        axes.set_title(label, fontsize=9)
        axes.set_axis_off()
    return figure


def _colors(groups: Groups) -> dict[str, str]:
    """One color for each label, the same in every group."""
    return {
        label: f"C{k}" for k, label in enumerate(dict.fromkeys(label for arms in groups.values() for label in arms))
    }


def _curves(groups: Groups, key: str) -> Figure:
    """A figure over the training: one line a seed."""
    colors = _colors(groups)
    figure = Figure(figsize=(8, 2.6 * len(groups)), layout="constrained")
    for axes, (group, arms) in zip(np.atleast_1d(figure.subplots(len(groups))), groups.items(), strict=True):
        for label, found in arms.items():
            for first, record in enumerate(found):
                curve, told = record["curve"], None if first else label
                axes.plot(curve["generator_step"], curve[key], color=colors[label], lw=1.1, label=told)
        if key == "wasserstein":
            axes.set_yscale("log")
            axes.axhline(NEAR, color="0.6", lw=0.8, ls="--")
        if key == "modes":
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_ylabel(_CURVES.get(key, key))
        axes.set_title(group, fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
    axes.set_xlabel("generator step")
    return figure


def _losses(groups: Groups) -> Figure:
    """Losses of every network and the discriminator's accuracy over the training, of the first seed."""
    found = [record["losses"] for arms in groups.values() for records in arms.values() for record in records[:1]]
    keys, colors = sorted({key for losses in found for key in losses} - {"step"}), _colors(groups)
    figure = Figure(figsize=(3.4 * len(keys), 2.3 * len(groups)), layout="constrained")
    rows = figure.subplots(len(groups), len(keys), squeeze=False)
    for row, (group, arms) in zip(rows, groups.items(), strict=True):
        for axes, key in zip(row, keys, strict=True):
            for label, records in arms.items():
                losses = records[0]["losses"]
                if key in losses:
                    axes.plot(losses["step"], losses[key], color=colors[label], lw=0.8, label=label)
            if not axes.lines:
                axes.set_axis_off()
                continue
            axes.set_title(f"{group}: {key.replace('/', ' ')}", fontsize=8, loc="left")
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=7)
        row[-1].legend(frameon=False, fontsize=7)
    return figure


def _bars(groups: Groups, expected: tuple[float, ...]) -> Figure:
    """Shares of images by their number of pieces, mean over the seeds; lines are the data."""
    arms = {f"{group}: {label}": found for group, names in groups.items() for label, found in names.items()}
    figure = Figure(figsize=(7, 1.5 * len(arms)), layout="constrained")
    rows = figure.subplots(len(arms), squeeze=False, sharex=True, sharey=True)
    last = len(expected) + 5
    for (axes,), (label, found) in zip(rows, arms.items(), strict=True):
        shares = np.zeros(last + 1)
        counted = [np.array(r["figures"]["counts"], float) for r in found if "counts" in r["figures"]]
        for counts in counted:
            np.add.at(shares, np.minimum(np.arange(len(counts)), last), counts / counts.sum() / len(counted))
        axes.bar(np.arange(last + 1), shares, color="0.35")
        places = np.arange(len(expected))
        axes.hlines(expected, places - 0.5, places + 0.5, color="C3", lw=1.2)
        axes.set_title(label, fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    axes.set(xlabel="pieces", xticks=range(last + 1))
    axes.set_xticklabels([*map(str, range(last)), f"{last}+"])
    return figure
