"""Rendered images as training data: drawn by (seed, index) where they are needed, balanced over the score classes.

By default the set of RegGAN's paper (arXiv 2102.04593, section 3.1): black discs with a Gaussian blur, scores spread
evenly, and no image in one piece. Nothing is stored.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
import torch
import tyro
from torch.utils.data import get_worker_info

from ..progress import Progress
from ..rules import Rule, darkest
from ..specs import BinaryBlobs, Circles, Polygons
from .loading import Fingerprint, Item
from .selection import BalancedSelection, CountSelection, RangeSelection, Selection

__all__ = ["Blobs", "RenderedSet"]


@dataclass(frozen=True)
class RenderedSet:
    """The images of a selection, with their scores and classes by a rule."""

    selection: Selection
    rule: Rule
    length: int = 0
    """How many images there are; 0 for no end."""

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(channels, height, width), of volumes (1, depth, height, width)."""
        shape = self.selection.image_shape
        return shape if self.is_color else (1, *shape)

    @property
    def is_color(self) -> bool:
        """Whether the images are RGB."""
        return self.selection.spec.axes == 2 and len(self.selection.image_shape) == 3

    def items(self, positions: npt.NDArray[np.int64]) -> Item:
        """Images (N, *image_shape) uint8, scores (N,), classes (N,). A DataLoader worker keeps to its one thread."""
        if self.length:
            positions = positions % self.length
        images = self.selection.render(positions, threads=1 if get_worker_info() else None)
        scores = self.rule(darkest(images) if self.is_color else images)
        classes = self.rule.classify(scores)
        tensor = torch.from_numpy(images)
        return tensor if self.is_color else tensor[:, None], torch.from_numpy(scores), torch.from_numpy(classes)

    def find(self, start: int, count: int) -> None:
        """Search at once for the images at positions `start`, `start + 1`, ..., which shows itself on standard error
        unless they are known.
        """
        size = self.selection.block_size
        blocks = range(start // size, -(-(start + count) // size))
        if any(self.selection.known(block) is None for block in blocks):
            with closing(Progress(count, unit="image")) as shown:
                for block in blocks:
                    self.selection.indices(block * size)
                    shown.advance(min((block + 1) * size, start + count) - max(block * size, start))

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """None: rendered images are a function of the configuration."""
        return ()

    @property
    def is_augmented(self) -> bool:
        """Whether an image looks different in another epoch."""
        return False


@dataclass(frozen=True)
class Blobs:
    """Rendered images, balanced over the score classes, none of them obeying the rule; or over numbers of pieces."""

    kind: ClassVar[str] = "images"

    images: int = 0
    """Images in the set, gone through in a new order each epoch; 0 for an endless stream that repeats nothing."""
    spec: Annotated[Circles | BinaryBlobs | Polygons, tyro.conf.AvoidSubcommands] = field(default_factory=Circles)
    """What is drawn."""
    classes: tuple[int, ...] = tuple(range(1, 11))
    """Score classes, in equal numbers; of up to 18 discs none is of class 0. No class for all images as they come."""
    counts: tuple[int, ...] = ()
    """Numbers of pieces, in equal numbers, in the place of score classes: then there are images that obey, too."""
    below: float = 1.0
    """Only images with a score under this are data."""
    seed: int = 0
    """Seed of the renderer: the same data for every seed of the training."""

    def __post_init__(self) -> None:
        if not 0 <= self.images <= 10**8:
            raise ValueError(f"data.images is {self.images}, must be from 0 to {10**8}")
        if not 0 < self.below <= 1:
            raise ValueError(f"data.below is {self.below}, must be above 0 and at most 1")
        if not 0 <= self.seed < 2**64:
            raise ValueError(f"data.seed is {self.seed}, must be from 0 to 2**64 - 1")
        if self.counts:
            CountSelection(self.spec, size=32, counts=self.counts)  # Says what is wrong with them, at any size.
            if self.below < 1:
                raise ValueError(f"data.below is {self.below}, must be 1 where data.counts says which images are data")

    @property
    def channels(self) -> int:
        """1 of gray images, 3 of RGB."""
        return 3 if isinstance(self.spec, Polygons) and self.spec.color else 1

    def open(self, size: int, rule: Rule, *, log: bool = False) -> RenderedSet:
        """The set at this image size. With `log` the renderer's indices of a set with an end are searched for at once,
        which shows itself on standard error; otherwise as they are needed.
        """
        selection: Selection
        if self.counts:
            selection = CountSelection(self.spec, size, self.seed, self.counts)
        elif self.classes:
            selection = BalancedSelection(self.spec, size, self.seed, rule, self.classes, self.below)
        else:
            selection = RangeSelection(self.spec, size, self.seed, rule, high=self.below)
        found = RenderedSet(selection, rule, self.images)
        if log:
            found.find(0, self.images)
        return found
