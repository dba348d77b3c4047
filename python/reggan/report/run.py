"""What a run directory holds, read and checked; what is not there yet is noted, not refused."""

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
from ..options import flatten

__all__ = ["Row", "Run", "Sheet", "read_run"]

Row = dict[str, Any]
"""One line of a JSONL file: "step", "stage", ... and numbers by their name."""


@dataclass(frozen=True)
class Sheet:
    """A grid of images, as the PNG file that it was saved as."""

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
    """Figures of "data" and "generator" by name, those that are defined; empty while there is no summary.json."""
    scores: dict[str, list[float]]
    """Exact scores of "data" and "generator" images; empty while there is no summary.json."""
    sheets: dict[str, Sheet]
    """Sheets by the name of their file without its suffix."""
    notes: list[str]
    """What is missing or unfinished, in sentences."""

    @property
    def kind(self) -> str:
        """What was made: images, pairs of them, or points."""
        data = self.config.get("data")
        fields = data if isinstance(data, dict) else {}
        return "points" if "mixture" in fields else "pairs" if "first" in fields else "images"

    @property
    def sampled_steps(self) -> list[int]:
        """Steps with a sample sheet, in order."""
        return sorted(int(match[1]) for name in self.sheets if (match := re.fullmatch(r"step-(\d{8})", name)))

    @property
    def stages(self) -> list[str]:
        """Names of the stages that metrics.jsonl has lines of, in order."""
        return list(dict.fromkeys(row["stage"] for row in self.metrics))

    @property
    def steps_before_generator(self) -> int | None:
        """Steps of the stages before the generator's training; None while that has no line."""
        lines = (row for row in self.metrics if row["generator_step"])
        return next((row["step"] - row["generator_step"] for row in lines), None)

    @property
    def seconds(self) -> float:
        """Time spent training, in all the sittings that it took."""
        return float(self.timings[-1]["seconds"]) if self.timings else 0.0


def read_run(path: Path) -> Run:
    """Read a run directory.

    Raises:
        ValueError: the directory is missing or is no run directory, or a file in it is damaged or of another
            version; says which, and what is wrong. A last line or a sheet that was cut short is not damage,
            but a note.
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
    """The configuration, what made the run, and notes of what changed in the configuration meanwhile."""
    path = config_path(run)
    described = _read_json(path)
    check_format(str(run), described.get("format"))
    config, made_by = described.get("config"), described.get("made_by")
    if not isinstance(config, dict) or not isinstance(made_by, dict):
        raise ValueError(f"{path} is damaged: it needs the objects config and made_by")
    options = flatten(config)
    if absent := [name for name in ("recipe.name", "rule", "size", "steps", "seed") if name not in options]:
        raise ValueError(f"{path} is damaged: its config lacks {', '.join(absent)}")
    return config, made_by, _read_changes(path, described.get("resumed", []))


def _read_changes(path: Path, resumed: Any) -> list[str]:
    try:
        return [
            f"After step {entry['step']:,} it went on with {name} {values['to']}, which was {values['from']} before."
            for entry in resumed
            for name, values in entry["changed"].items()
        ]
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: resumed is no list of changes: {error!r}") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: it holds {type(content).__name__}, must be an object")
    return content


def _read_lines(path: Path, needed: tuple[str, ...], notes: list[str]) -> list[Row]:
    if not path.exists():
        notes.append(f"There is no {path.name}.")
        return []
    *whole, rest = path.read_bytes().split(b"\n")
    if rest:
        notes.append(f"{path.name} ends in an unfinished line, which is left out.")
    rows = []
    for number, line in enumerate(whole, 1):
        where = f"{path} is damaged in line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        if not isinstance(row, dict):
            raise ValueError(f"{where}: it holds {type(row).__name__}, must be an object")
        row = _defined(row)
        if absent := [name for name in needed if name not in row]:
            raise ValueError(f"{where}: it lacks {', '.join(absent)}")
        _check_numbers({key: value for key, value in row.items() if key != "stage"}, where)
        rows.append(row)
    if not rows:
        notes.append(f"{path.name} has no lines yet.")
    return rows


def _defined(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures that are defined: the others are null."""
    return {key: value for key, value in figures.items() if value is not None}


def _check_numbers(figures: dict[str, Any], where: str) -> None:
    for key, value in figures.items():
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
    for name, figures in content["summary"].items():
        if not isinstance(figures, dict):
            raise ValueError(f"{where}: summary.{name} must be an object")
        content["summary"][name] = _defined(figures)
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
        except (OSError, SyntaxError, struct.error):  # what Pillow raises for a file that ends too early
            notes.append(f"{directory.name}/{path.name} is unfinished or damaged, and is left out.")
    if not sheets:
        notes.append(f"There are no sheets in {directory.name}/ yet.")
    return sheets
