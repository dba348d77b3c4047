"""`python -m reggan.evaluate RUN`: what a trained generator's images are worth, against images that obey the rule."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro

from .cli import UsageError, execute
from .config import TrainConfig
from .data import Blobs, RenderedSet, SampleSet, arrays, normalize, tensor
from .domains import ImageDomain, Images
from .files import atomic_write, write_json
from .metrics import MIN_IMAGES, compare, copies, memorizes, summarize
from .recipes import Networks
from .rendering import render
from .rules import Rule, darkest, resolve_rule
from .scoring import analyze
from .search import find, oracle, oracles
from .specs import Circles
from .tables import cell
from .training import find_device, generate, load_networks, private_generator

__all__ = ["by_themselves", "evaluate", "held_out_images", "histograms", "main", "reference_images", "training_images"]

Columns = Mapping[str, Mapping[str, Any]]
"""Figures of the data and of the generator, by their names."""
Measured = tuple[Columns, str | None]
"""What has been measured, and what it was compared with, if it was."""

_COPIED = 50_000
"""Copies are looked for among at most so many training images."""
_REFERENCES = 10_000
"""References are taken from at most so many images of the data, where there is no oracle."""
_BEYOND = 10**9
"""Images of an endless stream that are taken for trained on."""
_MIN_OBEYING = 100
"""References that are needed; where fewer images of the data obey the rule, the best tenth stands for them."""
_SEARCHED, _SEARCHED_FROM = 200_000, 2**63
_BATCH = 2048
"""Images that a recipe's networks see at once."""
_BINS = 20


@dataclass(frozen=True)
class EvaluateOptions:
    """Compare a trained generator's images with images that obey the rule; write evaluation.json and evaluation.md.

    Where the comparison fails, both hold the figures that need no reference.
    """

    run: tyro.conf.Positional[Path]
    """Run directory of `python -m reggan.train`."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 2000
    """Number of images that are generated, and at most so many references."""
    seed: int = 0
    """Seed of the latents."""
    checkpoint: Literal["best", "last"] = "last"
    """Which checkpoint's generator."""
    device: str = "cpu"
    """Where the networks run, whatever they were trained on; auto takes an accelerator where there is one."""

    def __post_init__(self) -> None:
        if not _MIN_OBEYING <= self.n <= 100_000:
            raise UsageError(f"n is {self.n}, must be from {_MIN_OBEYING} to 100000")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed is {self.seed}, must be from 0 to 2**63 - 1")


