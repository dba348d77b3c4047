"""Frames of a street as a fixed camera sees it: the same picture nearly always, and something on it now and then.

Made after the traffic camera of "No modes left behind" (arXiv 1802.00771): what is rare is what a GAN forgets first.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
import tyro
from pydantic import Field
from torch import Tensor

from ..options import options
from ..rendering import gaussian_blur, render
from ..rules import Rule
from ..specs import Circles
from .loading import Endless, Indices, by_block

__all__ = ["Traffic", "TrafficSet"]

_BLOCK = 1024
"""Frames of which it is drawn at once whether something is on them."""
_DARKEST, _LIGHTEST = 165, 250
"""Gray levels of the background, all of them paper to a rule: only what moves is ink."""
_COARSE = 5
"""Standard deviation of the background's blur, in pixels at size 64."""


@options
class Traffic:
    """Frames with a static background, few of which have dark blobs on it."""

    modality: ClassVar[str] = "images"
    channels: ClassVar[int] = 1

    busy: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Share of the frames that have blobs."""
    blobs: tuple[int, int] = (1, 4)
    """Fewest and most blobs on those; they may touch."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of the background and of the frames: the same data for every seed of the training."""
    kind: tyro.conf.Suppress[Literal["traffic"]] = "traffic"

    def __post_init__(self) -> None:
        if not 1 <= self.blobs[0] <= self.blobs[1] <= 64:
            raise ValueError(f"blobs is {self.blobs}, must be (fewest, most) with 1 <= fewest <= most <= 64")

    def open(self, size: int, rule: Rule, *, log: bool = False) -> TrafficSet:
        """The endless set at this size."""
        return TrafficSet(self, size)


class TrafficSet(Endless):
    """The frames of `Traffic`."""

    def __init__(self, traffic: Traffic, size: int) -> None:
        self.traffic = traffic
        self.spec = Circles(count=traffic.blobs, radius=(3.5, 5.5), blur=(0.5, 1.0))
        # The blur sees white paper beyond the sides and would lighten them: keep the middle of a larger image.
        noise = np.random.default_rng((traffic.seed, 1)).random((3 * size, 3 * size), np.float32)
        smooth = gaussian_blur(noise, _COARSE * size / 64)[size : 2 * size, size : 2 * size]
        level = (smooth - smooth.min()) / (smooth.max() - smooth.min())
        self.background = np.round(_DARKEST + (_LIGHTEST - _DARKEST) * level).astype(np.uint8)

    def fetch(self, indices: Indices) -> Tensor:
        """Frames (N, 1, size, size) uint8."""
        frames = np.repeat(self.background[None], len(indices), axis=0)
        busy = self._is_busy(indices)
        if busy.any():
            blobs = render(self.spec, indices[busy].astype(np.uint64), seed=self.traffic.seed, size=len(frames[0]))
            frames[busy] = np.minimum(frames[busy], blobs)
        return torch.from_numpy(frames)[:, None]

    def _is_busy(self, indices: Indices) -> npt.NDArray[np.bool_]:
        def draw(block: int) -> npt.NDArray[np.bool_]:
            return np.random.default_rng((self.traffic.seed, 2, block)).random(_BLOCK) < self.traffic.busy

        return by_block(indices, _BLOCK, draw)
