"""What can be drawn: a frozen spec for each renderer, with its source's values as defaults.

Lengths are in pixels of an image whose shortest side is 64, and scale with the size.
"""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, get_args

from reggan import _core

Border: TypeAlias = Literal["paper", "reflect", "periodic"]
"""What a blur finds beyond the sides: paper, the image mirrored, or the image again. With "periodic" shapes go on at
the other side as well, so that copies of the image can be laid side by side without a seam."""


class Spec(Protocol):
    """What `render` asks of a spec."""

    axes: ClassVar[int]
    """2, or 3 if volumes are drawn."""

    def _renderer(self) -> _core.Renderer:
        """What draws it."""


@dataclass(frozen=True)
class Circles:
    """Black discs under a Gaussian blur (Di Cerbo, Hirsa, Shayaan, arXiv 2102.04593, section 4).

    A pair of numbers is a range (low, high), both ends included. An image draws its number of discs, its blur and
    its `clustering`, and each disc draws its radius and its place, uniformly. A ValueError names what is not allowed.
    """

    axes: ClassVar[int] = 2

    count: tuple[int, int] = (11, 18)
    """How many discs: 1 to 65,536."""
    radius: tuple[float, float] = (2.0, 7.0)
    """Above 0, at most 10,000."""
    blur: tuple[float, float] = (0.5, 2.5)
    """Standard deviation of the blur: 0 (none) to 64."""
    clustering: tuple[float, float] = (0.0, 0.0)
    """Probability that a disc touches an earlier one; negative, that it keeps apart from all: -1 to 1."""
    antialias: bool = False
    """Whether discs have graded edges before they are blurred, and not whole pixels: for a blur of next to nothing."""
    border: Border = "paper"
    """What lies beyond the sides."""

    def __post_init__(self) -> None:
        _check_range(self, "count", 1, 65536)
        _check_range(self, "radius", 0, 10_000, above=True)
        _check_range(self, "blur", 0, 64)
        _check_range(self, "clustering", -1, 1)
        _check_bool(self, "antialias")
        _check_choice(self, "border", get_args(Border))

    def _renderer(self) -> _core.Renderer:
        return _core.Renderer.circles(self.count, self.radius, self.blur, self.clustering, self.antialias, self.border)


@dataclass(frozen=True)
class BinaryBlobs:
    """Noise under a wide blur, cut off: the binary blobs of the notebook of RegGAN's authors.

    At the size 512 they are the notebook's: n**2 pixels drawn at random are 1, the others 0, all are blurred with
    sigma = 500 / (3.5 n), and a blob is where the result is above `threshold` times its mean. Their scores have a mean
    near 0.79. `reduced=8` at the size 64 is the same, drawn at 512 and averaged. A ValueError names what is not
    allowed.
    """

    axes: ClassVar[int] = 2

    count: tuple[int, int] = (11, 18)
    """Range of n, both ends included: 1 to 256."""
    threshold: float = 0.6
    """0 to 100."""
    blobs: Literal["light", "dark"] = "light"
    """Whether the blobs are white, and their complement is the ink, as in the notebook; or black."""
    reduced: int = 1
    """How many times as large, 1 to 64, images are drawn before they are averaged."""
    border: Border = "reflect"
    """What lies beyond the sides."""

    def __post_init__(self) -> None:
        _check_range(self, "count", 1, 256)
        _check_number(self, "threshold", 0, 100)
        _check_choice(self, "blobs", ("light", "dark"))
        _check_number(self, "reduced", 1, 64)
        _check_choice(self, "border", get_args(Border))

    def _renderer(self) -> _core.Renderer:
        return _core.Renderer.binary_blobs(self.count, self.threshold, self.blobs == "dark", self.reduced, self.border)


