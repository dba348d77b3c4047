"""Sets of images for people: PNG files of them, and an overview, which is a contact sheet above histograms."""

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
from ..rules import darkest
from ..scoring import analyze
from ..source import Source, differences

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ImageSet", "Rendered", "export_images", "overview", "overview_of_pixels"]

Positions = npt.NDArray[np.int64]

Measures = dict[str, npt.NDArray[Any]]
"""Figures (N,) of images by their titles."""

_CHUNK_BYTES = 2**24
_SHOWN = 64
"""Images of a contact sheet."""


class ImageSet(Protocol):
    """What pictures are made of: `Shards`, or what a renderer draws when it is asked for."""

    @property
    def source(self) -> Source:
        """What draws the images."""

    def images(self, positions: Positions) -> npt.NDArray[Any]:
        """Images (N, *image_shape) at these positions (N,)."""

    def indices(self, positions: Positions) -> npt.NDArray[np.uint64]:
        """The renderer's indices (N,) of those images."""


@dataclass(frozen=True)
class Rendered:
    """The images of a source, in the order of their indices."""

    source: Source

    def images(self, positions: Positions) -> npt.NDArray[Any]:
        """Images (N, *image_shape) at these positions (N,)."""
        return self.source.render(self.indices(positions))

    def indices(self, positions: Positions) -> npt.NDArray[np.uint64]:
        """The positions themselves (N,)."""
        return positions.astype(np.uint64)


def export_images(images: ImageSet, count: int, folder: str | os.PathLike[str], *, progress: bool = False) -> None:
    """Write the first images of a set as PNG files 00000000.png, 00000001.png, ...; those that exist are kept.

    Float images are rounded to 8 bits. Of a volume the slices lie one below the other.

    Args:
        images: What to write.
        count: How many images.
        folder: Where the files go; it is made if need be.
        progress: Show rate and time left on standard error.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM came; the same call goes on from there.
        ValueError: The folder holds images of another source; says what differs.
        OSError: The folder cannot be written to.
    """
    path, source = Path(folder), images.source
    path.mkdir(parents=True, exist_ok=True)
    _claim(path / "export.json", source)
    chunk = max(1, _CHUNK_BYTES // source.image_bytes)
    with deferred_interrupt() as stop, closing(Progress(count, unit="image", enabled=progress)) as shown:
        for first in range(0, count, chunk):
            positions = range(first, min(first + chunk, count))
            missing = [k for k in positions if not _is_written(_png(path, k))]
            for k, image in zip(missing, _pictures(images.images(np.array(missing, np.int64)), source), strict=True):
                if stop.is_set():
                    raise KeyboardInterrupt(f"stopped before {_png(path, k)}; the same command goes on from there")
                _write_png(_png(path, k), image)
            shown.advance(len(positions))


def _claim(path: Path, source: Source) -> None:
    """Say in a file whose images a folder has, or check that it has those."""
    told = {"source": source.to_json()}
    if not path.exists():
        if found := next(path.parent.glob(f"{'[0-9]' * 8}.png"), None):
            raise ValueError(f"{found} is there, and no {path.name} that tells what it is; give another folder")
        write_json(path, told, indent=1)
        return
    try:
        before = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error}; remove it with the images beside it") from error
    if differs := differences(before, told):
        raise ValueError(f"{path.parent} holds images of another source: {differs}; give another folder")


def _png(folder: Path, position: int) -> Path:
    return folder / f"{position:08d}.png"


def _is_written(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _write_png(path: Path, picture: npt.NDArray[np.uint8]) -> None:
    """Write a whole file; it is not synced, as a file may be written again at any time."""
    with atomic_file(path, sync=False) as file:
        Image.fromarray(picture).save(file, "PNG")


def _pictures(images: npt.NDArray[Any], source: Source) -> npt.NDArray[np.uint8]:
    """Images (N, *image_shape) as pictures (N, H, W) or (N, H, W, 3): uint8, volumes as columns of slices."""
    pixels = _to_bytes(images)
    if source.is_color:
        return np.ascontiguousarray(np.moveaxis(pixels, 1, -1))
    *above, width = pixels.shape[1:]
    return pixels.reshape(len(pixels), math.prod(above), width)


def overview(images: ImageSet, count: int) -> bytes:
    """Draw a contact sheet of the first 64 images, and histograms of the first `count`, as the bytes of a PNG.

    The histograms are those of the exact score, of the number of pieces, of the share of ink and, where the renderer
    blurs, of the blur's sigma in pixels.
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
    """Draw the same of images (N, H, W), or (N, 3, H, W) of RGB, without a histogram of blur."""
    return _page(title, images[:_SHOWN], [_measure(images)])


def _page(title: str, first: npt.NDArray[Any], measures: list[Measures]) -> bytes:
    """A contact sheet of these images above histograms of what was measured of all, part by part, as a PNG."""
    joined = {name: np.concatenate([part[name] for part in measures]) for name in measures[0]}
    above = _contact_sheet(_to_bytes(first))
    below = _histograms(title, {name: all_ for name, all_ in joined.items() if np.isfinite(all_).all()}, above.width)
    picture = Image.new("RGB", (above.width, above.height + below.height), (255, 255, 255))
    picture.paste(above, (0, 0))
    picture.paste(below, (0, above.height))
    content = io.BytesIO()
    picture.save(content, "PNG", optimize=True)
    return content.getvalue()


def _to_bytes(images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return images if images.dtype == np.uint8 else np.rint(255 * images).astype(np.uint8)


def _contact_sheet(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    """A grid 8 wide, about 1000 pixels across: small images enlarged, large ones thinned out."""
    across = 8 * pixels.shape[-1]
    step = max(1, round(across / 1000))
    thinned = pixels[..., ::step, ::step]
    return sheet(thinned, columns=8, zoom=max(1, round(1000 / across)))


def _chunks(images: ImageSet, count: int) -> Iterator[tuple[Positions, npt.NDArray[Any]]]:
    """Positions and images of the first `count`, a few MB at a time."""
    chunk = max(1, _CHUNK_BYTES // images.source.image_bytes)
    for first in range(0, count, chunk):
        positions = np.arange(first, min(first + chunk, count))
        yield positions, images.images(positions)


def _measure(images: npt.NDArray[Any], is_volume: bool = False) -> Measures:
    """What the histograms show, by its title."""
    # Every color lacks one of red, green and blue, so that ink is what the darkest channel shows.
    gray = images if is_volume else darkest(images)
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
"""As the report's figures look on a light page."""
_COLOR = "#1d5fb4"


def _histograms(title: str, measures: Measures, width: int) -> Image.Image:
    """One panel for each measure, side by side, `width` pixels in all."""
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
