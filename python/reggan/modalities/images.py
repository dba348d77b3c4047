"""Images: uint8 in data sets and files, in [-1, 1] in networks, scored by the rule."""

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

from ..data import SampleSet, normalize, quantize, to_numpy, to_tensor
from ..drawing import highlight, sheet
from ..metrics import summarize
from ..recipes.phases import Prior
from ..rules import Rule, checked_scores, min_channel
from .description import describe

__all__ = ["ImageModality", "Images", "save_images"]

Images = npt.NDArray[np.uint8]
"""(N, H, W), or (N, 3, H, W) of RGB, white paper 255."""

INK_TOLERANCE = 0.30
DIVERSITY_KEPT = 0.70
"""The best checkpoint has the highest mean score among those whose share of ink is within INK_TOLERANCE of the data's
and whose diversity is at least DIVERSITY_KEPT of the data's. Otherwise solid black, which is one piece, would win."""


@dataclass(frozen=True)
class ImageModality:
    """Images (N, H, W), or (N, 3, H, W) of RGB, uint8, white paper 255."""

    shape: tuple[int, int, int]
    """(channels, height, width)."""
    rule: Rule

    progress_metrics: ClassVar[tuple[str, ...]] = ("score", "one_piece", "ink")
    num_drawn: ClassVar[int] = 64
    num_summary: ClassVar[int] = 1024

    def given(self, data: SampleSet) -> ImageModality:
        return self

    def inputs(self, prior: Prior, count: int, generator: torch.Generator) -> Tensor:
        return prior(count, generator)

    def encode(self, stored: Tensor) -> Tensor:
        return normalize(stored).contiguous(memory_format=torch.channels_last)

    def make(self, generator: nn.Module, inputs: Tensor) -> Tensor:
        return quantize(generator(inputs))

    def to_numpy(self, stored: Tensor) -> Images:
        return to_numpy(stored)

    def to_tensor(self, samples: Images) -> Tensor:
        return to_tensor(samples)

    def summarize(self, samples: Images) -> dict[str, float]:
        return summarize(samples, self.rule)

    def scores(self, samples: Images) -> npt.NDArray[Any]:
        return checked_scores(self.rule, min_channel(samples))

    def warn(self) -> str:
        return self.rule.warn(self.shape[1] * self.shape[2])

    def describe(self, samples: Images, figures: Mapping[str, float], data: SampleSet) -> list[str]:
        number = f"{data.length:,} images" if data.length else "an endless stream of images"
        part = "" if len(samples) == data.length else f", {len(samples):,} of them"
        obeying = float((self.scores(samples) >= 1).mean())
        options = "--data" if data.fingerprints else None
        return describe(samples, {**figures, "obeying": obeying}, f"data, {number}{part}", options)

    def looks_like(self, figures: Mapping[str, float], data: Mapping[str, float]) -> bool:
        return (
            abs(figures["ink"] - data["ink"]) <= INK_TOLERANCE * data["ink"]
            and figures["diversity"] >= DIVERSITY_KEPT * data["diversity"]
        )

    def draw(self, samples: Images, discriminate: object = None) -> dict[str, Image.Image]:
        """A sheet of the images, and one with the largest piece in black and the others in gray."""
        return {"": sheet(samples), "-pieces": sheet(highlight(min_channel(samples)))}

    def save(self, samples: Images, folder: Path) -> list[Path]:
        return save_images(samples, folder)


def save_images(images: Images, folder: Path) -> list[Path]:
    """Write images as 00000.png, 00001.png, ... into a folder, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{k:05d}.png" for k in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(np.moveaxis(image, 0, -1) if image.ndim == 3 else image).save(path)
    return paths
