"""Torch data sets and batches over any set of samples: map style, iterable, and a pool on the training device."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, get_worker_info

__all__ = [
    "DevicePool",
    "Endless",
    "Fingerprint",
    "ImageDataset",
    "ImageStream",
    "Item",
    "SampleSet",
    "by_block",
    "load_batches",
]


@dataclass(frozen=True)
class Fingerprint:
    """What was read of files: two sets of images with equal ones are the same, wherever they are."""

    count: int
    """Number of images."""
    sha256: str
    """Of their pixels, as they are trained on, one image after the other."""


Item = tuple[Tensor, Tensor, Tensor]
"""Sample, exact score float32, class int64; or a batch of them. Images are (C, H, W) uint8 with white paper 255."""

POOL_SHARE = 0.25
"""A set that fits in this part of a GPU's free memory is kept there."""
CPU_POOL_BYTES = 2**28
"""A set that is no larger than this is kept in memory where training is on the CPU."""
_POOL_CHUNK = 4096


class SampleSet(Protocol):
    """Samples with scores and classes: what `Blobs.open`, `Files.open` and `Points.open` give."""

    @property
    def length(self) -> int:
        """How many samples there are; 0 for no end."""

    @property
    def is_augmented(self) -> bool:
        """Whether a sample looks different in another epoch."""

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """One of each set of files that was read; none where samples are a function of the configuration alone."""

    def items(self, positions: npt.NDArray[np.int64]) -> Item:
        """Samples (N, ...), scores (N,), classes (N,); position length * e + k is sample k in epoch e."""


class Endless:
    """What sets without an end have in common: there is one epoch, in which no sample comes twice."""

    length: ClassVar[int] = 0
    is_augmented: ClassVar[bool] = False

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """None, unless a set says otherwise."""
        return ()


