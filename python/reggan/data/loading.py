"""Batches of any set of samples: torch data sets, map style and iterable, and a cache on the training device."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, get_worker_info

__all__ = [
    "DeviceCache",
    "Endless",
    "Fingerprint",
    "ImageDataset",
    "ImageStream",
    "Indices",
    "SampleSet",
    "TensorSet",
    "by_block",
    "load_batches",
]

Indices = npt.NDArray[np.int64]

CACHE_SHARE = 0.25
"""Largest part of a GPU's free memory that a cached set may take."""
CPU_CACHE_BYTES = 2**28
"""Largest set that is cached when training on the CPU."""
_CHUNK = 4096


@dataclass(frozen=True)
class Fingerprint:
    """Identity of a set of images that was read from files, wherever they are."""

    count: int
    """Number of images."""
    sha256: str
    """Hash of their pixels, as they are trained on."""


@runtime_checkable
class SampleSet(Protocol):
    """Samples by their index: what the `open` of a data configuration returns."""

    @property
    def length(self) -> int:
        """Number of samples; 0 for an endless set."""

    @property
    def is_augmented(self) -> bool:
        """Whether a sample differs from epoch to epoch."""

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """One for each set of files; none where samples are a function of the configuration alone."""

    def fetch(self, indices: Indices) -> Tensor:
        """Samples (N, ...): images are (N, C, H, W) uint8 with white paper 255, points (N, D) float32.

        Index length * e + k is sample k in epoch e.
        """


@dataclass(frozen=True)
class TensorSet:
    """Samples in memory."""

    samples: Tensor
    is_augmented: ClassVar[bool] = False
    fingerprints: ClassVar[tuple[Fingerprint, ...]] = ()

    @property
    def length(self) -> int:
        return len(self.samples)

    def fetch(self, indices: Indices) -> Tensor:
        return self.samples[torch.from_numpy(indices % self.length)]


class Endless:
    """Base of endless sets: one epoch, in which no sample repeats."""

    length: ClassVar[int] = 0
    is_augmented: ClassVar[bool] = False

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        return ()


