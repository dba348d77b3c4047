"""A study: several arms, each a configuration, trained with several seeds and measured against the same references.

Every run leaves a record, a JSON file with its configuration and its figures. A run whose record is there is not
trained again, so that a study is done in as many sittings as it needs; tables and figures are made of the records.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ..config import TrainConfig, config_to_json
from ..data import Blobs
from ..domains import Images
from ..drawing import highlight, panels
from ..evaluate import evaluate, held_out_images, histograms, reference_images, training_images
from ..files import atomic_write, write_json
from ..metrics import compare
from ..recipes import Harvest, RegGAN
from ..report import write_report
from ..rules import darkest, resolve_rule
from ..training import create_run, fit, generate, load_generator, open_run, private_inputs, resolve, seconds_trained
from .records import (
    MINUTES,
    Columns,
    Record,
    asks_the_same,
    check_arms,
    is_done,
    read_lines,
    read_record,
    read_records,
    record_path,
    save_picture,
    spread,
    table,
)

__all__ = ["Arm", "Study"]

_IMAGES, _FEW_IMAGES = 2000, 100
"""Images that are measured, and in the smallest form."""
_TRIES = 20
"""Rejection looks at so many images for each one that is measured."""
_OF_DATA = 10_000
"""Images of the data behind the histograms."""
_SHOWN = 32
_COLUMNS = 4
_FEWEST = 100
_MANY = 9
"""Images with so many pieces or more are one bar."""


@dataclass(frozen=True)
class Arm:
    """One line of a study's table."""

    label: str
    config: TrainConfig
    prepare: Callable[[], None] | None = None
    """Makes its data, where they are not there yet, before the first run."""


@dataclass(frozen=True)
class Study:
    """What `python -m reggan.experiment NAME` runs."""

    about: str
    arms: Callable[[Path], dict[str, Arm]]
    """Arms by name, given a folder for data that have to be made. All are measured by the rule and the references of
    the first one."""
    shown: tuple[str, ...] = ()
    """Arms in the picture of samples, after the first one's data; none given is all."""
    pieces: bool = True
    """Whether that picture tells the largest piece of an image from the others."""

    def run(self, out: Path, seeds: int, reduced: bool, only: tuple[str, ...] = ()) -> None:
        """Train and measure every arm with every seed, or those named in `only`, and write tables and figures to `out`.

        Raises:
            ValueError: `only` names an arm that is not there, or a run directory is of another configuration.
        """
        arms = self.arms(out / "runs")
        check_arms(only, arms)
        judge = next(iter(arms.values())).config
        for seed in range(seeds):
            for name in only or arms:
                config, standard = (_reduce(c, seed, reduced) for c in (arms[name].config, judge))
                _record(out, name, config, standard, _FEW_IMAGES if reduced else _IMAGES, arms[name].prepare)
        records = read_records(out, arms)
        labels = {name: arms[name].label for name in records}
        reference = next(iter(records.values()))[0]["reference"]
        described = {name: {"label": labels[name], **spread(found, COLUMNS)} for name, found in records.items()}
        results = {"reduced": reduced, "reference": reference, "arms": described}
        write_json(out / "results.json", results, indent=1)
        atomic_write(out / "results.md", _tables(described, reference, reduced))
        save_picture(_curves(records, labels), out / "scores.png")
        save_picture(_frontier(described), out / "frontier.png")
        rule = resolve_rule(judge.rule)
        data = training_images(judge.data.open(judge.size, rule), _OF_DATA)
        counted = {"data set": [histograms(data, rule)]} | {
            labels[name]: [record["figures"]["histograms"] for record in found] for name, found in records.items()
        }
        save_picture(_bars(counted), out / "histograms.png")
        tiles = {"data set": data[:_SHOWN]} | {
            labels[name]: _read_tiles(
                record_path(out, name, records[name][0]["config"]["seed"]).with_suffix(".png"), judge.size
            )
            for name in self.shown or records
            if name in records
        }
        if self.pieces:
            tiles = {label: highlight(darkest(images)) for label, images in tiles.items()}
        save_picture(panels(tiles, _COLUMNS), out / "samples.png")


