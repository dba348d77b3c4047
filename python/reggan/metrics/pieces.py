"""How many pieces the ink is in: 4-connected components at threshold 0.5."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from ..scoring import analyze

__all__ = ["components", "one_piece"]


def components(images: npt.NDArray[Any]) -> float:
    """Mean number of components of images (N, H, W)."""
    return float(analyze(images, fields=("count",)).count.mean())


def one_piece(images: npt.NDArray[Any]) -> float:
    """Share of images (N, H, W) with exactly one component, in [0, 1]."""
    return float((analyze(images, fields=("count",)).count == 1).mean())
