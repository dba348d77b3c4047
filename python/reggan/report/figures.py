"""The figures of the report, for light and dark pages: curves over the steps and the histogram of scores.

One unit of the SVG is one CSS pixel, labels are text in the page's font, and colors are CSS variables of the page.
Titles and legends are HTML, since matplotlib could read names from a run as formulas.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from ..data import pictures
from ..tables import describe, order
from .run import Row

__all__ = ["Curve", "Key", "Plot", "histogram", "loss_plots", "sample_plots", "score_plot", "shares", "smooth", "thin"]

Floats = npt.NDArray[np.float64]

BIN_WIDTH = 0.05
"""Width of the histogram's bins."""

COLORS = {
    "text": "#010101",
    "muted": "#020202",
    "line": "#030303",
    "generator": "#040404",
    "expected": "#050505",
    "data": "#060606",
    "third": "#070707",
    "fourth": "#080808",
}
"""CSS variables of the page, and the placeholders in the SVG that they replace."""

CYCLE = ("generator", "expected", "third", "fourth")
DASHES = {"solid": "-", "dashed": "--", "dotted": ":"}

WIDE = 548, 300
"""Width and height in pixels of the two main figures; as wide as a sheet of samples."""
LOSS, SAMPLE = (354, 210), (259, 190)
"""Width and height of panels in rows of three, and in rows of four."""

POINTS = 1000
"""The most points of a curve."""


@dataclass(frozen=True)
class Key:
    """An entry of a plot's legend; style is one of DASHES, or "area"."""

    label: str
    color: str
    style: str = "solid"


@dataclass(frozen=True)
class Plot:
    """A figure of the page: its title, legend and SVG."""

    title: str
    svg: Markup
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Curve:
    """The finite values of one name over the steps."""

    label: str
    steps: Floats
    values: Floats

    @classmethod
    def read(cls, metrics: Sequence[Row], name: str, label: str = "") -> Curve:
        """The curve of a name over the lines that have it; the default label is the part after the slash."""
        points = [(row["step"], row[name]) for row in metrics if name in row and math.isfinite(row[name])]
        steps, values = np.array(points, np.float64).reshape(-1, 2).T
        return cls(label or name.rpartition("/")[2].replace("_", " "), steps, values)


def score_plot(metrics: Sequence[Row], reference: float | None) -> Plot | None:
    """Exact score of samples, the score that a classifier expects, and the data's score; None if there is no score."""
    exact = Curve.read(metrics, "samples/score")
    expected = Curve.read(metrics, "samples/expected_score")
    if not exact.steps.size:
        return None
    keys = [Key("generator, exact", "generator")]
    with _figure(*WIDE) as (figure, axes):
        if expected.steps.size:
            keys.append(Key("generator, as the classifier expects", "expected"))
            shared, ours, theirs = np.intersect1d(exact.steps, expected.steps, return_indices=True)
            gap = exact.values[ours], expected.values[theirs]
            axes.fill_between(shared, *gap, color=COLORS["expected"], alpha=0.1, linewidth=0)
            _draw(axes, expected, "expected")
        _draw(axes, exact, "generator", linewidth=2.2)
        if reference is not None:
            keys.append(Key("data", "data", "dashed"))
            _level(axes, reference)
        axes.set_ylim(0, 1)
        svg = _svg(figure, "score", "Mean exact score of samples over the steps")
    return Plot("Mean score of samples", svg, tuple(keys))


