"""Endless points of mixtures of Gaussians, on which GANs lose modes, drawn by (seed, index).

Rings, grid and line are those of "No modes left behind" (arXiv 1802.00771); the wide grid is that of PacGAN (arXiv
1712.04086). One, two and three Gaussians are on a line in one dimension.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
import tyro
from pydantic import Field
from torch import Tensor

from ..options import options
from .loading import Endless, Indices, by_block

__all__ = ["MIXTURES", "Mixture", "PointSet", "Points"]

Floats = npt.NDArray[np.float64]

_BLOCK = 1024
"""Points drawn at once."""


@dataclass(frozen=True)
class Mixture:
    """Equal parts of isotropic Gaussians with the same standard deviation."""

    centers: Floats
    """(K, D)."""
    std: float

    def nearest(self, points: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.int64], Floats]:
        """The nearest center of each point (N, D), and the distance to it in standard deviations: (N,) and (N,)."""
        distances = np.linalg.norm(points[:, None].astype(np.float64) - self.centers, axis=2)
        nearest = distances.argmin(axis=1)
        return nearest, distances[np.arange(len(points)), nearest] / self.std

    def draw(self, random: np.random.Generator, count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Points (N, D), and the index of each point's center (N,)."""
        modes = random.integers(len(self.centers), size=count)
        noise = random.standard_normal((count, self.centers.shape[1]))
        return (self.centers[modes] + self.std * noise).astype(np.float32), modes


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


@options
class Points:
    """Points of a mixture of Gaussians."""

    modality: ClassVar[str] = "points"

    mixture: Literal["grid-25", "line-5", "normal-1", "normal-2", "normal-3", "ring-8", "rings-16", "wide-grid-25"] = (
        "ring-8"
    )
    """Name and number of modes of the mixture; "normal" mixtures are on a line, the others in a plane."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of the points, independent of the training's seed."""
    kind: tyro.conf.Suppress[Literal["points"]] = "points"

    def open(self) -> PointSet:
        return PointSet(MIXTURES[self.mixture], self.seed)


@dataclass(frozen=True)
class PointSet(Endless):
    """Endless points of a mixture."""

    mixture: Mixture
    seed: int = 0

    def fetch(self, indices: Indices) -> Tensor:
        """Points (N, D) float32."""

        def draw(block: int) -> npt.NDArray[np.float32]:
            return self.mixture.draw(np.random.default_rng((self.seed, block)), _BLOCK)[0]

        return torch.from_numpy(by_block(indices, _BLOCK, draw))
