"""A study: several arms, each with several seeds, compared in tables and figures.

Every run leaves a record, a JSON file with its configuration and its results. A run with a record is not repeated, so a
study can be stopped and continued. Tables and figures are made from the records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from reggan.files import atomic_write, write_json

from .figures import Picture, save_picture
from .records import (
    Columns,
    Record,
    Records,
    check_arms,
    common_reference,
    is_done,
    read_records,
    record_path,
    spread,
    table,
)

__all__ = ["Arm", "Arms", "Comparison", "Study", "by_group"]

C = TypeVar("C")
"""Configuration of a run, with its seed."""


@dataclass(frozen=True)
class Arm(Generic[C]):
    """One line of a table."""

    label: str
    config: C
    group: str = ""
    """Heading of its table."""
    prepare: Callable[[], None] | None = None
    """Makes missing data before the first run."""


Arms = Mapping[str, Arm[C]]
"""Arms by name; those of a group are adjacent."""


class Comparison(Protocol[C]):
    """How to measure the arms of a study and present their records."""

    @property
    def columns(self) -> Columns:
        """Columns of the tables."""

    @property
    def lead(self) -> tuple[str, ...]:
        """Columns of the first of two tables; empty for a single table."""

    @property
    def note(self) -> str:
        """A sentence above the tables, or nothing."""

    def plan(self, config: C, seed: int, reduced: bool) -> C:
        """The configuration of one run; `reduced` is a smoke test in seconds."""

    def to_json(self, config: C) -> Record:
        """The configuration as JSON data of a record."""

    def measure(self, path: Path, config: C, standard: C, reduced: bool) -> Record:
        """Train and measure one run, and save pictures beside its record at `path`.

        `standard` is the configuration of the study's first arm. A record may describe its references as "reference".
        """

    def draw(self, out: Path, arms: Arms[C], records: Records) -> Iterable[tuple[str, Picture]]:
        """Figures of a study by file name."""


@dataclass(frozen=True)
class Study(Generic[C]):
    """A study that `python -m studies NAME` runs."""

    about: str
    arms: Callable[[Path], Arms[C]]
    """Returns the arms, given a folder for generated data."""
    comparison: Comparison[C]

    def run(self, out: Path, seeds: int, reduced: bool, only: tuple[str, ...] = ()) -> None:
        """Train and measure every arm, or those named in `only`, with seeds 0 to `seeds` - 1; write tables and figures.

        A ValueError if `only` names an unknown arm, there are no records, a record has another configuration, or the
        records have different references.
        """
        arms = self.arms(out / "runs")
        check_arms(only, arms)
        standard = next(iter(arms.values())).config
        for seed in range(seeds):
            for name in only or arms:
                self._record(record_path(out, name, seed), arms[name], standard, seed, reduced)
        records = read_records(out, arms)
        self._write_tables(out, arms, records, reduced)
        for name, picture in self.comparison.draw(out, arms, records):
            save_picture(picture, out / name)

    def _record(self, path: Path, arm: Arm[C], standard: C, seed: int, reduced: bool) -> None:
        """Write the record of one run unless it exists."""
        config, standard = (self.comparison.plan(each, seed, reduced) for each in (arm.config, standard))
        described = self.comparison.to_json(config)
        if is_done(path, described):
            return
        if arm.prepare:
            arm.prepare()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"config": described, **self.comparison.measure(path, config, standard, reduced)})

    def _write_tables(self, out: Path, arms: Arms[C], records: Records, reduced: bool) -> None:
        """Write results.json and results.md."""
        columns, lead = self.comparison.columns, self.comparison.lead
        described = {name: {"label": arms[name].label, **spread(found, columns)} for name, found in records.items()}
        results: dict[str, Any] = {"reduced": reduced}
        text = "Mean ± standard deviation over seeds."
        if reference := common_reference(records):
            results["reference"] = reference
            text += f" Reference: {reference}."
        if self.comparison.note:
            text += f" {self.comparison.note}"
        if reduced:
            text += " The smallest form: the numbers mean nothing."
        write_json(out / "results.json", {**results, "arms": described}, indent=1)
        first = {key: columns[key] for key in lead}
        parts = [first, {key: column for key, column in columns.items() if key not in lead}] if lead else [columns]
        for group, names in by_group(arms, records).items():
            for part in parts:
                text += f"\n\n{group}:" * bool(group) + f"\n\n{table({name: described[name] for name in names}, part)}"
        atomic_write(out / "results.md", f"{text}\n")


def by_group(arms: Arms[C], names: Iterable[str]) -> dict[str, list[str]]:
    """Names of arms by their group."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(arms[name].group, []).append(name)
    return groups