def _reduce(config: TrainConfig, seed: int, reduced: bool) -> TrainConfig:
    """The configuration with a seed; the smallest form has the same stages in a few steps."""
    config = replace(config, seed=seed)
    if reduced:
        options: dict[str, Any] = {"width": 4}
        if isinstance(config.recipe, Harvest | RegGAN):
            options |= {"classifier_steps": 4, "classifier_width": 4, "warmup": 2 / 6}
        if isinstance(config.recipe, Harvest):
            options |= {"kept": 20, "replay": 40}
        data = replace(config.data, images=200) if isinstance(config.data, Blobs) else config.data
        recipe = replace(config.recipe, **options)
        config = replace(config, recipe=recipe, data=data, steps=6, eval_every=2, eval_images=32, batch_size=8)
    return resolve(config)


def _record(
    out: Path,
    arm: str,
    config: TrainConfig,
    judge: TrainConfig,
    count: int,
    prepare: Callable[[], None] | None = None,
) -> None:
    """Train and measure one run, unless its record says that this was done, or another study's beside this one."""
    path, asked = record_path(out, arm, config.seed), config_to_json(config)
    if is_done(path, asked) or (config == judge and _found_beside(path, asked)):
        return
    if prepare:
        prepare()
    directory = out / "runs" / path.stem
    if not (directory / "config.json").exists():
        _begin(directory, config)
    elif open_run(directory) != config:
        raise ValueError(f"{directory} is a run of another configuration; remove it, or name another --out")
    fit(directory)
    write_report(directory)
    path.parent.mkdir(parents=True, exist_ok=True)
    measured, shown = _measure(directory, judge, count)
    save_picture(_tiles(shown), path.with_suffix(".png"))
    told = {"config": asked, "is_judge": config == judge, "seconds": round(seconds_trained(directory), 1)}
    write_json(path, {**told, **measured, **_history(directory, config)})


def _begin(directory: Path, config: TrainConfig) -> None:
    """Make a run directory. What Harvest does before the first harvest is done once for all arms that share it."""
    if not isinstance(config.recipe, Harvest):
        create_run(directory, config)
        return
    recipe, steps = config.recipe.opening(config.steps)
    falls = config.recipe.warmup > 1 - config.decay
    opening = replace(config, recipe=recipe, decay=config.decay if falls else 0.0)
    named = hashlib.sha256(json.dumps(config_to_json(opening)).encode()).hexdigest()[:12]
    source, copied = directory.with_name(f"opening-{named}"), directory.with_name(f"{directory.name}-begun")
    if not (source / "config.json").exists():
        create_run(source, opening)
    fit(source, until=steps)
    shutil.rmtree(copied, ignore_errors=True)
    create_run(copied, config)
    for part in ("checkpoints", "samples"):
        shutil.copytree(source / part, copied / part, dirs_exist_ok=True)
    for name in ("metrics.jsonl", "timings.jsonl"):
        shutil.copyfile(source / name, copied / name)
    copied.rename(directory)


def _found_beside(path: Path, asked: Record) -> bool:
    """Whether a study beside this one has a record of this configuration, as its judge; it is then copied here."""
    for other in sorted(path.resolve().parents[2].glob(f"*/records/*-seed{asked['seed']}.json")):
        record = read_record(other)
        # Records of other kinds of experiments have configurations of other kinds, and no judge.
        if record.get("is_judge") and asks_the_same(record["config"], asked):
            path.parent.mkdir(parents=True, exist_ok=True)
            for suffix in (".png", ".json"):
                atomic_write(path.with_suffix(suffix), other.with_suffix(suffix).read_bytes())
            return True
    return False


