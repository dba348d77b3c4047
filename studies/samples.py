"""Comparison without references: losses, metrics over the training, and pictures of samples."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw

from reggan.config import TrainConfig
from reggan.files import atomic_file
from reggan.recording import seconds_trained
from reggan.runs import RunDirectory
from reggan.tables import describe

from .figures import Picture, colors, draw_curves, label_pieces, legend_beside, mean_shares, open_frame, save_picture
from .measures import NEAR, Measure
from .records import Columns, Record, Records, picture_path, read_lines, run_directory
from .runs import TrainingRuns, evaluations, train
from .study import Arms, by_group

__all__ = ["BySamples"]

Groups = Mapping[str, Records]
"""The records of all seeds by the label of their arm, by group."""

_FEW = 100
"""Number of samples to measure in the reduced form."""
_LINES = 200
_ACCURACY = "discriminator/accuracy"
_FRAME = 120
"""Milliseconds of a picture in the animation."""


@dataclass(frozen=True)
class BySamples(TrainingRuns):
    """Measures the samples of every arm without references."""

    columns: Columns
    count: int
    """Number of samples to measure."""
    curve: str
    """Metric to plot over the training."""
    final: Measure
    """Measures the trained networks."""
    expected: tuple[float, ...] = ()
    """Shares of the data by number of pieces, from 0, to plot with those of the samples."""
    animated: bool = False
    """Whether to save the training with the first seed as a GIF."""

    lead = ()
    note = ""

    def measure(self, path: Path, config: TrainConfig, standard: TrainConfig, reduced: bool) -> Record:
        """Train and measure a run; its picture is the measure's, or the last samples."""
        directory = run_directory(path)
        train(directory, config)
        networks = RunDirectory.open(directory).load_networks()
        figures, picture = self.final(config, networks, _FEW if reduced else self.count)
        sheets = sorted((directory / "samples").glob("step-????????.png"))
        save_picture(picture or Image.open(sheets[-1]), path.with_suffix(".png"))
        if self.animated and config.seed == 0:
            _animate(sheets, path.with_suffix(".gif"))
        lines = read_lines(directory / "metrics.jsonl")
        return {
            "seconds": round(seconds_trained(directory), 1),
            "rate": _rate(directory),
            "parameters": sum(parameter.numel() for parameter in networks["generator"].parameters()),
            "figures": figures,
            "curve": evaluations(lines),
            "losses": _thinned(lines),
        }

    def draw(self, out: Path, arms: Arms[TrainConfig], records: Records) -> Iterator[tuple[str, Picture]]:
        """Samples of each group, metric and losses over the training, and shares by number of pieces."""
        groups: dict[str, Records] = {}
        for k, (group, names) in enumerate(by_group(arms, records).items(), start=1):
            groups[group] = {arms[name].label: records[name] for name in names}
            pictures = {arms[name].label: picture_path(out, name, records) for name in names}
            yield f"samples-{k}.png", _side_by_side(group, pictures)
        yield "curves.png", _curves(groups, self.curve)
        yield "losses.png", _losses(groups)
        if self.expected:
            yield "counts.png", _bars(groups, self.expected)


def _rate(directory: Path) -> float:
    """Images or points per second, the median over the lines of the training."""
    lines = read_lines(directory / "timings.jsonl")
    return round(float(statistics.median(line["images_per_second"] for line in lines)), 1)


def _thinned(lines: list[Record]) -> dict[str, list[float]]:
    """Losses and the discriminator's accuracy at some steps of the training."""
    lines = [line for line in lines if "generator/loss" in line]
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
    durations = [*[_FRAME] * (len(frames) - 1), 2000]
    with atomic_file(path) as file:
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)


def _side_by_side(title: str, pictures: Mapping[str, Path]) -> Figure:
    """Pictures under their labels."""
    figure = Figure(figsize=(3.2 * len(pictures), 3.6), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    for axes, (label, path) in zip(np.atleast_1d(figure.subplots(1, len(pictures))), pictures.items(), strict=True):
        with Image.open(path) as image:
            axes.imshow(np.asarray(image.convert("RGB")))
        axes.set_title(label, fontsize=9)
        axes.set_axis_off()
    return figure


def _colors(groups: Groups) -> dict[str, str]:
    """A color for each label, the same in every group."""
    return colors(label for arms in groups.values() for label in arms)


def _curves(groups: Groups, key: str) -> Figure:
    """A metric over the training: one line per seed."""
    by_label = _colors(groups)
    figure = Figure(figsize=(8, 2.6 * len(groups)), layout="constrained")
    for axes, (group, arms) in zip(np.atleast_1d(figure.subplots(len(groups))), groups.items(), strict=True):
        for label, found in arms.items():
            draw_curves(axes, found, key, label, by_label[label])
        if key == "wasserstein":
            axes.set_yscale("log")
            axes.axhline(NEAR, color="0.6", lw=0.8, ls="--")
        if key == "modes":
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_ylabel("kept on the way back" if key == "score" else describe(key).label)
        axes.set_title(group, fontsize=9, loc="left")
        open_frame(axes)
        legend_beside(axes, fontsize=8)
    axes.set_xlabel("generator step")
    return figure


def _losses(groups: Groups) -> Figure:
    """Losses of every network and the discriminator's accuracy over the training, of the first seed."""
    first = {group: {label: found[0]["losses"] for label, found in arms.items()} for group, arms in groups.items()}
    keys = sorted({key for arms in first.values() for losses in arms.values() for key in losses} - {"step"})
    by_label = _colors(groups)
    figure = Figure(figsize=(3.4 * len(keys), 2.3 * len(groups)), layout="constrained")
    rows = figure.subplots(len(groups), len(keys), squeeze=False)
    for row, (group, arms) in zip(rows, first.items(), strict=True):
        for axes, key in zip(row, keys, strict=True):
            for label, losses in arms.items():
                if key in losses:
                    axes.plot(losses["step"], losses[key], color=by_label[label], lw=0.8, label=label)
            if not axes.lines:
                axes.set_axis_off()
                continue
            axes.set_title(f"{group}: {key.replace('/', ' ')}", fontsize=8, loc="left")
            open_frame(axes)
            axes.tick_params(labelsize=7)
        row[-1].legend(frameon=False, fontsize=7)
    return figure


def _bars(groups: Groups, expected: tuple[float, ...]) -> Figure:
    """Mean shares of images by number of pieces over the seeds; lines are those of the data."""
    arms = {f"{group}: {label}": found for group, names in groups.items() for label, found in names.items()}
    figure = Figure(figsize=(7, 1.5 * len(arms)), layout="constrained")
    rows = figure.subplots(len(arms), squeeze=False, sharex=True, sharey=True)
    last = len(expected) + 5
    for (axes,), (label, found) in zip(rows, arms.items(), strict=True):
        counted = [record["figures"]["counts"] for record in found if "counts" in record["figures"]]
        axes.bar(np.arange(last + 1), mean_shares(counted, last), color="0.35")
        positions = np.arange(len(expected))
        axes.hlines(expected, positions - 0.5, positions + 0.5, color="C3", lw=1.2)
        axes.set_title(label, fontsize=9, loc="left")
        open_frame(axes)
    label_pieces(axes, last)
    return figure
