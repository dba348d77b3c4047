"""Pictures of sets of images: PNG files, and an overview with a contact sheet and histograms."""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..drawing import sheet
from ..files import atomic_file, write_json
from ..progress import Progress, deferred_interrupt
from ..rules import min_channel
from ..scoring import analyze
from ..source import Source, differences

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ImageSet", "Rendered", "export_images", "overview", "overview_of_pixels"]

Positions = npt.NDArray[np.int64]

Measures = dict[str, npt.NDArray[Any]]
"""Measures (N,) of images by title."""

_CHUNK_BYTES = 2**24
_SHOWN = 64
"""Number of images in a contact sheet."""


class ImageSet(Protocol):
    """A set of images: `Shards`, or images that a renderer draws on demand."""

    @property
    def source(self) -> Source: ...

    def images(self, positions: Positions) -> npt.NDArray[Any]:
        """Images (N, *image_shape) at these positions (N,)."""

    def indices(self, positions: Positions) -> npt.NDArray[np.uint64]:
        """Indices for `render` (N,) of the images at these positions (N,)."""


@dataclass(frozen=True)
class Rendered:
    """The images of a source, in the order of their indices."""

    source: Source

    def images(self, positions: Positions) -> npt.NDArray[Any]:
        return self.source.render(self.indices(positions))

    def indices(self, positions: Positions) -> npt.NDArray[np.uint64]:
        return positions.astype(np.uint64)


def export_images(images: ImageSet, count: int, folder: str | os.PathLike[str], *, progress: bool = False) -> None:
    """Write the first `count` images of a set as PNG files 00000000.png, 00000001.png, ..., and skip files that exist.

    Float images are rounded to 8 bits, and the slices of a volume are stacked in a column. After Ctrl-C or SIGTERM, the
    same call resumes. A folder with images of another source is a ValueError.
    """
    path, source = Path(folder), images.source
    path.mkdir(parents=True, exist_ok=True)
    _check_source(path / "export.json", source)
    chunk = max(1, _CHUNK_BYTES // source.image_bytes)
    with deferred_interrupt() as stop, closing(Progress(count, unit="image", enabled=progress)) as shown:
        for first in range(0, count, chunk):
            positions = range(first, min(first + chunk, count))
            missing = [k for k in positions if not _is_written(_png(path, k))]
            for k, image in zip(missing, _pictures(images.images(np.array(missing, np.int64)), source), strict=True):
                if stop.is_set():
                    raise KeyboardInterrupt(f"stopped before {_png(path, k)}; run the same command to resume")
                _write_png(_png(path, k), image)
            shown.advance(len(positions))


def _check_source(path: Path, source: Source) -> None:
    """Record the source of a folder's images in a file, or check it against the recorded one."""
    content = {"source": source.to_json()}
    if not path.exists():
        if found := next(path.parent.glob(f"{'[0-9]' * 8}.png"), None):
            raise ValueError(f"{found} exists without {path.name}, which names its source; choose another folder")
        write_json(path, content, indent=1)
        return
    try:
        before = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error}; remove it and the images in its folder") from error
    if differs := differences(before, content):
        raise ValueError(f"{path.parent} holds images of another source: {differs}; choose another folder")


def _png(folder: Path, position: int) -> Path:
    return folder / f"{position:08d}.png"


