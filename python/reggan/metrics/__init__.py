"""Metrics of images, one file each. A new one is a file here and a line in a table.

METRICS are of a set of images by itself; REFERENCE_METRICS compare one with reference images.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..rules import Rule, darkest
from . import fidelity, shapes
from .diversity import diversity
from .features import Featured
from .ink import ink
from .memory import copies, memorizes
from .pieces import components, one_piece

__all__ = [
    "METRICS",
    "MIN_IMAGES",
    "REFERENCE_METRICS",
    "Featured",
    "compare",
    "components",
    "copies",
    "diversity",
    "ink",
    "memorizes",
    "one_piece",
    "summarize",
]

MIN_IMAGES = 10
"""The fewest images, and the fewest references, that are compared."""

METRICS: dict[str, Callable[[npt.NDArray[Any]], float]] = {
    "components": components,
    "diversity": diversity,
    "ink": ink,
    "one_piece": one_piece,
}

REFERENCE_METRICS: dict[str, Callable[[Featured, Featured], float]] = {
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
}


def summarize(images: npt.NDArray[np.uint8], rule: Rule) -> dict[str, float]:
    """Mean exact score of the rule, and every metric, of images (N, H, W), or (N, 3, H, W) of RGB."""
    seen = darkest(images)
    return {"score": float(rule(seen).mean())} | {name: metric(seen) for name, metric in METRICS.items()}


def compare(images: npt.NDArray[np.uint8], reference: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Every metric of images (N, H, W) against reference images (M, H, W), both at least 16 pixels on a side.

    Of RGB images (N, 3, H, W) the features know all channels, and the shapes of blobs are those of the darkest one.
    What is undefined is NaN: distances of blobs where only one side has any, and `vendi` where all references are
    alike.

    Raises:
        ValueError: there are fewer than 10 images of one of them, or their sides differ.
    """
    if images.shape[1:] != reference.shape[1:]:
        raise ValueError(f"images are {images.shape[1:]} and reference images {reference.shape[1:]} pixels")
    if min(len(images), len(reference)) < MIN_IMAGES:
        raise ValueError(
            f"there are {len(images)} images and {len(reference)} references; {MIN_IMAGES} of each are the least"
        )
    first, second = Featured(images), Featured(reference)
    return {name: metric(first, second) for name, metric in REFERENCE_METRICS.items()}
