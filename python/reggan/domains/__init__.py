"""Domains: what samples are, one file each. A new one is a file here and a line in DOMAINS.

A domain says how samples lie between the data, the networks and the disk, how good they are, and how they are drawn.
The training loop knows samples by this alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from ..data import Blobs, Files, Pairs, Points, SampleSet, Traffic
from ..recipes.phases import Prior
from ..rules import Rule
from .images import ImageDomain, Images
from .pairs import PairDomain
from .points import PointDomain

__all__ = ["DOMAINS", "Data", "Domain", "ImageDomain", "Images", "Opinion", "PairDomain", "PointDomain", "Samples"]

Data = Blobs | Files | Pairs | Points | Traffic
"""What describes training data."""
Samples = npt.NDArray[Any]
"""Samples (N, ...) as they are saved."""
Opinion = Callable[[Tensor], Tensor]
"""What a discriminator thinks of samples (N, *shape): logits (N,)."""


class Domain(Protocol):
    """One kind of samples."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample as networks see it."""

    def given(self, data: SampleSet) -> Domain:
        """The same domain, which takes what it needs of the data from these, and opens no files again."""

    @property
    def shown(self) -> tuple[str, ...]:
        """Figures that are worth a place in the line of progress."""

    @property
    def drawn(self) -> int:
        """Samples in a picture."""

    @property
    def summarized(self) -> int:
        """Samples that a run is summed up by in the end."""

    def inputs(self, prior: Prior, count: int, generator: torch.Generator) -> Tensor:
        """What a generator makes samples of, (N, ...) on the CPU: latents, drawn by the recipe's prior, or data."""

    def encode(self, stored: Tensor) -> Tensor:
        """Samples (N, *shape) as networks see them, float, of what the data sets store."""

    def make(self, generator: nn.Module, inputs: Tensor) -> Tensor:
        """What a generator makes of inputs, as it is stored."""

    def array(self, stored: Tensor) -> Samples:
        """Stored samples as NumPy has them, and as they are saved."""

    def tensor(self, samples: Samples) -> Tensor:
        """The reverse."""

    def summarize(self, samples: Samples) -> dict[str, float]:
        """The mean exact score, as "score", and every metric that needs no reference."""

    def scores(self, samples: Samples) -> npt.NDArray[Any]:
        """Exact scores (N,) in [0, 1]."""

    def describe(self, samples: Samples, figures: Mapping[str, float], data: SampleSet) -> list[str]:
        """Describe data before a training on them: their figures, and warnings of what is likely to be wrong.

        `samples` are the first of the data, and `figures` are what `summarize` gives for them.
        """

    def looks_like(self, figures: Mapping[str, float], data: Mapping[str, float]) -> bool:
        """Whether samples with these figures have kept enough of the data's look to be the best."""

    def draw(self, samples: Samples, opinion: Opinion | None = None) -> dict[str, Image.Image]:
        """Pictures of samples by what is added to the file's name."""

    def save(self, samples: Samples, folder: Path) -> list[Path]:
        """Write samples into a folder, and return the files: one of each sample, or one of all."""


DOMAINS: dict[str, Callable[[Any, int, Rule], Domain]] = {
    "images": ImageDomain.of,
    "pairs": PairDomain.of,
    "points": PointDomain.of,
}
"""From (data, size, rule) to the domain, by the data's kind."""
