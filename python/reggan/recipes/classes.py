"""Classes of scores that a classifier learns: a rule's own, or quantiles of the scores that occur."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from ..rules import Rule
from .phases import Batch, Begin, Networks, Stats

__all__ = ["ScoreClasses", "classes_of", "fit_classes"]

_FITTED = 11
"""Classes of a rule that has none of its own; as many as the tenths of RegGAN's paper."""


class ScoreClasses(nn.Module):
    """Edges of the classes, and the score that each class stands for.

    A rule that defines `edges` keeps them. For other rules, such as products, `fit` makes classes with equal numbers of
    the scores below 1 that occur, whatever their scale; the last class is a score of 1.

    With `full`, a rule's own classes end with a score of 1, too: one class more if its last edge is below.
    """

    edges: Tensor
    """(classes - 1,) float32: class k holds the scores with edges[k - 1] <= s < edges[k]."""
    values: Tensor
    """(classes,) float32."""

    def __init__(self, rule: Rule, full: bool = False) -> None:
        super().__init__()
        values = np.linspace(0, 1, _FITTED).tolist()
        edges = values[1:]
        if rule.has_classes:
            edges, values = list(rule.edges), rule.values.tolist()
            if full and edges[-1] < 1:
                # The class before is the rest of the rule's last class.
                edges, values = [*edges, 1.0], [*values[:-1], (edges[-1] + 1) / 2, 1.0]
        self.register_buffer("edges", torch.tensor(edges))
        self.register_buffer("values", torch.tensor(values))
        self.is_fixed = rule.has_classes

    @staticmethod
    def count(rule: Rule, full: bool = False) -> int:
        """Number of classes."""
        return len(ScoreClasses(rule, full).values)

    def fit(self, scores: Tensor) -> None:
        """Make classes of these scores (N,), unless the rule has its own."""
        below = scores[scores < 1].float().cpu()
        if self.is_fixed or not len(below):
            return
        parts = len(self.edges)
        edges = torch.quantile(below, torch.arange(1, parts) / parts)
        self.edges.copy_(torch.cat([edges, torch.ones(1)]))
        classes = self.classify(below.to(self.edges.device)).cpu()
        for k in range(parts):
            inside = below[classes == k]
            # No score may be between equal quantiles.
            self.values[k] = inside.mean() if len(inside) else edges[max(k - 1, 0)]

    def classify(self, scores: Tensor) -> Tensor:
        """Classes (N,) int64 of scores (N,)."""
        return torch.bucketize(scores.float(), self.edges, right=True)


def classes_of(networks: Networks) -> ScoreClasses:
    """The classes of a recipe that has a network of that name."""
    return cast(ScoreClasses, networks["classes"])


def fit_classes(rule: Rule) -> Begin | None:
    """For the beginning of a stage: make classes of the scores of its first batch, unless the rule has its own."""
    return None if rule.has_classes else _fit


def _fit(networks: Networks, batch: Batch) -> Stats:
    classes_of(networks).fit(batch.scores)
    return {}
