"""Which of many images with exact scores a harvest keeps: functions of scores (N,) to places, on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["best_of_each", "neighborhoods", "tilt"]


def neighborhoods(points: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Divide points (N, D) into groups of near ones: their places, (count, N // count); `count` is a power of two.

    Each group is halved at the median along a direction of its own, drawn at random, until there are `count`: a random
    projection tree (Dasgupta and Freund, STOC 2008). At most count - 1 points, drawn at random, are in no group.
    """
    places = torch.randperm(len(points), generator=generator)[: len(points) // count * count][None]
    while len(places) < count:
        directions = torch.randn(len(places), points.shape[1], generator=generator)
        along = torch.einsum("gnd,gd->gn", points[places], directions)
        places = places.gather(1, along.argsort(dim=1)).reshape(2 * len(places), -1)
    return places


def best_of_each(scores: Tensor, groups: Tensor, count: int) -> Tensor:
    """Places (count,) of those with the highest scores in each group, equally many of all; groups are places (G, M).

    To keep the best of each niche, and not of all, is what MAP-Elites does (Mouret and Clune, arXiv 1504.04909).
    """
    ranked = groups.gather(1, scores[groups].argsort(dim=1, descending=True, stable=True))
    best = ranked[:, : -(-count // len(groups))].T.flatten()
    return best[torch.arange(count) % len(best)]


def tilt(scores: Tensor, count: int, target: float, generator: torch.Generator) -> Tensor:
    """Places (count,) of scores whose mean is the target, or as near to it as can be.

    They are drawn without replacement in proportion to exp(beta * score), by the Gumbel-top-k trick (Kool, van Hoof and
    Welling, arXiv 1903.06059): the mean grows with beta, which is found by bisection, and of all distributions with
    that mean this is the nearest one to the scores' own.
    """
    gumbel = -torch.log(-torch.log(torch.rand(len(scores), generator=generator, dtype=torch.float64)))

    def chosen(beta: float) -> Tensor:
        return (beta * scores + gumbel).argsort(descending=True, stable=True)[:count]

    low, high = -1000.0, 1000.0
    for _ in range(40):
        beta = (low + high) / 2
        low, high = (beta, high) if scores[chosen(beta)].mean() < target else (low, beta)
    return chosen(high)
