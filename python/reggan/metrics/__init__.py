"""Metrics: METRICS take images alone, REFERENCE_METRICS compare them with reference images.

`reggan.tables` has the labels and formats.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..rules import Rule, min_channel
from . import fidelity, shapes, two_sample
from .bootstrap import intervals
from .comparison import MIN_IMAGES, Comparison
from .features import Featured
from .images import components, diversity, ink, one_piece
from .memory import copies, memorizes
from .parameters import compare_parameters

__all__ = [
    "METRICS",
    "MIN_IMAGES",
    "REFERENCE_METRICS",
    "Comparison",
    "Featured",
    "compare",
    "compare_parameters",
    "components",
    "copies",
    "diversity",
    "ink",
    "intervals",
    "measure",
    "memorizes",
    "one_piece",
    "summarize",
]

METRICS: dict[str, Callable[[npt.NDArray[Any]], float]] = {
    "components": components,
    "diversity": diversity,
    "ink": ink,
    "one_piece": one_piece,
}

REFERENCE_METRICS: dict[str, Callable[[Comparison], float]] = {
    "frechet": fidelity.frechet,
    "kernel": fidelity.kernel,
    "precision": fidelity.precision,
    "recall": fidelity.recall,
    "density": fidelity.density,
    "coverage": fidelity.coverage,
    "vendi": fidelity.vendi,
    "blob_size": shapes.size,
    "blob_perimeter": shapes.perimeter,
    "edge_softness": shapes.softness,
    "two_sample_masks": two_sample.masks,
    "two_sample_gray": two_sample.gray,
}


def summarize(images: npt.NDArray[np.uint8], rule: Rule) -> dict[str, float]:
    """Mean exact score of the rule, and every metric, of images (N, H, W), or (N, 3, H, W) of RGB."""
    gray = min_channel(images)
    return {"score": float(rule(gray).mean())} | {name: metric(gray) for name, metric in METRICS.items()}


def compare(images: npt.NDArray[np.uint8], reference: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Every reference metric of images (N, H, W) and reference images (M, H, W).

    Features of RGB images (N, 3, H, W) use all channels; shapes and masks of ink use the darkest one. Undefined values
    are NaN: distances of blobs if only one side has any, and `vendi` if all references are alike. Fewer than 10 images
    or references, or different sizes, are a ValueError.
    """
    return measure(Comparison.of(images, reference))


def measure(comparison: Comparison) -> dict[str, float]:
    """Every reference metric, as `compare` returns them."""
    return {name: metric(comparison) for name, metric in REFERENCE_METRICS.items()}
