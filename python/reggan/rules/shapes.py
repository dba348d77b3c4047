"""Rules of the ink as a whole: in one piece, of a certain amount, without holes, symmetric."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..repairing import Repaired, repair_connected
from ..scoring import analyze, ink_mask, score
from ..searching import Term
from .bounds import Bounds, holes, pieces, pixels
from .rule import TENTHS, Rule, check_pixels, rounded

__all__ = ["Connected", "Ink", "Solid", "Symmetric"]


def border_of(periodic: bool) -> Literal["open", "periodic"]:
    """The border that a rule reads images with."""
    return "periodic" if periodic else "open"


@dataclass(frozen=True)
class Connected(Rule):
    """All ink is one piece: pixels of the largest component over all ink pixels; 0 for an empty image.

    With `periodic`, pixels on opposite sides of the image are neighbors.
    """

    edges = TENTHS
    methods = ("search", "slide", "erase", "bridge")

    threshold: float = 0.5
    connectivity: int = 4
    foreground: Literal["dark", "light"] = "dark"
    periodic: bool = False

    def __post_init__(self) -> None:
        check_pixels(self.threshold, self.connectivity, self.foreground)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        return score(
            images,
            threshold=self.threshold,
            foreground=self.foreground,
            connectivity=self.connectivity,
            border=border_of(self.periodic),
        )

    def bounds(self, area: int) -> Bounds:
        return pieces(self, 1, 1) | pixels(self, area, 1)

    def terms(self, area: int) -> tuple[Term, ...]:
        return (("torus", (self.connectivity, 0)),) if self.periodic else (("connected", (self.connectivity,)),)

    def known_methods(self) -> tuple[str, ...]:
        """The methods of repair; a search alone for a periodic rule."""
        return ("search",) if self.periodic else super().known_methods()

    def repair_by(self, method: Any, images: npt.NDArray[np.uint8], threads: int | None) -> Repaired[npt.NDArray[Any]]:
        def repaired(ink: npt.NDArray[Any]) -> Repaired[npt.NDArray[Any]]:
            return repair_connected(
                ink, method=method, threshold=self.threshold, connectivity=self.connectivity, threads=threads
            )

        if self.foreground == "dark":
            return repaired(images)
        negative = _negative(images)
        found = repaired(negative)
        back = np.where(found.images == negative, images, _negative(found.images))
        return Repaired(back, found.changed, found.scores)


@dataclass(frozen=True)
class Ink(Rule):
    """The share of ink pixels is from `low` to `high`; outside, the score falls to 0 for an empty and for a full image.

    Mainly a bound for other rules: even a single dot is connected.
    """

    low: float = 0.07
    high: float = 0.42
    threshold: float = 0.5
    foreground: Literal["dark", "light"] = "dark"

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(f"ink is from {self.low} to {self.high}, but must be 0 <= low <= high <= 1")
        check_pixels(self.threshold, foreground=self.foreground)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Share / low below the range, (1 - share) / (1 - high) above it."""
        area = analyze(images, threshold=self.threshold, foreground=self.foreground, fields=("area",)).area
        return self._score(area / math.prod(images.shape[-2:]))

    def _score(self, share: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        below = share / self.low if self.low else np.ones_like(share)
        above = (1 - share) / (1 - self.high) if self.high < 1 else np.ones_like(share)
        return rounded(np.minimum(below, above))

    def pixels(self, area: int) -> tuple[int, int]:
        """The fewest and the most ink pixels that obey in an image of `area` pixels; (area, 0) if none do."""
        obeying = np.flatnonzero(self._score(np.arange(area + 1) / area) == 1)
        return (int(obeying[0]), int(obeying[-1])) if len(obeying) else (area, 0)

    def bounds(self, area: int) -> Bounds:
        return pixels(self, area, *self.pixels(area))

    def terms(self, area: int) -> tuple[Term, ...]:
        return (("ink", self.pixels(area)),)


@dataclass(frozen=True)
class Solid(Rule):
    """No holes, that is paper enclosed by ink: 1 / (1 + holes); 0 for an empty image.

    With `periodic`, pixels on opposite sides of the image are neighbors, and `reggan.Components` defines the holes.
    """

    edges = (0.22, 0.29, 0.42, 0.75)
    """Classes: four or more holes, three, two, one, and none."""

    threshold: float = 0.5
    connectivity: int = 4
    foreground: Literal["dark", "light"] = "dark"
    periodic: bool = False

    def __post_init__(self) -> None:
        check_pixels(self.threshold, self.connectivity, self.foreground)

    @property
    def values(self) -> npt.NDArray[np.float32]:
        return np.array([1 / (1 + holes) for holes in (4, 3, 2, 1, 0)], np.float32)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        found = analyze(
            images,
            fields=("holes", "area"),
            threshold=self.threshold,
            foreground=self.foreground,
            connectivity=self.connectivity,
            border=border_of(self.periodic),
        )
        return np.where(found.area > 0, 1 / (1 + found.holes), 0).astype(np.float32)

    def bounds(self, area: int) -> Bounds:
        return holes(self, 0, 0) | pixels(self, area, 1)

    def terms(self, area: int) -> tuple[Term, ...]:
        return () if self.periodic else (("solid", (self.connectivity,)),)


@dataclass(frozen=True)
class Symmetric(Rule):
    """The ink is its own mirror image, left to right: intersection over union, relative to `overlap`, at most 1.

    0 for an empty image. With `overlap` 1, only exactly symmetric images obey.
    """

    overlap: float = 0.8
    threshold: float = 0.5
    foreground: Literal["dark", "light"] = "dark"

    def __post_init__(self) -> None:
        if not 0 < self.overlap <= 1:
            raise ValueError(f"overlap is {self.overlap}, but must be above 0 and at most 1")
        check_pixels(self.threshold, foreground=self.foreground)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        ink = ink_mask(images, threshold=self.threshold, foreground=self.foreground)
        mirrored = ink[..., ::-1]
        common, either = (np.count_nonzero(pixels, axis=(-2, -1)) for pixels in (ink & mirrored, ink | mirrored))
        scores: npt.NDArray[np.float64] = common / np.maximum(either, 1) / self.overlap
        return rounded(scores)

    def terms(self, area: int) -> tuple[Term, ...]:
        return (("symmetric", (self.overlap,)),)


def _negative(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Dark and light exchanged."""
    if images.dtype == np.bool_:
        return ~images
    negative: npt.NDArray[Any] = images.dtype.type(255 if images.dtype == np.uint8 else 1) - images
    return negative
