"""Points of mixtures of Gaussians, on which GANs lose modes: endless, and drawn by (seed, position).

Rings, grid and line are those of "No modes left behind" (arXiv 1802.00771); the wide grid is that of PacGAN (arXiv
1712.04086). On a line by itself: one, two and three Gaussians.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch

from ..rules import Rule
from .loading import Endless, Item, by_block

__all__ = ["MIXTURES", "Mixture", "PointSet", "Points"]

Floats = npt.NDArray[np.float64]

_BLOCK = 1024
"""Points that are drawn at once."""


@dataclass(frozen=True)
class Mixture:
    """Equal parts of Gaussians, round and of equal width."""

    centres: Floats
    """(K, D)."""
    std: float

    def nearest(self, points: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.int64], Floats]:
        """The nearest center of each point (N, D), and the distance to it in standard deviations: (N,) and (N,)."""
        distances = np.linalg.norm(points[:, None].astype(np.float64) - self.centres, axis=2)
        nearest = distances.argmin(axis=1)
        return nearest, distances[np.arange(len(points)), nearest] / self.std

    def draw(self, random: np.random.Generator, count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Points (N, D), and which center each belongs to (N,)."""
        modes = random.integers(len(self.centres), size=count)
        noise = random.standard_normal((count, self.centres.shape[1]))
        return (self.centres[modes] + self.std * noise).astype(np.float32), modes


def _ring(count: int, radius: float) -> Floats:
    angles = 2 * np.pi * np.arange(count) / count
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _grid(side: int, reach: float) -> Floats:
    places = np.linspace(-reach, reach, side)
    return np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)


def _line(*places: float) -> Floats:
    return np.array(places)[:, None]


MIXTURES = {
    "grid-25": Mixture(_grid(5, 2.0), 0.01),
    "line-5": Mixture(np.stack([np.linspace(-2, 2, 5), np.zeros(5)], axis=1), 0.01),
    "normal-1": Mixture(_line(1.0), 0.3),
    "normal-2": Mixture(_line(-1.0, 1.0), 0.3),
    "normal-3": Mixture(_line(-2.0, 0.0, 2.0), 0.3),
    "ring-8": Mixture(_ring(8, 1.0), 0.01),
    "rings-16": Mixture(np.concatenate([_ring(8, 1.0), _ring(8, 2.0)]), 0.01),
    "wide-grid-25": Mixture(_grid(5, 4.0), 0.05),
}
"""Mixtures by name."""


@dataclass(frozen=True)
class Points:
    """Points of a mixture of Gaussians."""

    kind: ClassVar[str] = "points"

    mixture: Literal["grid-25", "line-5", "normal-1", "normal-2", "normal-3", "ring-8", "rings-16", "wide-grid-25"] = (
        "ring-8"
    )
    """Which one: the number is that of the modes; "normal" ones are on a line, others in a plane."""
    seed: int = 0
    """Seed of the points: the same data for every seed of the training."""

    def __post_init__(self) -> None:
        if self.mixture not in MIXTURES:
            raise ValueError(f"data.mixture is {self.mixture!r}, must be one of {', '.join(MIXTURES)}")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"data.seed is {self.seed}, must be from 0 to 2**63 - 1")

    def open(self, size: int, rule: Rule, *, log: bool = False) -> PointSet:
        """The endless set; points have neither a size nor a rule."""
        return PointSet(MIXTURES[self.mixture], self.seed)


@dataclass(frozen=True)
class PointSet(Endless):
    """Points of a mixture, without an end."""

    mixture: Mixture
    seed: int = 0

    def items(self, positions: npt.NDArray[np.int64]) -> Item:
        """Points (N, D) float32; scores (N,), 1 within three standard deviations of a center; centers (N,)."""

        def draw(block: int) -> npt.NDArray[np.float64]:
            points, modes = self.mixture.draw(np.random.default_rng((self.seed, block)), _BLOCK)
            return np.column_stack([points, modes])

        drawn = by_block(positions, _BLOCK, draw)
        points, modes = drawn[:, :-1].astype(np.float32), drawn[:, -1].astype(np.int64)
        _, away = self.mixture.nearest(points)
        return torch.from_numpy(points), torch.from_numpy((away <= 3).astype(np.float32)), torch.from_numpy(modes)
