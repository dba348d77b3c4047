"""Measures of trained networks for studies without references, and the columns of their tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from reggan.config import TrainConfig
from reggan.data import MIXTURES, Files, arrays
from reggan.domains import Samples
from reggan.metrics import compare
from reggan.recipes import Networks
from reggan.rules import darkest, resolve_rule
from reggan.scoring import analyze
from reggan.training import generate

from .records import MINUTES, Column, Columns, Record
from .runs import latents

__all__ = [
    "COUNTS",
    "LATENTS",
    "LOOKS",
    "NEAR",
    "PAIRS",
    "POINTS",
    "TRAFFIC",
    "Measure",
    "with_counts",
    "with_figures",
    "with_held_out",
]

Measure = Callable[[TrainConfig, Networks, int], tuple[Record, Image.Image | None]]
"""Metrics of trained networks on a number of samples, and a picture, where the last samples are not enough."""

NEAR = 0.1
"""Points on a line have converged when their distance to the data is below this many of its standard deviations."""
_LEAST, _MOST = 1, 9
"""Numbers of pieces in the data of a study that counts, equally often."""


def with_figures(config: TrainConfig, networks: Networks, count: int) -> tuple[Record, None]:
    """The metrics of samples by themselves."""
    return config.domain.summarize(_sample(config, networks, count)), None


def with_counts(config: TrainConfig, networks: Networks, count: int) -> tuple[Record, None]:
    """The metrics of images by themselves, and as "counts" the numbers of images by their number of pieces, from 0."""
    samples = _sample(config, networks, count)
    counts = np.bincount(analyze(darkest(samples), fields=("count",)).count)
    return config.domain.summarize(samples) | {"counts": counts.tolist()}, None


def with_held_out(name: str, config: TrainConfig, networks: Networks, count: int) -> tuple[Record, None]:
    """The metrics of images by themselves, and against those of the file of this name beside the data."""
    samples, data = _sample(config, networks, count), cast(Files, config.data)
    held_out = replace(data, path=str(Path(data.path).with_name(name))).open(config.size, resolve_rule(config.rule))
    stored, _, _ = held_out.items(np.arange(min(count, held_out.length)))
    return config.domain.summarize(samples) | compare(samples, arrays(stored)), None


def _sample(config: TrainConfig, networks: Networks, count: int) -> Samples:
    """Samples of the generator's moving average, from the same latents for every seed."""
    return generate(networks["averaged"], latents(config, 0, "evaluate", count), config.domain)


def _found_all(record: Record) -> float:
    return float(record["figures"]["modes"] == len(MIXTURES[record["config"]["data"]["mixture"]].centres))


def _first_near(record: Record) -> float | None:
    """The first step at which points on a line were near to the data."""
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
    """Share of images whose number of pieces no image of the data has."""
    counts = record["figures"]["counts"]
    return float(1 - sum(counts[_LEAST : _MOST + 1]) / sum(counts))


def _busy(record: Record) -> float:
    """Share of images with anything on them."""
    counts = record["figures"]["counts"]
    return float(1 - counts[0] / sum(counts))


def _figure(heading: str, name: str, form: str) -> Column:
    """The column of one of a record's figures."""
    return heading, lambda record: record["figures"].get(name), form


_DIVERSITY = _figure("diversity", "diversity", ".3f")
_INK = _figure("ink", "ink", ".1%")

TRAFFIC: Columns = {
    "busy": ("frames with blobs", _busy, ".1%"),
    "components": _figure("blobs a frame", "components", ".3f"),
    "ink": _figure("ink", "ink", ".2%"),
    "minutes": MINUTES,
}
COUNTS: Columns = {
    "off_uniform": ("off uniform (TV)", _off_uniform, ".3f"),
    "outside": ("outside 1–9", _outside, ".1%"),
    "components": _figure("mean pieces", "components", ".2f"),
    "ink": _INK,
    "diversity": _DIVERSITY,
    "minutes": MINUTES,
}
LATENTS: Columns = {
    "two": _figure("5 − 3 is 2", "two", ".1%"),
    "chance": _figure("2 by chance", "chance", ".1%"),
    "more": _figure("gained by 3 + (5 − 3)", "more", ".2f"),
    "five": _figure("which is 5", "five", ".1%"),
    "linear": _figure("linear part", "linear", ".2f"),
    "codes_two": _figure("of codes: 5 − 3 is 2", "codes_two", ".1%"),
    "codes_more": _figure("gained by 3 + (5 − 3)", "codes_more", ".2f"),
    "codes_linear": _figure("linear part", "codes_linear", ".2f"),
    "codes_kept": _figure("rebuilt with as many", "codes_kept", ".1%"),
    "minutes": MINUTES,
}
LOOKS: Columns = {
    "frechet": _figure("Fréchet", "frechet", ".1f"),
    "precision": _figure("precision", "precision", ".3f"),
    "coverage": _figure("coverage", "coverage", ".3f"),
    "diversity": _DIVERSITY,
    "ink": _INK,
    "minutes": MINUTES,
}
POINTS: Columns = {
    "modes": _figure("modes found", "modes", ".1f"),
    "all": ("seeds with all", _found_all, ".0%"),
    "quality": _figure("high quality", "score", ".1%"),
    "reverse_kl": _figure("reverse KL", "reverse_kl", ".3f"),
    "wasserstein": _figure("distance", "wasserstein", ".3f"),
    "converged": ("first step near", _first_near, ",.0f"),
    "minutes": MINUTES,
}
PAIRS: Columns = {
    "parameters": ("parameters", lambda record: record["parameters"], ",.0f"),
    "rate": ("images/s", lambda record: record["rate"], ",.1f"),
    "cycle": ("lost on the way back", lambda record: 1 - record["figures"]["score"], ".3f"),
    "to_first": _figure("Fréchet to the first", "to_first", ".0f"),
    "to_second": _figure("Fréchet to the second", "to_second", ".0f"),
    "minutes": MINUTES,
}
