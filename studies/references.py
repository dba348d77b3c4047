"""Comparison by the rule and the references of a study's first arm, before and after rejection."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from reggan.config import TrainConfig
from reggan.data import RenderedImages
from reggan.drawing import highlight, panels
from reggan.evaluate import (
    evaluate,
    held_out_images,
    histograms,
    reference_images,
    seconds_per_thousand,
    training_images,
)
from reggan.files import atomic_write
from reggan.metrics import compare
from reggan.modalities import Images
from reggan.recipes import Repair
from reggan.recording import seconds_trained
from reggan.rules import min_channel, repair_samples
from reggan.runs import RunDirectory

from .figures import Picture, colors, draw_curves, label_pieces, legend_beside, mean_shares, open_frame, save_picture
from .measures import column
from .records import (
    MINUTES,
    Columns,
    Record,
    Records,
    picture_path,
    read_lines,
    read_record,
    run_directory,
    same_config,
    spread,
)
from .runs import TrainingRuns, evaluations, latents, make, train
from .study import Arms

__all__ = ["ByReferences"]

_IMAGES, _FEW_IMAGES = 2000, 100
"""Number of generated images to measure, and the same in the reduced form."""
_TRIES = 20
"""Rejection samples at most this multiple of the images."""
_OF_DATA = 10_000
"""Images of the data for the histograms."""
_SHOWN = 32
_SHEET_COLUMNS = 4
_TILED = 6
_FEWEST = 100
_MANY = 9
"""Images with at least this number of pieces share a bar."""

_COLUMNS: Columns = {
    "score": column("score"),
    "obeying": column("obeying"),
    "one_piece": column("one_piece"),
    "blank": ("without ink", lambda r: _blank(r["figures"]["histograms"]["components"]), ".2%"),
    "ink": column("ink_of_reference"),
    "white": ("white / reference", lambda r: r["figures"].get("white_of_reference"), ".2f"),
    "coverage": column("coverage"),
    "frechet": column("frechet"),
    "two_sample_masks": column("two_sample_masks"),
    "two_sample_gray": column("two_sample_gray"),
    "vendi": column("vendi"),
    "copies": column("copies"),
    "acceptance": ("kept by rejection", lambda r: r["rejected"]["acceptance"], ".1%"),
    "rejected_coverage": column("coverage", "coverage after it", of="rejected"),
    "rejected_frechet": column("frechet", "Fréchet after it", of="rejected"),
    "repaired_obeying": column("obeying", "obeying, repaired", of="repaired"),
    "repaired_coverage": column("coverage", "coverage, repaired", of="repaired"),
    "repaired_frechet": column("frechet", "Fréchet, repaired", of="repaired"),
    "repaired_two_sample_masks": column("two_sample_masks", "told apart by masks, repaired", of="repaired"),
    "repaired_two_sample_gray": column("two_sample_gray", "told apart by gray, repaired", of="repaired"),
    "repaired_white": ("white / reference, repaired", lambda r: r.get("repaired", {}).get("white"), ".2f"),
    "changed": ("pixels changed", lambda r: r.get("repaired", {}).get("changed"), ".2%"),
    "honesty_gap": column("honesty_gap", value=lambda r: r.get("honesty_gap")),
    "worst_batch": ("worst batch", lambda r: r.get("worst_batch", {}).get("score"), ".3f"),
    "seconds_per_thousand": ("seconds for 1,000 that obey", lambda r: r.get("seconds_per_thousand"), ".3g"),
    "repaired_seconds_per_thousand": (
        "seconds for 1,000, repaired",
        lambda r: r.get("repaired", {}).get("seconds_per_thousand"),
        ".3g",
    ),
    "minutes": MINUTES,
}


def _blank(components: list[int]) -> float:
    """Share of blank images."""
    return components[0] / sum(components)


@dataclass(frozen=True)
class ByReferences(TrainingRuns):
    """Measures every arm by the rule and the references of the first one."""

    shown: tuple[str, ...] = ()
    """Arms in the picture of samples, after the data; all if empty."""
    pieces: bool = True
    """Whether that picture highlights the largest piece of each image."""
    tiled: bool = False
    """Whether that picture shows every image three by three times."""
    sealed: bool = False
    """Whether the references are the sealed ones, for final tables."""
    repairs: bool = False
    """Whether the generated images are also measured after repair."""

    columns = _COLUMNS
    lead = (
        *("score", "obeying", "ink", "coverage", "frechet"),
        *("repaired_obeying", "repaired_coverage", "repaired_frechet"),
        *("repaired_two_sample_masks", "repaired_two_sample_gray", "changed"),
    )
    note = ""

    def measure(self, path: Path, config: TrainConfig, standard: TrainConfig, reduced: bool) -> Record:
        """Train and measure a run. A first arm that another study in the same folder has recorded is copied."""
        if config == standard and (beside := _record_beside(path, self.to_json(config), self.sealed)):
            atomic_write(path.with_suffix(".png"), beside.with_suffix(".png").read_bytes())
            return read_record(beside)
        directory = run_directory(path)
        train(directory, config)
        measured, rows = _measure(directory, standard, _FEW_IMAGES if reduced else _IMAGES, self.sealed, self.repairs)
        save_picture(_tiles(rows), path.with_suffix(".png"))
        about = {
            "is_judge": config == standard,
            "is_sealed": self.sealed,
            "seconds": round(seconds_trained(directory), 1),
        }
        return {**about, **measured, **_history(directory, config)}

    def draw(self, out: Path, arms: Arms[TrainConfig], records: Records) -> Iterator[tuple[str, Picture]]:
        """Scores over the training, obedience against coverage, histograms, and samples."""
        standard = next(iter(arms.values())).config
        labels = {name: arms[name].label for name in records}
        yield "scores.png", _curves(records, labels)
        yield "frontier.png", _frontier(records, labels)
        rule = standard.resolved_rule
        data = training_images(standard.open_data(), _OF_DATA)
        counted = {"data set": [histograms(data, rule)]} | {
            labels[name]: [record["figures"]["histograms"] for record in found] for name, found in records.items()
        }
        yield "histograms.png", _bars(counted)
        samples = {"data set": data[:_SHOWN]}
        for name in self.shown or records:
            if name in records:
                made, *repaired = _read_tiles(picture_path(out, name, records), standard.size)
                samples[labels[name]] = made
                if repaired and isinstance(arms[name].config.recipe, Repair):
                    samples[f"{labels[name]}, repaired"] = repaired[0]
        if self.pieces:
            samples = {label: highlight(min_channel(images)) for label, images in samples.items()}
        if self.tiled:
            samples = {label: np.tile(images[:_TILED], (1, 3, 3)) for label, images in samples.items()}
        yield "samples.png", panels(samples, 2 if self.tiled else _SHEET_COLUMNS)


def _record_beside(path: Path, config: Record, sealed: bool) -> Path | None:
    """The record of this configuration and these references, as the first arm, of another study in the same folder."""
    for other in sorted(path.resolve().parents[2].glob(f"*/records/*-seed{config['seed']}.json")):
        record = read_record(other)
        # Records of other kinds of studies have no such standard.
        is_alike = record.get("is_judge") and record.get("is_sealed", False) == sealed
        if is_alike and same_config(record["config"], config):
            return other
    return None


def _measure(
    directory: Path, standard: TrainConfig, count: int, sealed: bool, repairs: bool
) -> tuple[Record, list[Images]]:
    """Metrics of a run's images, before and after rejection by the exact rule or repair, and some images of each."""
    run = RunDirectory.open(directory)
    config, generator = run.config, run.load_sampler().generator
    rule, data = standard.resolved_rule, standard.open_data()
    reference, about = reference_images(standard, data, count, sealed=sealed)

    def draw(part: int) -> Images:
        images: Images = make(config, generator, latents(config, part, "evaluate", count))
        return images

    started = time.perf_counter()
    images = draw(0)
    seconds = time.perf_counter() - started
    # Rendered images that an arm trains on are among those of the standard.
    held_out = held_out_images(standard) if isinstance(config.data, RenderedImages) else None
    training = training_images(data, 0 if held_out is None else len(held_out))
    figures = evaluate(images, reference, training, held_out, rule)
    ink = float((min_channel(reference) < 128).mean())
    figures["ink_of_reference"] = figures["ink"] / ink if ink else math.nan
    white = float((reference == 255).mean())
    figures["white_of_reference"] = float((images == 255).mean()) / white if white else math.nan
    kept = [images[rule(min_channel(images)) >= 1]]
    for part in range(1, _TRIES):
        found = sum(map(len, kept))
        # If hardly any image obeys, more tries would not yield enough images to compare.
        if found >= count or found * _TRIES < _FEWEST * part:
            break
        more = draw(part)
        kept.append(more[rule(min_channel(more)) >= 1])
    obeying = np.concatenate(kept)
    rejected: Record = {"acceptance": len(obeying) / (count * len(kept)), "images": min(len(obeying), count)}
    if len(obeying) >= _FEWEST:
        rejected |= compare(obeying[:count], reference)
    spent = seconds_per_thousand(seconds, count, figures["obeying"])
    measured = {"reference": about, "seconds_per_thousand": spent, "figures": figures, "rejected": rejected}
    rows = [images[:_SHOWN]]
    if repairs:
        started = time.perf_counter()
        repaired = repair_samples(rule, images)
        seconds += time.perf_counter() - started
        changed = repaired.changed.mean() / math.prod(images.shape[-2:])
        shares = {"changed": changed, "obeying": float((repaired.scores >= 1).mean())}
        shares["seconds_per_thousand"] = seconds_per_thousand(seconds, count, shares["obeying"])
        shares["white"] = float((repaired.images == 255).mean()) / white if white else math.nan
        measured["repaired"] = shares | compare(repaired.images, reference)
        rows.append(repaired.images[:_SHOWN])
    return measured, rows


