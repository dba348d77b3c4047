"""Rules: a batch of images in, exact scores in [0, 1] out, with the classes that a classifier learns them by.

A rule needs no gradient. The first one, `connected`, is the score of RegGAN (arXiv 2102.04593, section 3.1).
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .scoring import score

__all__ = ["RULES", "Connected", "Product", "Rule", "resolve_rule"]

TENTHS = tuple((2 * k + 1) / 20 for k in range(10))
"""Edges of the 11 classes round(10 s), rounding half up: 0.05, 0.15, ..., 0.95."""


class Rule(ABC):
    """What the samples must obey: scores in [0, 1], 1 where an image obeys the rule entirely.

    `edges` bin the scores: class k holds the scores with edges[k - 1] <= s < edges[k], so that n edges make
    n + 1 classes. The default is the paper's labels, round(10 s) with halves rounded up.
    """

    edges: tuple[float, ...] = TENTHS

    @abstractmethod
    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Score images (N, H, W), white paper 1.0 or 255, exactly: float32 (N,) in [0, 1]."""

    @property
    def classes(self) -> int:
        """Number of score classes."""
        return len(self.edges) + 1

    @property
    def values(self) -> npt.NDArray[np.float32]:
        """The score that each class stands for, (classes,): k / (classes - 1)."""
        return np.linspace(0, 1, self.classes, dtype=np.float32)

    def classify(self, scores: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Classes (N,) of scores (N,); the comparison with the edges is made in float32, as scores are."""
        edges = np.asarray(self.edges, np.float32)
        return np.searchsorted(edges, np.asarray(scores, np.float32), side="right").astype(np.int64)

    def __and__(self, other: Rule) -> Rule:
        """Both rules at once: the product of their scores, in the classes of the first."""
        return Product(self, other)


@dataclass(frozen=True)
class Connected(Rule):
    """All ink is one piece: pixels of the largest component over all ink pixels; 0 for the empty image."""

    threshold: float = 0.5
    connectivity: int = 4

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Exact score of each image (N, H, W), float32 (N,)."""
        return score(images, threshold=self.threshold, connectivity=self.connectivity)


@dataclass(frozen=True)
class Product(Rule):
    """Two rules at once, by the product of their scores; the classes are those of the first."""

    first: Rule
    second: Rule

    @property
    def edges(self) -> tuple[float, ...]:  # type: ignore[override]
        """Edges of the first rule."""
        return self.first.edges

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Product of both scores, float32 (N,)."""
        return self.first(images) * self.second(images)


RULES: dict[str, Rule] = {
    "connected": Connected(),
}


def resolve_rule(name: str) -> Rule:
    """Find a rule by its name in RULES, or one of your own as "package.module:attribute".

    Raises:
        ValueError: the name is not in the table, or what it leads to is not a Rule.
    """
    if name in RULES:
        return RULES[name]
    module, colon, attribute = name.partition(":")
    known = f"known rules: {', '.join(RULES)}; your own is given as package.module:attribute"
    if not colon:
        raise ValueError(f"unknown rule {name!r}; {known}")
    try:
        rule = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"rule {name!r} cannot be loaded: {error}; {known}") from error
    if not isinstance(rule, Rule):
        raise ValueError(f"{name!r} is a {type(rule).__name__}, not a reggan.Rule; {known}")
    return rule
