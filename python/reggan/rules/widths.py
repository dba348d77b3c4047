"""Rules of widths: nothing is narrower than a disc, or than a run of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..morphology import check_diameter, narrow_pixels
from ..scoring import ink_mask
from ..searching import Term
from .rule import Rule, check_counts, check_pixels, rounded

__all__ = ["Bridge", "Clear", "Runs", "Slot"]


@dataclass(frozen=True)
class Bridge(Rule):
    """No ink is narrower than `diameter` pixels: each ink pixel is in a disc of ink of that diameter.

    1 / (1 + v / 8), where v counts the ink pixels in no such disc. `reggan.morphology` defines the disc; everything
    outside the image counts as ink.
    """

    edges = (0.25, 0.4, 0.6, 0.8, 1.0)
    """Classes: more than 24 pixels, up to 24, 12, 5 and 2, and none."""

    diameter: int = 3
    threshold: float = 0.5

    def __post_init__(self) -> None:
        check_diameter(self.diameter)
        check_pixels(self.threshold)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        return _score_of(self._narrow(images, "foreground"))

    def terms(self, area: int) -> tuple[Term, ...]:
        return (("bridge", self.diameter, 0),)

    def _narrow(self, images: npt.NDArray[Any], layer: Literal["foreground", "background"]) -> npt.NDArray[np.int64]:
        return narrow_pixels(images, self.diameter, layer=layer, threshold=self.threshold)


class Slot(Bridge):
    """No paper is narrower than `diameter` pixels; `Bridge` of the paper."""

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        return _score_of(self._narrow(images, "background"))

    def terms(self, area: int) -> tuple[Term, ...]:
        return (("slot", self.diameter, 0),)


class Clear(Bridge):
    """Neither ink nor paper is narrower than `diameter` pixels; v counts both as `Bridge` and `Slot` do."""

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        return _score_of(self._narrow(images, "foreground") + self._narrow(images, "background"))

    def terms(self, area: int) -> tuple[Term, ...]:
        return (("bridge", self.diameter, 0), ("slot", self.diameter, 0))


@dataclass(frozen=True)
class Runs(Rule):
    """In rows and columns no run of ink is shorter than `ink` pixels, and no run of paper between ink than `paper`.

    1 / (1 + v / 8), where v counts the shorter runs. These are the widths and spaces of Manhattan design rules, such as
    `width_check` and `space_check` of KLayout with projection metrics.
    """

    edges = Bridge.edges

    ink: int = 2
    paper: int = 2
    threshold: float = 0.5

    def __post_init__(self) -> None:
        check_counts(1, ink=self.ink, paper=self.paper)
        check_pixels(self.threshold)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        ink = ink_mask(images, threshold=self.threshold)
        return _score_of(self._short(ink) + self._short(ink.swapaxes(1, 2)))

    def _short(self, ink: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """The number of runs in the rows of each image that are too short."""
        count, height, width = ink.shape
        edges = np.flatnonzero(np.diff(ink.reshape(-1, width), axis=1, prepend=False, append=False))
        row, place = np.divmod(edges, width + 1)
        runs = place[1::2] - place[::2]
        gaps, same_row = place[2::2] - place[1:-1:2], row[2::2] == row[1:-1:2]
        short = [row[::2][runs < self.ink], row[2::2][same_row & (gaps < self.paper)]]
        return np.bincount(np.concatenate(short) // height, minlength=count)


def _score_of(violations: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """1 / (1 + v / 8) of v violations."""
    return rounded(8.0 / (8 + violations))
