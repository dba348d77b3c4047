"""A description of images before training: their metrics, and warnings of likely mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import tables
from ..rules import min_channel
from ..scoring import analyze

__all__ = ["describe"]

Images = npt.NDArray[np.uint8]

_SHOWN = ("score", "obeying", "ink", "one_piece", "components")
_NEARLY_ALL = 0.99
"""Share of ink above which an image counts as all ink."""
_DARKEST_SCALE = 16
"""Images with no lighter gray have another range than 8 bits: masks of 0 and 1, or 12 bits in files of 16."""


def describe(images: Images, figures: Mapping[str, float], name: str, options: str | None) -> list[str]:
    """A line of metrics, and a warning for each fault that makes images useless for training.

    Args:
        images: (N, H, W), or (N, 3, H, W) of RGB, white paper 255.
        figures: The metrics in `reggan.metrics.METRICS`, and "score" and "obeying" if there is a rule.
        name: Name of the images.
        options: Prefix of the command line options for reading files; None for images that are not from files.
    """
    shown = ((tables.describe(key), figures[key]) for key in _SHOWN if key in figures)
    line = ", ".join(f"{metric.label} {metric.cell(value)}" for metric, value in shown)
    return [f"{name}: {line}", *(f"warning: {name}: {fault}" for fault in _faults(images, figures, options))]


def _faults(images: Images, figures: Mapping[str, float], options: str | None) -> Iterator[str]:
    if options is not None:
        yield from _faults_of_files(images, figures, options)
    if figures["diversity"] == 0:
        yield "all images are the same"
    if figures.get("obeying") == 1:
        yield "all images already obey the rule, so the rule teaches nothing"


def _faults_of_files(images: Images, figures: Mapping[str, float], options: str) -> Iterator[str]:
    gray: npt.NDArray[Any] = min_channel(images)
    count, height, width = gray.shape
    area = analyze(gray, fields=("area",)).area
    blank, full = int((area == 0).sum()), int((area > _NEARLY_ALL * height * width).sum())
    if 2 * blank >= count:
        yield (
            f"{blank:,} of {count:,} images have no ink (gray below 128) at {width} x {height} pixels: thin lines need "
            f"a larger --size, colored lines {options}.color, pale lines more contrast, and white drawings on "
            f"transparency {options}.background black {options}.invert"
        )
    elif 2 * full >= count and gray.max() <= _DARKEST_SCALE:
        yield (
            f"{full:,} of {count:,} images are all ink, because their lightest gray is {gray.max()} of 255: scale the "
            "gray values to 0 to 255 first (masks of 0 and 1, for example, or 12 bits in 16-bit files)"
        )
    elif figures["ink"] > 0.5:
        all_ink = f", and {full:,} of {count:,} images are all ink" if full else ""
        yield f"{figures['ink']:.0%} of the pixels are ink{all_ink}: light shapes on dark need {options}.invert"
