"""The extension module; `reggan.scoring` and `reggan.rendering` check and convert its arguments."""

from typing import Any, Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BETTI_NUMBERS",
    "MAX_DIAMETER",
    "MAX_SIDE",
    "STREAM_VERSION",
    "Options",
    "Renderer",
    "Searches",
    "__version__",
    "analyze",
    "betti",
    "gaussian_blur",
    "geodesic_diameter",
    "geodesic_distance",
    "label",
    "largest_component",
    "largest_components",
    "minimum_width",
    "narrow_pixels",
    "open_layer",
    "remove_small",
    "repair_by_search",
    "repair_connected",
    "score",
    "short_runs",
    "simd_info",
    "spans",
]

__version__: Final[str]
BETTI_NUMBERS: Final[int]
MAX_DIAMETER: Final[int]
MAX_SIDE: Final[int]
STREAM_VERSION: Final[int]

_Images: TypeAlias = NDArray[Any] | tuple[NDArray[np.uint8], int, str]

def simd_info() -> tuple[str, list[str]]: ...

@final
class Options:
    def __new__(
        cls, threshold: float, foreground: str, connectivity: int, threads: int | None, *, periodic: bool = False
    ) -> Options: ...
    @property
    def spatial(self) -> bool: ...
    def limit(self, dtype: str) -> tuple[float, bool]: ...
    def of_bits(self) -> Options: ...

@final
class Renderer:
    @staticmethod
    def binary_blobs(count: tuple[int, int], threshold: float, dark: bool, reduced: int, border: str) -> Renderer: ...
    @staticmethod
    def circles(
        count: tuple[int, int],
        radius: tuple[float, float],
        blur: tuple[float, float],
        clustering: tuple[float, float],
        antialias: bool,
        border: str,
    ) -> Renderer: ...
    @staticmethod
    def polygons(
        count: tuple[int, int],
        irregularity: float,
        vertices: int,
        smoothing: float,
        boxes: float,
        distance: float,
        margin: float,
        color: bool,
    ) -> Renderer: ...
    @staticmethod
    def spheres(
        count: tuple[int, int], radius: tuple[float, float], blur: tuple[float, float], border: str
    ) -> Renderer: ...
    @property
    def planes(self) -> int: ...
    def most_shapes(self, size: tuple[int, int, int]) -> int: ...
    def scratch(self, size: tuple[int, int, int]) -> int: ...
    def render(
        self,
        seed: int,
        indices: NDArray[np.uint64],
        size: tuple[int, int, int],
        images: NDArray[Any],
        scores: NDArray[np.float32] | None,
        threads: int | None,
    ) -> None: ...
    def scores(
        self,
        seed: int,
        indices: NDArray[np.uint64],
        size: tuple[int, int, int],
        float32: bool,
        scores: NDArray[np.float32],
        threads: int | None,
    ) -> None: ...
    def scenes(
        self,
        seed: int,
        indices: NDArray[np.uint64],
        size: tuple[int, int, int],
        counts: NDArray[np.int64],
        sigmas: NDArray[np.float64],
        centers: NDArray[np.float64],
        radii: NDArray[np.float64],
        colors: NDArray[np.float32],
        threads: int | None,
    ) -> None: ...

@final
class Searches:
    def __new__(
        cls,
        images: NDArray[np.uint8],
        terms: list[tuple[str, tuple[float, ...]]],
        threshold: float,
        effort: tuple[int, int],
        threads: int | None,
    ) -> Searches: ...
    def propose(self, images: NDArray[np.uint8], active: NDArray[np.uint8]) -> None: ...
    def judge(self, active: NDArray[np.uint8], scores: NDArray[np.float32]) -> None: ...
    def finish(self, images: NDArray[np.uint8], changed: NDArray[np.int32]) -> None: ...

def gaussian_blur(
    images: NDArray[Any],
    blurred: NDArray[Any],
    sigmas: NDArray[np.float64],
    border: str,
    outside: float,
    threads: int | None,
) -> None: ...
def score(images: _Images, scores: NDArray[np.float32], options: Options) -> None: ...
def analyze(images: _Images, measures: dict[str, NDArray[Any]], options: Options) -> None: ...
def betti(min_area: int, images: _Images, numbers: NDArray[np.int64], options: Options) -> None: ...
def label(images: _Images, labels: NDArray[np.int32], options: Options) -> None: ...
def largest_component(images: _Images, mask: NDArray[np.bool_], options: Options) -> None: ...
def largest_components(most: int, images: _Images, ranks: NDArray[np.int32], options: Options) -> None: ...
def remove_small(min_area: int, images: _Images, mask: NDArray[np.bool_], options: Options) -> None: ...
def repair_connected(
    images: _Images,
    repaired: NDArray[Any],
    changed: NDArray[np.int32],
    method: str,
    width: int,
    options: Options,
) -> None: ...
def narrow_pixels(
    diameter: int, layers: list[bool], periodic: bool, images: _Images, counts: NDArray[np.int64], options: Options
) -> None: ...
def open_layer(
    diameter: int, background: bool, periodic: bool, images: _Images, mask: NDArray[np.bool_], options: Options
) -> None: ...
def minimum_width(
    background: bool, periodic: bool, images: _Images, widths: NDArray[np.int64], options: Options
) -> None: ...
def short_runs(
    lengths: tuple[int, int], periodic: bool, images: _Images, counts: NDArray[np.int64], options: Options
) -> None: ...
def geodesic_distance(images: _Images, distances: NDArray[np.int32], options: Options) -> None: ...
def geodesic_diameter(images: _Images, diameters: NDArray[np.int64], options: Options) -> None: ...
def spans(images: _Images, spans: NDArray[np.int64], options: Options) -> None: ...
def repair_by_search(
    images: NDArray[np.uint8],
    repaired: NDArray[np.uint8],
    changed: NDArray[np.int32],
    terms: list[tuple[str, tuple[float, ...]]],
    threshold: float,
    effort: tuple[int, int],
    threads: int | None,
) -> None: ...
