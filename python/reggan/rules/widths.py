"""Rules of widths: nothing is narrower than a disc, or than a run of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ..morphology import check_diameter, narrow_pixels, short_runs
from ..searching import Term
from .rule import Rule, check_counts, check_pixels, rounded

__all__ = ["Bridge", "Clear", "Runs", "Slot"]


@dataclass(frozen=True)
class Bridge(Rule):
    """No ink is narrower than `diameter` pixels: each ink pixel is in a disc of ink of that diameter.

    1 / (1 + v / 8), where v counts the ink pixels in no such disc. `reggan.morphology` defines the disc. Everything
    outside the image counts as ink, or, if `periodic`, the image is repeated there.
    """

    edges = (0.25, 0.4, 0.6, 0.8, 1.0)
    """Classes: more than 24 pixels, up to 24, 12, 5 and 2, and none."""

    layer: ClassVar[Literal["foreground", "background", "both"]] = "foreground"
    """What must not be narrow."""

    diameter: int = 3
    threshold: float = 0.5
    foreground: Literal["dark", "light"] = "dark"
    periodic: bool = False

    def __post_init__(self) -> None:
        check_diameter(self.diameter)
        check_pixels(self.threshold, foreground=self.foreground)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        narrow = narrow_pixels(
            images,
            self.diameter,
            layer=self.layer,
            threshold=self.threshold,
            foreground=self.foreground,
            border="periodic" if self.periodic else "solid",
        )
        return _score_of(narrow)

    @property
    def discs(self) -> tuple[int, int]:
        if self.threshold != 0.5:
            return 1, 1
        ink = self.diameter if self.layer != "background" else 1
        paper = self.diameter if self.layer != "foreground" else 1
        return (ink, paper) if self.foreground == "dark" else (paper, ink)

    def terms(self, area: int) -> tuple[Term, ...]:
        return (("bridge", (self.diameter, self.periodic)),)


class Slot(Bridge):
    """No paper is narrower than `diameter` pixels; `Bridge` of the paper."""

    layer = "background"

    def terms(self, area: int) -> tuple[Term, ...]:
        return (("slot", (self.diameter, self.periodic)),)


class Clear(Bridge):
    """Neither ink nor paper is narrower than `diameter` pixels; v counts both as `Bridge` and `Slot` do."""

    layer = "both"

    def terms(self, area: int) -> tuple[Term, ...]:
        return (("bridge", (self.diameter, self.periodic)), ("slot", (self.diameter, self.periodic)))


@dataclass(frozen=True)
class Runs(Rule):
    """In rows and columns no run of ink is shorter than `ink` pixels, and no run of paper between ink than `paper`.

    1 / (1 + v / 8), where v counts the shorter runs: `reggan.short_runs`. These are the widths and spaces of Manhattan
    design rules, such as `width_check` and `space_check` of KLayout with projection metrics. If `periodic`, runs go on
    at the opposite side of the image.
    """

    edges = Bridge.edges

    ink: int = 2
    paper: int = 2
    threshold: float = 0.5
    foreground: Literal["dark", "light"] = "dark"
    periodic: bool = False

    def __post_init__(self) -> None:
        check_counts(1, ink=self.ink, paper=self.paper)
        check_pixels(self.threshold, foreground=self.foreground)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        short = short_runs(
            images,
            self.ink,
            self.paper,
            threshold=self.threshold,
            foreground=self.foreground,
            periodic=self.periodic,
        )
        return _score_of(short)


def _score_of(violations: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """1 / (1 + v / 8) of v violations."""
    return rounded(8.0 / (8 + violations))
