"""`python -m studies NAME`: run a study again, with seeds, tables and figures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from reggan.cli import UsageError, execute
from reggan.training import Stopped

from . import STUDIES

__all__ = ["main"]


@dataclass(frozen=True)
class StudyOptions:
    """Run a study: train its arms with several seeds, and write its tables and figures."""

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = ""
    """Which one; --list lists them."""
    list: bool = False
    """List the studies."""
    reduced: bool = False
    """The smallest form: all of the work in seconds, with numbers that mean nothing."""
    seeds: int = 3
    """Number of seeds, counted from 0; with 0, make tables and figures of the records that exist."""
    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ARM...")] = ()
    """Train these arms alone; the tables hold every arm that has records."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Results folder; by default results/NAME. It also keeps the runs, and continues one that was stopped."""

    def __post_init__(self) -> None:
        if self.seeds < 0:
            raise UsageError(f"seeds is {self.seeds}, must be at least 0")
        if not self.list and self.name not in STUDIES:
            raise UsageError(f"unknown study {self.name!r}; known: {', '.join(STUDIES)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return execute(lambda: _study(arguments))


def _study(arguments: Sequence[str]) -> None:
    options = tyro.cli(StudyOptions, args=arguments, prog="python -m studies")
    if options.list:
        width = max(map(len, STUDIES))
        for name, study in STUDIES.items():
            print(f"{name:{width}}  {study.about}")
        return
    out = options.out or Path("results") / options.name
    out.mkdir(parents=True, exist_ok=True)
    try:
        STUDIES[options.name].run(out, options.seeds, options.reduced, options.only)
    except Stopped as stopped:
        raise KeyboardInterrupt(f"{stopped}; the same command continues from there") from stopped
    print(out)


if __name__ == "__main__":
    sys.exit(main())
