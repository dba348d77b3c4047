"""Selections of rendered images: deterministic maps from positions in a set to indices for `render`.

Image k of a set is a pure function of the selection and k, with random access. An image belongs to at most one group,
and block b of a set holds `quota` images of each group: the first ones among the candidates with the indices b * 2**32,
b * 2**32 + 1, .... In a block the groups alternate, so every run of len(groups) images holds one of each: a set is
exactly balanced at any multiple of that length.

The rarest group determines the time of a search: a block of the default set takes half a million candidates.
The blocks that the presets train on were found by benches/blocks.py, and are stored next to this file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .._arrays import whole_numbers
from ..rendering import image_shape, render
from ..rules import Connected, Rule, min_channel
from ..scoring import analyze
from ..source import Source
from ..specs import Circles, Spec

__all__ = ["BalancedSelection", "CountSelection", "RangeSelection", "Selection"]

UInts = npt.NDArray[np.uint64]
Offsets = npt.NDArray[np.int64]

_CHUNK = 2048
_MAX_CANDIDATES = 2**22
"""Maximum number of candidates per block."""


@dataclass(frozen=True)
class Selection(ABC):
    """An endless set of the images of a spec and a seed at a size, in groups of equal size.

    `selection[3:9]` and `selection.indices(array)` give uint64 indices for `render` with the same spec, seed and size.
    They raise a ValueError if four million candidates do not fill every group of a block.
    """

    spec: Spec
    size: int
    seed: int = 0

    @property
    @abstractmethod
    def groups(self) -> tuple[int, ...]:
        """The group numbers."""

    @property
    @abstractmethod
    def quota(self) -> int:
        """Images of each group in a block."""

    @abstractmethod
    def assign(self, candidates: UInts) -> npt.NDArray[np.int64]:
        """The group of each candidate (N,); -1, or any other number not in `groups`, rejects it."""

    def known(self, block: int) -> Offsets | None:
        """The result of `search` if it is known beforehand."""
        return None

    def search(self, block: int) -> Offsets:
        """Offsets (groups, quota) of a block's images from its first candidate.

        Raises:
            ValueError: A group has too few images among four million candidates.
        """
        found: dict[int, list[int]] = {group: [] for group in self.groups}
        first = block << 32
        for start in range(0, _MAX_CANDIDATES, _CHUNK):
            groups = self.assign(np.arange(first + start, first + start + _CHUNK, dtype=np.uint64))
            for group, kept in found.items():
                kept.extend((start + np.flatnonzero(groups == group)[: self.quota - len(kept)]).tolist())
            if all(len(kept) == self.quota for kept in found.values()):
                return np.array(list(found.values()), np.int64)
        counts = ", ".join(f"{len(kept)} of group {group}" for group, kept in found.items())
        raise ValueError(
            f"{_MAX_CANDIDATES:,} candidates of {self.spec} with seed {self.seed} at size {self.size} yield only "
            f"{counts}, but each group needs {self.quota}; omit the rare groups, or change the spec"
        )

    @property
    def block_size(self) -> int:
        """Images in a block."""
        return self.quota * len(self.groups)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H, W), RGB (3, H, W), volumes (D, H, W)."""
        return image_shape(self.spec, self.size)

    def indices(self, positions: npt.ArrayLike) -> UInts:
        """Indices for `render` (N,) of the images at these positions (N,), 0 or more."""
        wanted = whole_numbers(positions)
        if wanted.min(initial=0) < 0:
            raise IndexError(f"position {wanted.min()} is negative, but the set has no end to count from")
        blocks, offsets = np.divmod(wanted, self.block_size)
        chosen = np.empty(blocks.shape, np.uint64)
        for block in np.unique(blocks):
            selected = blocks == block
            chosen[selected] = _search(self, int(block))[0][offsets[selected]]
        return chosen

    def __getitem__(self, positions: slice) -> UInts:
        if not isinstance(positions, slice):
            raise TypeError(f"{positions!r} is not a slice; use `indices` for single positions")
        if positions.stop is None or positions.stop < 0:
            raise IndexError("the set is endless, so the slice needs a stop of 0 or more, such as [3:10]")
        return self.indices(np.arange(positions.start or 0, positions.stop, positions.step))

    def render(self, positions: npt.ArrayLike, threads: int | None = None) -> npt.NDArray[np.uint8]:
        """Images (N, *image_shape), uint8, white paper 255, at these positions (N,)."""
        images: npt.NDArray[np.uint8] = render(
            self.spec, self.indices(positions), seed=self.seed, size=self.size, threads=threads
        )
        return images

    def acceptance(self, blocks: int = 1) -> float:
        """The share of candidates that are kept, over the first blocks (at least 1)."""
        if blocks < 1:
            raise ValueError(f"blocks is {blocks}, but must be at least 1")
        return blocks * self.block_size / sum(_search(self, block)[1] for block in range(blocks))

    def _scores(self, rule: Rule, candidates: UInts) -> npt.NDArray[np.float32]:
        source = Source(self.spec, self.seed, self.size)
        if type(rule) is Connected and rule == Connected():
            return source.scores(candidates)
        images = source.render(candidates)
        return rule(min_channel(images) if source.is_color else images)


