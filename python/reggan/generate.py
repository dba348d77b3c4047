"""`python -m reggan.generate RUN`: make samples with a trained generator, and print their exact scores."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from .cli import UsageError, execute
from .devices import check_device
from .files import check_folder, write_json
from .modalities import ImageModality, Samples
from .rules import repair_samples
from .runs import RunDirectory
from .sampler import Sampler
from .tables import describe

__all__ = ["main"]

_DRAWN = 256
"""Samples in the sheet."""


@dataclass(frozen=True)
class GenerateOptions:
    """Make samples with a trained generator: images as PNG files, points as an array, with exact scores."""

    run: tyro.conf.Positional[Path]
    """Run directory of `python -m reggan.train`."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64
    """Number of samples."""
    out: Path | None = None
    """Folder for the files; by default RUN/generated-seedN."""
    require: float = 0.0
    """Keep only samples with at least this exact score; with 1.0, those that obey the rule."""
    repair: bool = False
    """Repair images that fail the rule, with few changed pixels; repaired.json says which."""
    method: str | None = None
    """With --repair: search, which changes the fewest pixels, or a faster method of the rule, such as slide or erase.
    By default the rule's first method."""
    max_tries: int = 1000
    """With --require: samples to make for each requested one before giving up."""
    seed: int = 0
    """Seed of the latents; the same seed makes the same samples."""
    checkpoint: Literal["best", "last"] = "last"
    """Checkpoint to use."""
    device: str = "cpu"
    """Device to use, whatever the run was trained on; auto is an accelerator where there is one."""
    json: Path | None = None
    """Also write scores and metrics to this JSON file."""

    def __post_init__(self) -> None:
        if not 1 <= self.n <= 99_999_999:
            raise UsageError(f"n is {self.n}, must be from 1 to 99999999")
        if not 0 <= self.require <= 1:
            raise UsageError(f"require is {self.require}, must be from 0 to 1")
        if self.method is not None and not self.repair:
            raise UsageError("--method applies only to --repair")
        if self.max_tries < 1:
            raise UsageError(f"max_tries is {self.max_tries}, must be at least 1")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed is {self.seed}, must be from 0 to 2**63 - 1")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return execute(lambda: _generate(tyro.cli(GenerateOptions, args=argv, prog="python -m reggan.generate")))


def _generate(options: GenerateOptions) -> None:
    if options.json is not None:
        check_folder(options.json, "--json")
    sampler = RunDirectory.open(options.run).load_sampler(options.checkpoint, check_device(options.device))
    modality, repair = sampler.modality, _repairer(options, sampler)
    out = options.out or options.run / f"generated-seed{options.seed}"
    others = _others(out, options.n)
    if others and options.out:
        raise FileExistsError(f"{others[0]} is from an earlier call and would remain; remove it, or give another --out")

    kept: list[Samples] = []
    scores: list[np.ndarray] = []
    changes: list[np.ndarray] = []
    found = tried = 0
    for made in sampler.batches(options.seed):
        samples, changed = repair(made)
        exact = modality.scores(samples)
        good = exact >= np.float32(options.require)
        kept.append(samples[good])
        scores.append(exact[good])
        changes.append(changed[good])
        found, tried = found + int(good.sum()), tried + len(samples)
        if found >= options.n:
            break
        if tried >= options.n * options.max_tries:
            raise ValueError(
                f"only {found} of {tried} samples have a score of at least {options.require}, and {options.n} were"
                " requested; nothing was written: lower --require or raise --max-tries"
            )
    samples = np.concatenate(kept)[: options.n]
    exact = np.concatenate(scores)[: options.n]
    changed = np.concatenate(changes)[: options.n]

    out.mkdir(parents=True, exist_ok=True)
    for path in (*others, out / "repaired.json"):
        path.unlink(missing_ok=True)
    paths = modality.save(samples, out)
    for path, score, pixels in zip(paths, exact, changed, strict=False):
        column = f"  {pixels} pixels changed" if options.repair else ""
        print(f"{path}  {score:.6f}{column}" if len(paths) == len(exact) else path)
    for suffix, picture in modality.draw(samples[:_DRAWN]).items():
        picture.save(out / f"sheet{suffix}.png")
    figures = modality.summarize(samples)
    print(", ".join(f"{describe(name).label} {describe(name).cell(value)}" for name, value in figures.items()))
    if options.repair:
        write_json(
            out / "repaired.json", {path.name: int(n) for path, n in zip(paths, changed, strict=True) if n}, indent=1
        )
        failed, share = int((exact < 1).sum()), changed.mean() / math.prod(modality.shape[1:])
        rest = f"; {failed} still fail, which --require 1.0 would drop" if failed else ""
        print(f"repaired {np.count_nonzero(changed)} of {len(samples)} images, {share:.2%} of pixels changed{rest}")
    if options.require:
        print(f"kept {found / tried:.2%} of {tried} samples, with a score of at least {options.require}")
    if options.json is not None:
        described = {"scores": [float(s) for s in exact], "acceptance": found / tried, "figures": figures}
        described |= {"changed": changed.tolist()} if options.repair else {}
        write_json(options.json, described, indent=2)


def _repairer(options: GenerateOptions, sampler: Sampler) -> Callable[[Samples], tuple[Samples, np.ndarray]]:
    """What repairs samples (N, ...) and counts changed pixels (N,); without --repair they stay as they are."""
    modality = sampler.modality
    if not options.repair:
        return lambda samples: (samples, np.zeros(len(samples), np.int32))
    if not isinstance(modality, ImageModality):
        raise ValueError(f"--repair works on images, but {options.run} makes other samples")
    modality.rule.check_method(options.method)

    def repair(samples: Samples) -> tuple[Samples, np.ndarray]:
        repaired = repair_samples(modality.rule, samples, method=options.method, seed=options.seed)
        return repaired.images, repaired.changed

    return repair


def _others(folder: Path, count: int) -> list[Path]:
    """Numbered images of an earlier call that `count` new ones do not overwrite."""
    found = (path for pattern in ("*.png", "to-*/*.png") for path in folder.glob(pattern))
    return sorted(path for path in found if re.fullmatch("[0-9]{5,}", path.stem) and int(path.stem) >= count)


if __name__ == "__main__":
    sys.exit(main())