def _measure(directory: Path, judge: TrainConfig, count: int) -> tuple[dict[str, Any], Images]:
    """Figures of a run's images, as they come and after rejection by the exact rule, and some of the images."""
    config, generator = load_generator(directory)
    rule = resolve_rule(judge.rule)
    data = judge.data.open(judge.size, rule)
    reference, about = reference_images(judge, data, count)

    def drawn(part: int) -> Images:
        return generate(generator, private_inputs(config, part, "evaluate", count), config.domain)

    images = drawn(0)
    # Rendered images that an arm trains on are among the judge's.
    held_out = held_out_images(judge) if isinstance(config.data, Blobs) else None
    training = training_images(data, 0 if held_out is None else len(held_out))
    figures = evaluate(images, reference, training, held_out, rule)
    ink = float((darkest(reference) < 128).mean())
    figures["ink_of_reference"] = figures["ink"] / ink if ink else math.nan
    kept = [images[rule(darkest(images)) >= 1]]
    for part in range(1, _TRIES):
        found = sum(map(len, kept))
        # Where hardly any obeys, looking on would not bring enough to compare.
        if found >= count or found * _TRIES < _FEWEST * part:
            break
        more = drawn(part)
        kept.append(more[rule(darkest(more)) >= 1])
    obeying = np.concatenate(kept)
    rejected: dict[str, Any] = {"acceptance": len(obeying) / (count * len(kept)), "images": min(len(obeying), count)}
    if len(obeying) >= _FEWEST:
        rejected |= compare(obeying[:count], reference)
    return {"reference": about, "figures": figures, "rejected": rejected}, images[:_SHOWN]


