"""`python -m reggan.experiment NAME`: rerun a claim, with seeds, tables and figures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from .cli import UsageError, execute
from .experiments import EXPERIMENTS
from .training import Stopped

__all__ = ["main"]


@dataclass(frozen=True)
class ExperimentOptions:
    """Rerun an experiment: train what it compares, with several seeds, and write its tables and figures."""

    name: Annotated[str, tyro.conf.Positional] = ""
    """Which one; --list lists them."""
    list: bool = False
    """List the experiments."""
    reduced: bool = False
    """The smallest form: the same steps of work in seconds, whose numbers mean nothing."""
    seeds: int = 3
    """Number of seeds, counted from 0; 0 trains nothing, and makes the tables and figures of what was."""
    only: tuple[str, ...] = ()
    """Train these arms alone; the tables hold all that were trained before, too."""
    out: Path | None = None
    """Results folder; by default results/NAME. Runs are kept under it, and one that was stopped goes on."""

    def __post_init__(self) -> None:
        if self.seeds < 0:
            raise UsageError(f"seeds is {self.seeds}, must be at least 0")
        if not self.list and self.name not in EXPERIMENTS:
            raise UsageError(f"unknown experiment {self.name!r}; known: {', '.join(EXPERIMENTS)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return execute(lambda: _experiment(arguments))


def _experiment(arguments: Sequence[str]) -> None:
    options = tyro.cli(ExperimentOptions, args=arguments, prog="python -m reggan.experiment")
    if options.list:
        width = max(map(len, EXPERIMENTS))
        for name, experiment in EXPERIMENTS.items():
            print(f"{name:{width}}  {experiment.about}")
        return
    out = options.out or Path("results") / options.name
    out.mkdir(parents=True, exist_ok=True)
    try:
        EXPERIMENTS[options.name].run(out, options.seeds, options.reduced, options.only)
    except Stopped as stopped:
        raise KeyboardInterrupt(f"{stopped}; the same command goes on from there") from stopped
    print(out)


if __name__ == "__main__":
    sys.exit(main())