def by_block(positions: npt.NDArray[np.int64], size: int, draw: Callable[[int], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Values (N, ...) at positions (N,) of an endless row, of which `draw(k)` makes the k-th `size` values."""
    blocks, places = np.divmod(positions, size)
    needed, which = np.unique(blocks, return_inverse=True)
    found: npt.NDArray[Any] = np.stack([draw(int(block)) for block in needed])[which, places]
    return found


class ImageDataset(Dataset[Item]):
    """A set with an end, map style; `__getitems__` makes a whole batch at once. For any sampler, also for ranks."""

    def __init__(self, images: SampleSet) -> None:
        if not images.length:
            raise ValueError("this set has no end; read it as an ImageStream, or give it a number of images")
        self.images = images
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose how augmented images look; set it before the DataLoader's workers are started."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of images."""
        return self.images.length

    def __getitem__(self, position: int) -> Item:
        """Image (C, H, W) uint8, score () float32, class () int64."""
        return self.__getitems__([position])[0]

    def __getitems__(self, positions: Sequence[int]) -> list[Item]:
        """The items at these positions, made in one call."""
        wanted = np.asarray(positions, np.int64)
        outside = (wanted < -len(self)) | (wanted >= len(self))
        if outside.any():
            raise IndexError(f"position {wanted[outside][0]} is outside a set of {len(self)} images")
        items = self.images.items(wanted % len(self) + self.epoch * len(self))
        return list(zip(*items, strict=True))


class ImageStream(IterableDataset[Item]):
    """Endless batches from batch `start` on; to be read with DataLoader(stream, batch_size=None).

    Of the batches in their order, rank r of R gets r, r + R, ..., and of those its worker w of W makes w, w + W, ...,
    which a DataLoader puts back into order: no duplicate and no gap, and the same batches for any number of workers.
    """

    def __init__(
        self,
        images: SampleSet,
        batch_size: int,
        start: int = 0,
        *,
        rank: int | None = None,
        ranks: int | None = None,
    ) -> None:
        """`rank` and `ranks` are those of torch.distributed, if it is initialized; else 0 and 1."""
        distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        self.ranks = ranks if ranks is not None else torch.distributed.get_world_size() if distributed else 1
        self.rank = rank if rank is not None else torch.distributed.get_rank() if distributed else 0
        if not 0 <= self.rank < self.ranks:
            raise ValueError(f"rank is {self.rank} of {self.ranks}, must be from 0 to {self.ranks - 1}")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, must be at least 1")
        self.images = images
        self.batch_size = batch_size
        self.start = start

    def __iter__(self) -> Iterator[Item]:
        """Batches (images, scores, classes)."""
        worker = get_worker_info()
        first, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        batch, stride = self.start + self.rank + first * self.ranks, workers * self.ranks
        while True:
            yield self.images.items(np.arange(batch * self.batch_size, (batch + 1) * self.batch_size))
            batch += stride


class DevicePool:
    """A set with an end, kept as it is stored on a device: batches are gathered there, and nothing is copied again."""

    def __init__(self, images: SampleSet, device: torch.device | str) -> None:
        if not images.length or images.is_augmented:
            raise ValueError("a pool keeps a set that has an end and looks the same in every epoch")
        first_item = images.items(np.zeros(1, np.int64))
        self.images, self.scores, self.classes = (
            torch.empty((images.length, *part.shape[1:]), dtype=part.dtype, device=device) for part in first_item
        )
        for first in range(0, images.length, _POOL_CHUNK):
            part = slice(first, min(first + _POOL_CHUNK, images.length))
            items = images.items(np.arange(part.start, part.stop))
            for kept, item in zip((self.images, self.scores, self.classes), items, strict=True):
                kept[part] = item.to(device)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def batches(self, batch_size: int, *, seed: int = 0, start: int = 0) -> Iterator[Item]:
        """Endless batches on the device, the same as those of `load_batches`."""
        for positions in _Epochs(len(self), batch_size, seed, start):
            wanted = torch.tensor(positions) % len(self)
            chosen = wanted.to(self.images.device, non_blocking=True)
            yield self.images[chosen], self.scores[chosen], self.classes[chosen]

    @staticmethod
    def fits(images: SampleSet, device: torch.device) -> bool:
        """Whether a CPU or GPU has room for this set, which must have an end and no augmentation."""
        if device.type not in ("cpu", "cuda") or not images.length or images.is_augmented:
            return False
        room = CPU_POOL_BYTES if device.type == "cpu" else POOL_SHARE * torch.cuda.mem_get_info(device)[0]
        return images.length * images.items(np.zeros(1, np.int64))[0].nbytes <= room


class _Epochs(Sampler[list[int]]):
    """Endless batches of positions: each epoch is a permutation drawn from (seed, epoch), and none loses its end."""

    def __init__(self, length: int, batch_size: int, seed: int, start: int) -> None:
        self.length, self.batch_size, self.seed, self.start = length, batch_size, seed, start

    def __iter__(self) -> Iterator[list[int]]:
        epoch, skip = divmod(self.start * self.batch_size, self.length)
        rest = np.empty(0, np.int64)
        while True:
            order = np.random.default_rng((self.seed, epoch)).permutation(self.length) + epoch * self.length
            rest = np.concatenate([rest, order[skip:]])
            epoch, skip = epoch + 1, 0
            while len(rest) >= self.batch_size:
                yield rest[: self.batch_size].tolist()
                rest = rest[self.batch_size :]


class _Positions(Dataset[Item]):
    """Batches of a set by positions, which go on beyond its end into further epochs."""

    def __init__(self, images: SampleSet) -> None:
        self.images = images

    def __getitems__(self, positions: Sequence[int]) -> Item:
        return self.images.items(np.asarray(positions, np.int64))


def load_batches(
    images: SampleSet,
    batch_size: int,
    *,
    seed: int = 0,
    start: int = 0,
    workers: int = 0,
    device: torch.device | str = "cpu",
) -> Iterator[Item]:
    """Endless batches (images (B, C, H, W) uint8, scores (B,), classes (B,)) from batch `start` on.

    A function of (images, batch_size, seed, start) alone; `seed` orders the epochs of a set with an end. With no
    workers a set is kept on the device if it fits in a quarter of a GPU's free memory, or in 256 MiB on a CPU. Else
    batches are made as they are needed, by this process or by `workers` others; for a GPU they are in pinned memory.

    Raises:
        ValueError: an empty batch.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, must be at least 1")
    target = torch.device(device)
    if not workers and DevicePool.fits(images, target):
        return DevicePool(images, target).batches(batch_size, seed=seed, start=start)
    source: dict[str, Any]
    if images.length:
        sampler = _Epochs(images.length, batch_size, seed, start)
        source = {"dataset": _Positions(images), "batch_sampler": sampler, "collate_fn": _as_it_is}
    else:
        source = {"dataset": ImageStream(images, batch_size, start, rank=0, ranks=1), "batch_size": None}
    loader: DataLoader[Item] = DataLoader(
        **source,
        num_workers=workers,
        pin_memory=target.type == "cuda",
        worker_init_fn=_leave_interrupts_to_the_parent,
        generator=torch.Generator(),
    )
    return iter(loader)


def _as_it_is(batch: Item) -> Item:
    return batch


def _leave_interrupts_to_the_parent(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
