"""Score pictures under a rule, each at its own size, and write repaired copies."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..files import atomic_write
from ..rules import Rule
from .folders import on_paper
from .sources import Source

__all__ = ["Judged", "judge"]


@dataclass(frozen=True)
class Judged:
    """One picture under a rule."""

    name: str
    score: float | None = None
    """Exact score, after the repair if there was one; None if the file cannot be read."""
    changed: int | None = None
    """Pixels that a repair changed between ink and paper; None without a repair."""
    error: str | None = None
    """Why the file cannot be read."""


def judge(source: Source, rule: Rule, out: Path | None = None, method: str | None = None) -> Iterator[Judged]:
    """Score pictures one by one, in gray; with a folder `out`, repair them first and write them there as PNG."""
    for number in range(len(source)):
        name = source.name(number)
        try:
            pixels = np.asarray(on_paper(source.read(number)).convert("L"))[None]
        except (OSError, ValueError) as error:
            yield Judged(name, error=str(error) or repr(error))
            continue
        if out is None:
            yield Judged(name, float(rule(pixels)[0]))
            continue
        repaired = rule.repair(pixels, method=method)
        buffer = io.BytesIO()
        Image.fromarray(repaired.images[0]).save(buffer, "PNG")
        path = out / source.file_name(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, buffer.getvalue())
        yield Judged(name, float(repaired.scores[0]), int(repaired.changed[0]))
