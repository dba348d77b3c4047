"""Rules of the torus, that is an image whose opposite sides meet: textures and microstructures that tile the plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..scoring import analyze
from ..searching import Term
from .bounds import Bounds, Count
from .rule import Rule, check_pixels, rounded

__all__ = ["Wraps"]


@dataclass(frozen=True)
class Wraps(Rule):
    """On the torus, all ink is one piece that winds around it both ways: tiles of it hang together in all directions.

    The share of the largest piece times (1 + rank) / 3, where the rank of all ink, 0 to 2, is that of
    `reggan.winding_rank`; 0 for an empty image. If the rank is 2, a single piece has it.
    """

    threshold: float = 0.5
    connectivity: int = 4
    foreground: Literal["dark", "light"] = "dark"

    def __post_init__(self) -> None:
        check_pixels(self.threshold, self.connectivity, self.foreground)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        found = analyze(
            images,
            fields=("score", "winding_rank"),
            threshold=self.threshold,
            foreground=self.foreground,
            connectivity=self.connectivity,
            border="periodic",
        )
        return rounded(found.score.astype(np.float64) * (1 + found.winding_rank) / 3)

    def bounds(self, area: int) -> Bounds:
        return {Count.of("pieces of {} ink", self)._replace(periodic=True): (1, 1)}

    def terms(self, area: int) -> tuple[Term, ...]:
        return (("torus", (self.connectivity, 1)),)
