"""Metrics of a set of images by themselves, one file each. A new one is a file here and a line in METRICS."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..rules import Rule
from .diversity import diversity
from .ink import ink
from .pieces import components, one_piece

__all__ = ["METRICS", "components", "diversity", "ink", "one_piece", "summarize"]

METRICS: dict[str, Callable[[npt.NDArray[Any]], float]] = {
    "components": components,
    "diversity": diversity,
    "ink": ink,
    "one_piece": one_piece,
}


def summarize(images: npt.NDArray[np.uint8], rule: Rule) -> dict[str, float]:
    """Mean exact score of the rule, and every metric, of images (N, H, W)."""
    return {"score": float(rule(images).mean())} | {name: metric(images) for name, metric in METRICS.items()}