def by_block(indices: Indices, size: int, draw: Callable[[int], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Values (N, ...) at indices (N,) of an endless sequence, of which `draw(k)` returns the k-th `size` values."""
    blocks, offsets = np.divmod(indices, size)
    needed, which = np.unique(blocks, return_inverse=True)
    found: npt.NDArray[Any] = np.stack([draw(int(block)) for block in needed])[which, offsets]
    return found


class ImageDataset(Dataset[Tensor]):
    """Map-style data set of a finite set, for any sampler; `__getitems__` fetches a whole batch at once."""

    def __init__(self, images: SampleSet) -> None:
        if not images.length:
            raise ValueError("this set has no end; read it as an ImageStream, or give it a number of images")
        self.images = images
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose how augmented images look; call it before the DataLoader starts its workers."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.images.length

    def __getitem__(self, index: int) -> Tensor:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Tensor]:
        wanted = np.asarray(indices, np.int64)
        outside = (wanted < -len(self)) | (wanted >= len(self))
        if outside.any():
            raise IndexError(f"index {wanted[outside][0]} is outside a set of {len(self)} images")
        return list(self.images.fetch(wanted % len(self) + self.epoch * len(self)))


class ImageStream(IterableDataset[Tensor]):
    """Endless batches from batch `start` on, for DataLoader(stream, batch_size=None).

    Rank r of R reads the batches r, r + R, ..., and its worker w of W every W-th of those from w on. A DataLoader puts
    them back into order: no duplicate, no gap, and the same batches for any number of workers.
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
        """`rank` and `ranks` default to those of torch.distributed if it is initialized, else to 0 and 1."""
        distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        self.ranks = ranks if ranks is not None else torch.distributed.get_world_size() if distributed else 1
        self.rank = rank if rank is not None else torch.distributed.get_rank() if distributed else 0
        if not 0 <= self.rank < self.ranks:
            raise ValueError(f"rank is {self.rank} of {self.ranks}, must be from 0 to {self.ranks - 1}")
        _check_batch_size(batch_size)
        self.images = images
        self.batch_size = batch_size
        self.start = start

    def __iter__(self) -> Iterator[Tensor]:
        worker = get_worker_info()
        first, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        batch, stride = self.start + self.rank + first * self.ranks, workers * self.ranks
        while True:
            yield self.images.fetch(np.arange(batch * self.batch_size, (batch + 1) * self.batch_size))
            batch += stride


class DeviceCache:
    """A finite set without augmentation in a device's memory: batches are gathered there, and nothing is copied."""

    def __init__(self, images: SampleSet, device: torch.device | str) -> None:
        if not images.length or images.is_augmented:
            raise ValueError("a cache needs a set that has an end and looks the same in every epoch")
        first = images.fetch(np.zeros(1, np.int64))
        self.images = torch.empty((images.length, *first.shape[1:]), dtype=first.dtype, device=device)
        for start in range(0, images.length, _CHUNK):
            stop = min(start + _CHUNK, images.length)
            self.images[start:stop] = images.fetch(np.arange(start, stop)).to(device)

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, batch_size: int, *, seed: int = 0, start: int = 0) -> Iterator[Tensor]:
        """Endless batches on the device, equal to those of `load_batches`."""
        for indices in _Epochs(len(self), batch_size, seed, start):
            wanted = torch.tensor(indices) % len(self)
            yield self.images[wanted.to(self.images.device, non_blocking=True)]

    @staticmethod
    def fits(images: SampleSet, device: torch.device) -> bool:
        """Whether a set can be cached on a CPU or GPU."""
        if device.type not in ("cpu", "cuda") or not images.length or images.is_augmented:
            return False
        room = CPU_CACHE_BYTES if device.type == "cpu" else CACHE_SHARE * torch.cuda.mem_get_info(device)[0]
        return images.length * images.fetch(np.zeros(1, np.int64)).nbytes <= room


class _Epochs(Sampler[list[int]]):
    """Endless batches of indices; each epoch is a permutation drawn from (seed, epoch), and uses every sample."""

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


class _Fetched(Dataset[Tensor]):
    """Batches of a set by indices, which go on beyond its end into further epochs."""

    def __init__(self, images: SampleSet) -> None:
        self.images = images

    def __getitems__(self, indices: Sequence[int]) -> Tensor:
        return self.images.fetch(np.asarray(indices, np.int64))


def load_batches(
    images: SampleSet,
    batch_size: int,
    *,
    seed: int = 0,
    start: int = 0,
    workers: int = 0,
    device: torch.device | str = "cpu",
) -> Iterator[Tensor]:
    """Endless batches (B, ...) from batch `start` on, as `SampleSet.fetch` returns them.

    A function of (images, batch_size, seed, start) alone; `seed` orders the epochs of a finite set. Without workers
    a set is cached on the device if it fits in a quarter of a GPU's free memory, or in 256 MiB on a CPU. Otherwise
    this process or `workers` others fetch batches as they are needed, for a GPU into pinned memory.

    Raises:
        ValueError: an empty batch.
    """
    _check_batch_size(batch_size)
    target = torch.device(device)
    if not workers and DeviceCache.fits(images, target):
        return DeviceCache(images, target).batches(batch_size, seed=seed, start=start)
    source: dict[str, Any]
    if images.length:
        sampler = _Epochs(images.length, batch_size, seed, start)
        source = {"dataset": _Fetched(images), "batch_sampler": sampler, "collate_fn": _unchanged}
    else:
        source = {"dataset": ImageStream(images, batch_size, start, rank=0, ranks=1), "batch_size": None}
    loader: DataLoader[Tensor] = DataLoader(
        **source,
        num_workers=workers,
        pin_memory=target.type == "cuda",
        worker_init_fn=_leave_interrupts_to_the_parent,
        generator=torch.Generator(),
    )
    return iter(loader)


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, must be at least 1")


def _unchanged(batch: Tensor) -> Tensor:
    return batch


def _leave_interrupts_to_the_parent(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
