"""Which rendered images make a set: equal numbers of every score class, found by rejection in blocks.

Image k of the set is a pure function of (spec, seed, rule, size, k), with random access. Block b holds `QUOTA`
images of each class; its candidates are the renderer's indices b * 2**32, b * 2**32 + 1, ..., scored in that order,
and the first QUOTA of each class are kept. Within a block the classes take turns, so that every run of
len(classes) images holds one of each: the set is balanced exactly, at any length that is a multiple of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..rendering import render
from ..rules import Connected, Rule
from ..specs import Circles

__all__ = ["QUOTA", "BalancedSelection"]

QUOTA = 100
"""Images of each class in a block."""
_CHUNK = 2048
_PATIENCE = 2**22
"""Candidates that a block may reject before the classes asked for are said not to occur."""


@dataclass(frozen=True)
class BalancedSelection:
    """An endless set of rendered images with equal numbers of each class, none with a score of `below` or more.

    `BalancedSelection(...)[3:9]` and `.indices(array)` give the renderer's indices, uint64, to hand to `render` with
    the same spec, seed and size.

    Raises:
        ValueError: a class that the rule does not have, no class, or, once a block is searched, a class that did
            not occur among four million candidates.
    """

    spec: Circles
    size: int
    seed: int = 0
    rule: Rule = field(default_factory=Connected)
    classes: tuple[int, ...] = tuple(range(1, 11))
    below: float = 1.0

    def __post_init__(self) -> None:
        wrong = [c for c in self.classes if not 0 <= c < self.rule.classes]
        if wrong or not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes is {self.classes}, must be different numbers from 0 to {self.rule.classes - 1}")

    @property
    def block_size(self) -> int:
        """Images in a block."""
        return QUOTA * len(self.classes)

    def indices(self, positions: npt.ArrayLike) -> npt.NDArray[np.uint64]:
        """Renderer's indices of the set's images at these positions (N,)."""
        blocks, offsets = np.divmod(np.asarray(positions, np.int64), self.block_size)
        chosen = np.empty(blocks.shape, np.uint64)
        for block in np.unique(blocks):
            here = blocks == block
            chosen[here] = _search(self, int(block))[offsets[here]]
        return chosen

    def __getitem__(self, positions: slice) -> npt.NDArray[np.uint64]:
        """Renderer's indices of a range of positions with an end."""
        return self.indices(np.arange(positions.start or 0, positions.stop, positions.step))

    def render(self, positions: npt.ArrayLike, threads: int | None = None) -> npt.NDArray[np.uint8]:
        """Images (N, size, size), uint8, white paper 255, at these positions (N,)."""
        images: npt.NDArray[np.uint8] = render(
            self.spec, self.indices(positions), seed=self.seed, size=self.size, threads=threads
        )
        return images


@lru_cache(maxsize=4096)
def _search(selection: BalancedSelection, block: int) -> npt.NDArray[np.uint64]:
    """Indices of a block's images, (block_size,): 8 KB for ten classes."""
    found: dict[int, list[int]] = {c: [] for c in selection.classes}
    first = block << 32
    for start in range(first, first + _PATIENCE, _CHUNK):
        candidates = range(start, start + _CHUNK)
        scores = selection.rule(render(selection.spec, candidates, seed=selection.seed, size=selection.size))
        classes = np.where(scores < selection.below, selection.rule.classify(scores), -1)
        for c, kept in found.items():
            kept.extend((start + np.flatnonzero(classes == c)[: QUOTA - len(kept)]).tolist())
        if all(len(kept) == QUOTA for kept in found.values()):
            return np.array([found[c] for c in selection.classes], np.uint64).T.ravel()
    counts = ", ".join(f"{c}: {len(kept)}" for c, kept in found.items())
    raise ValueError(
        f"{_PATIENCE:,} candidates of {selection.spec} with seed {selection.seed} at size {selection.size} hold too "
        f"few images of some score class (class: found of {QUOTA}: {counts}); leave those out, or change the spec"
    )
