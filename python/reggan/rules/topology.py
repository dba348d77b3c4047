"""Rules of pieces and holes: how many there are, what they touch and how far they reach."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..paths import spans
from ..scoring import analyze, betti_numbers, ink_mask, score
from ..searching import Term
from .bounds import Bounds, Count, holes, pieces, pixels
from .rule import Rule, check_counts, check_pixels, rounded
from .shapes import border_of

__all__ = ["Betti", "Clean", "Framed", "Holes", "Joins"]


@dataclass(frozen=True)
class _Counting(Rule):
    """Scores 1 / (1 + v / 4) of v, the number by which an image is off."""

    edges = (0.25, 0.45, 0.6, 0.75, 1.0)
    """Classes: off by more than 12, by up to 12, 4, 2 and 1, and not off."""

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        return rounded(4.0 / (4 + self.off(images)))

    @abstractmethod
    def off(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """By how much each image (N, H, W) is off, in what the rule counts: (N,)."""


@dataclass(frozen=True)
class Holes(_Counting):
    """There are `low` to `high` holes, that is areas of paper enclosed by ink; 1 / (1 + v / 4) of v too few or many.

    With `periodic`, pixels on opposite sides of the image are neighbors, and `reggan.Components` defines the holes.
    """

    low: int = 1
    high: int = 1_000_000
    threshold: float = 0.5
    connectivity: int = 4
    foreground: Literal["dark", "light"] = "dark"
    periodic: bool = False

    def __post_init__(self) -> None:
        check_counts(0, low=self.low, high=self.high)
        if self.low > self.high:
            raise ValueError(f"holes are from {self.low} to {self.high}, but must be 0 <= low <= high")
        check_pixels(self.threshold, self.connectivity, self.foreground)

    def off(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        found = analyze(
            images,
            fields=("holes",),
            threshold=self.threshold,
            foreground=self.foreground,
            connectivity=self.connectivity,
            border=border_of(self.periodic),
        )
        off: npt.NDArray[np.int64] = np.maximum(np.maximum(self.low - found.holes, found.holes - self.high), 0)
        return off

    def bounds(self, area: int) -> Bounds:
        return holes(self, self.low, self.high)

    def terms(self, area: int) -> tuple[Term, ...]:
        return () if self.periodic else (("holes", (self.low, self.high, 1, self.connectivity)),)


@dataclass(frozen=True)
class Betti(_Counting):
    """Exactly `pieces` pieces and `holes` holes, none of fewer than `min_area` pixels: the Betti numbers b0 and b1.

    1 / (1 + v / 4), where v is the sum by which both counts are off; a piece or hole of too few pixels adds the share
    that it lacks. With `periodic`, pixels on opposite sides of the image are neighbors, and `reggan.Components` defines
    the holes.
    """

    pieces: int = 1
    holes: int = 0
    min_area: int = 1
    threshold: float = 0.5
    connectivity: int = 4
    foreground: Literal["dark", "light"] = "dark"
    periodic: bool = False

    def __post_init__(self) -> None:
        check_counts(0, pieces=self.pieces, holes=self.holes)
        check_counts(1, min_area=self.min_area)
        check_pixels(self.threshold, self.connectivity, self.foreground)

    def off(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        options: dict[str, Any] = {
            "threshold": self.threshold,
            "foreground": self.foreground,
            "connectivity": self.connectivity,
            "border": border_of(self.periodic),
        }
        off: npt.NDArray[Any]
        if self.min_area == 1:
            found = analyze(images, fields=("count", "holes"), **options)
            off = np.abs(found.count - self.pieces) + np.abs(found.holes - self.holes)
            return off
        pieces, small, area, holes, small_holes, area_of_holes = betti_numbers(images, self.min_area, **options).T
        lacking, lacking_holes = small - area / self.min_area, small_holes - area_of_holes / self.min_area
        off = np.abs(pieces - self.pieces) + np.abs(holes - self.holes) + lacking + lacking_holes
        return off

    def bounds(self, area: int) -> Bounds:
        ink = pixels(self, area, self.pieces * self.min_area, area - self.holes * self.min_area)
        return pieces(self, self.pieces, self.pieces) | holes(self, self.holes, self.holes) | ink

    def terms(self, area: int) -> tuple[Term, ...]:
        if self.periodic:
            return ()
        sizes = self.min_area, self.connectivity
        return ("pieces", (self.pieces, self.pieces, *sizes)), ("holes", (self.holes, self.holes, *sizes))


@dataclass(frozen=True)
class Clean(_Counting):
    """No two pixels of ink touch only at a corner, so that 4- and 8-connected pieces are the same.

    1 / (1 + v / 4), where v counts the 2 × 2 pixels in which only two that face each other across a corner are ink.
    With `periodic`, pixels on opposite sides of the image are neighbors.
    """

    threshold: float = 0.5
    foreground: Literal["dark", "light"] = "dark"
    periodic: bool = False

    def __post_init__(self) -> None:
        check_pixels(self.threshold, foreground=self.foreground)

    def off(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        ink = ink_mask(images, threshold=self.threshold, foreground=self.foreground)
        if self.periodic:
            ink = np.pad(ink, ((0, 0), (0, 1), (0, 1)), mode="wrap")
        corner, right = ink[:, :-1, :-1], ink[:, :-1, 1:]
        below, across = ink[:, 1:, :-1], ink[:, 1:, 1:]
        off: npt.NDArray[np.int64] = np.count_nonzero(
            (corner == across) & (right == below) & (corner != right), axis=(1, 2)
        )
        return off


@dataclass(frozen=True)
class Framed(Rule):
    """The ink and a frame, the outermost `width` pixels of the image, are one piece: the largest piece's share of both.

    An image without ink obeys.
    """

    width: int = 1
    threshold: float = 0.5
    connectivity: int = 4
    foreground: Literal["dark", "light"] = "dark"

    def __post_init__(self) -> None:
        check_counts(1, width=self.width)
        check_pixels(self.threshold, self.connectivity, self.foreground)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        framed = np.ones_like(ink := ink_mask(images, threshold=self.threshold, foreground=self.foreground))
        inner = (slice(None), slice(self.width, -self.width), slice(self.width, -self.width))
        framed[inner] = ink[inner]
        return score(framed, foreground="light", connectivity=self.connectivity)


@dataclass(frozen=True)
class Joins(Rule):
    """A piece of ink reaches from one side of the image to the other: the longest extent of a piece, over the side.

    With `axis` "x" it reaches from left to right, with "y" from top to bottom.
    """

    axis: Literal["x", "y"] = "x"
    threshold: float = 0.5
    connectivity: int = 4
    foreground: Literal["dark", "light"] = "dark"

    def __post_init__(self) -> None:
        if self.axis not in ("x", "y"):
            raise ValueError(f"axis is {self.axis!r}, but must be 'x' or 'y'")
        check_pixels(self.threshold, self.connectivity, self.foreground)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        axis = ("y", "x").index(self.axis)
        found = spans(images, threshold=self.threshold, connectivity=self.connectivity, foreground=self.foreground)
        return rounded(found[:, axis] / images.shape[1 + axis])

    def bounds(self, area: int) -> Bounds:
        ends = {"x": "left to right", "y": "top to bottom"}
        across = {"x": "y", "y": "x"}[self.axis]
        count = Count.of(f"pieces of {{}} ink from {ends[self.axis]}", self)
        # Either ink joins two sides, or paper joins the other two.
        paper = count.of_paper._replace(name=f"pieces of {{}} ink from {ends[across]}")
        return {count: (1, math.inf), paper: (0, 0)}
