"""Pairs of images of two kinds, each of which is turned into the other kind and back."""

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

from ..data import Blobs, FileSet, Pairs, PairSet, RenderedSet, SampleSet, normalize, quantize
from ..drawing import panels
from ..metrics import METRICS, Featured, fidelity
from ..recipes.phases import Prior
from ..rules import Rule, darkest
from .description import describe

__all__ = ["PairDomain"]

Images = npt.NDArray[np.uint8]

_BEYOND = 10**9
"""From here on an endless stream has images that are not trained on."""
_REFERENCES = 300
_SOURCE, _MADE, _BACK = 0, 1, 2


@dataclass(frozen=True)
class PairDomain:
    """Data (N, 2, C, H, W) uint8; samples (N, 3, 2, C, H, W): a pair, its translation, and the way back.

    The score of a sample is what the way there and back keeps: 1 less the mean difference, where black and white differ
    by 1.
    """

    data: Pairs
    size: int
    rule: Rule
    opened: PairSet | None = field(default=None, repr=False, compare=False)
    """The data, where they are open already."""

    shown: ClassVar[tuple[str, ...]] = ("score", "to_first", "to_second")
    drawn: ClassVar[int] = 8
    summarized: ClassVar[int] = 256

    @classmethod
    def of(cls, data: Pairs, size: int, rule: Rule) -> PairDomain:
        """Pairs of these data at this size."""
        return cls(data, size, rule)

    @property
    def shape(self) -> tuple[int, ...]:
        """(2, channels, height, width)."""
        return (2, self.data.channels, self.size, self.size)

    def given(self, data: SampleSet) -> PairDomain:
        """The same, which looks into these data where it would open files."""
        return replace(self, opened=cast(PairSet, data))

    def inputs(self, prior: Prior, count: int, generator: torch.Generator) -> Tensor:
        """Pairs (N, 2, C, H, W) in [-1, 1] to translate: rendered ones are not among the data."""
        start = int(torch.randint(2**31, (1,), generator=generator))
        pairs, _, _ = self._others.items(np.arange(start, start + count))
        return normalize(pairs)

    def encode(self, stored: Tensor) -> Tensor:
        """Pairs in [-1, 1]."""
        return normalize(stored)

    def make(self, generator: nn.Module, inputs: Tensor) -> Tensor:
        """Samples: the pairs, their translations, and what these are translated back to."""
        made = generator(inputs)
        return quantize(torch.stack([inputs, made, generator(made)], dim=1))

    def array(self, stored: Tensor) -> Images:
        """Data or samples, as they are."""
        pixels: Images = stored.cpu().numpy()
        return pixels

    def tensor(self, samples: Images) -> Tensor:
        """The translations (N, 2, C, H, W)."""
        return torch.from_numpy(samples[:, _MADE])

    def summarize(self, samples: Images) -> dict[str, float]:
        """The mean score, and the Fréchet distance of translations to the data of each kind, NaN of a single one.

        Of data: what doing nothing would keep, and how far the kinds are from each other.
        """
        made = np.flip(samples, axis=1) if samples.ndim == 5 else samples[:, _MADE]
        references = self._references
        distances = [fidelity.frechet(Featured(_plain(made[:, k])), references[k]) for k in (0, 1)]
        return {"score": float(self.scores(samples).mean()), "to_first": distances[0], "to_second": distances[1]}

    def scores(self, samples: Images) -> npt.NDArray[Any]:
        """1 less the mean difference between each pair and the way back: (N,)."""
        if samples.ndim == 5:
            return np.ones(len(samples), np.float32)
        lost = np.abs(samples[:, _SOURCE].astype(np.float32) - samples[:, _BACK]) / 255
        return np.asarray(1 - lost.mean(axis=(1, 2, 3, 4)), np.float32)

    def describe(self, samples: Images, figures: Mapping[str, float], data: SampleSet) -> list[str]:
        """A line of figures of each kind, and warnings where ink is missing or where there is too much of it."""
        lines = []
        for k, name in enumerate(("first", "second")):
            images = _plain(samples[:, k])
            gray = darkest(images)
            of_kind = {key: metric(gray) for key, metric in METRICS.items()}
            options = f"--data.{name}" if cast(PairSet, data).sets[k].fingerprints else None
            lines += describe(images, of_kind, f"{name} kind", options)
        return lines

    def looks_like(self, figures: Mapping[str, float], data: Mapping[str, float]) -> bool:
        """Whether translations are nearer to the data of their kind than the other kind is, both ways."""
        return all(figures[way] < data[way] for way in ("to_first", "to_second"))

    def draw(self, samples: Images, opinion: object = None) -> dict[str, Image.Image]:
        """Columns of images, their translations, and what these are translated back to."""
        if samples.ndim == 5:
            return {"": panels({"first": _plain(samples[:, 0]), "second": _plain(samples[:, 1])}, 1)}
        ways = (("first", 0), ("→ 2nd", 1), ("→ 1st", 0), ("second", 1), ("→ 1st ", 0), ("→ 2nd ", 1))
        shown = {name: _plain(samples[:, k % 3, kind]) for k, (name, kind) in enumerate(ways)}
        return {"": panels(shown, 1)}

    def save(self, samples: Images, folder: Path) -> list[Path]:
        """A PNG file of each translation, in the folders to-first and to-second."""
        paths = []
        for kind, name in enumerate(("to-first", "to-second")):
            (folder / name).mkdir(parents=True, exist_ok=True)
            for k, image in enumerate(_plain(samples[:, _MADE, kind])):
                paths.append(folder / name / f"{k:05d}.png")
                Image.fromarray(np.moveaxis(image, 0, -1) if image.ndim == 3 else image).save(paths[-1])
        return paths

    @cached_property
    def _others(self) -> PairSet:
        """Pairs to translate: of rendered data others than are trained on."""
        return PairSet((self._open(0), self._open(1)), self.data.channels, self.data.seed)

    def _open(self, kind: int) -> RenderedSet | FileSet:
        """Rendered images of a kind by another seed, without an end; others as they are."""
        data = (self.data.first, self.data.second)[kind]
        if isinstance(data, Blobs):
            data = replace(data, images=0, seed=(data.seed + 1) % 2**64)
        elif self.opened is not None:
            return self.opened.sets[kind]
        return data.open(self.size, self.rule)

    @cached_property
    def _references(self) -> tuple[Featured, Featured]:
        """What images of each kind look like."""
        pairs, _, _ = self._others.items(np.arange(_BEYOND, _BEYOND + _REFERENCES))
        images = pairs.numpy()
        return Featured(_plain(images[:, 0])), Featured(_plain(images[:, 1]))


def _plain(images: Images) -> Images:
    """Images (N, H, W), or (N, 3, H, W) of RGB, of (N, C, H, W)."""
    return np.ascontiguousarray(images[:, 0] if images.shape[1] == 1 else images)
