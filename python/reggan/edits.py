"""What a repair changed: the edits between images and their repaired versions, `edits_between`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from reggan.scoring import ink_mask, label

__all__ = ["Edit", "edits_between"]

Kind = Literal["joined", "filled", "added", "erased", "opened", "removed"]
Masks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Edit:
    """Adjoining pixels of one image that all became ink, or all became paper.

    New ink "filled" a hole, "joined" pieces, or was "added" to a piece or beside it. New paper "erased" a whole piece,
    "opened" a passage between two areas of paper, or was "removed" from a piece. A piece that was moved is erased in
    one place and added in another.
    """

    kind: Kind
    pixels: int
    """Number of pixels."""
    box: tuple[int, int, int, int]
    """The rectangle around them: top, left, bottom, right in pixels; the last two are exclusive."""


def edits_between(
    before: npt.NDArray[Any], after: npt.NDArray[Any], *, threshold: float | None = None, connectivity: int = 4
) -> tuple[tuple[Edit, ...], ...]:
    """The edits of each image between images (N, H, W) and their repaired versions, the largest first.

    Ink has this `connectivity`, 4 or 8, and paper the other one. Raises ValueError if the shapes differ.
    """
    for images in (before, after):
        if not isinstance(images, np.ndarray) or images.ndim != 3:
            given = f"of shape {images.shape}" if isinstance(images, np.ndarray) else f"a {type(images).__name__}"
            raise ValueError(f"images are {given}, but must be a NumPy array (N, H, W)")
    if before.shape != after.shape:
        raise ValueError(f"images are {before.shape} and repaired images {after.shape}, but must have one shape")
    if connectivity not in (4, 8):
        raise ValueError(f"connectivity is {connectivity}, but must be 4 or 8")
    edits: list[tuple[Edit, ...]] = [()] * len(before)
    old, new = (ink_mask(images, threshold=threshold) for images in (before, after))
    changed = np.flatnonzero((old != new).any(axis=(1, 2)))
    if len(changed):
        old, new = old[changed], new[changed]
        ink = _edits(old, new, connectivity, ("filled", "joined", "added"))
        paper = _edits(~old, ~new, 12 - connectivity, ("erased", "opened", "removed"))
        for index, of_ink, of_paper in zip(changed, ink, paper, strict=True):
            edits[index] = tuple(sorted(of_ink + of_paper, key=lambda edit: (-edit.pixels, edit.box)))
    return tuple(edits)


def _edits(old: Masks, new: Masks, connectivity: int, kinds: tuple[Kind, Kind, Kind]) -> Iterator[list[Edit]]:
    """The edits of each image that set pixels; kinds are of those that cover an unset area, join set ones, or neither.

    Set pixels have this connectivity, unset ones the other.
    """
    covers, joins, neither = kinds
    of_set, of_unset = connectivity, 12 - connectivity
    labels = [_labels(mask, of) for mask, of in ((new & ~old, of_set), (old, of_set), (~old, of_unset))]
    for regions, pieces, areas, now in zip(*labels, new, strict=True):
        framed, found = np.pad(pieces, 1), []
        # Areas of which nothing is left. Paper at the border is no hole.
        gone = np.bincount(areas[~now], minlength=areas.max() + 1) == 0
        if covers == "filled":
            gone[np.concatenate([areas[[0, -1]].ravel(), areas[:, [0, -1]].ravel()])] = False
        for ys, xs in _places(regions):
            beside = {piece for dy, dx in _steps(of_set) for piece in framed[ys + 1 + dy, xs + 1 + dx].tolist()}
            kind = covers if gone[areas[ys, xs]].any() else joins if len(beside - {0}) > 1 else neither
            box = (int(ys.min()), int(xs.min()), int(ys.max()) + 1, int(xs.max()) + 1)
            found.append(Edit(kind, len(ys), box))
        yield found


def _labels(masks: Masks, connectivity: int) -> npt.NDArray[np.int32]:
    return label(masks, foreground="light", connectivity=connectivity)


def _places(labels: npt.NDArray[np.int32]) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Rows and columns of each component."""
    ys, xs = np.nonzero(labels)
    numbers = labels[ys, xs]
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(np.bincount(numbers))[:-1]
    return zip(np.split(ys[order], ends)[1:], np.split(xs[order], ends)[1:], strict=True)


def _steps(connectivity: int) -> list[tuple[int, int]]:
    """Steps to the neighbors of a pixel."""
    return [(dy, dx) for dy, dx in product((-1, 0, 1), repeat=2) if 0 < dy * dy + dx * dx <= connectivity // 4]
