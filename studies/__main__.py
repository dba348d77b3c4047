"""`python -m studies NAME`: run a study, with seeds, tables and figures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from reggan.cli import UsageError, execute
from reggan.training import Stopped

from . import STUDIES, ByReferences

__all__ = ["main"]


@dataclass(frozen=True)
class StudyOptions:
    """Run a study: train its arms with several seeds, and write its tables and figures."""

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = ""
    """Name of the study; see --list."""
    list: bool = False
    """List the studies."""
    reduced: bool = False
    """A smoke test: the whole study in seconds, with meaningless numbers."""
    seeds: int = 3
    """Number of seeds, starting at 0; with 0, only write tables and figures of existing records."""
    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ARM...")] = ()
    """Train only these arms; the tables hold all arms with records."""
    sealed: bool = False
    """Measure with the sealed references: for final tables, after all options are chosen."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder for results and runs; by default results/NAME. Stopped runs continue from there."""

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
    study = STUDIES[options.name]
    if options.sealed:
        if not isinstance(study.comparison, ByReferences):
            raise UsageError(f"sealed is for studies that compare with references, and {options.name} does not")
        study = replace(study, comparison=replace(study.comparison, sealed=True))
    out = options.out or Path("results") / options.name
    out.mkdir(parents=True, exist_ok=True)
    try:
        study.run(out, options.seeds, options.reduced, options.only)
    except Stopped as stopped:
        raise KeyboardInterrupt(f"{stopped}; the same command continues from there") from stopped
    print(out)


if __name__ == "__main__":
    sys.exit(main())
