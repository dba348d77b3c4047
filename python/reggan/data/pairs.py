"""Two unpaired sets of images, for translation from one kind to the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
import tyro
from pydantic import Field
from torch import Tensor

from ..options import options
from ..rules import Rule
from ..specs import Polygons
from .images import Files, FileSet
from .loading import Endless, Fingerprint, Indices, by_block
from .rendered import RenderedImages, RenderedSet

__all__ = ["PairSet", "Pairs"]

_Images = Annotated[RenderedImages | Files, Field(discriminator="kind"), tyro.conf.AvoidSubcommands]


@options
class Pairs:
    """Two sets of images; if only one is in color, the other gets three equal channels."""

    modality: ClassVar[str] = "pairs"

    first: _Images = field(default_factory=lambda: RenderedImages(classes=()))
    """Images of the first kind."""
    second: _Images = field(default_factory=lambda: RenderedImages(spec=Polygons(), classes=()))
    """Images of the second kind."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of the order of both sets."""
    kind: tyro.conf.Suppress[Literal["pairs"]] = "pairs"

    @property
    def channels(self) -> int:
        """1 if both are gray, else 3."""
        return max(self.first.channels, self.second.channels)

    def open(self, size: int, rule: Rule, *, log: bool = False) -> PairSet:
        """Both sets at this size, as one endless set; raises what their own `open` raises."""
        sets = (self.first.open(size, rule, log=log), self.second.open(size, rule, log=log))
        return PairSet(sets, self.channels, self.seed)


@dataclass(frozen=True)
class PairSet(Endless):
    """An image of each set, each set in an order of its own."""

    sets: tuple[RenderedSet | FileSet, RenderedSet | FileSet]
    channels: int
    seed: int = 0

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        return self.sets[0].fingerprints + self.sets[1].fingerprints

    def fetch(self, indices: Indices) -> Tensor:
        """Images (N, 2, C, size, size) uint8."""
        parts = [images.fetch(self._order(k, images.length, indices)) for k, images in enumerate(self.sets)]
        return torch.stack([part.expand(-1, self.channels, -1, -1) for part in parts], dim=1)

    def _order(self, k: int, length: int, indices: Indices) -> Indices:
        """Indices in set k; each epoch is a permutation."""
        if not length:
            return indices
        order = by_block(indices, length, lambda epoch: _permutation(self.seed, k, epoch, length))
        return order + indices // length * length


@lru_cache(maxsize=4)
def _permutation(seed: int, k: int, epoch: int, length: int) -> Indices:
    return np.random.default_rng((seed, k, epoch)).permutation(length)
