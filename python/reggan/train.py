"""`python -m reggan.train`: train a generator whose samples obey a rule."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from .cli import UsageError, execute
from .config import TrainConfig, config_to_json, preset
from .data import Files
from .distributed import Ranks, start
from .files import atomic_write
from .training import Stopped, create_run, fit, open_run, resolve

__all__ = ["main"]


@dataclass(frozen=True)
class TrainOptions:
    """Train a generator whose samples obey a rule, and leave a run directory that says everything.

    Without options: the harvest recipe on rendered blobs, minutes on two CPU cores. The defaults below are those of the
    recipe and the preset given: `--recipe dcgan --help` shows DCGAN's.
    """

    config: Annotated[TrainConfig, tyro.conf.arg(name="")]
    """Every option is saved in the run's config.json."""
    recipe: Literal[
        "bigan",
        "bigan-pgp",
        "dcgan",
        "gan",
        "harvest",
        "penalty",
        "reggan",
        "reggan-wgan-gp",
        "toy-1d",
        "wdcgan",
        "wgan",
        "wgan-gp",
    ] = "harvest"
    """How to train."""
    preset: Literal["fine", "paper", "points", "quick"] = "quick"
    """Where the defaults come from: minutes on a CPU at 32 pixels, an hour at 64, all of arXiv 2102.04593, or points of
    a mixture of Gaussians in the place of images."""
    data: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Images of your own instead of rendered ones: a folder of pictures, an IDX file (MNIST), a .npy or .npz array, or
    a set of shards. `--data PATH --help` shows what can be done with them."""
    run: Path | None = None
    """Run directory to make; by default the next free one under runs/."""
    resume: Path | None = None
    """Continue this run from its last checkpoint, with the numbers of an unbroken run. Goes with --json alone."""
    dry_run: bool = False
    """Print the resolved configuration as JSON, and do nothing."""
    json: Path | None = None
    """File for the final table, as JSON."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return execute(lambda: _train(arguments))


def _parse(arguments: list[str]) -> TrainOptions:
    """The recipe and the preset decide which options there are and what their defaults are, so they are read first."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--recipe", default="harvest")
    first.add_argument("--preset", default="quick")
    first.add_argument("--data", type=Path)
    try:
        chosen, _ = first.parse_known_args(arguments)
        default = preset(chosen.preset, chosen.recipe)
        if chosen.data is not None:
            default = replace(default, data=Files(str(chosen.data.absolute())))
    except (ValueError, argparse.ArgumentError) as error:
        raise UsageError(str(error)) from error
    options = TrainOptions(default, recipe=chosen.recipe, preset=chosen.preset, data=chosen.data)
    try:
        return tyro.cli(TrainOptions, args=arguments, default=options, prog="python -m reggan.train")
    except ValueError as error:
        raise UsageError(str(error)) from error


def _train(arguments: list[str]) -> None:
    options = _parse(arguments)
    with start() as ranks:
        _run(options, ranks)


def _run(options: TrainOptions, ranks: Ranks) -> None:
    if options.resume is not None:
        if options.config != preset(options.preset, options.recipe) or options.run or options.dry_run:
            raise UsageError("--resume continues a run as it was configured; it goes with --json alone")
        run = options.resume
        open_run(run)
    else:
        config = resolve(options.config)
        if options.dry_run:
            print(json.dumps(config_to_json(config), indent=2))
            return
        if options.data is not None and not options.data.exists():
            raise FileNotFoundError(f"{options.data} does not exist; give a folder of pictures or a file of images")
        run = options.run or _next_free(Path("runs"), config)
        if ranks.is_first:
            create_run(run, config)
    run = ranks.first(run)
    try:
        summary = fit(run)
    except Stopped as stopped:
        raise KeyboardInterrupt(f"{stopped}; continue with: python -m reggan.train --resume {run}") from stopped
    if ranks.is_first:
        _print_table(summary)
        if options.json is not None:
            atomic_write(options.json, json.dumps(summary, indent=2) + "\n")
        print(run)


def _next_free(parent: Path, config: TrainConfig) -> Path:
    rule = re.sub(r"[^\w.]+", "-", config.rule).strip("-")
    stem = f"{config.recipe.name}-{rule}-{config.size}px-seed{config.seed}"
    path, number = parent / stem, 1
    while path.exists():
        number += 1
        path = parent / f"{stem}-{number}"
    return path


TABLE = {
    "score": "mean exact score",
    "one_piece": "share of one-piece images",
    "components": "components an image",
    "ink": "ink share",
    "diversity": "pixel diversity",
    "modes": "modes found",
    "reverse_kl": "KL of modes to uniform",
    "wasserstein": "distance in deviations",
}


def _print_table(summary: dict[str, dict[str, float]]) -> None:
    print(f"{'':27}" + "".join(f"{name:>12}" for name in summary))
    for key in summary["data"]:
        print(f"{TABLE.get(key, key):27}" + "".join(f"{column[key]:12.3f}" for column in summary.values()))


if __name__ == "__main__":
    sys.exit(main())
