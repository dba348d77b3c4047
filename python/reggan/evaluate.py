"""`python -m reggan.evaluate RUN`: compare a trained generator's images with images that obey the rule."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro

from .cli import UsageError, execute
from .config import TrainConfig
from .data import RenderedImages, RenderedSet, SampleSet, normalize, to_numpy, to_tensor
from .devices import check_device
from .files import atomic_write, write_json
from .metrics import (
    MIN_IMAGES,
    Comparison,
    compare,
    compare_parameters,
    copies,
    intervals,
    measure,
    memorizes,
    summarize,
)
from .modalities import ImageModality, Images
from .randomness import private_generator
from .recipes import Networks
from .rendering import render
from .rules import RULES, Rule, min_channel, repair_samples
from .runs import RunDirectory
from .sampler import Sampler
from .scoring import analyze
from .search import SEALED_SEED, find, oracle, oracles
from .specs import Circles, Spec
from .tables import cell, describe

__all__ = [
    "by_themselves",
    "evaluate",
    "held_out_images",
    "histograms",
    "main",
    "reference_images",
    "seconds_per_thousand",
    "training_images",
]

Columns = Mapping[str, Mapping[str, Any]]
"""Metrics of the data and of the generator, by name."""
Measured = tuple[Columns, str | None]
"""The metrics, and a description of the references, if there were any."""

_COPIED = 50_000
"""Largest number of training images that are searched for copies."""
_REFERENCES = 10_000
"""Largest number of images of the data that are searched for references, where there is no oracle."""
_BEYOND = 10**9
"""Images of an endless stream before this index count as trained on."""
_MIN_OBEYING = 100
"""Fewest references; where fewer images of the data obey the rule, the best tenth is used."""
_SEARCHED, _SEARCHED_FROM = 200_000, 2**63
_BATCH = 2048
"""Images in a batch of the recipe's networks."""
_BINS = 20


