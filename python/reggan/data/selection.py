"""Which rendered images make a set, as a deterministic map from positions to the renderer's indices.

Image k of a set is a pure function of (selection, k), with random access. Each image belongs to a group or to none,
and block b of the set holds `quota` images of each group; its candidates are the renderer's indices b * 2**32,
b * 2**32 + 1, ..., in that order, and the first of each group are kept. Within a block the groups take turns, so that
every run of len(groups) images holds one of each: the set is balanced exactly, at any length that is a multiple of it.

A search takes as long as the rarest group is rare: half a million candidates for a block of the default set. The blocks
that the presets train on were searched beforehand, by benches/blocks.py, and stay beside this file.
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
from ..rules import Connected, Rule, darkest
from ..scoring import analyze
from ..source import Source
from ..specs import Circles, Spec

__all__ = ["BalancedSelection", "CountSelection", "RangeSelection", "Selection"]

UInts = npt.NDArray[np.uint64]
Offsets = npt.NDArray[np.int64]

_CHUNK = 2048
_PATIENCE = 2**22
"""Candidates that a block may reject before the groups asked for are said not to occur."""


@dataclass(frozen=True)
class Selection(ABC):
    """An endless set of the images of a spec and a seed at a size, in groups of equal size.

    `selection[3:9]` and `selection.indices(array)` give the renderer's indices, uint64, to hand to `render` with the
    same spec, seed and size.

    Raises:
        ValueError: once a block is searched, a group that did not occur among four million candidates.
    """

    spec: Spec
    size: int
    seed: int = 0

    @property
    @abstractmethod
    def groups(self) -> tuple[int, ...]:
        """The numbers of the groups."""

    @property
    @abstractmethod
    def quota(self) -> int:
        """Images of each group in a block."""

    @abstractmethod
    def assign(self, candidates: UInts) -> npt.NDArray[np.int64]:
        """The group of each candidate (N,); -1, or a number that is no group, rejects it."""

    def known(self, block: int) -> Offsets | None:
        """What `search` gives for a block, where that was looked for beforehand."""
        return None

    def search(self, block: int) -> Offsets:
        """Offsets (groups, quota) of a block's images from its first candidate.

        Raises:
            ValueError: a group that has too few among four million candidates.
        """
        found: dict[int, list[int]] = {group: [] for group in self.groups}
        first = block << 32
        for start in range(0, _PATIENCE, _CHUNK):
            groups = self.assign(np.arange(first + start, first + start + _CHUNK, dtype=np.uint64))
            for group, kept in found.items():
                kept.extend((start + np.flatnonzero(groups == group)[: self.quota - len(kept)]).tolist())
            if all(len(kept) == self.quota for kept in found.values()):
                return np.array(list(found.values()), np.int64)
        counts = ", ".join(f"{group}: {len(kept)}" for group, kept in found.items())
        raise ValueError(
            f"{_PATIENCE:,} candidates of {self.spec} with seed {self.seed} at size {self.size} hold too few images of "
            f"some group (group: found of {self.quota}: {counts}); leave those out, or change the spec"
        )

    @property
    def block_size(self) -> int:
        """Images in a block."""
        return self.quota * len(self.groups)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H, W), of RGB images (3, H, W), of volumes (D, H, W)."""
        return image_shape(self.spec, self.size)

    def indices(self, positions: npt.ArrayLike) -> UInts:
        """Renderer's indices of the set's images at these positions (N,)."""
        wanted = whole_numbers(positions)
        if wanted.min(initial=0) < 0:
            raise IndexError(f"position {wanted.min()} is before the first, 0: the set has no end to count from")
        blocks, offsets = np.divmod(wanted, self.block_size)
        chosen = np.empty(blocks.shape, np.uint64)
        for block in np.unique(blocks):
            here = blocks == block
            chosen[here] = _search(self, int(block))[0][offsets[here]]
        return chosen

    def __getitem__(self, positions: slice) -> UInts:
        """Renderer's indices of a range of positions with an end.

        Raises:
            TypeError: not a range.
            IndexError: no end, or one counted from the end, which the set has not; or a position before 0.
        """
        if not isinstance(positions, slice):
            raise TypeError(f"{positions!r} is no range of positions; `indices` takes single ones")
        if positions.stop is None or positions.stop < 0:
            raise IndexError("the range has no end, and neither has the set; give one, such as [3:10]")
        return self.indices(np.arange(positions.start or 0, positions.stop, positions.step))

    def render(self, positions: npt.ArrayLike, threads: int | None = None) -> npt.NDArray[np.uint8]:
        """Images (N, *image_shape), uint8, white paper 255, at these positions (N,)."""
        images: npt.NDArray[np.uint8] = render(
            self.spec, self.indices(positions), seed=self.seed, size=self.size, threads=threads
        )
        return images

    def acceptance(self, blocks: int = 1) -> float:
        """Images of the first blocks over the candidates that were looked at for them: the same for everyone.

        Raises:
            ValueError: no blocks.
        """
        if blocks < 1:
            raise ValueError(f"blocks is {blocks}, but must be at least 1")
        return blocks * self.block_size / sum(_search(self, block)[1] for block in range(blocks))

    def _scores(self, rule: Rule, candidates: UInts) -> npt.NDArray[np.float32]:
        source = Source(self.spec, self.seed, self.size)
        if type(rule) is Connected and rule == Connected():
            return source.scores(candidates)
        images = source.render(candidates)
        return rule(darkest(images) if source.is_color else images)


