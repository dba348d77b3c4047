"""Performance targets of the kernels, as functions of the medians of one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Medians:
    """The median times per image of one run of the benches."""

    rows: Sequence[Row]

    def seconds(
        self,
        by: str,
        size: int,
        dtype: str,
        kind: str = "blobs",
        threads: int | str = 1,
        job: str = "score",
    ) -> float:
        """Median seconds per image of a batch; a LookupError if the run has no such bench."""
        asked = {"by": by, "dtype": dtype, "kind": kind, "threads": threads, "job": job}
        for row in self.rows:
            if row["shape"][1] == size and all(row[key] == value for key, value in asked.items()):
                return float(row["median_s"]) / int(row["shape"][0])
        raise LookupError(f"this run has no bench of {asked} at {size}x{size}; run all of them")

    def ratio(self, by: Sequence[str], size: int, dtype: str, kind: str = "blobs", job: str = "score") -> float:
        """Speed of ours over that of the fastest of `by`, on one thread each."""
        theirs = min(self.seconds(name, size, dtype, kind, job=job) for name in by)
        return theirs / self.seconds("reggan", size, dtype, kind, job=job)

    def rate(self, size: int, job: str, kind: str = "blobs") -> float:
        """Images of bits per second."""
        return 1 / self.seconds("reggan", size, "bits", kind, job=job)

    def over_floor(self) -> float:
        """Our time over that of the pass that only packs and counts."""
        return 1 / self.ratio(["floor"], 64, "float32")

    def two_threads(self, dtype: str, size: int = 64, kind: str = "blobs", job: str = "score") -> float:
        """Speed of two threads over that of one."""
        one, two = (self.seconds("reggan", size, dtype, kind, threads, job) for threads in (1, 2))
        return one / two

    def fused(self) -> float:
        """Time of rendering with scores in one call over that of rendering."""
        both = self.seconds("reggan", 64, "uint8", job="render and score")
        return both / self.seconds("reggan", 64, "uint8", job="render")

    def spread(self) -> float:
        """Highest cost per pixel over the lowest, from 64x64 to 2048x2048, for the worse dtype."""
        spreads = []
        for dtype in ("float32", "uint8"):
            costs = [self.seconds("reggan", size, dtype) / size**2 for size in (64, 128, 256, 512, 2048)]
            spreads.append(max(costs) / min(costs))
        return max(spreads)

    def overhead(self) -> float:
        """Overhead in microseconds of a call on one image, beyond the kernel's time per image of a batch."""
        call = self.seconds("reggan", 64, "uint8", threads="all", job="call")
        return 1e6 * (call - self.seconds("reggan", 64, "uint8"))


@dataclass(frozen=True)
class Target:
    """A figure of a run, and its lower bound or, if `at_most`, its upper bound."""

    name: str
    measure: Callable[[Medians], float]
    bound: float
    at_most: bool = False

    def check(self, medians: Medians) -> Row:
        """The target, the figure and whether it is met."""
        figure = self.measure(medians)
        return {
            "name": self.name,
            "target": f"{'≤' if self.at_most else '≥'} {self.bound:,.9g}",
            "measured": float(f"{figure:.4g}"),
            "met": figure <= self.bound if self.at_most else figure >= self.bound,
        }


def times(
    by: Sequence[str], size: int, dtype: str, kind: str = "blobs", job: str = "score"
) -> Callable[[Medians], float]:
    """Speed of ours over that of the fastest of `by`."""
    return lambda run: run.ratio(by, size, dtype, kind, job)


STATS, NUMBA, LABELERS = ["opencv stats"], ["numba", "numba bits"], ["cc3d", "opencv", "scipy"]

TARGETS = (
    Target("64x64 float32, times OpenCV with stats", times(STATS, 64, "float32"), 30),
    Target("64x64 float32, times the faster Numba", times(NUMBA, 64, "float32"), 10),
    Target("64x64 float32, time over the floor's", Medians.over_floor, 1.7, at_most=True),
    Target("64x64 uint8, times OpenCV with stats", times(STATS, 64, "uint8"), 40),
    Target("64x64 bits, images/s", lambda run: 1 / run.seconds("reggan", 64, "bits"), 1.2e6),
    Target("512x512 uint8, times OpenCV with stats", times(STATS, 512, "uint8"), 6),
    Target("64x64 uint8 noise 50%, times OpenCV with stats", times(STATS, 64, "uint8", "noise 50%"), 6),
    Target("label 64x64 uint8, times the best of OpenCV, cc3d, SciPy", times(LABELERS, 64, "uint8", job="label"), 1.5),
    Target(
        "label 512x512 uint8, times the best of OpenCV, cc3d, SciPy", times(LABELERS, 512, "uint8", job="label"), 1.5
    ),
    Target("64x64 float32, two threads, times one", lambda medians: medians.two_threads("float32"), 1.85),
    Target("64x64 uint8, two threads, times one", lambda medians: medians.two_threads("uint8"), 1.85),
    Target("64x64 bits, two threads, times one", lambda medians: medians.two_threads("bits"), 1.85),
    Target("render circles 64x64 uint8, times Pillow", times(["pillow"], 64, "uint8", job="render"), 40),
    Target("render circles 64x64 float32, times OpenCV", times(["opencv"], 64, "float32", job="render"), 30),
    Target("render polygons 64x64 uint8, times Pillow", times(["pillow"], 64, "uint8", "polygons", "render"), 40),
    *(
        Target(
            f"blur {size}x{size}, sigma {sigma}, times OpenCV",
            times(["opencv"], size, "float32", f"sigma {sigma}", "blur"),
            1.5,
        )
        for size in (64, 256, 1024)
        for sigma in (1, 3, 8)
    ),
    Target("render circles, two threads, times one", lambda run: run.two_threads("uint8", job="render"), 1.8),
    Target(
        "render polygons, two threads, times one", lambda run: run.two_threads("uint8", 64, "polygons", "render"), 1.8
    ),
    Target(
        "blur 1024x1024, sigma 3, two threads, times one",
        lambda run: run.two_threads("float32", 1024, "sigma 3", "blur"),
        1.8,
    ),
    Target("clear(5) 32x32 bits, images/s", lambda run: run.rate(32, "clear(5)"), 2e6),
    Target("clear(5) 64x64 bits, images/s", lambda run: run.rate(64, "clear(5)"), 1e6),
    Target(
        "wraps 64x64 bits, time over connected's",
        lambda run: run.rate(64, "connected") / run.rate(64, "wraps"),
        1.3,
        at_most=True,
    ),
    Target("betti 64x64 bits, images/s", lambda run: run.rate(64, "betti"), 1e6 / 1.2),
    Target("path 14x14 bits, noise, images/s", lambda run: run.rate(14, "path", "noise 50%"), 250_000),
    Target("path 14x14 bits, one piece, images/s", lambda run: run.rate(14, "path", "one piece"), 250_000),
    Target("render and score 64x64, time over render's", Medians.fused, 1.15, at_most=True),
    Target("cost per pixel from 64x64 to 2048x2048, most over least", Medians.spread, 2, at_most=True),
    Target("64x64 uint8, microseconds of one call beyond the kernel", Medians.overhead, 5, at_most=True),
)
"""On one thread with blobs by default."""


def check(rows: Sequence[Row]) -> list[Row]:
    """Every target; a LookupError if the run lacks what one needs."""
    medians = Medians(rows)
    return [target.check(medians) for target in TARGETS]
