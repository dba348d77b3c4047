"""Measures of trained networks for studies without references, and the columns of their tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from reggan.config import TrainConfig
from reggan.data import MIXTURES, Files, to_numpy
from reggan.metrics import compare
from reggan.modalities import Samples
from reggan.recipes import Networks
from reggan.rules import min_channel
from reggan.scoring import analyze
from reggan.tables import describe

from .records import MINUTES, Column, Columns, Record
from .runs import latents, make

__all__ = [
    "COUNTS",
    "LATENTS",
    "LOOKS",
    "NEAR",
    "PAIRS",
    "POINTS",
    "TRAFFIC",
    "Measure",
    "column",
    "with_counts",
    "with_figures",
    "with_held_out",
]

Measure = Callable[[TrainConfig, Networks, int], tuple[Record, Image.Image | None]]
"""Metrics of trained networks on a number of samples, and a picture unless the last samples of the run will do."""

NEAR = 0.1
"""Points on a line have converged if their distance to the data is below this number of its standard deviations."""
_LEAST, _MOST = 1, 9
"""Range of the numbers of pieces in the data, which occur equally often."""


def with_figures(config: TrainConfig, networks: Networks, count: int) -> tuple[Record, None]:
    """The metrics of samples that need no reference."""
    return config.modality.summarize(_sample(config, networks, count)), None


def with_counts(config: TrainConfig, networks: Networks, count: int) -> tuple[Record, None]:
    """The metrics that need no reference, and as "counts" the numbers of images by number of pieces, from 0."""
    samples = _sample(config, networks, count)
    counts = np.bincount(analyze(min_channel(samples), fields=("count",)).count)
    return config.modality.summarize(samples) | {"counts": counts.tolist()}, None


def with_held_out(name: str, config: TrainConfig, networks: Networks, count: int) -> tuple[Record, None]:
    """The metrics that need no reference, and those against the images of the file `name` beside the data."""
    samples, data = _sample(config, networks, count), cast(Files, config.data)
    held_out = replace(data, path=str(Path(data.path).with_name(name))).open(config.size, config.resolved_rule)
    stored = held_out.fetch(np.arange(min(count, held_out.length)))
    return config.modality.summarize(samples) | compare(samples, to_numpy(stored)), None


def _sample(config: TrainConfig, networks: Networks, count: int) -> Samples:
    """Samples of the generator's moving average, from the same latents for every seed."""
    return make(config, networks["averaged"], latents(config, 0, "evaluate", count))


def _found_all(record: Record) -> float:
    return float(record["figures"]["modes"] == len(MIXTURES[record["config"]["data"]["mixture"]].centers))


def _first_near(record: Record) -> float | None:
    """The first step at which points on a line were near the data."""
    curve = record["curve"]
    near = zip(curve["generator_step"], curve.get("wasserstein", []), strict=False)
    return next((step for step, distance in near if distance < NEAR), None)


def _off_uniform(record: Record) -> float:
    """Total variation between the numbers of pieces found and equal shares of 1 to 9."""
    counts = np.array(record["figures"]["counts"], float)
    wanted = np.zeros(max(len(counts), _MOST + 1))
    wanted[_LEAST : _MOST + 1] = 1 / (_MOST - _LEAST + 1)
    found = np.pad(counts / counts.sum(), (0, len(wanted) - len(counts)))
    return float(np.abs(found - wanted).sum() / 2)


def _outside(record: Record) -> float:
    """Share of images with a number of pieces that is not in the data."""
    counts = record["figures"]["counts"]
    return float(1 - sum(counts[_LEAST : _MOST + 1]) / sum(counts))


def _busy(record: Record) -> float:
    """Share of images that are not blank."""
    counts = record["figures"]["counts"]
    return float(1 - counts[0] / sum(counts))


def column(
    name: str,
    heading: str = "",
    form: str = "",
    *,
    of: str = "figures",
    value: Callable[[Record], float | None] | None = None,
) -> Column:
    """The column of a metric, by default with its label, its format and its value in this part of a record, if any."""
    metric = describe(name)
    return heading or metric.label, value or (lambda record: record.get(of, {}).get(name)), form or metric.form


TRAFFIC: Columns = {
    "busy": ("frames with blobs", _busy, ".1%"),
    "components": column("components", "blobs a frame", ".3f"),
    "ink": column("ink", form=".2%"),
    "minutes": MINUTES,
}
COUNTS: Columns = {
    "off_uniform": ("off uniform (TV)", _off_uniform, ".3f"),
    "outside": ("outside 1–9", _outside, ".1%"),
    "components": column("components"),
    "ink": column("ink"),
    "diversity": column("diversity"),
    "minutes": MINUTES,
}
LATENTS: Columns = {
    "two": column("two", "5 − 3 is 2", ".1%"),
    "chance": column("chance", "2 by chance", ".1%"),
    "more": column("more", "gained by 3 + (5 − 3)", ".2f"),
    "five": column("five", "which is 5", ".1%"),
    "linear": column("linear", "linear part", ".2f"),
    "codes_two": column("codes_two", "of codes: 5 − 3 is 2", ".1%"),
    "codes_more": column("codes_more", "gained by 3 + (5 − 3)", ".2f"),
    "codes_linear": column("codes_linear", "linear part", ".2f"),
    "codes_kept": column("codes_kept", "rebuilt with as many", ".1%"),
    "minutes": MINUTES,
}
LOOKS: Columns = {
    "frechet": column("frechet"),
    "precision": column("precision"),
    "coverage": column("coverage"),
    "diversity": column("diversity"),
    "ink": column("ink"),
    "minutes": MINUTES,
}
POINTS: Columns = {
    "modes": column("modes", form=".1f"),
    "all": ("seeds with all", _found_all, ".0%"),
    "quality": column("score", "high quality", ".1%"),
    "reverse_kl": column("reverse_kl"),
    "wasserstein": column("wasserstein"),
    "converged": ("first step near", _first_near, ",.0f"),
    "minutes": MINUTES,
}
PAIRS: Columns = {
    "parameters": ("parameters", lambda record: record["parameters"], ",.0f"),
    "rate": ("images/s", lambda record: record["rate"], ",.1f"),
    "cycle": ("lost on the way back", lambda record: 1 - record["figures"]["score"], ".3f"),
    "to_first": column("to_first"),
    "to_second": column("to_second"),
    "minutes": MINUTES,
}