def _is_written(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _write_png(path: Path, picture: npt.NDArray[np.uint8]) -> None:
    with atomic_file(path, sync=False) as file:
        Image.fromarray(picture).save(file, "PNG")


def _pictures(images: npt.NDArray[Any], source: Source) -> npt.NDArray[np.uint8]:
    """Images (N, *image_shape) as uint8 pictures (N, H, W) or (N, H, W, 3), volumes as columns of slices."""
    pixels = _to_bytes(images)
    if source.is_color:
        return np.ascontiguousarray(np.moveaxis(pixels, 1, -1))
    *above, width = pixels.shape[1:]
    return pixels.reshape(len(pixels), math.prod(above), width)


def overview(images: ImageSet, count: int) -> bytes:
    """PNG data of a contact sheet of the first 64 images, above histograms of the first `count`.

    The histograms show the exact score, the number of pieces, the share of ink and, if the renderer blurs, the standard
    deviation of the blur in pixels.
    """
    source = images.source
    measures = [
        _measure(drawn, source.is_volume) | {"sigma of the blur, pixels": source.sigma(images.indices(positions))}
        for positions, drawn in _chunks(images, count)
    ]
    sides = "×".join(map(str, source.image_shape))
    title = f"{source.renderer}, seed {source.seed}, {sides} {source.dtype}, {count:,} images"
    first = np.concatenate([part for _, part in _chunks(images, min(count, _SHOWN))])
    return _page(title, first[:, first.shape[1] // 2] if source.is_volume else first, measures)


def overview_of_pixels(images: npt.NDArray[Any], title: str) -> bytes:
    """The overview of images (N, H, W), or (N, 3, H, W) of RGB, without a histogram of the blur."""
    return _page(title, images[:_SHOWN], [_measure(images)])


def _page(title: str, first: npt.NDArray[Any], measures: list[Measures]) -> bytes:
    """PNG data of a contact sheet of these images above histograms of the measures of all chunks."""
    joined = {name: np.concatenate([chunk[name] for chunk in measures]) for name in measures[0]}
    top = _contact_sheet(_to_bytes(first))
    bottom = _histograms(title, {name: all_ for name, all_ in joined.items() if np.isfinite(all_).all()}, top.width)
    picture = Image.new("RGB", (top.width, top.height + bottom.height), (255, 255, 255))
    picture.paste(top, (0, 0))
    picture.paste(bottom, (0, top.height))
    content = io.BytesIO()
    picture.save(content, "PNG", optimize=True)
    return content.getvalue()


def _to_bytes(images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return images if images.dtype == np.uint8 else np.rint(255 * images).astype(np.uint8)


def _contact_sheet(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    """A grid of 8 columns, about 1000 pixels wide: small images are enlarged, large ones subsampled."""
    width = 8 * pixels.shape[-1]
    step = max(1, round(width / 1000))
    return sheet(pixels[..., ::step, ::step], columns=8, zoom=max(1, round(1000 / width)))


def _chunks(images: ImageSet, count: int) -> Iterator[tuple[Positions, npt.NDArray[Any]]]:
    """Positions and images of the first `count`, in chunks of a few MB."""
    chunk = max(1, _CHUNK_BYTES // images.source.image_bytes)
    for first in range(0, count, chunk):
        positions = np.arange(first, min(first + chunk, count))
        yield positions, images.images(positions)


def _measure(images: npt.NDArray[Any], is_volume: bool = False) -> Measures:
    # Every color of the renderer lacks red, green or blue, so the darkest channel shows the ink.
    gray = images if is_volume else min_channel(images)
    parts = analyze(gray, fields=("score", "count", "area"), connectivity=6 if is_volume else 4)
    return {"exact score": parts.score, "pieces": parts.count, "share of ink": parts.area / gray[0].size}


STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#dddcd6",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "figure.dpi": 72,
    "grid.color": "#dddcd6",
    "grid.linewidth": 0.8,
    "text.color": "#1c1c1a",
    "xtick.color": "#dddcd6",
    "xtick.labelcolor": "#66655f",
    "xtick.labelsize": 11,
    "ytick.labelcolor": "#66655f",
    "ytick.labelsize": 11,
    "ytick.left": False,
}
"""Matplotlib style of histograms, on which that of the report builds."""
_COLOR = "#1d5fb4"


def _histograms(title: str, measures: Measures, width: int) -> Image.Image:
    """One panel per measure, side by side, `width` pixels in total."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        figure = Figure(figsize=(width / 72, 290 / 72), layout=ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.14))
        figure.suptitle(title, x=0.012, ha="left", fontsize=14)
        for axes, (name, values) in zip(figure.subplots(1, len(measures)), measures.items(), strict=True):
            _histogram(axes, name, values)
        content = io.BytesIO()
        figure.savefig(content, format="png", metadata={"Software": None})
        return Image.open(content).convert("RGB")


def _histogram(axes: Axes, name: str, values: npt.NDArray[Any]) -> None:
    from matplotlib.ticker import MaxNLocator

    if values.dtype.kind == "i":
        edges = np.arange(values.min(), values.max() + 2) - 0.5
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    elif name == "exact score":
        edges = np.linspace(0, 1, 21)
    else:
        edges = np.histogram_bin_edges(values, 24)
    heights = np.histogram(values, edges)[0] / len(values)
    axes.stairs(heights, edges, fill=True, color=_COLOR, alpha=0.22)
    axes.stairs(heights, edges, color=_COLOR, linewidth=1.4)
    axes.set_ylim(0)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g}%")
    axes.set_title(name)
