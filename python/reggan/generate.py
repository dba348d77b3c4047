"""`python -m reggan.generate RUN`: make samples with a trained generator, with their exact scores."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
import tyro

from .cli import UsageError, execute
from .config import TrainConfig
from .domains import Samples
from .files import check_folder, write_json
from .tables import cell
from .training import find_device, generate, load_generator, private_generator

__all__ = ["main"]

_BATCH = 256


@dataclass(frozen=True)
class GenerateOptions:
    """Make samples with a trained generator; write images as PNG files, points as an array, and print exact scores."""

    run: tyro.conf.Positional[Path]
    """Run directory of `python -m reggan.train`."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64
    """Number of samples."""
    out: Path | None = None
    """Folder for the files; by default RUN/generated-seedN."""
    require: float = 0.0
    """Keep only samples with at least this exact score; 1.0 keeps those that obey the rule entirely."""
    max_tries: int = 1000
    """With --require: samples to look at for each one wanted before giving up."""
    seed: int = 0
    """Seed of the latents: the same samples for the same seed."""
    checkpoint: Literal["best", "last"] = "last"
    """Which checkpoint's generator."""
    device: str = "cpu"
    """Where samples are made, whatever the run was trained on; auto takes an accelerator where there is one."""
    json: Path | None = None
    """File for the scores and the figures, as JSON."""

    def __post_init__(self) -> None:
        if not 1 <= self.n <= 99_999_999:
            raise UsageError(f"n is {self.n}, must be from 1 to 99999999")
        if not 0 <= self.require <= 1:
            raise UsageError(f"require is {self.require}, must be from 0 to 1")
        if self.max_tries < 1:
            raise UsageError(f"max_tries is {self.max_tries}, must be at least 1")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed is {self.seed}, must be from 0 to 2**63 - 1")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return execute(lambda: _generate(arguments))


def _generate(arguments: list[str]) -> None:
    options = tyro.cli(GenerateOptions, args=arguments, prog="python -m reggan.generate")
    if options.json is not None:
        check_folder(options.json, "--json")
    device = find_device(options.device)
    config, module = load_generator(options.run, options.checkpoint, device)
    domain = config.domain
    out = options.out or options.run / f"generated-seed{options.seed}"
    others = _others(out, options.n)
    if others and options.out:
        raise FileExistsError(f"{others[0]} would stay beside the new images; remove it, or give another --out")

    kept: list[Samples] = []
    scores: list[np.ndarray] = []
    found = tried = 0
    for samples in _batches(config, module, options.seed, device):
        exact = domain.scores(samples)
        good = exact >= np.float32(options.require)
        kept.append(samples[good])
        scores.append(exact[good])
        found, tried = found + int(good.sum()), tried + len(samples)
        if found >= options.n:
            break
        if tried >= options.n * options.max_tries:
            raise ValueError(
                f"only {found} of {tried} samples have a score of at least {options.require}, and {options.n} were"
                " asked for; nothing was written: lower --require or raise --max-tries"
            )
    samples = np.concatenate(kept)[: options.n]
    exact = np.concatenate(scores)[: options.n]

    out.mkdir(parents=True, exist_ok=True)
    for path in others:
        path.unlink()
    paths = domain.save(samples, out)
    for path, score in zip(paths, exact, strict=False):
        print(f"{path}  {score:.6f}" if len(paths) == len(exact) else path)
    for suffix, picture in domain.draw(samples[:_BATCH]).items():
        picture.save(out / f"sheet{suffix}.png")
    figures = domain.summarize(samples)
    print(", ".join(f"{name} {cell(value, '.4f')}" for name, value in figures.items()))
    if options.require:
        print(f"kept {found / tried:.2%} of {tried} samples: those with a score of at least {options.require}")
    if options.json is not None:
        described = {"scores": [float(s) for s in exact], "acceptance": found / tried, "figures": figures}
        write_json(options.json, described, indent=2)


def _others(folder: Path, count: int) -> list[Path]:
    """Numbered images of an earlier call that `count` new ones do not replace."""
    found = (path for pattern in ("*.png", "to-*/*.png") for path in folder.glob(pattern))
    numbered = (path for path in found if re.fullmatch("[0-9]{5,}", path.stem))
    return sorted(path for path in numbered if int(path.stem) >= count)


def _batches(config: TrainConfig, module: torch.nn.Module, seed: int, device: str) -> Iterator[Samples]:
    domain, random = config.domain, private_generator(seed, "generate")
    while True:
        yield generate(module, domain.inputs(config.recipe.prior, _BATCH, random).to(device), domain)


if __name__ == "__main__":
    sys.exit(main())
