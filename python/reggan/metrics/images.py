"""Metrics of images by themselves: ink, its components (4-connected, at threshold 0.5), and diversity."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..scoring import analyze

__all__ = ["components", "diversity", "ink", "one_piece"]

Images = npt.NDArray[Any]


def components(images: Images) -> float:
    """Mean number of components of images (N, H, W)."""
    return float(analyze(images, fields=("count",)).count.mean())


def one_piece(images: Images) -> float:
    """Share of images (N, H, W) with exactly one component."""
    return float((analyze(images, fields=("count",)).count == 1).mean())


def ink(images: Images) -> float:
    """Share of ink among the pixels of images (N, H, W)."""
    return float(analyze(images, fields=("area",)).area.sum() / images.size)


def diversity(images: Images) -> float:
    """Mean over the pixels of their standard deviation over uint8 images (N, H, W): 0 (all the same) to 0.5."""
    # One row of pixels at a time: NumPy makes a float64 copy of its input.
    rows = [row.std(axis=0, dtype=np.float64) for row in np.moveaxis(images, 1, 0)]
    return float(np.mean(rows) / 255)
