"""Rules of widths: nothing is narrower than a disc."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..morphology import check_diameter, narrow_pixels
from ..searching import Term
from .rule import Rule, check_pixels, rounded

__all__ = ["Bridge", "Clear", "Slot"]


@dataclass(frozen=True)
class Bridge(Rule):
    """No ink is narrower than `diameter` pixels: each ink pixel is in a disc of ink of that diameter.

    1 / (1 + v / 8), where v counts the other ink pixels. `reggan.morphology` defines the disc; outside of the image
    all is ink.
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


def _score_of(violations: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """1 / (1 + v / 8) of v violations."""
    return rounded(8.0 / (8 + violations))
