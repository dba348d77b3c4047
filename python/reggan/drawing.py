"""Sheets of sample images, plain or with the largest piece black and the others gray."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from .scoring import largest_component

__all__ = ["highlight", "panels", "sheet"]

_BACKGROUND = 226


def highlight(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Color images (N, H, W) as RegGAN's paper does: the largest component black, other ink gray, the rest white."""
    ink = images < 128
    shade = np.where(ink, np.uint8(176), np.uint8(255))
    return np.where(largest_component(images), np.uint8(0), shade)


def sheet(images: npt.NDArray[np.uint8], *, columns: int | None = None, zoom: int | None = None) -> Image.Image:
    """Arrange images (N, H, W), or RGB (N, 3, H, W), in a grid on light gray, row by row.

    Args:
        images: uint8, white paper 255.
        columns: Images per row; by default about the square root of N.
        zoom: Integer enlargement; by default to about 64 pixels.
    """
    pixels = np.moveaxis(images, 1, -1) if images.ndim == 4 else images
    count, height, width = pixels.shape[:3]
    columns = columns or max(1, math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    zoom = zoom or max(1, 64 // max(height, width))
    gap = 4
    cell_y, cell_x = height * zoom + gap, width * zoom + gap
    canvas = np.full((rows * cell_y + gap, columns * cell_x + gap, *pixels.shape[3:]), _BACKGROUND, np.uint8)
    for k, image in enumerate(pixels):
        y, x = gap + (k // columns) * cell_y, gap + (k % columns) * cell_x
        canvas[y : y + height * zoom, x : x + width * zoom] = image.repeat(zoom, 0).repeat(zoom, 1)
    return Image.fromarray(canvas)


def _wrapped(text: str, width: int, font: ImageFont.FreeTypeFont) -> list[str]:
    """Wrap a text into lines of at most `width` pixels, or of one word."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def panels(groups: dict[str, npt.NDArray[np.uint8]], columns: int = 4, zoom: int | None = None) -> Image.Image:
    """Draw sheets side by side, one for each group of images (N, H, W), or RGB (N, 3, H, W), below its name."""
    import matplotlib

    # Pillow's built-in font lacks characters such as ≥.
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), 17)
    sheets = [sheet(images, columns=columns, zoom=zoom) for images in groups.values()]
    gap, line = 24, 22
    titles = [_wrapped(name, each.width + gap // 2, font) for name, each in zip(groups, sheets, strict=True)]
    head = 12 + line * max(map(len, titles))
    canvas = Image.new(
        sheets[0].mode,
        (sum(s.width for s in sheets) + gap * (len(sheets) - 1), head + max(s.height for s in sheets)),
        "white",
    )
    draw = ImageDraw.Draw(canvas)
    x = 0
    for title, each in zip(titles, sheets, strict=True):
        for k, part in enumerate(title):
            draw.text((x + 4, 4 + line * k), part, fill="black", font=font)
        canvas.paste(each, (x, head))
        x += each.width + gap
    return canvas