def _history(directory: Path, config: TrainConfig) -> Record:
    """The evaluations, the honesty gap at the end, and the worst batch in the last third of the training.

    The honesty gap is the mean over the last fifth of the evaluations.
    """
    lines = read_lines(directory / "metrics.jsonl")
    curve = evaluations(lines, ("score", "one_piece", "ink", "expected_score"))
    found: Record = {"curve": curve}
    if "expected_score" in curve:
        last = -max(1, len(curve["score"]) // 5)
        gaps = np.subtract(curve["expected_score"][last:], curve["score"][last:])
        found["honesty_gap"] = float(gaps.mean())
    batches = [line for line in lines if "generator/batch_score" in line]
    late = [batch for batch in batches if batch["generator_step"] > config.steps * 2 / 3]
    if late:
        worst = min(late, key=lambda batch: float(batch["generator/batch_score"]))
        found["worst_batch"] = {
            "score": worst["generator/batch_score"],
            "generator_step": worst["generator_step"],
            "batches": len(late),
        }
    return found


def _curves(records: Records, labels: Mapping[str, str]) -> Figure:
    """The paper's figure: mean exact score of generated images over training, one line per seed."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for name, color in colors(records).items():
        draw_curves(axes, records[name], "score", labels[name], color)
    axes.set(xlabel="generator step", ylabel="mean exact score", ylim=(0, 1.02))
    open_frame(axes)
    legend_beside(axes)
    return figure


def _frontier(records: Records, labels: Mapping[str, str]) -> Figure:
    """Obedience against coverage: filled before rejection, hollow after it, when all images obey."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, color in colors(records).items():
        found = spread(records[name], _COLUMNS)
        axes.scatter(found["obeying"]["seeds"], found["coverage"]["seeds"], color=color, s=34, label=labels[name])
        if "rejected_coverage" in found:
            after = found["rejected_coverage"]["seeds"]
            axes.scatter([1.0] * len(after), after, s=34, facecolors="none", edgecolors=[color])
    axes.set(xlabel="share of images that obey the rule", ylabel="coverage of the reference", xlim=(-0.03, 1.03))
    axes.set_ylim(-0.03, 1.03)
    axes.set_title("hollow: after rejection of every image that fails", fontsize=9, loc="left")
    open_frame(axes)
    legend_beside(axes)
    return figure


def _bars(counted: Mapping[str, list[dict[str, Any]]]) -> Figure:
    """The paper's histograms: mean shares of images by score and by number of pieces, each with its own scale."""
    figure = Figure(figsize=(8, 0.6 + 0.85 * len(counted)), layout="constrained")
    rows = figure.subplots(len(counted), 2, squeeze=False, sharex="col", width_ratios=[3, 2])
    for (by_score, by_pieces), (label, found) in zip(rows, counted.items(), strict=True):
        scores = np.mean([np.divide(each["score"], sum(each["score"])) for each in found], axis=0)
        by_score.stairs(scores, found[0]["score_edges"], fill=True, color="0.25")
        pieces = mean_shares([each["components"] for each in found], _MANY)
        by_pieces.bar(np.arange(_MANY + 1), pieces, color="0.25")
        by_score.set_title(label, fontsize=9, loc="left")
        for axes, shares in ((by_score, scores), (by_pieces, pieces)):
            most = float(shares.max())
            axes.set(ylim=(0, 1.05 * most), yticks=[most], yticklabels=[f"{most:.0%}"])
            open_frame(axes)
    rows[-1, 0].set(xlabel="exact score", xlim=(0, 1))
    label_pieces(rows[-1, 1], _MANY)
    return figure


def _tiles(rows: list[Images]) -> Image.Image:
    """Rows of images side by side without a border, as `_read_tiles` reads them."""
    colored = [np.moveaxis(images, 1, -1) if images.ndim == 4 else images for images in rows]
    return Image.fromarray(np.vstack([np.hstack(list(images)) for images in colored]))


def _read_tiles(path: Path, size: int) -> list[Images]:
    with Image.open(path) as image:
        pixels = np.asarray(image)
    rows = [np.stack(np.split(row, row.shape[1] // size, axis=1)) for row in np.split(pixels, len(pixels) // size)]
    return [np.moveaxis(row, -1, 1) if row.ndim == 4 else row for row in rows]
