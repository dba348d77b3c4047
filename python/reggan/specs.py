"""Specs of what to draw: a frozen dataclass for each renderer, whose defaults are the values of its source.

Lengths are in pixels of an image whose shortest side is 64; they scale with the size. A pair of numbers is a range
(low, high), both ends included, from which values are drawn uniformly. Wrong types raise a TypeError, wrong values a
ValueError.
"""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, get_args

from reggan import _core
from reggan._arrays import choice

Border: TypeAlias = Literal["paper", "reflect", "periodic"]
"""What a blur finds outside the image: paper, the image mirrored, or the image repeated. With "periodic", shapes also
continue at the opposite side, so that the image tiles without a seam."""


class Spec(Protocol):
    """The interface that `render` needs."""

    axes: ClassVar[int]
    """2, or 3 for volumes."""

    def _renderer(self) -> _core.Renderer: ...


@dataclass(frozen=True)
class Circles:
    """Black discs under a Gaussian blur (Di Cerbo, Hirsa, Shayaan, arXiv 2102.04593, section 4).

    The number of discs, the blur and the clustering are drawn per image; the radius and the position, per disc.
    """

    axes: ClassVar[int] = 2

    count: tuple[int, int] = (11, 18)
    """Number of discs: 1 to 65,536."""
    radius: tuple[float, float] = (2.0, 7.0)
    """Above 0, at most 10,000."""
    blur: tuple[float, float] = (0.5, 2.5)
    """Standard deviation of the blur: 0 (none) to 64."""
    clustering: tuple[float, float] = (0.0, 0.0)
    """Probability that a disc touches an earlier one, or, if negative, that it keeps apart from all: -1 to 1."""
    antialias: bool = False
    """Whether the edges of discs are anti-aliased before the blur, for blurs near 0."""
    border: Border = "paper"
    """What lies outside the image."""

    def __post_init__(self) -> None:
        _check_range(self, "count", 1, 65536)
        _check_range(self, "radius", 0, 10_000, above=True)
        _check_range(self, "blur", 0, 64)
        _check_range(self, "clustering", -1, 1)
        _check_bool(self, "antialias")
        choice("border", self.border, get_args(Border))

    def _renderer(self) -> _core.Renderer:
        return _core.Renderer.circles(self.count, self.radius, self.blur, self.clustering, self.antialias, self.border)


@dataclass(frozen=True)
class BinaryBlobs:
    """Thresholded noise under a wide blur: the binary blobs of the notebook of RegGAN's authors.

    At the size 512 they equal the notebook's: n**2 random pixels are 1, the others 0; all are blurred with
    sigma = 500 / (3.5 n), and blobs are where the result exceeds `threshold` times its mean. The mean score is about
    0.79. `reduced=8` at the size 64 gives the same images, averaged down from 512.
    """

    axes: ClassVar[int] = 2

    count: tuple[int, int] = (11, 18)
    """Range of n: 1 to 256."""
    threshold: float = 0.6
    """0 to 100."""
    blobs: Literal["light", "dark"] = "light"
    """Whether the blobs are white, so that their complement is the ink, as in the notebook; or black."""
    reduced: int = 1
    """Images are drawn this many times larger, 1 to 64, and averaged down."""
    border: Border = "reflect"
    """What lies outside the image."""

    def __post_init__(self) -> None:
        _check_range(self, "count", 1, 256)
        _check_number(self, "threshold", 0, 100)
        choice("blobs", self.blobs, ("light", "dark"))
        _check_number(self, "reduced", 1, 64)
        choice("border", self.border, get_args(Border))

    def _renderer(self) -> _core.Renderer:
        return _core.Renderer.binary_blobs(self.count, self.threshold, self.blobs == "dark", self.reduced, self.border)