def histogram(scores: dict[str, list[float]]) -> Plot:
    """Shares of samples and of data in bins of the exact score."""
    edges = np.linspace(0, 1, round(1 / BIN_WIDTH) + 1)
    with _figure(*WIDE) as (figure, axes):
        color = COLORS["generator"]
        axes.stairs(shares(scores["generator"]), edges, fill=True, color=color, alpha=0.22)
        axes.stairs(shares(scores["generator"]), edges, color=color, linewidth=1.4)
        axes.stairs(shares(scores["data"]), edges, color=COLORS["data"], linewidth=1.4, linestyle=DASHES["dashed"])
        axes.set_xlim(0, 1)
        axes.set_ylim(0)
        axes.set_xticks(np.linspace(0, 1, 6))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:.1f}"))
        axes.yaxis.set_major_formatter(_percent)
        axes.set_xlabel("exact score", loc="right")
        svg = _svg(figure, "histogram", "Histogram of the exact score of samples and of the data")
    return Plot(
        "Share of samples by exact score",
        svg,
        (Key("generator", "generator", "area"), Key("data", "data", "dashed")),
    )


def sample_plots(metrics: Sequence[Row], data: dict[str, float]) -> list[Plot]:
    """One panel for each metric of the samples except the score, with the data's value as a horizontal line."""
    plots: list[Plot] = []
    for name in order(set(_groups(metrics).get("samples", [])) - {"score", "expected_score"}):
        curve, metric = Curve.read(metrics, f"samples/{name}"), describe(name)
        with _figure(*SAMPLE) as (figure, axes):
            _draw(axes, curve, "generator")
            if name in data:
                _level(axes, data[name])
            if curve.values.size and curve.values.min() >= 0:
                axes.set_ylim(0, 1.08 * max(curve.values.max(), data.get(name, 0)) or 1)
            if metric.form.endswith("%"):
                axes.yaxis.set_major_formatter(_percent)
            svg = _svg(figure, f"samples-{len(plots)}", f"{metric.label} of samples over the steps")
        keys = (Key("generator", "generator"), *[Key("data", "data", "dashed")][: name in data])
        plots.append(Plot(metric.label, svg, keys))
    return plots


def loss_plots(metrics: Sequence[Row]) -> list[Plot]:
    """Two panels for each phase: its loss, and its other values; smoothed curves over faint raw ones."""
    plots: list[Plot] = []
    for phase, names in _groups(metrics).items():
        for panel in ([name for name in names if name == "loss"], [name for name in names if name != "loss"]):
            if panel and phase != "samples":
                curves = [Curve.read(metrics, f"{phase}/{name}") for name in panel]
                title = phase.replace("_", " ") + (f": {curves[0].label}" if len(curves) == 1 else "")
                plots.append(_loss_plot(f"phase-{len(plots)}", title, curves))
    return plots


