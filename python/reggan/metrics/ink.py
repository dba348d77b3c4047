"""How much ink there is."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from ..scoring import analyze

__all__ = ["ink"]


def ink(images: npt.NDArray[Any]) -> float:
    """Share of ink pixels at threshold 0.5 over images (N, H, W), in [0, 1]."""
    return float(analyze(images, fields=("area",)).area.sum() / images.size)
