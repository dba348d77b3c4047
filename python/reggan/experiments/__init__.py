"""Experiments: claims about recipes, each shown with seeds, tables and figures. A new one is a file and a line here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import compare

__all__ = ["EXPERIMENTS", "Experiment"]


@dataclass(frozen=True)
class Experiment:
    """What `python -m reggan.experiment NAME` runs."""

    about: str
    run: Callable[[Path, int, bool], None]
    """Called with the results folder, the number of seeds, and whether to run the smallest form."""


EXPERIMENTS: dict[str, Experiment] = {
    "compare": Experiment(compare.ABOUT, compare.run),
}
