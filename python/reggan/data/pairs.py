"""Two sets of images that nobody has paired: what is learned is to turn one kind into the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
import torch
import tyro
from torch import Tensor

from ..rules import Rule
from ..specs import Polygons
from .images import Files, FileSet
from .loading import Endless, Fingerprint, Item, by_block
from .rendered import Blobs, RenderedSet

__all__ = ["PairSet", "Pairs"]


@dataclass(frozen=True)
class Pairs:
    """Two sets of images; where only one is in color, the other has three equal channels."""

    kind: ClassVar[str] = "pairs"

    first: Annotated[Blobs | Files, tyro.conf.AvoidSubcommands] = field(default_factory=lambda: Blobs(classes=()))
    """Images of the first kind."""
    second: Annotated[Blobs | Files, tyro.conf.AvoidSubcommands] = field(
        default_factory=lambda: Blobs(spec=Polygons(), classes=())
    )
    """Images of the second kind."""
    seed: int = 0
    """Seed of the order in which both are gone through."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"data.seed is {self.seed}, must be from 0 to 2**63 - 1")

    @property
    def channels(self) -> int:
        """1 if both are gray, else 3."""
        return max(self.first.channels, self.second.channels)

    def open(self, size: int, rule: Rule, *, log: bool = False) -> PairSet:
        """Both sets at this size, without an end; raises what their own `open` raises."""
        sets = (self.first.open(size, rule, log=log), self.second.open(size, rule, log=log))
        return PairSet(sets, self.channels, self.seed)


@dataclass(frozen=True)
class PairSet(Endless):
    """An image of each set, in an order of its own."""

    sets: tuple[RenderedSet | FileSet, RenderedSet | FileSet]
    channels: int
    seed: int = 0

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """Those of both sets."""
        return self.sets[0].fingerprints + self.sets[1].fingerprints

    def items(self, positions: npt.NDArray[np.int64]) -> Item:
        """Images (N, 2, C, size, size) uint8; mean scores (N,) of both; zeros (N,) for classes."""
        parts = [images.items(self._order(k, images.length, positions)) for k, images in enumerate(self.sets)]
        samples = torch.stack([self._colored(part[0]) for part in parts], dim=1)
        scores = torch.stack([part[1] for part in parts]).mean(dim=0)
        return samples, scores, torch.zeros(len(positions), dtype=torch.int64)

    def _colored(self, images: Tensor) -> Tensor:
        return images.expand(-1, self.channels, -1, -1)

    def _order(self, k: int, length: int, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Positions in set k: each epoch is a permutation of its own."""
        if not length:
            return positions
        order = by_block(positions, length, lambda epoch: _permutation(self.seed, k, epoch, length))
        return order + positions // length * length


@lru_cache(maxsize=4)
def _permutation(seed: int, k: int, epoch: int, length: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng((seed, k, epoch)).permutation(length)
