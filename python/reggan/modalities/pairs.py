"""Pairs of images of two kinds, each of which is translated to the other kind and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from ..data import FileSet, Pairs, PairSet, RenderedImages, RenderedSet, SampleSet, normalize, quantize
from ..drawing import panels
from ..metrics import METRICS, Comparison, Featured, fidelity
from ..recipes.phases import Prior
from ..rules import Rule, min_channel
from .description import describe
from .images import Images, save_images

__all__ = ["PairModality"]

_BEYOND = 10**9
"""The first index of an endless stream that training does not reach."""
_REFERENCES = 300
_SOURCE, _MADE, _BACK = 0, 1, 2


@dataclass(frozen=True)
class PairModality:
    """Data (N, 2, C, H, W) uint8; samples (N, 3, 2, C, H, W): pairs, their translations, and the translations back.

    The score of a sample is 1 minus the mean difference of a pair and its translation back; black - white is 1.
    """

    data: Pairs
    size: int
    rule: Rule
    opened: PairSet | None = field(default=None, repr=False, compare=False)
    """The data, if they are already open."""

    progress_metrics: ClassVar[tuple[str, ...]] = ("score", "to_first", "to_second")
    num_drawn: ClassVar[int] = 8
    num_summary: ClassVar[int] = 256

    @property
    def shape(self) -> tuple[int, ...]:
        return (2, self.data.channels, self.size, self.size)

    def given(self, data: SampleSet) -> PairModality:
        return replace(self, opened=cast(PairSet, data))

    def inputs(self, prior: Prior, count: int, generator: torch.Generator) -> Tensor:
        """Pairs (N, 2, C, H, W) in [-1, 1] to translate; rendered pairs are not in the data."""
        start = int(torch.randint(2**31, (1,), generator=generator))
        return normalize(self._others.fetch(np.arange(start, start + count)))

    def encode(self, stored: Tensor) -> Tensor:
        return normalize(stored)

    def make(self, generator: nn.Module, inputs: Tensor) -> Tensor:
        made = generator(inputs)
        return quantize(torch.stack([inputs, made, generator(made)], dim=1))

    def to_numpy(self, stored: Tensor) -> Images:
        pixels: Images = stored.cpu().numpy()
        return pixels

    def to_tensor(self, samples: Images) -> Tensor:
        """The translations (N, 2, C, H, W)."""
        return torch.from_numpy(samples[:, _MADE])

    def summarize(self, samples: Images) -> dict[str, float]:
        """The mean score, and the Fréchet distance of translations to the data of each kind; NaN for a single sample.

        For data: a score of 1, and the distances between both kinds.
        """
        made = np.flip(samples, axis=1) if samples.ndim == 5 else samples[:, _MADE]
        references = self._references
        distances = [fidelity.frechet(Comparison(Featured(_plain(made[:, k])), references[k])) for k in (0, 1)]
        return {"score": float(self.scores(samples).mean()), "to_first": distances[0], "to_second": distances[1]}

    def scores(self, samples: Images) -> npt.NDArray[Any]:
        if samples.ndim == 5:
            return np.ones(len(samples), np.float32)
        lost = np.abs(samples[:, _SOURCE].astype(np.float32) - samples[:, _BACK]) / 255
        return np.asarray(1 - lost.mean(axis=(1, 2, 3, 4)), np.float32)

    def warn(self) -> str:
        return ""

    def describe(self, samples: Images, figures: Mapping[str, float], data: SampleSet) -> list[str]:
        lines = []
        for k, name in enumerate(("first", "second")):
            images = _plain(samples[:, k])
            gray = min_channel(images)
            of_kind = {key: metric(gray) for key, metric in METRICS.items()}
            options = f"--data.{name}" if cast(PairSet, data).sets[k].fingerprints else None
            lines += describe(images, of_kind, f"{name} kind", options)
        return lines

    def looks_like(self, figures: Mapping[str, float], data: Mapping[str, float]) -> bool:
        """Whether translations are closer to the data of their kind than the other kind is, in both directions."""
        return all(figures[way] < data[way] for way in ("to_first", "to_second"))

    def draw(self, samples: Images, discriminate: object = None) -> dict[str, Image.Image]:
        """Columns of images, their translations, and the translations back."""
        if samples.ndim == 5:
            return {"": panels({"first": _plain(samples[:, 0]), "second": _plain(samples[:, 1])}, 1)}
        ways = (("first", 0), ("→ 2nd", 1), ("→ 1st", 0), ("second", 1), ("→ 1st ", 0), ("→ 2nd ", 1))
        shown = {name: _plain(samples[:, k % 3, kind]) for k, (name, kind) in enumerate(ways)}
        return {"": panels(shown, 1)}

    def save(self, samples: Images, folder: Path) -> list[Path]:
        """Write the translations as PNG files into the folders to-first and to-second."""
        folders = enumerate(("to-first", "to-second"))
        return [path for kind, name in folders for path in save_images(_plain(samples[:, _MADE, kind]), folder / name)]

    @cached_property
    def _others(self) -> PairSet:
        """Pairs to translate: rendered data with another seed, or the data themselves."""
        return PairSet((self._open(0), self._open(1)), self.data.channels, self.data.seed)

    def _open(self, kind: int) -> RenderedSet | FileSet:
        data = (self.data.first, self.data.second)[kind]
        if isinstance(data, RenderedImages):
            data = replace(data, images=0, seed=(data.seed + 1) % 2**64)
        elif self.opened is not None:
            return self.opened.sets[kind]
        return data.open(self.size, self.rule)

    @cached_property
    def _references(self) -> tuple[Featured, Featured]:
        images = self._others.fetch(np.arange(_BEYOND, _BEYOND + _REFERENCES)).numpy()
        return Featured(_plain(images[:, 0])), Featured(_plain(images[:, 1]))


def _plain(images: Images) -> Images:
    """Images (N, C, H, W) as (N, H, W), or (N, 3, H, W) of RGB."""
    return np.ascontiguousarray(images[:, 0] if images.shape[1] == 1 else images)
