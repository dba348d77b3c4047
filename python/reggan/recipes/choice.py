"""Selection of the images of a harvest: functions of exact scores (N,) to indices, on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["best_of_each", "neighborhoods", "tilt"]


def neighborhoods(points: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Divide points (N, D) into groups of similar points: indices (count, N // count); `count` is a power of two.

    A random projection tree (Dasgupta and Freund, STOC 2008) halves each group at its median along a random direction,
    until there are `count` groups. At most count - 1 random points belong to no group.
    """
    groups = torch.randperm(len(points), generator=generator)[: len(points) // count * count][None]
    while len(groups) < count:
        directions = torch.randn(len(groups), points.shape[1], generator=generator)
        projections = torch.einsum("gnd,gd->gn", points[groups], directions)
        groups = groups.gather(1, projections.argsort(dim=1)).reshape(2 * len(groups), -1)
    return groups


def best_of_each(scores: Tensor, groups: Tensor, count: int) -> Tensor:
    """Indices (count,) of the highest scores of each group, equally many per group; `groups` holds indices (G, M).

    MAP-Elites (Mouret and Clune, arXiv 1504.04909) also keeps the best of each niche, not the best of all.
    """
    ranked = groups.gather(1, scores[groups].argsort(dim=1, descending=True, stable=True))
    best = ranked[:, : -(-count // len(groups))].T.flatten()
    return best[torch.arange(count) % len(best)]


def tilt(scores: Tensor, count: int, target: float, generator: torch.Generator) -> Tensor:
    """Indices (count,) of scores whose mean is as close to the target as possible.

    Draws without replacement in proportion to exp(beta * score), by the Gumbel-top-k trick (Kool, van Hoof and Welling,
    arXiv 1903.06059). The mean grows with beta, which is found by bisection. Of all distributions with the target as
    mean, this one is closest to the distribution of the scores.
    """
    gumbel = -torch.log(-torch.log(torch.rand(len(scores), generator=generator, dtype=torch.float64)))

    def chosen(beta: float) -> Tensor:
        return (beta * scores + gumbel).argsort(descending=True, stable=True)[:count]

    low, high = -1000.0, 1000.0
    for _ in range(40):
        beta = (low + high) / 2
        low, high = (beta, high) if scores[chosen(beta)].mean() < target else (low, beta)
    return chosen(high)