def reference_images(config: TrainConfig, data: SampleSet, count: int) -> tuple[Images, str]:
    """Up to `count` images that show what obeying the rule looks like, (N, H, W) or (N, 3, H, W), and what they are.

    Of the default circles the oracle: images that were found to obey the rule, and are never trained on. Of other
    rendered data, or of other rules, what a search through 200,000 others finds. Of other data those that obey the
    rule. Where they are fewer than 100, the best tenth by score.
    """
    rule = resolve_rule(config.rule)
    if isinstance(config.data, Blobs):
        spec, side = config.data.spec, config.size
        for name in (part.strip() for part in config.rule.split("&")):
            if spec == Circles() and (name, side) in oracles():
                known = oracle(name, side)
                images = render(known.spec, known.indices, seed=known.seed, size=side, dtype=np.uint8)
                images = images[rule(images) >= 1][:count]
                if len(images) >= _MIN_OBEYING:
                    return images, f"oracle: {len(images)} of the default circles that obey {config.rule!r}"
        found = find(
            spec, rule, count, seed=config.data.seed, size=side, start=_SEARCHED_FROM, limit=_SEARCHED, progress=True
        )
        if len(found.indices) >= _MIN_OBEYING:
            images = render(spec, found.indices, seed=found.seed, size=side, dtype=np.uint8)
            return images, f"search: {len(images)} images of the data's renderer that obey {config.rule!r}"
    images, scores = _first(data, _REFERENCES)
    obeying = images[scores >= 1]
    if len(obeying) >= _MIN_OBEYING:
        return obeying[:count], f"data: {min(len(obeying), count)} images that obey {config.rule!r}"
    best = np.argsort(-scores, kind="stable")[: min(count, max(_MIN_OBEYING, len(images) // 10))]
    least = scores[best].min()
    return images[best], f"data: the best {len(best)} images by {config.rule!r}, with scores of {least:.3f} and more"


def training_images(data: SampleSet, count: int) -> Images:
    """Images that the generator was trained on, (N, H, W): the first ones, at most `count`."""
    return _first(data, count)[0]


def _first(data: SampleSet, count: int) -> tuple[Images, Any]:
    count = min(data.length or count, count)
    if isinstance(data, RenderedSet):
        data.find(0, count)
    images, scores, _ = data.items(np.arange(count))
    return arrays(images), scores.numpy()


def held_out_images(config: TrainConfig) -> Images | None:
    """As many images like the data that are not among them, (N, H, W), at most 50,000; None where there are none."""
    if not isinstance(config.data, Blobs):
        return None
    start, count = config.data.images or _BEYOND, min(config.data.images or _COPIED, _COPIED)
    endless = replace(config.data, images=0).open(config.size, resolve_rule(config.rule))
    endless.find(start, count)
    return arrays(endless.items(np.arange(start, start + count))[0])


def evaluate(
    images: Images, reference: Images, training: Images, held_out: Images | None, rule: Rule
) -> dict[str, Any]:
    """Every figure of images (N, H, W): by themselves, as copies where some were held out, and against references."""
    return {**by_themselves(images, training, held_out, rule), **compare(images, reference)}


def by_themselves(images: Images, training: Images, held_out: Images | None, rule: Rule) -> dict[str, Any]:
    """The figures of images (N, H, W) that need no reference."""
    memory: dict[str, Any] = {}
    if held_out is not None:
        figure, error = copies(images, training, held_out)
        memory = {"copies": figure, "copies_error": error, "memorizes": memorizes(figure, error)}
    return {
        **summarize(images, rule),
        "obeying": float((rule(darkest(images)) >= 1).mean()),
        **memory,
        "histograms": histograms(images, rule),
    }


def histograms(images: Images, rule: Rule) -> dict[str, list[float]]:
    """Numbers of images, (N, H, W) or (N, 3, H, W), by how many pieces they have, from 0, and by score, in 20 bins."""
    seen = darkest(images)
    counts = np.bincount(analyze(seen, fields=("count",)).count)
    scores, edges = np.histogram(rule(seen), bins=_BINS, range=(0, 1))
    return {
        "components": counts.tolist(),
        "score": scores.tolist(),
        "score_edges": [round(float(edge), 6) for edge in edges],
    }


def honesty(config: TrainConfig, networks: Networks, images: Images, rule: Rule) -> dict[str, float]:
    """What the recipe's own classifier expects of images (N, H, W), and by how much that is above their exact score."""
    device = next(networks["averaged"].parameters()).device
    told: dict[str, float] = {}
    for part in torch.split(tensor(images), _BATCH):
        with torch.no_grad():
            means = config.recipe.monitor(networks, normalize(part.to(device)), rule)
        for key, mean in means.items():
            told[key] = told.get(key, 0.0) + float(mean) * (len(part) / len(images))
    if "expected_score" in told:
        told["honesty_gap"] = told["expected_score"] - float(rule(darkest(images)).mean())
    return told


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return execute(lambda: _evaluate(arguments))


def _evaluate(arguments: list[str]) -> None:
    options = tyro.cli(EvaluateOptions, args=arguments, prog="python -m reggan.evaluate")
    device = find_device(options.device)
    config, networks = load_networks(options.run, options.checkpoint, device)
    data = config.data.open(config.size, resolve_rule(config.rule))
    domain = config.domain.given(data)
    inputs = domain.inputs(config.recipe.prior, options.n, private_generator(options.seed, "evaluate"))
    samples = generate(networks["averaged"], inputs.to(device), domain)
    if isinstance(domain, ImageDomain):
        stages = _compare(config, networks, data, samples)
    else:
        compared = {"data": domain.array(data.items(np.arange(options.n))[0]), "generator": samples}
        found = {name: domain.summarize(those) for name, those in compared.items()}
        stages = iter([(found, f"what the {config.data.kind} are known to be")])
    table = ""
    try:
        for columns, about in stages:
            table = _table(columns, about)
            described = {"samples": options.n, "seed": options.seed, "checkpoint": options.checkpoint, **columns}
            write_json(options.run / "evaluation.json", {"reference": about, **described}, indent=1)
            atomic_write(options.run / "evaluation.md", table)
    finally:
        print(table, end="")


def _compare(config: TrainConfig, networks: Networks, data: SampleSet, images: Images) -> Iterator[Measured]:
    """Figures of data and of as many generated images, and what they were compared with.

    Those that need no reference come first, alone: the comparison may fail, or need more memory than there is.
    """
    rule = resolve_rule(config.rule)
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
            "references; the figures that need none are in evaluation.json"
        )
    reference, about = reference_images(config, data, len(images))
    if held_out is None:
        about += "; no image of these data was held out, so that copies cannot be recognized"
    yield {name: columns[name] | compare(those, reference) for name, those in compared.items()}, about


def _table(columns: Columns, about: str | None) -> str:
    head = f"Reference: {about or 'none: nothing was compared'}."
    lines = [head, "", "| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for key, first in next(iter(columns.values())).items():
        if isinstance(first, dict):
            continue
        cells = [
            ("yes" if column[key] else "no") if isinstance(first, bool) else cell(column[key], ".3f")
            for column in columns.values()
        ]
        lines.append(f"| {key.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