def _history(directory: Path, config: TrainConfig) -> dict[str, Any]:
    """What metrics.jsonl tells of the way: evaluations, the honesty gap at the end, the worst batch of the last third.

    The honesty gap is the mean over the last fifth of the evaluations.
    """
    lines = read_lines(directory / "metrics.jsonl")
    points = [line for line in lines if "samples/score" in line]
    keys = ("score", "one_piece", "ink", "expected_score")
    curve = {key: [round(p[f"samples/{key}"], 5) for p in points] for key in keys if f"samples/{key}" in points[-1]}
    found: dict[str, Any] = {"curve": {"generator_step": [p["generator_step"] for p in points], **curve}}
    if "expected_score" in curve:
        last = -max(1, len(points) // 5)
        gaps = np.subtract(curve["expected_score"][last:], curve["score"][last:])
        found["honesty_gap"] = float(gaps.mean())
    batches = [line for line in lines if "generator/batch_score" in line]
    late = [b for b in batches if b["generator_step"] > config.steps * 2 / 3]
    if late:
        worst = min(late, key=lambda b: b["generator/batch_score"])
        found["worst_batch"] = {
            "score": worst["generator/batch_score"],
            "generator_step": worst["generator_step"],
            "batches": len(late),
        }
    return found


def _blank(components: list[int]) -> float:
    """Share of images without a single piece."""
    return components[0] / sum(components)


COLUMNS: Columns = {
    "score": ("exact score", lambda r: r["figures"]["score"], ".3f"),
    "obeying": ("obeying", lambda r: r["figures"]["obeying"], ".1%"),
    "one_piece": ("one piece", lambda r: r["figures"]["one_piece"], ".1%"),
    "blank": ("without ink", lambda r: _blank(r["figures"]["histograms"]["components"]), ".2%"),
    "ink": ("ink / reference", lambda r: r["figures"]["ink_of_reference"], ".2f"),
    "coverage": ("coverage", lambda r: r["figures"]["coverage"], ".3f"),
    "frechet": ("Fréchet", lambda r: r["figures"]["frechet"], ".1f"),
    "vendi": ("Vendi / reference", lambda r: r["figures"]["vendi"], ".2f"),
    "copies": ("copies", lambda r: r["figures"].get("copies"), ".3f"),
    "acceptance": ("kept by rejection", lambda r: r["rejected"]["acceptance"], ".1%"),
    "rejected_coverage": ("coverage after it", lambda r: r["rejected"].get("coverage"), ".3f"),
    "rejected_frechet": ("Fréchet after it", lambda r: r["rejected"].get("frechet"), ".1f"),
    "honesty_gap": ("honesty gap", lambda r: r.get("honesty_gap"), ".3f"),
    "worst_batch": ("worst batch", lambda r: r.get("worst_batch", {}).get("score"), ".3f"),
    "minutes": MINUTES,
}
_FIRST = ("score", "obeying", "ink", "coverage", "frechet")
"""Those of the first table; the others are in the second."""


def _tables(arms: dict[str, Any], reference: str, reduced: bool) -> str:
    first = {key: COLUMNS[key] for key in _FIRST}
    second = {key: column for key, column in COLUMNS.items() if key not in _FIRST}
    told = f"Mean ± standard deviation over seeds. Reference: {reference}."
    if reduced:
        told += " The smallest form: the numbers mean nothing."
    return "\n\n".join([told, table(arms, first), table(arms, second)]) + "\n"


def _colors(names: list[str]) -> dict[str, Any]:
    from matplotlib import colormaps

    return {name: colormaps["tab10"](k % 10) for k, name in enumerate(names)}


def _curves(records: dict[str, list[dict[str, Any]]], labels: dict[str, str]) -> Figure:
    """The paper's figure: mean exact score of generated images over training, one line a seed."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for name, color in _colors(list(records)).items():
        for k, record in enumerate(records[name]):
            curve = record["curve"]
            axes.plot(curve["generator_step"], curve["score"], color=color, lw=1.1, label=None if k else labels[name])
    axes.set(xlabel="generator step", ylabel="mean exact score", ylim=(0, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _frontier(arms: dict[str, Any]) -> Figure:
    """Obeying against looking right: filled as the images come, hollow after rejection, which obeys by its nature."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, color in _colors(list(arms)).items():
        arm = arms[name]
        axes.scatter(arm["obeying"]["seeds"], arm["coverage"]["seeds"], color=color, s=34, label=arm["label"])
        if "rejected_coverage" in arm:
            after = arm["rejected_coverage"]["seeds"]
            axes.scatter([1.0] * len(after), after, s=34, facecolors="none", edgecolors=[color])
    axes.set(xlabel="share of images that obey the rule", ylabel="coverage of the reference", xlim=(-0.03, 1.03))
    axes.set_ylim(-0.03, 1.03)
    axes.set_title("hollow: after rejection of every image that fails", fontsize=9, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _bars(counted: dict[str, list[Record]]) -> Figure:
    """The paper's histograms: shares of images by score and by number of pieces, over all seeds.

    Each has a scale of its own.
    """
    figure = Figure(figsize=(8, 0.6 + 0.85 * len(counted)), layout="constrained")
    rows = figure.subplots(len(counted), 2, squeeze=False, sharex="col", width_ratios=[3, 2])
    for (by_score, by_pieces), (label, found) in zip(rows, counted.items(), strict=True):
        scores = np.mean([np.divide(h["score"], sum(h["score"])) for h in found], axis=0)
        by_score.stairs(scores, found[0]["score_edges"], fill=True, color="0.25")
        pieces = np.zeros(_MANY + 1)
        for histogram in found:
            shares = np.divide(histogram["components"], sum(histogram["components"]))
            np.add.at(pieces, np.minimum(np.arange(len(shares)), _MANY), shares / len(found))
        by_pieces.bar(np.arange(_MANY + 1), pieces, color="0.25")
        by_score.set_title(label, fontsize=9, loc="left")
        for axes, shares in ((by_score, scores), (by_pieces, pieces)):
            most = float(shares.max())
            axes.set(ylim=(0, 1.05 * most), yticks=[most], yticklabels=[f"{most:.0%}"])
            axes.spines[["top", "right"]].set_visible(False)
    rows[-1, 0].set(xlabel="exact score", xlim=(0, 1))
    rows[-1, 1].set(xlabel="pieces", xticks=range(_MANY + 1))
    rows[-1, 1].set_xticklabels([*map(str, range(_MANY)), f"{_MANY}+"])
    return figure


def _tiles(images: Images) -> Image.Image:
    """Images side by side without a border, to be read again by `_read_tiles`."""
    return Image.fromarray(np.hstack([np.moveaxis(image, 0, -1) if image.ndim == 3 else image for image in images]))


def _read_tiles(path: Path, size: int) -> Images:
    with Image.open(path) as image:
        pixels = np.asarray(image)
    tiles = np.stack(np.split(pixels, pixels.shape[1] // size, axis=1))
    return np.moveaxis(tiles, -1, 1) if tiles.ndim == 4 else tiles
