"""The chart of the README: images per second of every library, and pixels per second by image size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from acceptance import Medians
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter, NullLocator

NAMES = {
    "floor": "pack and count: the floor",
    "reggan": "reggan",
    "numba bits": "Numba, runs in bit rows",
    "numba": "Numba, pixels",
    "opencv": "OpenCV + bincount",
    "opencv stats": "OpenCV with stats",
    "cc3d": "cc3d + bincount",
    "scipy": "SciPy + bincount",
    "scikit-image": "scikit-image + bincount",
}
"""Labels of the scorers in charts and tables."""

SIZES = (32, 64, 128, 256, 512, 2048)
OVER_SIZE = {"floor": "floor", "reggan": "reggan", "opencv stats": "OpenCV\nwith stats"}


@dataclass(frozen=True)
class Palette:
    """The colors of a light or a dark page."""

    paper: str
    text: str
    muted: str
    line: str
    ours: str

    def style(self) -> dict[Any, Any]:
        """Settings of matplotlib."""
        return {
            "axes.axisbelow": True,
            "axes.edgecolor": self.line,
            "axes.facecolor": "none",
            "axes.grid": True,
            "axes.labelcolor": self.muted,
            "axes.labelsize": 9,
            "axes.spines.left": False,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlecolor": self.text,
            "axes.titlelocation": "left",
            "axes.titlesize": 10,
            "figure.facecolor": self.paper,
            "font.size": 9,
            "grid.color": self.line,
            "grid.linewidth": 0.7,
            "text.color": self.text,
            "xtick.color": self.line,
            "xtick.labelcolor": self.muted,
            "ytick.color": self.line,
            "ytick.labelcolor": self.text,
            "ytick.left": False,
        }


PALETTES = {
    "bench.png": Palette("#ffffff", "#1f1f1f", "#5c5c5c", "#d9d9d9", "#b3261e"),
    "bench-dark.png": Palette("#0d1117", "#e6e6e6", "#a0a0a0", "#30363d", "#ff8a80"),
}


def save(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Draw the chart once for light and once for dark pages."""
    medians = Medians(rows)
    for name, palette in PALETTES.items():
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(palette.style())
            figure = Figure(figsize=(8.5, 3.6), layout=ConstrainedLayoutEngine(w_pad=0.1, wspace=0.05))
            libraries, sizes = figure.subplots(1, 2, width_ratios=(6, 5))
            draw_libraries(libraries, medians, palette)
            draw_sizes(sizes, medians, palette)
            figure.savefig(folder / name, dpi=200)


def draw_libraries(axes: Axes, medians: Medians, palette: Palette) -> None:
    speeds = {dtype: {by: 1 / medians.seconds(by, 64, dtype) for by in NAMES} for dtype in ("float32", "uint8")}
    order = sorted(NAMES, key=lambda by: speeds["float32"][by])
    for y, by in enumerate(order):
        color = palette.ours if by == "reggan" else palette.muted
        ends = speeds["float32"][by], speeds["uint8"][by]
        axes.plot(ends, (y, y), color=color, linewidth=1)
        axes.plot(ends[0], y, "o", color=color, markersize=6)
        axes.plot(ends[1], y, "o", color=color, markersize=6, markerfacecolor=palette.paper)
    axes.set_title("64×64 blobs, one thread: images/s")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yticks(range(len(order)), [NAMES[by] for by in order])
    axes.yaxis.grid(False)
    axes.get_yticklabels()[order.index("reggan")].set(color=palette.ours, weight="bold")
    for label, fill in (("float32", palette.muted), ("uint8", palette.paper)):
        axes.plot([], [], "o", color=palette.muted, markerfacecolor=fill, markersize=6, label=label)
    axes.legend(loc="lower right", frameon=True, facecolor=palette.paper, edgecolor="none", labelcolor=palette.muted)


def draw_sizes(axes: Axes, medians: Medians, palette: Palette) -> None:
    for by, label in OVER_SIZE.items():
        color = palette.ours if by == "reggan" else palette.muted
        for dtype, fill in (("float32", color), ("uint8", palette.paper)):
            speeds = [size**2 / medians.seconds(by, size, dtype) / 1e6 for size in SIZES]
            axes.plot(SIZES, speeds, "o-", color=color, linewidth=1.2, markersize=5, markerfacecolor=fill)
        axes.annotate(
            label, (SIZES[-1], speeds[-1]), (8, 0), textcoords="offset points", va="center", color=color, fontsize=9
        )
    axes.set_title("Images by size, one thread: million pixels/s")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(SIZES, [f"{size}²" for size in SIZES])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="y", labelcolor=palette.muted)
