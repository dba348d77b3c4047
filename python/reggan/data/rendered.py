"""Rendered images as training data: drawn by (seed, index) when they are needed; nothing is stored.

The default is the set of RegGAN's paper (arXiv 2102.04593, section 3.1): black discs with a Gaussian blur, balanced
over the score classes, and no image in one piece.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import torch
import tyro
from pydantic import BeforeValidator, Field, PlainSerializer
from torch import Tensor
from torch.utils.data import get_worker_info

from ..options import options
from ..progress import Progress
from ..rules import Rule
from ..specs import RENDERERS, BinaryBlobs, Circles, Polygons, Spec
from .loading import Fingerprint, Indices
from .selection import BalancedSelection, CountSelection, RangeSelection, Selection

__all__ = ["RenderedImages", "RenderedSet"]

_NAMES = {kind: name for name, kind in RENDERERS.items()}


def _spec_from_json(given: object) -> object:
    """The spec of JSON data, which name their renderer; a spec is returned as it is."""
    if not isinstance(given, dict):
        return given
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    kind = RENDERERS.get(str(fields.pop("renderer", None)))
    if kind is None or kind.axes != 2:
        raise ValueError(f"renderer is {given.get('renderer')!r}, must be one of {', '.join(RENDERERS)}")
    try:
        return kind(**fields)
    except TypeError as error:
        raise ValueError(f"spec: {error}") from error


def _spec_to_json(spec: Spec) -> dict[str, Any]:
    return {"renderer": _NAMES[type(spec)], **asdict(spec)}  # type: ignore[call-overload]


_Spec = Annotated[
    Circles | BinaryBlobs | Polygons,
    BeforeValidator(_spec_from_json),
    PlainSerializer(_spec_to_json),
    tyro.conf.AvoidSubcommands,
]


@dataclass(frozen=True)
class RenderedSet:
    """The images of a selection."""

    selection: Selection
    length: int = 0
    is_augmented: ClassVar[bool] = False
    fingerprints: ClassVar[tuple[Fingerprint, ...]] = ()

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(channels, height, width), of volumes (1, depth, height, width)."""
        shape = self.selection.image_shape
        return shape if self.is_color else (1, *shape)

    @property
    def is_color(self) -> bool:
        """Whether the images are RGB."""
        return self.selection.spec.axes == 2 and len(self.selection.image_shape) == 3

    def fetch(self, indices: Indices) -> Tensor:
        """Images (N, *image_shape) uint8. A DataLoader worker keeps to its one thread."""
        if self.length:
            indices = indices % self.length
        images = torch.from_numpy(self.selection.render(indices, threads=1 if get_worker_info() else None))
        return images if self.is_color else images[:, None]

    def find(self, start: int, count: int) -> None:
        """Search for `count` images from `start` on at once, with progress on standard error unless they are known."""
        size = self.selection.block_size
        blocks = range(start // size, -(-(start + count) // size))
        if any(self.selection.known(block) is None for block in blocks):
            with closing(Progress(count, unit="image")) as shown:
                for block in blocks:
                    self.selection.indices(block * size)
                    shown.advance(min((block + 1) * size, start + count) - max(block * size, start))


@options
class RenderedImages:
    """Rendered images, balanced over score classes (and then none obeys the rule) or over numbers of pieces."""

    modality: ClassVar[str] = "images"

    images: Annotated[int, Field(ge=0, le=10**8)] = 0
    """Images in the set, reshuffled each epoch; 0 for an endless stream that never repeats."""
    spec: _Spec = field(default_factory=Circles)
    """What to draw."""
    classes: tuple[int, ...] = tuple(range(1, 11))
    """Score classes, in equal numbers; of up to 18 discs none is of class 0. No class: all images, unbalanced."""
    counts: tuple[int, ...] = ()
    """Numbers of pieces, in equal numbers, instead of score classes: then some images obey, too."""
    below: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Use only images with a lower score."""
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    """Seed of the renderer: the same data for every seed of the training."""
    kind: tyro.conf.Suppress[Literal["rendered"]] = "rendered"

    def __post_init__(self) -> None:
        if self.counts:
            CountSelection(self.spec, size=32, counts=self.counts)  # Checks them, at any size.
            if self.below < 1:
                raise ValueError(f"below is {self.below}, must be 1 when counts are given")

    @property
    def channels(self) -> int:
        """1 of gray images, 3 of RGB."""
        return 3 if isinstance(self.spec, Polygons) and self.spec.color else 1

    def open(self, size: int, rule: Rule, *, log: bool = False) -> RenderedSet:
        """The set at this image size; the rule chooses images by their scores.

        With `log` the images of a finite set are searched for at once, with progress on standard error; otherwise as
        they are needed.
        """
        selection: Selection
        if self.counts:
            selection = CountSelection(self.spec, size, self.seed, self.counts)
        elif self.classes:
            selection = BalancedSelection(self.spec, size, self.seed, rule, self.classes, self.below)
        else:
            selection = RangeSelection(self.spec, size, self.seed, rule, high=self.below)
        found = RenderedSet(selection, self.images)
        if log:
            found.find(0, self.images)
        return found
