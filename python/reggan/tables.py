"""Figures as people read them."""

from __future__ import annotations

import math

__all__ = ["cell"]


def cell(figure: float | None, form: str) -> str:
    """A figure by its format specification; "–" for one that is undefined, which is NaN, and null in JSON."""
    return "–" if figure is None or math.isnan(figure) else format(figure, form)