@dataclass(frozen=True)
class BalancedSelection(Selection):
    """Equal numbers of each score class of a rule, none with a score of `below` or more.

    With the classes 1 to 10 of the connected rule it is the set of RegGAN's paper: scores spread evenly, and no image
    in one piece.

    Raises:
        ValueError: a class that the rule does not have, no class, or one twice.
    """

    rule: Rule = field(default_factory=Connected)
    classes: tuple[int, ...] = tuple(range(1, 11))
    below: float = 1.0

    def __post_init__(self) -> None:
        wrong = [c for c in self.classes if not 0 <= c < self.rule.classes]
        if wrong or not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes is {self.classes}, must be different numbers from 0 to {self.rule.classes - 1}")

    @property
    def groups(self) -> tuple[int, ...]:
        """The score classes."""
        return self.classes

    @property
    def quota(self) -> int:
        """Images of each class in a block."""
        return 100

    def assign(self, candidates: UInts) -> npt.NDArray[np.int64]:
        """The score class of each candidate; -1 if its score is not below the limit."""
        scores = self._scores(self.rule, candidates)
        return np.where(scores < self.below, self.rule.classify(scores), -1)

    def known(self, block: int) -> Offsets | None:
        """The default set's first blocks, and so those of any of its classes, at the sizes of the presets."""
        default = BalancedSelection(Circles(), self.size)
        ours, known = ((s.spec, s.seed, s.rule, s.below) for s in (self, default))
        if ours != known or not set(self.classes) <= set(default.classes):
            return None
        blocks = _known_blocks(self.size)
        return blocks[block, np.array(self.classes) - 1] if block < len(blocks) else None


@dataclass(frozen=True)
class CountSelection(Selection):
    """Equal numbers of images with each number of pieces: components of 4-connected ink, of volumes 6-connected.

    Raises:
        ValueError: no count, one twice, or one that is negative.
    """

    counts: tuple[int, ...] = tuple(range(1, 10))

    def __post_init__(self) -> None:
        if not self.counts or min(self.counts) < 0 or len(set(self.counts)) < len(self.counts):
            raise ValueError(f"counts is {self.counts}, must be different numbers from 0 on")

    @property
    def groups(self) -> tuple[int, ...]:
        """The numbers of pieces."""
        return self.counts

    @property
    def quota(self) -> int:
        """Images of each number of pieces in a block."""
        return 100

    def assign(self, candidates: UInts) -> npt.NDArray[np.int64]:
        """The number of pieces of each candidate."""
        source = Source(self.spec, self.seed, self.size)
        images: npt.NDArray[Any] = source.render(candidates)
        gray = darkest(images) if source.is_color else images
        counts: npt.NDArray[np.int64] = analyze(
            gray, fields=("count",), connectivity=6 if source.is_volume else 4
        ).count.astype(np.int64)
        return counts


@dataclass(frozen=True)
class RangeSelection(Selection):
    """All images whose score is at least `low` and below `high`: rejection by a rule, and nothing balanced.

    Raises:
        ValueError: an empty range.
    """

    rule: Rule = field(default_factory=Connected)
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"scores from {self.low} to below {self.high} are an empty range")

    @property
    def groups(self) -> tuple[int, ...]:
        """One."""
        return (0,)

    @property
    def quota(self) -> int:
        """Images in a block."""
        return 1000

    def assign(self, candidates: UInts) -> npt.NDArray[np.int64]:
        """0 for each candidate whose score is in the range, and -1 for the others."""
        scores = self._scores(self.rule, candidates)
        return np.where((self.low <= scores) & (scores < self.high), 0, -1)


@lru_cache(maxsize=2**16)
def _search(selection: Selection, block: int) -> tuple[UInts, int]:
    """Indices of a block's images, (block_size,), and how many candidates it took: 8 KB for a thousand images, so that
    those of a set of ten millions, which each epoch goes through in another order, are all remembered.
    """
    offsets = selection.known(block)
    if offsets is None:
        offsets = selection.search(block)
    return offsets.T.ravel().astype(np.uint64) + np.uint64(block << 32), int(offsets.max()) + 1


@lru_cache
def _known_blocks(size: int) -> Offsets:
    """Offsets (blocks, classes 1 to 10, quota) of the default set's first blocks; no blocks where none is known."""
    path = Path(__file__).parent / "blocks" / f"circles-connected-{size}.npz"
    if not path.exists():
        return np.empty((0, 10, 1), np.int64)
    with np.load(path) as file:
        gaps: npt.NDArray[np.uint32] = file["gaps"]
    return gaps.cumsum(axis=2, dtype=np.int64) - 1
