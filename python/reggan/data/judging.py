"""Score pictures under a rule, each at its own size, and write repaired copies."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..files import atomic_write
from ..rules import Rule, checked_scores, min_channel, repair_samples
from .folders import on_paper
from .sources import Source

__all__ = ["Judged", "judge"]


@dataclass(frozen=True)
class Judged:
    """One picture under a rule."""

    name: str
    score: float | None = None
    """Exact score, after the repair if there was one; None if the picture cannot be judged."""
    changed: int | None = None
    """Pixels that a repair changed between ink and paper; None without a repair."""
    error: str | None = None
    """Why the picture cannot be judged."""


def judge(
    source: Source, rule: Rule, *, color: bool = False, out: Path | None = None, method: str | None = None
) -> Iterator[Judged]:
    """Score pictures one by one, in gray or by their darkest channel.

    With a folder `out`, they are repaired first, and the copies are written there as PNG.
    """
    for number in range(len(source)):
        name = source.name(number)
        try:
            picture = on_paper(source.read(number)).convert("RGB" if color else "L")
            pixels = np.moveaxis(np.asarray(picture), -1, 0)[None] if color else np.asarray(picture)[None]
            score, changed = float(checked_scores(rule, min_channel(pixels))[0]), None
            if out is not None:
                repaired = repair_samples(rule, pixels, method=method)
                score, changed = float(repaired.scores[0]), int(repaired.changed[0])
                _write(out / source.file_name(number), repaired.images[0])
        except (MemoryError, KeyboardInterrupt):
            raise
        except Exception as error:  # Users' rules can fail in any way.
            known = isinstance(error, OSError | ValueError) and str(error)
            yield Judged(name, error=str(error) if known else repr(error))
        else:
            yield Judged(name, score, changed)


def _write(path: Path, pixels: np.ndarray) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.moveaxis(pixels, 0, -1) if pixels.ndim == 3 else pixels).save(buffer, "PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, buffer.getvalue())