@dataclass(frozen=True)
class EvaluateOptions:
    """Compare a trained generator's images with images that obey the rule; write evaluation.json and evaluation.md.

    If the comparison fails, both files still hold the metrics that need no reference. The table has 95 % bootstrap
    intervals of coverage and the Fréchet distance. The time for 1,000 images that obey is only printed, because both
    files are a function of the run.
    """

    run: tyro.conf.Positional[Path]
    """Run directory of `python -m reggan.train`."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 2000
    """Number of generated images, and largest number of references."""
    seed: int = 0
    """Seed of the latents."""
    checkpoint: Literal["best", "last"] = "last"
    """Checkpoint to use."""
    device: str = "cpu"
    """Device to use, whatever the run was trained on; auto is an accelerator where there is one."""
    sealed: bool = False
    """Compare with sealed references, of another seed. They are for final figures: choose nothing by them."""

    def __post_init__(self) -> None:
        if not _MIN_OBEYING <= self.n <= 100_000:
            raise UsageError(f"n is {self.n}, must be from {_MIN_OBEYING} to 100000")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed is {self.seed}, must be from 0 to 2**63 - 1")


def _repaired(spec: Spec, rule: Rule, count: int, seed: int, side: int) -> Images:
    """The best eighth of further images, repaired; those that obey then."""
    indices = np.uint64(_SEARCHED_FROM + _SEARCHED) + np.arange(8 * count, dtype=np.uint64)
    images = render(spec, indices, seed=seed, size=side, dtype=np.uint8)
    best = np.sort(np.argsort(-rule(min_channel(images)), kind="stable")[:count])
    repaired = repair_samples(rule, images[best], method=rule.method_for_data(), seed=seed)
    return repaired.images[repaired.scores >= 1]


def reference_images(config: TrainConfig, data: SampleSet, count: int, *, sealed: bool = False) -> tuple[Images, str]:
    """Up to `count` images that obey the rule, (N, H, W) or (N, 3, H, W), and a description of them.

    For the default circles they are the oracle, the indices of obeying images that an earlier search found and that no
    training uses. For other rendered data or other rules, they come from a search of 200,000 further images; if fewer
    than 100 obey, they are the best eighth of further images, repaired as the recipe `repair` repairs its data. For all
    other data, they are the obeying images of the data. If there are fewer than 100, the best tenth by score is used.
    With `sealed`, the oracle and the search are of another seed, SEALED_SEED, and the description says "sealed".
    """
    rule, kind = config.resolved_rule, "sealed " if sealed else ""
    if isinstance(config.data, RenderedImages):
        spec, side = config.data.spec, config.size
        for name, known_side in oracles():
            if spec == Circles() and known_side == side and RULES[name] in rule.factors:
                known = oracle(name, side, sealed=sealed)
                images = render(known.spec, known.indices, seed=known.seed, size=side, dtype=np.uint8)
                images = images[rule(images) >= 1][:count]
                if len(images) >= _MIN_OBEYING:
                    return images, f"{kind}oracle: {len(images)} of the default circles that obey {config.rule!r}"
        seed = SEALED_SEED if sealed else config.data.seed
        found = find(spec, rule, count, seed=seed, size=side, start=_SEARCHED_FROM, limit=_SEARCHED, progress=True)
        if len(found.indices) >= _MIN_OBEYING:
            images = render(spec, found.indices, seed=found.seed, size=side, dtype=np.uint8)
            return images, f"{kind}search: {len(images)} images of the data's renderer that obey {config.rule!r}"
        images = _repaired(spec, rule, count, seed, side)
        if len(images) >= _MIN_OBEYING:
            return images, f"{kind}repair: {len(images)} repaired images of the renderer that obey {config.rule!r}"
    images = training_images(data, _REFERENCES)
    scores = rule(min_channel(images))
    obeying = images[scores >= 1]
    if len(obeying) >= _MIN_OBEYING:
        return obeying[:count], f"data: {min(len(obeying), count)} images that obey {config.rule!r}"
    best = np.argsort(-scores, kind="stable")[: min(count, max(_MIN_OBEYING, len(images) // 10))]
    least = scores[best].min()
    return images[best], f"data: the best {len(best)} images by {config.rule!r}, with scores of at least {least:.3f}"


def training_images(data: SampleSet, count: int) -> Images:
    """At most the first `count` training images, (N, H, W) or (N, 3, H, W)."""
    count = min(data.length or count, count)
    if isinstance(data, RenderedSet):
        data.find(0, count)
    return to_numpy(data.fetch(np.arange(count)))


def held_out_images(config: TrainConfig) -> Images | None:
    """As many rendered images that are not in the data, (N, H, W), at most 50,000; None for data from files."""
    if not isinstance(config.data, RenderedImages):
        return None
    start, count = config.data.images or _BEYOND, min(config.data.images or _COPIED, _COPIED)
    endless = replace(config.data, images=0).open(config.size, config.resolved_rule)
    endless.find(start, count)
    return to_numpy(endless.fetch(np.arange(start, start + count)))


def evaluate(
    images: Images, reference: Images, training: Images, held_out: Images | None, rule: Rule
) -> dict[str, Any]:
    """All metrics of images (N, H, W): `by_themselves`, and against references."""
    return {**by_themselves(images, training, held_out, rule), **compare(images, reference)}


def by_themselves(images: Images, training: Images, held_out: Images | None, rule: Rule) -> dict[str, Any]:
    """The metrics of images (N, H, W) that need no reference; copies of training images if some were held out."""
    figures: dict[str, Any] = {**summarize(images, rule), "obeying": float((rule(min_channel(images)) >= 1).mean())}
    if held_out is not None:
        figure, error = copies(images, training, held_out)
        figures |= {"copies": figure, "copies_error": error, "memorizes": memorizes(figure, error)}
    return figures | {"histograms": histograms(images, rule)}


def histograms(images: Images, rule: Rule) -> dict[str, list[float]]:
    """Numbers of images, (N, H, W) or (N, 3, H, W), by number of pieces, from 0, and by score, in 20 bins."""
    gray = min_channel(images)
    counts = np.bincount(analyze(gray, fields=("count",)).count)
    scores, edges = np.histogram(rule(gray), bins=_BINS, range=(0, 1))
    return {
        "components": counts.tolist(),
        "score": scores.tolist(),
        "score_edges": [round(float(edge), 6) for edge in edges],
    }


def honesty(config: TrainConfig, networks: Networks, images: Images, rule: Rule) -> dict[str, float]:
    """The recipe's own metrics of images (N, H, W), and the gap between expected and exact score."""
    device = next(networks["averaged"].parameters()).device
    found: dict[str, float] = {}
    for part in torch.split(to_tensor(images), _BATCH):
        with torch.no_grad():
            means = config.recipe.extra_metrics(networks, normalize(part.to(device)), rule)
        for key, mean in means.items():
            found[key] = found.get(key, 0.0) + float(mean) * (len(part) / len(images))
    if "expected_score" in found:
        found["honesty_gap"] = found["expected_score"] - float(rule(min_channel(images)).mean())
    return found


