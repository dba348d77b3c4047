"""Records of runs, one JSON file for each arm and seed, and the tables and pictures that are made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ..files import atomic_file

__all__ = [
    "MINUTES",
    "Column",
    "Columns",
    "Record",
    "asks_the_same",
    "check_arms",
    "is_done",
    "read_lines",
    "read_record",
    "read_records",
    "record_path",
    "save_picture",
    "spread",
    "table",
]

Record = dict[str, Any]
Column = tuple[str, Callable[[Record], float | None], str]
"""Heading, figure of a record or None where there is none, format."""
Columns = Mapping[str, Column]
"""Columns of a table by name."""

MINUTES: Column = ("minutes", lambda record: record["seconds"] / 60, ".1f")
"""Minutes of training."""


def check_arms(only: Iterable[str], arms: Iterable[str]) -> None:
    """Raise a ValueError where an arm is asked for that is not there."""
    if wrong := set(only) - set(arms):
        raise ValueError(f"there is no arm {', '.join(sorted(wrong))}; the arms are {', '.join(arms)}")


def record_path(out: Path, arm: str, seed: int) -> Path:
    """Path of the record of an arm with a seed."""
    return out / "records" / f"{arm}-seed{seed}.json"


def read_record(path: Path) -> Record:
    """The record in a file."""
    return dict(json.loads(path.read_text(encoding="utf-8")))


def read_lines(path: Path) -> list[Record]:
    """The lines of a JSONL file of a run."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def asks_the_same(config: Record, other: Record) -> bool:
    """Whether two configurations are equal but for what "auto" stood for on the machine of each, and its folders."""
    return _anywhere(config) == _anywhere(other)


def _anywhere(config: Record) -> Record:
    data = config["data"]
    if "path" in data:
        data = data | {"path": Path(data["path"]).name}
    return config | {"device": "any", "precision": "any", "data": data}


def is_done(path: Path, asked: Record) -> bool:
    """Whether the record is there, of whatever machine; a ValueError if it is of another configuration."""
    if path.exists() and not asks_the_same(read_record(path)["config"], asked):
        raise ValueError(f"{path} is of another configuration; remove it, or name another --out")
    return path.exists()


def read_records(out: Path, arms: Iterable[str]) -> dict[str, list[Record]]:
    """Records of each arm that has any, one a seed; a ValueError if there is none at all."""
    found = {arm: [read_record(path) for path in sorted((out / "records").glob(f"{arm}-seed*.json"))] for arm in arms}
    if not any(found.values()):
        raise ValueError(f"there are no records in {out / 'records'}; give a number of seeds to train")
    return {arm: records for arm, records in found.items() if records}


def save_picture(picture: Figure | Image.Image, path: Path) -> None:
    """Write a PNG, whole or not at all, whose bytes do not tell by which version of a library."""
    with atomic_file(path) as file:
        if isinstance(picture, Figure):
            picture.savefig(file, format="png", dpi=110, metadata={"Software": None})
        else:
            picture.save(file, "PNG")


def spread(records: list[Record], columns: Columns) -> dict[str, Any]:
    """Mean, standard deviation and values over the seeds, of each column that has a figure."""
    found: dict[str, Any] = {}
    for key, (_, figure, _) in columns.items():
        values = [value for value in map(figure, records) if value is not None]
        if values:
            found[key] = {"mean": float(np.mean(values)), "std": float(np.std(values)), "seeds": values}
    return found


def table(arms: Mapping[str, Any], columns: Columns) -> str:
    """A table in Markdown of what `spread` gives each arm, and its "label"; a column without figures is left out."""
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
