"""Parts of the figures of all studies: colors, curves over the training, shares by number of pieces, saving."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from reggan.files import atomic_file

from .records import Record

__all__ = [
    "Picture",
    "colors",
    "draw_curves",
    "label_pieces",
    "legend_beside",
    "mean_shares",
    "open_frame",
    "save_picture",
]

Picture = Figure | Image.Image


def save_picture(picture: Picture, path: Path) -> None:
    """Write a PNG atomically; its bytes do not contain the version of a library."""
    with atomic_file(path) as file:
        if isinstance(picture, Figure):
            picture.savefig(file, format="png", dpi=110, metadata={"Software": None})
        else:
            picture.save(file, "PNG")


def colors(names: Iterable[str]) -> dict[str, str]:
    """A color for each name."""
    return {name: f"C{k}" for k, name in enumerate(dict.fromkeys(names))}


def open_frame(axes: Axes) -> None:
    """Leave only the left and the bottom line of the frame."""
    axes.spines[["top", "right"]].set_visible(False)


def legend_beside(axes: Axes, fontsize: float | None = None) -> None:
    """Put the legend to the right of the axes."""
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=fontsize)


def draw_curves(axes: Axes, records: list[Record], key: str, label: str, color: str) -> None:
    """One metric of the evaluations over the training: a line per seed."""
    for k, record in enumerate(records):
        curve = record["curve"]
        axes.plot(curve["generator_step"], curve[key], color=color, lw=1.1, label=None if k else label)


def mean_shares(histograms: Sequence[Sequence[int]], last: int) -> npt.NDArray[np.float64]:
    """Mean shares (last + 1,) of images by number of pieces, from 0; the final share is that of `last` and more."""
    shares = np.zeros(last + 1)
    for counts in histograms:
        part = np.divide(counts, sum(counts)) / len(histograms)
        np.add.at(shares, np.minimum(np.arange(len(counts)), last), part)
    return shares


def label_pieces(axes: Axes, last: int) -> None:
    """Label an axis of `mean_shares`."""
    axes.set(xlabel="pieces", xticks=range(last + 1))
    axes.set_xticklabels([*map(str, range(last)), f"{last}+"])
