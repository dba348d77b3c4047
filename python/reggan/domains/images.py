"""Images: uint8 as they are saved, in [-1, 1] as networks see them, judged by the rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from ..data import Blobs, Files, SampleSet, Traffic, arrays, normalize, quantize, tensor
from ..drawing import highlight, sheet
from ..metrics import summarize
from ..recipes.phases import Prior
from ..rules import Rule, darkest
from .description import describe

__all__ = ["ImageDomain", "Images"]

Images = npt.NDArray[np.uint8]
"""(N, H, W), or (N, 3, H, W) of RGB, white paper 255."""

INK_TOLERANCE = 0.30
DIVERSITY_KEPT = 0.70
"""The best checkpoint is the one with the best mean exact score among those whose ink share is within INK_TOLERANCE
of the data's and whose pixel diversity is at least DIVERSITY_KEPT of the data's: solid black is one piece, too."""


@dataclass(frozen=True)
class ImageDomain:
    """Images (N, H, W), or (N, 3, H, W) of RGB, uint8, white paper 255."""

    shape: tuple[int, int, int]
    """(channels, height, width)."""
    rule: Rule

    shown: ClassVar[tuple[str, ...]] = ("score", "one_piece", "ink")
    drawn: ClassVar[int] = 64
    summarized: ClassVar[int] = 1024

    @classmethod
    def of(cls, data: Blobs | Files | Traffic, size: int, rule: Rule) -> ImageDomain:
        """The images that data have at this size."""
        return cls((data.channels, size, size), rule)

    def given(self, data: SampleSet) -> ImageDomain:
        """The same: it needs nothing of the data."""
        return self

    def inputs(self, prior: Prior, count: int, generator: torch.Generator) -> Tensor:
        """Latents."""
        return prior(count, generator)

    def encode(self, stored: Tensor) -> Tensor:
        """Images (N, C, H, W) of float in [-1, 1]."""
        return normalize(stored).contiguous(memory_format=torch.channels_last)

    def make(self, generator: nn.Module, inputs: Tensor) -> Tensor:
        """Images (N, C, H, W) of uint8."""
        return quantize(generator(inputs))

    def array(self, stored: Tensor) -> Images:
        """Images (N, H, W), or (N, 3, H, W) of RGB."""
        return arrays(stored)

    def tensor(self, samples: Images) -> Tensor:
        """Images (N, C, H, W)."""
        return tensor(samples)

    def summarize(self, samples: Images) -> dict[str, float]:
        """Mean exact score and metrics: see reggan.metrics.METRICS."""
        return summarize(samples, self.rule)

    def scores(self, samples: Images) -> npt.NDArray[Any]:
        """Exact scores (N,) by the rule."""
        return self.rule(darkest(samples))

    def describe(self, samples: Images, figures: Mapping[str, float], data: SampleSet) -> list[str]:
        """A line of figures, and warnings where ink is missing, where there is too much of it, or nothing to learn."""
        number = f"{data.length:,} images" if data.length else "images without an end"
        first = "" if len(samples) == data.length else f", the first {len(samples):,} of them"
        obeying = float((self.scores(samples) >= 1).mean())
        options = "--data" if data.fingerprints else None
        return describe(samples, {**figures, "obeying": obeying}, f"data, {number}{first}", options)

    def looks_like(self, figures: Mapping[str, float], data: Mapping[str, float]) -> bool:
        """Whether images have about the data's ink, and most of their diversity."""
        return (
            abs(figures["ink"] - data["ink"]) <= INK_TOLERANCE * data["ink"]
            and figures["diversity"] >= DIVERSITY_KEPT * data["diversity"]
        )

    def draw(self, samples: Images, opinion: object = None) -> dict[str, Image.Image]:
        """A sheet of the images, and one with the largest piece told from the others."""
        return {"": sheet(samples), "-pieces": sheet(highlight(darkest(samples)))}

    def save(self, samples: Images, folder: Path) -> list[Path]:
        """A PNG file of each image."""
        paths = [folder / f"{k:05d}.png" for k in range(len(samples))]
        for path, image in zip(paths, samples, strict=True):
            Image.fromarray(np.moveaxis(image, 0, -1) if image.ndim == 3 else image).save(path)
        return paths