def _loss_plot(name: str, title: str, curves: list[Curve]) -> Plot:
    keys = []
    with _figure(*LOSS) as (figure, axes):
        for k, curve in enumerate(curves):
            color, style = CYCLE[k % len(CYCLE)], list(DASHES)[k // len(CYCLE) % len(DASHES)]
            keys.append(Key(curve.label, color, style))
            axes.plot(*thin(curve.steps, curve.values), color=COLORS[color], alpha=0.25, linewidth=0.8)
            smoothed = smooth(curve.values, curve.values.size // 20 | 1)
            axes.plot(*thin(curve.steps, smoothed), DASHES[style], color=COLORS[color], linewidth=1.6)
        values = np.concatenate([curve.values for curve in curves])
        if values.size and values.min() >= 0 and 0.5 < values.max() <= 1:  # shares, such as an accuracy
            axes.set_ylim(0, 1)
        svg = _svg(figure, name, f"{title} over the steps")
    return Plot(title, svg, tuple(keys) if len(keys) > 1 else ())


def _groups(metrics: Sequence[Row]) -> dict[str, list[str]]:
    """Names after the slash by the name before it, both in order of appearance."""
    groups: dict[str, list[str]] = {}
    for key in dict.fromkeys(key for row in metrics for key in row if "/" in key):
        group, _, name = key.partition("/")
        groups.setdefault(group, []).append(name)
    return groups


def shares(scores: Sequence[float]) -> Floats:
    """Shares of scores in [0, 1] in bins of BIN_WIDTH that include their lower edge; the last bin also includes 1."""
    count = round(1 / BIN_WIDTH)
    # 0.15 / 0.05 is below 3 in floating point, and 0.15 belongs to the bin that starts there.
    bins = np.floor(np.round(np.asarray(scores, np.float64) / BIN_WIDTH, 6)).astype(np.int64)
    return np.bincount(np.clip(bins, 0, count - 1), minlength=count) / len(scores)


def smooth(values: Floats, window: int) -> Floats:
    """Centered moving average over an odd number of values, or fewer at the ends."""
    if not values.size:
        return values
    kernel = np.ones(window)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones_like(values), kernel, "same")


def thin(steps: Floats, values: Floats, limit: int = POINTS) -> tuple[Floats, Floats]:
    """Keep the least and the greatest value of each of limit / 2 stretches, so that the curve looks the same."""
    if steps.size <= limit:
        return steps, values
    stretches = np.array_split(np.arange(steps.size), limit // 2)
    keep = np.unique([end for s in stretches for end in (s[values[s].argmin()], s[values[s].argmax()])])
    return steps[keep], values[keep]


def _percent(share: float, _: float) -> str:
    return f"{100 * share:.4g}%"


def _draw(axes: Axes, curve: Curve, color: str, linewidth: float = 1.6) -> None:
    marker = "o" if curve.steps.size <= 40 else ""
    points = thin(curve.steps, curve.values)
    axes.plot(*points, color=COLORS[color], linewidth=linewidth, marker=marker, markersize=3.5)


def _level(axes: Axes, value: float) -> None:
    axes.axhline(value, color=COLORS["data"], linewidth=1.4, linestyle=DASHES["dashed"], clip_on=False, zorder=1.5)


STYLE: dict[Any, Any] = {
    **pictures.STYLE,
    "axes.edgecolor": COLORS["line"],
    "axes.facecolor": "none",
    "axes.formatter.useoffset": False,
    "axes.labelcolor": COLORS["muted"],
    "axes.labelpad": 3,
    "axes.labelsize": 12,
    "axes.xmargin": 0.02,
    "figure.facecolor": "none",
    "grid.color": COLORS["line"],
    "lines.solid_capstyle": "round",
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "text.color": COLORS["text"],
    "xtick.color": COLORS["line"],
    "xtick.labelcolor": COLORS["muted"],
    "xtick.labelsize": 12,
    "ytick.labelcolor": COLORS["muted"],
    "ytick.labelsize": 12,
}


@contextmanager
def _figure(width: int, height: int) -> Iterator[tuple[Figure, Axes]]:
    """A figure of this size in pixels with axes over steps; the user's matplotlib style has no effect."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        figure = Figure(figsize=(width / 72, height / 72))
        left, right, bottom, top = 42, 14, 40, 10
        figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height)
        axes = figure.subplots()
        axes.xaxis.set_major_locator(MaxNLocator(5 if width > 400 else 4, integer=True))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.spines["bottom"].set_zorder(1)
        axes.set_xlabel("step", loc="right")
        yield figure, axes


def _svg(figure: Figure, name: str, description: str) -> Markup:
    """Render as an SVG element whose ids begin with `name`, so that they are unique in the page."""
    matplotlib.rcParams["svg.hashsalt"] = name
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    _, _, inside = buffer.getvalue().partition("<svg")
    _, _, inside = inside.partition(">")
    inside = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", inside, count=1, flags=re.DOTALL)
    inside = re.sub(r'\bid="', f'id="{name}-', inside)
    inside = re.sub(r"url\(#", f"url(#{name}-", inside)
    inside = re.sub(r'xlink:href="#', f'href="#{name}-', inside)
    for color, placeholder in COLORS.items():
        inside = inside.replace(placeholder, f"var(--{color})")
    width, height = (round(inches * 72) for inches in figure.get_size_inches())
    opening = Markup('<svg viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">')
    return opening.format(width, height, width, height, description) + Markup(inside)