@dataclass(frozen=True)
class Polygons:
    """Irregular blobs at a distance from each other, gray or RGB, as counted with a DCGAN in "Blob GAN" (2021).

    The corners of a blob's outline have even angles and normally distributed distances from the center, which are
    smoothed along the outline; the outline is stretched to fill a box. A pixel's value is exactly its covered area. The
    number of blobs cycles with the index, so that each number has equally many images.
    """

    axes: ClassVar[int] = 2

    count: tuple[int, int] = (1, 9)
    """Number of blobs: 1 to 1024."""
    irregularity: float = 0.5
    """Standard deviation of the corners' distances from the center, relative to their mean: 0 to 10."""
    vertices: int = 200
    """Number of corners of an outline: 3 to 4096."""
    smoothing: float = 3.0
    """Standard deviation of the smoothing, in corners: 0 to an eighth of `vertices`."""
    boxes: float = 7.0
    """Number of boxes that fit along the shorter side: 1 to 1000."""
    distance: float = 1.0
    """Minimum distance of centers, in sides of a box, if there is room: 0 to `boxes`."""
    margin: float = 1.0
    """Minimum distance of centers from the sides of the image, in sides of a box: 0 to half of `boxes`."""
    color: bool = False
    """Whether images are RGB, (3, H, W), and each blob has one of seven colors, not black."""

    def __post_init__(self) -> None:
        _check_range(self, "count", 1, 1024)
        _check_number(self, "irregularity", 0, 10)
        _check_number(self, "vertices", 3, 4096)
        _check_number(self, "smoothing", 0, self.vertices / 8)
        _check_number(self, "boxes", 1, 1000)
        _check_number(self, "distance", 0, self.boxes)
        _check_number(self, "margin", 0, self.boxes / 2)
        _check_bool(self, "color")

    def _renderer(self) -> _core.Renderer:
        return _core.Renderer.polygons(
            self.count,
            self.irregularity,
            self.vertices,
            self.smoothing,
            self.boxes,
            self.distance,
            self.margin,
            self.color,
        )


@dataclass(frozen=True)
class Spheres:
    """Volumes (D, H, W) with black balls under a Gaussian blur: circles in three dimensions, for the 3-D score.

    Each thread holds one float32 volume.
    """

    axes: ClassVar[int] = 3

    count: tuple[int, int] = (11, 18)
    """Number of balls: 1 to 65,536."""
    radius: tuple[float, float] = (6.0, 14.0)
    """Above 0, at most 10,000."""
    blur: tuple[float, float] = (0.5, 2.5)
    """Standard deviation of the blur: 0 (none) to 64."""
    border: Border = "paper"
    """What lies outside the image."""

    def __post_init__(self) -> None:
        _check_range(self, "count", 1, 65536)
        _check_range(self, "radius", 0, 10_000, above=True)
        _check_range(self, "blur", 0, 64)
        choice("border", self.border, get_args(Border))

    def _renderer(self) -> _core.Renderer:
        return _core.Renderer.spheres(self.count, self.radius, self.blur, self.border)


RENDERERS: dict[str, type[Spec]] = {
    "binary_blobs": BinaryBlobs,
    "circles": Circles,
    "polygons": Polygons,
    "spheres": Spheres,
}
"""The specs by name."""


def _check_range(spec: Any, name: str, least: float, most: float, *, above: bool = False) -> None:
    """Convert a field to a tuple (low, high) of the type of its default, or raise an error."""
    given, kind = getattr(spec, name), type(_default(spec, name)[0])
    if not (isinstance(given, Sequence) and len(given) == 2 and all(_is_number(end, kind) for end in given)):
        raise TypeError(f"{name} is {given!r}, but must be two {'integers' if kind is int else 'numbers'}, (low, high)")
    low, high = given
    if not (least <= low <= high <= most and (low > least or not above)):
        allowed = f"{least} {'<' if above else '<='} low <= high <= {most}"
        raise ValueError(f"{name} is ({low}, {high}), but must be (low, high) with {allowed}")
    object.__setattr__(spec, name, (kind(low), kind(high)))


def _check_number(spec: Any, name: str, least: float, most: float) -> None:
    """Convert a field to a number of the type of its default, or raise an error."""
    given, kind = getattr(spec, name), type(_default(spec, name))
    if not _is_number(given, kind):
        raise TypeError(f"{name} is {given!r}, but must be {'an integer' if kind is int else 'a number'}")
    if not least <= given <= most:
        raise ValueError(f"{name} is {given}, but must be from {least} to {most}")
    object.__setattr__(spec, name, kind(given))


def _check_bool(spec: Any, name: str) -> None:
    given = getattr(spec, name)
    if not isinstance(given, bool):
        raise TypeError(f"{name} is {given!r}, but must be True or False")


def _default(spec: Any, name: str) -> Any:
    return next(field.default for field in dataclasses.fields(spec) if field.name == name)


def _is_number(given: Any, kind: type) -> bool:
    number = numbers.Integral if kind is int else numbers.Real
    return isinstance(given, number) and not isinstance(given, bool)