@dataclass(frozen=True)
class BalancedSelection(Selection):
    """Equal numbers of images of each score class of a rule, with scores under `below`.

    The classes 1 to 10 of the connected rule give the set of RegGAN's paper: evenly spread scores, and no image in one
    piece. The classes must be different classes of the rule.
    """

    rule: Rule = field(default_factory=Connected)
    classes: tuple[int, ...] = tuple(range(1, 11))
    below: float = 1.0

    def __post_init__(self) -> None:
        wrong = [c for c in self.classes if not 0 <= c < self.rule.classes]
        if wrong or not self.classes or len(set(self.classes)) < len(self.classes):
            allowed = f"different numbers from 0 to {self.rule.classes - 1}"
            raise ValueError(f"classes is {self.classes}, but must be {allowed}")

    @property
    def groups(self) -> tuple[int, ...]:
        return self.classes

    @property
    def quota(self) -> int:
        return 100

    def assign(self, candidates: UInts) -> npt.NDArray[np.int64]:
        scores = self._scores(self.rule, candidates)
        return np.where(scores < self.below, self.rule.classify(scores), -1)

    def known(self, block: int) -> Offsets | None:
        """The first blocks of the default set, or of some of its classes, at the sizes of the presets."""
        default = BalancedSelection(Circles(), self.size)
        own, known = ((s.spec, s.seed, s.rule, s.below) for s in (self, default))
        if own != known or not set(self.classes) <= set(default.classes):
            return None
        blocks = _known_blocks(self.size)
        return blocks[block, np.array(self.classes) - 1] if block < len(blocks) else None


@dataclass(frozen=True)
class CountSelection(Selection):
    """Equal numbers of images with each number of pieces: ink components with connectivity 4, in volumes 6."""

    counts: tuple[int, ...] = tuple(range(1, 10))

    def __post_init__(self) -> None:
        if not self.counts or min(self.counts) < 0 or len(set(self.counts)) < len(self.counts):
            raise ValueError(f"counts is {self.counts}, but must be different numbers, 0 or more")

    @property
    def groups(self) -> tuple[int, ...]:
        return self.counts

    @property
    def quota(self) -> int:
        return 100

    def assign(self, candidates: UInts) -> npt.NDArray[np.int64]:
        source = Source(self.spec, self.seed, self.size)
        images: npt.NDArray[Any] = source.render(candidates)
        gray = min_channel(images) if source.is_color else images
        counts: npt.NDArray[np.int64] = analyze(
            gray, fields=("count",), connectivity=6 if source.is_volume else 4
        ).count.astype(np.int64)
        return counts


@dataclass(frozen=True)
class RangeSelection(Selection):
    """All images with low <= score < high, unbalanced; low must be below high."""

    rule: Rule = field(default_factory=Connected)
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"low is {self.low} and high is {self.high}, but low must be below high")

    @property
    def groups(self) -> tuple[int, ...]:
        return (0,)

    @property
    def quota(self) -> int:
        return 1000

    def assign(self, candidates: UInts) -> npt.NDArray[np.int64]:
        scores = self._scores(self.rule, candidates)
        return np.where((self.low <= scores) & (scores < self.high), 0, -1)


@lru_cache(maxsize=2**16)
def _search(selection: Selection, block: int) -> tuple[UInts, int]:
    """Indices of a block's images, (block_size,), and the number of its candidates.

    A block of a thousand images takes 8 KB, so the cache holds all blocks of a shuffled set of ten million images.
    """
    offsets = selection.known(block)
    if offsets is None:
        offsets = selection.search(block)
    return offsets.T.ravel().astype(np.uint64) + np.uint64(block << 32), int(offsets.max()) + 1


@lru_cache
def _known_blocks(size: int) -> Offsets:
    """Offsets (blocks, classes 1 to 10, quota) of the default set's first blocks; empty if none are known."""
    path = Path(__file__).parent / "blocks" / f"circles-connected-{size}.npz"
    if not path.exists():
        return np.empty((0, 10, 1), np.int64)
    with np.load(path) as file:
        gaps: npt.NDArray[np.uint32] = file["gaps"]
    return gaps.cumsum(axis=2, dtype=np.int64) - 1
