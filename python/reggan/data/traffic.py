"""Frames of a street as a fixed camera sees it: the same picture nearly always, and something on it now and then.

Made after the traffic camera of "No modes left behind" (arXiv 1802.00771): what is rare is what a GAN forgets first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from ..rendering import gaussian_blur, render
from ..rules import Rule
from ..specs import Circles
from .loading import Endless, Item, by_block

__all__ = ["Traffic", "TrafficSet"]

_BLOCK = 1024
"""Frames of which it is drawn at once whether something is on them."""
_DARKEST, _LIGHTEST = 165, 250
"""Gray levels of the background, all of them paper to a rule: only what moves is ink."""
_COARSE = 5
"""Standard deviation of the background's blur, in pixels at size 64."""


@dataclass(frozen=True)
class Traffic:
    """Frames with a static background, of which few have dark blobs on it."""

    kind: ClassVar[str] = "images"
    channels: ClassVar[int] = 1

    busy: float = 0.05
    """Share of the frames that have blobs."""
    blobs: tuple[int, int] = (1, 4)
    """Fewest and most blobs of those; they may touch."""
    seed: int = 0
    """Seed of the background and of the frames: the same data for every seed of the training."""

    def __post_init__(self) -> None:
        if not 0 <= self.busy <= 1:
            raise ValueError(f"data.busy is {self.busy}, must be from 0 to 1")
        if not 1 <= self.blobs[0] <= self.blobs[1] <= 64:
            raise ValueError(f"data.blobs is {self.blobs}, must be (fewest, most) with 1 <= fewest <= most <= 64")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"data.seed is {self.seed}, must be from 0 to 2**63 - 1")

    def open(self, size: int, rule: Rule, *, log: bool = False) -> TrafficSet:
        """The endless set at this size."""
        return TrafficSet(self, size, rule)


class TrafficSet(Endless):
    """The frames of `Traffic`, with their scores and classes by a rule."""

    def __init__(self, traffic: Traffic, size: int, rule: Rule) -> None:
        self.traffic, self.rule = traffic, rule
        self.spec = Circles(count=traffic.blobs, radius=(3.5, 5.5), blur=(0.5, 1.0))
        # Beyond the sides the blur sees white paper: so that they are not lighter, what is far from them is cut out.
        noise = np.random.default_rng((traffic.seed, 1)).random((3 * size, 3 * size), np.float32)
        smooth = gaussian_blur(noise, _COARSE * size / 64)[size : 2 * size, size : 2 * size]
        level = (smooth - smooth.min()) / (smooth.max() - smooth.min())
        self.background = np.round(_DARKEST + (_LIGHTEST - _DARKEST) * level).astype(np.uint8)

    def items(self, positions: npt.NDArray[np.int64]) -> Item:
        """Frames (N, 1, size, size) uint8, scores (N,), classes (N,)."""
        frames = np.repeat(self.background[None], len(positions), axis=0)
        busy = self._is_busy(positions)
        if busy.any():
            blobs = render(
                self.spec, positions[busy].astype(np.uint64), seed=self.traffic.seed, size=len(self.background)
            )
            frames[busy] = np.minimum(frames[busy], blobs)
        scores = self.rule(frames)
        classes = self.rule.classify(scores)
        return torch.from_numpy(frames)[:, None], torch.from_numpy(scores), torch.from_numpy(classes)

    def _is_busy(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        def draw(block: int) -> npt.NDArray[np.bool_]:
            return np.random.default_rng((self.traffic.seed, 2, block)).random(_BLOCK) < self.traffic.busy

        return by_block(positions, _BLOCK, draw)
