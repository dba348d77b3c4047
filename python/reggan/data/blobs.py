"""Blobs as training data: rendered on the fly by (seed, index), balanced over the score classes.

The set of RegGAN's paper (arXiv 2102.04593, section 3.1): black discs with a Gaussian blur, scores spread evenly, and
no image in one piece. Nothing is stored: image k is rendered where it is needed, also in DataLoader workers.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, get_worker_info

from ..rendering import render
from ..rules import Rule
from ..specs import Circles
from .selection import BalancedSelection

__all__ = ["BlobDataset", "BlobStream", "Blobs", "Item", "load_batches"]

Item = tuple[Tensor, Tensor, Tensor]
"""Image (1, H, W) uint8 with white paper 255, exact score float32, class int64; or a batch of them."""


@dataclass(frozen=True)
class Blobs:
    """Rendered discs, balanced over the score classes, none of them obeying the rule."""

    images: int = 0
    """Images in the set, gone through in a new order each epoch; 0 for an endless stream that repeats nothing."""
    spec: Circles = field(default_factory=lambda: Circles(clustering=(-0.6, 1.0)))
    """What is drawn."""
    classes: tuple[int, ...] = tuple(range(1, 11))
    """Score classes, in equal numbers. With at most 18 discs class 0 of the connected rule cannot occur."""
    below: float = 1.0
    """Only images with a score under this are data."""
    seed: int = 0
    """Seed of the renderer: the same data for every seed of the training."""

    def __post_init__(self) -> None:
        if not 0 <= self.images <= 10**8:
            raise ValueError(f"data.images is {self.images}, must be from 0 to {10**8}")
        if not 0 < self.below <= 1:
            raise ValueError(f"data.below is {self.below}, must be above 0 and at most 1")

    def select(self, size: int, rule: Rule) -> BalancedSelection:
        """The balanced set at this image size."""
        return BalancedSelection(self.spec, size, self.seed, rule, self.classes, self.below)


def _items(selection: BalancedSelection, indices: npt.NDArray[np.uint64]) -> Item:
    """A batch: images (N, 1, H, W), scores (N,), classes (N,). A DataLoader worker keeps to its one thread."""
    threads = 1 if get_worker_info() else None
    images = render(selection.spec, indices, seed=selection.seed, size=selection.size, threads=threads)
    scores = selection.rule(images)
    classes = selection.rule.classify(scores)
    return torch.from_numpy(images)[:, None], torch.from_numpy(scores), torch.from_numpy(classes)


class BlobDataset(Dataset[Item]):
    """A fixed number of images, map style; `__getitems__` renders a whole batch at once."""

    def __init__(self, data: Blobs, size: int, rule: Rule) -> None:
        if data.images < 1:
            raise ValueError(f"data.images is {data.images}: a set with a length needs at least 1")
        self.selection = data.select(size, rule)
        self.indices = self.selection[: data.images]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.indices)

    def __getitem__(self, position: int) -> Item:
        """Image (1, H, W) uint8, score () float32, class () int64."""
        if not -len(self) <= position < len(self):
            raise IndexError(f"position {position} is outside a set of {len(self)} images")
        image, score, class_ = _items(self.selection, self.indices[[position]])
        return image[0], score[0], class_[0]

    def __getitems__(self, positions: Sequence[int]) -> list[Item]:
        """The items at these positions, rendered in one call."""
        return list(zip(*_items(self.selection, self.indices[list(positions)]), strict=True))


class BlobStream(IterableDataset[Item]):
    """Endless batches from batch `start` on; to be read with DataLoader(stream, batch_size=None).

    Worker w of W renders batches w, w + W, ..., which a DataLoader puts back into order: the same batches
    for any number of workers, no duplicate and no gap.
    """

    def __init__(self, data: Blobs, size: int, rule: Rule, batch_size: int, start: int = 0) -> None:
        self.selection = data.select(size, rule)
        self.batch_size = batch_size
        self.start = start

    def __iter__(self) -> Iterator[Item]:
        """Batches (images, scores, classes)."""
        worker = get_worker_info()
        batch, stride = (self.start + worker.id, worker.num_workers) if worker else (self.start, 1)
        while True:
            first = batch * self.batch_size
            yield _items(self.selection, self.selection[first : first + self.batch_size])
            batch += stride


class _Epochs(Sampler[list[int]]):
    """Endless batches of positions: each epoch is a permutation drawn from (seed, epoch), and none loses its end."""

    def __init__(self, length: int, batch_size: int, seed: int, start: int) -> None:
        self.length, self.batch_size, self.seed, self.start = length, batch_size, seed, start

    def __iter__(self) -> Iterator[list[int]]:
        epoch, skip = divmod(self.start * self.batch_size, self.length)
        rest = np.empty(0, np.int64)
        while True:
            order = np.random.default_rng((self.seed, epoch)).permutation(self.length)
            rest = np.concatenate([rest, order[skip:]])
            epoch, skip = epoch + 1, 0
            while len(rest) >= self.batch_size:
                yield rest[: self.batch_size].tolist()
                rest = rest[self.batch_size :]


def load_batches(
    data: Blobs,
    size: int,
    rule: Rule,
    batch_size: int,
    *,
    seed: int = 0,
    start: int = 0,
    workers: int = 0,
    pin_memory: bool = False,
) -> Iterator[Item]:
    """Endless batches (images (B, 1, H, W) uint8, scores (B,), classes (B,)) from batch `start` on.

    A function of its arguments alone, for any number of workers; `seed` orders the epochs of a set with a length.
    """
    source: dict[str, Any]
    if data.images:
        sampler = _Epochs(data.images, batch_size, seed, start)
        source = {"dataset": BlobDataset(data, size, rule), "batch_sampler": sampler}
    else:
        source = {"dataset": BlobStream(data, size, rule, batch_size, start), "batch_size": None}
    loader: DataLoader[Item] = DataLoader(
        **source,
        num_workers=workers,
        pin_memory=pin_memory,
        worker_init_fn=_leave_interrupts_to_the_parent,
        generator=torch.Generator(),
    )
    return iter(loader)


def _leave_interrupts_to_the_parent(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