def seconds_per_thousand(seconds: float, count: int, obeying: float) -> float:
    """Seconds for 1,000 images that obey, if `count` images took `seconds`, and this share obeys; NaN if none does."""
    return 1000 * seconds / (count * obeying) if obeying else math.nan


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return execute(lambda: _evaluate(tyro.cli(EvaluateOptions, args=argv, prog="python -m reggan.evaluate")))


def _evaluate(options: EvaluateOptions) -> None:
    run, device = RunDirectory.open(options.run), check_device(options.device)
    config, networks = run.config, run.load_networks(options.checkpoint, device)
    data = config.open_data()
    modality = config.modality.given(data)
    inputs = modality.inputs(config.recipe.prior, options.n, private_generator(options.seed, "evaluate"))
    sampler = Sampler(config.recipe, modality, networks["averaged"], torch.device(device))
    started = time.perf_counter()
    samples = sampler.make(inputs)
    seconds = time.perf_counter() - started
    if isinstance(modality, ImageModality):
        stages = _compare(config, networks, data, samples, options.sealed)
    else:
        compared = {"data": modality.to_numpy(data.fetch(np.arange(options.n))), "generator": samples}
        found = {name: modality.summarize(those) for name, those in compared.items()}
        stages = iter([(found, f"the known distribution of the {config.data.modality}")])
    table = ""
    try:
        for columns, about in stages:
            table = _table(columns, about)
            described = {"samples": options.n, "seed": options.seed, "checkpoint": options.checkpoint, **columns}
            write_json(options.run / "evaluation.json", {"reference": about, **described}, indent=1)
            atomic_write(options.run / "evaluation.md", table)
    finally:
        print(table, end="")
    if isinstance(modality, ImageModality):
        spent = seconds_per_thousand(seconds, options.n, columns["generator"]["obeying"])
        print(f"\nSeconds for 1,000 images that obey, made on {device}: {cell(spent, '.3g')}.")


def _compare(
    config: TrainConfig, networks: Networks, data: SampleSet, images: Images, sealed: bool
) -> Iterator[Measured]:
    """Metrics of the data and of as many generated images, and a description of the references.

    Those without references come first: a comparison that fails, or runs out of memory, loses only the others.
    """
    rule = config.resolved_rule
    held_out = held_out_images(config)
    training = training_images(data, max(len(images), 0 if held_out is None else len(held_out)))
    compared = {"data": training[: len(images)], "generator": images}
    columns = {
        name: by_themselves(those, training, held_out, rule) | honesty(config, networks, those, rule)
        for name, those in compared.items()
    }
    yield columns, None
    if len(training) < MIN_IMAGES:
        raise ValueError(
            f"the number of images in the data is {len(training)}, must be at least {MIN_IMAGES} for a comparison with "
            "references; the metrics that need none are in evaluation.json"
        )
    reference, about = reference_images(config, data, len(images), sealed=sealed)
    if held_out is None:
        about += "; no image of these data was held out, so copies cannot be detected"
    spec = config.data.spec if isinstance(config.data, RenderedImages) else None
    for name, those in compared.items():
        comparison = Comparison.of(those, reference)
        columns[name] |= measure(comparison) | {"intervals": intervals(comparison)}
        if isinstance(spec, Circles):
            columns[name] |= compare_parameters(comparison, spec)
    yield columns, about


def _table(columns: Columns, about: str | None) -> str:
    head = f"Reference: {about or 'none: nothing was compared'}."
    lines = [head, "", "| | " + " | ".join(columns) + " | |", "|---|" + "---:|" * len(columns) + "---|"]
    for key, first in next(iter(columns.values())).items():
        if not isinstance(first, dict):
            metric = describe(key)
            cells = [metric.label, *(_cell(column, key) for column in columns.values()), metric.about]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(column: Mapping[str, Any], key: str) -> str:
    """The value of a metric with its interval, if it has one."""
    metric, interval = describe(key), column.get("intervals", {}).get(key)
    return metric.cell(column[key]) + (" [{}, {}]".format(*map(metric.cell, interval)) if interval else "")


if __name__ == "__main__":
    sys.exit(main())
