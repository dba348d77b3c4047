"""Read and check the contents of a run directory; missing or unfinished files become notes, not errors."""

from __future__ import annotations

import io
import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ..checkpoint import check_format, config_path
from ..files import read_json
from ..options import flatten

__all__ = ["Row", "Run", "Sheet", "read_run"]

Row = dict[str, Any]
"""One line of a JSONL file: "step", "stage", ... and numbers by their name."""


@dataclass(frozen=True)
class Sheet:
    """A grid of images, as the bytes of a PNG file."""

    png: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Run:
    """The contents of a run directory."""

    name: str
    config: dict[str, Any]
    made_by: dict[str, Any]
    metrics: list[Row]
    timings: list[Row]
    summary: dict[str, dict[str, float]]
    """Defined metrics of "data" and "generator" by name; empty while there is no summary.json."""
    scores: dict[str, list[float]]
    """Exact scores of "data" and "generator" images; empty while there is no summary.json."""
    sheets: dict[str, Sheet]
    """Sheets by file name without suffix."""
    notes: list[str]
    """Sentences about missing or unfinished files."""

    @property
    def kind(self) -> str:
        """images, pairs or points."""
        data = self.config.get("data")
        fields = data if isinstance(data, dict) else {}
        return "points" if "mixture" in fields else "pairs" if "first" in fields else "images"

    @property
    def sampled_steps(self) -> list[int]:
        """Steps with a sample sheet, in order."""
        return sorted(int(match[1]) for name in self.sheets if (match := re.fullmatch(r"step-(\d{8})", name)))

    @property
    def stages(self) -> list[str]:
        """Names of the stages in metrics.jsonl, in order."""
        return list(dict.fromkeys(row["stage"] for row in self.metrics))

    @property
    def steps_before_generator(self) -> int | None:
        """Steps of the stages before the generator's training; None while it has no line."""
        return next((row["step"] - row["generator_step"] for row in self.metrics if row["generator_step"]), None)

    @property
    def seconds(self) -> float:
        """Time spent training, over all sessions."""
        return float(self.timings[-1]["seconds"]) if self.timings else 0.0


def read_run(path: Path) -> Run:
    """Read a run directory; a ValueError if it is no run directory, or a file in it is damaged or of another version.

    A truncated last line or sheet is only a note.
    """
    config, made_by, notes = _read_config(path)
    metrics = _read_lines(path / "metrics.jsonl", ("step", "stage", "generator_step"), notes)
    timings = _read_lines(path / "timings.jsonl", ("step", "seconds", "images_per_second"), notes)
    summary, scores = _read_summary(path / "summary.json")
    sheets = _read_sheets(path / "samples", notes)
    if metrics and not any("samples/score" in row for row in metrics):
        notes.append("No samples have been evaluated yet.")
    if not summary:
        reached = f" at step {metrics[-1]['step']:,}" if metrics else ""
        notes.insert(0, f"This run is unfinished{reached}: there is no summary.json yet.")
    return Run(path.resolve().name, config, made_by, metrics, timings, summary, scores, sheets, notes)


def _read_config(run: Path) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """The configuration, the versions that made the run, and notes of changes of the configuration."""
    path = config_path(run)
    content = _read_json(path)
    check_format(str(run), content.get("format"))
    config, made_by = content.get("config"), content.get("made_by")
    if not isinstance(config, dict) or not isinstance(made_by, dict):
        raise ValueError(f"{path} is damaged: it needs the objects config and made_by")
    options = flatten(config)
    if missing := [name for name in ("recipe.name", "rule", "size", "steps", "seed") if name not in options]:
        raise ValueError(f"{path} is damaged: its config lacks {', '.join(missing)}")
    try:
        changes = [
            f"After step {entry['step']:,}, {name} changed from {values['from']} to {values['to']}."
            for entry in content.get("resumed", [])
            for name, values in entry["changed"].items()
        ]
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: resumed is no list of changes: {error!r}") from error
    return config, made_by, changes


def _read_json(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: it holds {type(content).__name__}, must hold an object")
    return content


def _read_lines(path: Path, required: tuple[str, ...], notes: list[str]) -> list[Row]:
    if not path.exists():
        notes.append(f"There is no {path.name}.")
        return []
    *lines, unfinished = path.read_bytes().split(b"\n")
    if unfinished:
        notes.append(f"{path.name} ends in an unfinished line, which is left out.")
    rows = []
    for number, line in enumerate(lines, 1):
        where = f"{path} is damaged in line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        if not isinstance(row, dict):
            raise ValueError(f"{where}: it holds {type(row).__name__}, must hold an object")
        row = _defined(row)
        if missing := [name for name in required if name not in row]:
            raise ValueError(f"{where}: it lacks {', '.join(missing)}")
        _check_numbers({key: value for key, value in row.items() if key != "stage"}, where)
        rows.append(row)
    if not rows:
        notes.append(f"{path.name} has no lines yet.")
    return rows


def _defined(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _check_numbers(values: dict[str, Any], where: str) -> None:
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{where}: {key} is {value!r}, must be a number")


def _read_summary(path: Path) -> tuple[dict[str, dict[str, float]], dict[str, list[float]]]:
    if not path.exists():
        return {}, {}
    content = _read_json(path)
    where = f"{path} is damaged"
    for part in ("summary", "scores"):
        if not isinstance(content.get(part), dict) or not {"data", "generator"} <= content[part].keys():
            raise ValueError(f"{where}: {part} must be an object with data and generator")
    for name, values in content["summary"].items():
        if not isinstance(values, dict):
            raise ValueError(f"{where}: summary.{name} must be an object")
        content["summary"][name] = _defined(values)
        _check_numbers(content["summary"][name], f"{where}: summary.{name}")
    for name, scores in content["scores"].items():
        if not isinstance(scores, list) or not scores:
            raise ValueError(f"{where}: scores.{name} must be a list of at least one score")
        _check_numbers({f"[{k}]": score for k, score in enumerate(scores)}, f"{where}: scores.{name}")
        if not 0 <= min(scores) <= max(scores) <= 1:
            raise ValueError(f"{where}: scores.{name} must be from 0 to 1")
    return content["summary"], content["scores"]


def _read_sheets(directory: Path, notes: list[str]) -> dict[str, Sheet]:
    sheets = {}
    for path in sorted(directory.glob("*.png")):
        png = path.read_bytes()
        try:
            with Image.open(io.BytesIO(png)) as image:
                image.load()
                sheets[path.stem] = Sheet(png, image.width, image.height)
        except (OSError, SyntaxError, struct.error):  # Pillow's errors for truncated files
            notes.append(f"{directory.name}/{path.name} is unfinished or damaged, and is left out.")
    if not sheets:
        notes.append(f"There are no sheets in {directory.name}/ yet.")
    return sheets
