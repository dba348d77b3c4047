"""Rules of paths: how long the shortest ones are, and what the pieces join."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from .._arrays import choice, number
from ..paths import geodesic_diameter, geodesic_distance
from ..scoring import analyze
from ..searching import Term
from .bounds import Bounds, pieces, pixels
from .rule import Rule, check_counts, check_pixels, rounded

__all__ = ["Path", "Reach"]

BORDERS: dict[str, tuple[slice | int, slice | int]] = {
    "left": (slice(None), 0),
    "right": (slice(None), -1),
    "top": (0, slice(None)),
    "bottom": (-1, slice(None)),
}

Place: TypeAlias = str | tuple[float, float]
"""A border, or a point (y, x) from (0.0, 0.0), the top left pixel, to (1.0, 1.0), the bottom right one."""


@dataclass(frozen=True)
class Path(Rule):
    """One region, in which some shortest path has at least `length` steps: min(1, longest / length) / regions.

    The longest of all shortest paths is `reggan.geodesic_diameter`; an image without a region scores 0. PCGRL's binary
    problem (Khalifa et al., arXiv 2001.09212) asks for this.
    """

    edges = (0.1, 0.25, 0.5, 0.75, 1.0)
    """Classes: below a tenth, such as of many regions, up to a quarter, a half, three quarters, below 1, and 1."""

    length: int = 56
    threshold: float = 0.5
    connectivity: int = 4
    foreground: Literal["dark", "light"] = "dark"

    def __post_init__(self) -> None:
        check_counts(1, length=self.length)
        check_pixels(self.threshold, self.connectivity, self.foreground)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        pixels: dict[str, Any] = _pixels(self)
        longest = geodesic_diameter(images, **pixels)
        regions = analyze(images, fields=("count",), **pixels).count
        return rounded(np.minimum(longest / self.length, 1) / np.maximum(regions, 1))

    def bounds(self, area: int) -> Bounds:
        return pieces(self, 1, 1) | pixels(self, area, self.length + 1)

    def terms(self, area: int) -> tuple[Term, ...]:
        return (("path", (self.length, self.connectivity)),)


@dataclass(frozen=True)
class Reach(Rule):
    """Pieces that touch the start touch every goal: the share of the goals that they touch.

    The start and each goal are a border, "left", "right", "top" or "bottom", or a point (y, x), from (0.0, 0.0), the
    top left pixel, to (1.0, 1.0), the bottom right one. Where the start has no ink, no goal is reached.
    """

    start: Place = "left"
    goals: tuple[Place, ...] = ("right",)
    threshold: float = 0.5
    connectivity: int = 4
    foreground: Literal["dark", "light"] = "dark"

    def __post_init__(self) -> None:
        if not (isinstance(self.goals, tuple) and self.goals):
            raise ValueError(f"goals is {self.goals!r}, but must be a tuple of at least one border or point")
        _check_place("start", self.start)
        for goal in self.goals:
            _check_place("goals", goal)
        check_pixels(self.threshold, self.connectivity, self.foreground)

    @property
    def edges(self) -> tuple[float, ...]:  # type: ignore[override]
        """A class for each number of goals."""
        count = len(self.goals)
        return (*((2 * reached - 1) / (2 * count) for reached in range(1, count)), 1.0)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        sides = images.shape[1:]
        seeds = np.zeros(sides, np.bool_)
        seeds[_index(self.start, sides)] = True
        is_reached = geodesic_distance(images, seeds, **_pixels(self)) >= 0
        touched = [is_reached[(slice(None), *_index(goal, sides))].reshape(len(images), -1) for goal in self.goals]
        return rounded(np.mean([each.any(axis=1) for each in touched], axis=0))


def _pixels(rule: Path | Reach) -> dict[str, Any]:
    return {"threshold": rule.threshold, "connectivity": rule.connectivity, "foreground": rule.foreground}


def _check_place(name: str, place: Any) -> None:
    """Check a border or a point."""
    if isinstance(place, str):
        choice(name, place, tuple(BORDERS))
    elif isinstance(place, tuple) and len(place) == 2:
        for coordinate in place:
            number(f"a coordinate of {name}", coordinate, 0, 1)
    else:
        raise TypeError(f"{name} has {place!r}, but must have borders, {', '.join(BORDERS)}, or points (y, x)")


def _index(place: Place, sides: Sequence[int]) -> tuple[slice | int, slice | int]:
    """Where a border or a point is in an image."""
    if isinstance(place, str):
        return BORDERS[place]
    y, x = (int(coordinate * (side - 1) + 0.5) for coordinate, side in zip(place, sides, strict=True))
    return y, x