@dataclass(frozen=True)
class Polygons:
    """Irregular blobs that keep a distance, gray or RGB, as a DCGAN was trained to count them ("Blob GAN", 2021).

    A blob's outline has corners at even angles and at normally distributed distances, which are smoothed around the
    outline and stretched to fill a box. Each pixel has the exact share of its area that is covered. The number of
    blobs goes round with the index, so that there are as many images of each. A ValueError names what is not allowed.
    """

    axes: ClassVar[int] = 2

    count: tuple[int, int] = (1, 9)
    """How many blobs, from low to high: 1 to 1024."""
    irregularity: float = 0.5
    """Standard deviation of the corners' distances from the center, in parts of their mean: 0 to 10."""
    vertices: int = 200
    """Corners of an outline: 3 to 4096."""
    smoothing: float = 3.0
    """Standard deviation of the smoothing in corners: 0 to an eighth of `vertices`."""
    boxes: float = 7.0
    """How many boxes of blobs are as long as the shorter side: 1 to 1000."""
    distance: float = 1.0
    """Centers are farther from each other than this, in sides of a box, where there is room: 0 to `boxes`."""
    margin: float = 1.0
    """How far centers are from the sides of the image, in sides of a box: 0 to half of `boxes`."""
    color: bool = False
    """RGB images, (3, H, W), with one of seven colors a blob, and not black blobs."""

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

    A pair of numbers is a range (low, high), both ends included; all is drawn uniformly. A thread holds a volume in
    float32. A ValueError names what is not allowed.
    """

    axes: ClassVar[int] = 3

    count: tuple[int, int] = (11, 18)
    """How many balls: 1 to 65,536."""
    radius: tuple[float, float] = (6.0, 14.0)
    """Above 0, at most 10,000."""
    blur: tuple[float, float] = (0.5, 2.5)
    """Standard deviation of the blur: 0 (none) to 64."""
    border: Border = "paper"
    """What lies beyond the sides."""

    def __post_init__(self) -> None:
        _check_range(self, "count", 1, 65536)
        _check_range(self, "radius", 0, 10_000, above=True)
        _check_range(self, "blur", 0, 64)
        _check_choice(self, "border", get_args(Border))

    def _renderer(self) -> _core.Renderer:
        return _core.Renderer.spheres(self.count, self.radius, self.blur, self.border)


RENDERERS: dict[str, type[Spec]] = {
    "binary_blobs": BinaryBlobs,
    "circles": Circles,
    "polygons": Polygons,
    "spheres": Spheres,
}
"""The specs by their names."""


def _check_range(spec: Any, name: str, least: float, most: float, *, above: bool = False) -> None:
    """Make a field a tuple of two numbers, low and high, of the kind that its default has, or raise an error."""
    given, kind = getattr(spec, name), type(_default(spec, name)[0])
    if not (isinstance(given, Sequence) and len(given) == 2 and all(_is_number(end, kind) for end in given)):
        raise TypeError(f"{name} is {given!r}, but must be two {_plural(kind)}, (low, high)")
    low, high = given
    if not (least <= low <= high <= most and (low > least or not above)):
        allowed = f"{least} {'<' if above else '<='} low <= high <= {most}"
        raise ValueError(f"{name} is ({low}, {high}), but must be (low, high) with {allowed}")
    object.__setattr__(spec, name, (kind(low), kind(high)))


def _check_number(spec: Any, name: str, least: float, most: float) -> None:
    """Make a field a number of the kind that its default has, or raise an error."""
    given, kind = getattr(spec, name), type(_default(spec, name))
    if not _is_number(given, kind):
        raise TypeError(f"{name} is {given!r}, but must be one of the {_plural(kind)}")
    if not least <= given <= most:
        raise ValueError(f"{name} is {given}, but must be from {least} to {most}")
    object.__setattr__(spec, name, kind(given))


def _check_bool(spec: Any, name: str) -> None:
    given = getattr(spec, name)
    if not isinstance(given, bool):
        raise TypeError(f"{name} is {given!r}, but must be True or False")


def _check_choice(spec: Any, name: str, choices: Sequence[str]) -> None:
    given = getattr(spec, name)
    if not (isinstance(given, str) and given in choices):
        raise ValueError(f"{name} is {given!r}, but must be one of: {', '.join(choices)}")


def _default(spec: Any, name: str) -> Any:
    return next(field.default for field in dataclasses.fields(spec) if field.name == name)


def _is_number(given: Any, kind: type) -> bool:
    number = numbers.Integral if kind is int else numbers.Real
    return isinstance(given, number) and not isinstance(given, bool)


def _plural(kind: type) -> str:
    return "integers" if kind is int else "numbers"
