"""What to know of images before a training on them: their figures, and what is likely to be wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..rules import darkest
from ..scoring import analyze

__all__ = ["describe"]

Images = npt.NDArray[np.uint8]

_FIGURES = {
    "score": "mean exact score",
    "obeying": "share that obeys",
    "ink": "ink share",
    "one_piece": "share of one-piece images",
    "components": "pieces an image",
}
_NEARLY_ALL = 0.99
"""An image with this share of ink has no paper to speak of."""
_DARKEST_SCALE = 16
"""No picture of 8 bits has its lightest gray at most here: masks of 0 and 1 have, and 12 bits in files of 16."""


def describe(images: Images, figures: Mapping[str, float], name: str, options: str | None) -> list[str]:
    """A line of figures, and one for each fault that makes a training on the images useless.

    Args:
        images: (N, H, W), or (N, 3, H, W) of RGB, white paper 255.
        figures: What `reggan.metrics.summarize` gives for them, and as "obeying" the share that obeys the rule; either
            may lack what concerns a rule.
        name: What the images are called.
        options: Prefix of the command line options that say how files are read; None for images that come from no
            files, which have the ink that was asked for.
    """
    line = ", ".join(f"{words} {figures[key]:.3f}" for key, words in _FIGURES.items() if key in figures)
    return [f"{name}: {line}", *(f"warning: {name}: {fault}" for fault in _faults(images, figures, options))]


def _faults(images: Images, figures: Mapping[str, float], options: str | None) -> Iterator[str]:
    if options is not None:
        yield from _faults_of_files(images, figures, options)
    if figures["diversity"] == 0:
        yield "all images are the same"
    if figures.get("obeying") == 1:
        yield "all images obey the rule already, and there is nothing to learn from it"


def _faults_of_files(images: Images, figures: Mapping[str, float], options: str) -> Iterator[str]:
    seen: npt.NDArray[Any] = darkest(images)
    count, height, width = seen.shape
    area = analyze(seen, fields=("area",)).area
    blank, full = int((area == 0).sum()), int((area > _NEARLY_ALL * height * width).sum())
    if 2 * blank >= count:
        yield (
            f"{blank:,} of {count:,} images have no ink, which is gray below 128, at {width} x {height} pixels: thin "
            f"or pale lines need a larger --size, white drawings on transparency {options}.background black "
            f"{options}.invert"
        )
    elif 2 * full >= count and seen.max() <= _DARKEST_SCALE:
        yield (
            f"{full:,} of {count:,} images are all ink, as their lightest gray is {seen.max()} of 255: scale masks of "
            "0 and 1, and 12 bits in files of 16, to the full range first"
        )
    elif figures["ink"] > 0.5:
        all_ink = f", and {full:,} of {count:,} images are all ink" if full else ""
        yield f"{figures['ink']:.0%} of the pixels are ink{all_ink}: light shapes on dark need {options}.invert"
