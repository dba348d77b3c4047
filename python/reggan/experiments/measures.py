"""What is measured of the runs of plain studies, and the columns of their tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from ..config import TrainConfig
from ..data import MIXTURES, Files, arrays
from ..domains import Samples
from ..metrics import compare
from ..recipes import Networks
from ..rules import darkest, resolve_rule
from ..scoring import analyze
from ..training import generate, private_generator
from .records import MINUTES, Columns, Record

__all__ = [
    "NEAR",
    "OF_COUNTS",
    "OF_LATENTS",
    "OF_LOOKS",
    "OF_PAIRS",
    "OF_POINTS",
    "OF_TRAFFIC",
    "Measure",
    "with_counts",
    "with_figures",
    "with_others",
]

Measure = Callable[[TrainConfig, Networks, int], tuple[Record, Image.Image | None]]
"""Figures of a trained run on so many samples, and a picture where it is not that of the last samples."""

NEAR = 0.1
"""Points on a line have converged when their distance to the data is under this many of its standard deviations."""
_LEAST, _MOST = 1, 9
"""Numbers of pieces that the data of a study that counts have, equally often."""


def with_figures(config: TrainConfig, networks: Networks, count: int) -> tuple[Record, None]:
    """What the samples' domain knows of them by themselves."""
    return config.domain.summarize(_made(config, networks, count)), None


def with_counts(config: TrainConfig, networks: Networks, count: int) -> tuple[Record, None]:
    """The same of images, and numbers of images by how many pieces they have, from 0, as "counts"."""
    samples = _made(config, networks, count)
    counts = np.bincount(analyze(darkest(samples), fields=("count",)).count)
    return config.domain.summarize(samples) | {"counts": counts.tolist()}, None


def with_others(held_out: str, config: TrainConfig, networks: Networks, count: int) -> tuple[Record, None]:
    """The same of images, and how they compare with those of a file of this name beside that of the data."""
    samples, data = _made(config, networks, count), cast(Files, config.data)
    others = replace(data, path=str(Path(data.path).with_name(held_out))).open(config.size, resolve_rule(config.rule))
    stored, _, _ = others.items(np.arange(min(count, others.length)))
    return config.domain.summarize(samples) | compare(samples, arrays(stored)), None


def _made(config: TrainConfig, networks: Networks, count: int) -> Samples:
    """Samples of the generator's moving average, the same latents for every seed."""
    inputs = config.domain.inputs(config.recipe.prior, count, private_generator(0, "evaluate"))
    return generate(networks["averaged"], inputs, config.domain)


def _found_all(record: Record) -> float:
    return float(record["figures"]["modes"] == len(MIXTURES[record["config"]["data"]["mixture"]].centres))


def _first_near(record: Record) -> float | None:
    """The first step at which points on a line were near to the data."""
    curve = record["curve"]
    near = zip(curve["generator_step"], curve.get("wasserstein", []), strict=False)
    return next((step for step, distance in near if distance < NEAR), None)


def _off_uniform(record: Record) -> float:
    """Total variation between the numbers of pieces found and equal parts of 1 to 9."""
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


OF_TRAFFIC: Columns = {
    "busy": ("frames with blobs", _busy, ".1%"),
    "components": ("blobs a frame", lambda r: r["figures"]["components"], ".3f"),
    "ink": ("ink", lambda r: r["figures"]["ink"], ".2%"),
    "minutes": MINUTES,
}
OF_COUNTS: Columns = {
    "off_uniform": ("off uniform (TV)", _off_uniform, ".3f"),
    "outside": ("outside 1–9", _outside, ".1%"),
    "components": ("mean pieces", lambda r: r["figures"]["components"], ".2f"),
    "ink": ("ink", lambda r: r["figures"]["ink"], ".1%"),
    "diversity": ("diversity", lambda r: r["figures"]["diversity"], ".3f"),
    "minutes": MINUTES,
}
OF_LATENTS: Columns = {
    "two": ("5 − 3 is 2", lambda r: r["figures"].get("two"), ".1%"),
    "chance": ("2 by chance", lambda r: r["figures"].get("chance"), ".1%"),
    "more": ("gained by 3 + (5 − 3)", lambda r: r["figures"].get("more"), ".2f"),
    "five": ("which is 5", lambda r: r["figures"].get("five"), ".1%"),
    "linear": ("linear part", lambda r: r["figures"].get("linear"), ".2f"),
    "codes_two": ("of codes: 5 − 3 is 2", lambda r: r["figures"].get("codes_two"), ".1%"),
    "codes_more": ("gained by 3 + (5 − 3)", lambda r: r["figures"].get("codes_more"), ".2f"),
    "codes_linear": ("linear part", lambda r: r["figures"].get("codes_linear"), ".2f"),
    "codes_kept": ("rebuilt with as many", lambda r: r["figures"].get("codes_kept"), ".1%"),
    "minutes": MINUTES,
}
OF_LOOKS: Columns = {
    "frechet": ("Fréchet", lambda r: r["figures"]["frechet"], ".1f"),
    "precision": ("precision", lambda r: r["figures"]["precision"], ".3f"),
    "coverage": ("coverage", lambda r: r["figures"]["coverage"], ".3f"),
    "diversity": ("diversity", lambda r: r["figures"]["diversity"], ".3f"),
    "ink": ("ink", lambda r: r["figures"]["ink"], ".1%"),
    "minutes": MINUTES,
}
OF_POINTS: Columns = {
    "modes": ("modes found", lambda r: r["figures"]["modes"], ".1f"),
    "all": ("seeds with all", _found_all, ".0%"),
    "quality": ("high quality", lambda r: r["figures"]["score"], ".1%"),
    "reverse_kl": ("reverse KL", lambda r: r["figures"]["reverse_kl"], ".3f"),
    "wasserstein": ("distance", lambda r: r["figures"].get("wasserstein"), ".3f"),
    "converged": ("first step near", _first_near, ",.0f"),
    "minutes": MINUTES,
}
OF_PAIRS: Columns = {
    "parameters": ("parameters", lambda r: r["parameters"], ",.0f"),
    "rate": ("images/s", lambda r: r["rate"], ",.1f"),
    "cycle": ("lost on the way back", lambda r: 1 - r["figures"]["score"], ".3f"),
    "to_first": ("Fréchet to the first", lambda r: r["figures"]["to_first"], ".0f"),
    "to_second": ("Fréchet to the second", lambda r: r["figures"]["to_second"], ".0f"),
    "minutes": MINUTES,
}
