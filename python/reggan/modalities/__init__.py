"""Modalities: kinds of samples, one file each. A new one is a file here and a case in `modality_of`.

A modality converts samples between data sets, networks and files, measures them and draws them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy.typing as npt
import torch
from PIL import Image
from pydantic import Field
from torch import Tensor, nn

from ..data import MIXTURES, Files, Pairs, Points, RenderedImages, SampleSet, Traffic
from ..recipes.phases import Prior
from ..rules import Rule
from .images import ImageModality, Images
from .pairs import PairModality
from .points import PointModality

__all__ = [
    "KINDS",
    "Data",
    "Discriminate",
    "ImageModality",
    "Images",
    "Modality",
    "PairModality",
    "PointModality",
    "Samples",
    "modality_of",
    "modality_of_batch",
    "open_data",
]

Data = Annotated[RenderedImages | Files | Pairs | Points | Traffic, Field(discriminator="kind")]
"""Configuration of training data."""
KINDS = {1: "points", 3: "images", 4: "pairs"}
"""Kinds of samples by their number of axes."""
Samples = npt.NDArray[Any]
"""Samples (N, ...) as they are saved."""
Discriminate = Callable[[Tensor], Tensor]
"""Logits (N,) of a discriminator on samples (N, *shape)."""


class Modality(Protocol):
    """One kind of samples."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample as networks see it."""

    @property
    def progress_metrics(self) -> tuple[str, ...]:
        """Metrics in the progress line."""

    @property
    def num_drawn(self) -> int:
        """Samples in a picture."""

    @property
    def num_summary(self) -> int:
        """Samples in the summary of a run."""

    def given(self, data: SampleSet) -> Modality:
        """The same modality with opened data, so that it opens no files."""

    def inputs(self, prior: Prior, count: int, generator: torch.Generator) -> Tensor:
        """Inputs (N, ...) of a generator, on the CPU: latents drawn by the recipe's prior, or data."""

    def encode(self, stored: Tensor) -> Tensor:
        """Stored samples to the float samples (N, *shape) that networks see."""

    def make(self, generator: nn.Module, inputs: Tensor) -> Tensor:
        """Generate stored samples from inputs."""

    def to_numpy(self, stored: Tensor) -> Samples:
        """Stored samples to samples as they are saved."""

    def to_tensor(self, samples: Samples) -> Tensor:
        """The inverse of `to_numpy`."""

    def summarize(self, samples: Samples) -> dict[str, float]:
        """The mean exact score, as "score", and every metric that needs no reference."""

    def scores(self, samples: Samples) -> npt.NDArray[Any]:
        """Exact scores (N,) float32 in [0, 1]."""

    def warn(self) -> str:
        """A warning about samples of this shape and rule, or an empty string."""

    def describe(self, samples: Samples, figures: Mapping[str, float], data: SampleSet) -> list[str]:
        """Lines about the data before training: metrics, and warnings of likely mistakes.

        `samples` are some of the data, and `figures` the result of `summarize` for them.
        """

    def looks_like(self, figures: Mapping[str, float], data: Mapping[str, float]) -> bool:
        """Whether samples with these metrics are similar enough to the data to be the best checkpoint."""

    def draw(self, samples: Samples, discriminate: Discriminate | None = None) -> dict[str, Image.Image]:
        """Pictures of samples by file name suffix."""

    def save(self, samples: Samples, folder: Path) -> list[Path]:
        """Write samples into a folder, and return the files: one per sample, or one for all."""


def modality_of(data: Data, size: int, rule: Rule) -> Modality:
    """The modality of training data; points have neither a size nor a rule."""
    match data:
        case Points():
            return PointModality(MIXTURES[data.mixture])
        case Pairs():
            return PairModality(data, size, rule)
        case _:
            return ImageModality((data.channels, size, size), rule)


def modality_of_batch(batch: Tensor, rule: Rule) -> Modality:
    """The modality of a batch of images (N, C, H, W)."""
    if batch.ndim != 4:
        raise ValueError(
            f"the first batch has the shape {tuple(batch.shape)}, which is not of images; give modality=, for points "
            "PointModality(mixture)"
        )
    _, channels, height, width = batch.shape
    return ImageModality((channels, height, width), rule)


def open_data(data: Data, size: int, rule: Rule, *, log: bool = False) -> SampleSet:
    """Open training data; raises what the `open` of the data raises."""
    return data.open() if isinstance(data, Points) else data.open(size, rule, log=log)
