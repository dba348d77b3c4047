"""The extension module. Arguments are checked and converted by `reggan.scoring` and `reggan.rendering`."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MAX_SIDE",
    "STREAM_VERSION",
    "__version__",
    "analyze",
    "label",
    "largest_component",
    "render_circles",
    "score",
]

__version__: Final[str]
MAX_SIDE: Final[int]
STREAM_VERSION: Final[int]

def score(
    images: NDArray[Any],
    scores: NDArray[np.float32],
    threshold: float,
    foreground: str,
    connectivity: int,
    threads: int | None,
) -> None: ...
def analyze(
    images: NDArray[Any],
    score: NDArray[np.float32],
    count: NDArray[np.int64],
    area: NDArray[np.int64],
    largest_area: NDArray[np.int64],
    holes: NDArray[np.int64],
    bbox: NDArray[np.int32],
    threshold: float,
    foreground: str,
    connectivity: int,
    threads: int | None,
) -> None: ...
def label(
    images: NDArray[Any],
    labels: NDArray[np.int32],
    threshold: float,
    foreground: str,
    connectivity: int,
    threads: int | None,
) -> None: ...
def largest_component(
    images: NDArray[Any],
    mask: NDArray[np.bool_],
    threshold: float,
    foreground: str,
    connectivity: int,
    threads: int | None,
) -> None: ...
def render_circles(
    count: tuple[int, int],
    radius: tuple[float, float],
    blur: tuple[float, float],
    clustering: tuple[float, float],
    seed: int,
    indices: NDArray[np.uint64],
    images: NDArray[Any],
    scores: NDArray[np.float32] | None,
    threads: int | None,
) -> None: ...
