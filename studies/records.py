"""Records: one JSON file per arm and seed, the only source of tables and figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "MINUTES",
    "Column",
    "Columns",
    "Record",
    "Records",
    "check_arms",
    "common_reference",
    "is_done",
    "picture_path",
    "read_lines",
    "read_record",
    "read_records",
    "record_path",
    "run_directory",
    "same_config",
    "spread",
    "table",
]

Record = dict[str, Any]
Records = Mapping[str, list[Record]]
"""The records of each arm, one per seed."""
Column = tuple[str, Callable[[Record], float | None], str]
"""Heading, value in a record if it has one, format."""
Columns = Mapping[str, Column]
"""Columns of a table by name."""

MINUTES: Column = ("minutes", lambda record: record["seconds"] / 60, ".1f")
"""Minutes of training."""


def check_arms(only: Iterable[str], arms: Iterable[str]) -> None:
    """Raise a ValueError if `only` names an unknown arm."""
    if wrong := set(only) - set(arms):
        raise ValueError(f"unknown arm {', '.join(sorted(wrong))}; known: {', '.join(arms)}")


def record_path(out: Path, arm: str, seed: int) -> Path:
    """Path of the record of an arm with a seed."""
    return out / "records" / f"{arm}-seed{seed}.json"


def picture_path(out: Path, arm: str, records: Records) -> Path:
    """Path of the picture beside the first record of an arm."""
    return record_path(out, arm, records[arm][0]["config"]["seed"]).with_suffix(".png")


def run_directory(record: Path) -> Path:
    """Run directory that belongs to the record at this path."""
    return record.parents[1] / "runs" / record.stem


def read_record(path: Path) -> Record:
    """The record in a file."""
    return dict(json.loads(path.read_text(encoding="utf-8")))


def read_lines(path: Path) -> list[Record]:
    """The lines of a JSONL file of a run."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def same_config(config: Record, other: Record) -> bool:
    """Whether two configurations are equal except for device, precision and the folder of the data."""
    return _without_machine(config) == _without_machine(other)


def _without_machine(config: Record) -> Record:
    data = config.get("data", {})
    if "path" in data:
        data = data | {"path": Path(data["path"]).name}
    return config | {"device": "any", "precision": "any", "data": data}


def is_done(path: Path, config: Record) -> bool:
    """Whether the record exists, from any machine; a ValueError if it has another configuration."""
    if path.exists() and not same_config(read_record(path)["config"], config):
        raise ValueError(f"{path} has another configuration; remove it, or choose another --out")
    return path.exists()


def read_records(out: Path, arms: Iterable[str]) -> Records:
    """Records of each arm that has any; a ValueError if no arm has one."""
    found = {arm: [read_record(path) for path in sorted((out / "records").glob(f"{arm}-seed*.json"))] for arm in arms}
    if not any(found.values()):
        raise ValueError(f"there are no records in {out / 'records'}; train with --seeds of at least 1")
    return {arm: records for arm, records in found.items() if records}


def common_reference(records: Records) -> str | None:
    """The references that all records were measured by, if any; a ValueError if they differ."""
    references = {record.get("reference") for found in records.values() for record in found}
    if len(references) > 1:
        raise ValueError(
            f"the records have different references: {', '.join(sorted(map(str, references)))}; "
            "remove those of one kind, and their arms are measured again"
        )
    return references.pop()


def spread(records: list[Record], columns: Columns) -> dict[str, Any]:
    """Mean, standard deviation and values over the seeds, for each column with values."""
    found: dict[str, Any] = {}
    for key, (_, value_of, _) in columns.items():
        values = [value for value in map(value_of, records) if value is not None]
        if values:
            found[key] = {"mean": float(np.mean(values)), "std": float(np.std(values)), "seeds": values}
    return found


def table(arms: Mapping[str, Any], columns: Columns) -> str:
    """A Markdown table of arms, each with the result of `spread` and a "label"; columns without values are omitted."""
    shown = {key: column for key, column in columns.items() if any(key in arm for arm in arms.values())}
    lines = [
        "| | seeds | " + " | ".join(heading for heading, _, _ in shown.values()) + " |",
        "|---|" + "---:|" * (len(shown) + 1),
    ]
    for arm in arms.values():
        seeds = max(len(arm[key]["seeds"]) for key in shown if key in arm)
        cells = [_cell(arm.get(key), form) for key, (_, _, form) in shown.items()]
        lines.append(f"| {arm['label']} | {seeds} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(column: Record | None, form: str) -> str:
    if column is None:
        return "–"
    deviation = f" ± {column['std']:{form}}" if len(column["seeds"]) > 1 else ""
    return f"{column['mean']:z{form}}{deviation}"  # z: no minus before a rounded 0
