"""Batches from any source, as training stores them: images as uint8, points as float32, in batches of one size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .loading import SampleSet, TensorSet, load_batches

__all__ = ["BatchSource", "Rebatched", "stored"]

_BATCH_SIZE = 64
"""Default for samples in memory and for sets."""


class BatchSource:
    """Endless samples for a training, from samples in memory, a `SampleSet`, or any iterable of batches."""

    def __init__(self, batches: Any, *, seed: int, workers: int, device: torch.device) -> None:
        self.seed, self.workers, self.device = seed, workers, device
        self._set: SampleSet | None = None
        self._from_set: Iterator[Tensor] | None = None
        if isinstance(batches, Tensor | np.ndarray):
            samples = stored(batches)
            if not len(samples):
                raise ValueError(f"batches has the shape {tuple(samples.shape)}, must hold at least one sample")
            self._set = TensorSet(samples)
        elif isinstance(batches, SampleSet):
            self._set = batches
        elif not isinstance(batches, Iterable) or isinstance(batches, str | bytes):
            raise TypeError(
                f"batches is {batches!r}, must be a tensor, an array, a SampleSet or an iterable of batches"
            )
        else:
            self._given = Rebatched(batches)

    @property
    def batch_size(self) -> int:
        """Samples in the first of the given batches; 64 without batches."""
        return _BATCH_SIZE if self._set is not None else len(self._given.first())

    def first(self) -> Tensor:
        """The first batch, which is not lost, or the first sample of a set."""
        return self._given.first() if self._set is None else self._set.fetch(np.zeros(1, np.int64))

    def draw(self, count: int, step: int) -> Tensor:
        """The next `count` samples on the device; the first ones of a set are those of this step."""
        if self._set is None:
            return self._given.take(count).to(self.device, non_blocking=True)
        if self._from_set is None:
            self._from_set = load_batches(
                self._set, count, seed=self.seed, start=step, workers=self.workers, device=self.device
            )
        try:
            return next(self._from_set).to(self.device, non_blocking=True)
        except BaseException:
            self._from_set = None  # A generator that failed is at its end; the next call starts again at its step.
            raise

    def rewind(self) -> None:
        """Let a set continue at the step of the next draw; an iterable of batches continues where it is."""
        self._from_set = None


class Rebatched:
    """Batches of any size from an iterable of batches, which starts again at its end; no sample is lost."""

    def __init__(self, batches: Iterable[Any]) -> None:
        self._batches = batches
        self._epoch: Iterator[Any] | None = None
        self._found = 0
        self._left: list[Tensor] = []

    def first(self) -> Tensor:
        """The batch that comes next, which stays the next one."""
        if not self._left:
            self._left.append(self._next())
        return self._left[0]

    def take(self, count: int) -> Tensor:
        """The next `count` samples.

        Raises:
            TypeError, ValueError: a batch is not of samples, or an epoch has none.
        """
        while sum(map(len, self._left)) < count:
            self._left.append(self._next())
        joined = self._left[0] if len(self._left) == 1 else self._joined()
        self._left = [joined[count:]] if len(joined) > count else []
        return joined[:count] if self._left else joined

    def _next(self) -> Tensor:
        """The next batch that is not empty, as it is stored."""
        while True:
            if self._epoch is None:
                self._epoch, self._found = iter(self._batches), 0
            try:
                batch = stored(next(self._epoch))
            except StopIteration:
                self._epoch = None
                if not self._found:
                    raise ValueError(
                        "there are no more batches; give a tensor, an array, or an iterable that can start again, "
                        "such as a DataLoader"
                    ) from None
            else:
                self._found += len(batch)
                if len(batch):
                    return batch

    def _joined(self) -> Tensor:
        shapes = {tuple(batch.shape[1:]) for batch in self._left}
        if len(shapes) > 1:
            self._left = []
            raise ValueError(f"samples have the shapes {' and '.join(map(str, sorted(shapes)))}, must all be equal")
        return torch.cat(self._left)


def stored(batch: Any) -> Tensor:
    """A batch as data sets store it: images (N, C, H, W) or pairs of them (N, 2, C, H, W) uint8, points (N, D) float32.

    Args:
        batch: A tensor or an array of images (N, C, H, W) or (N, H, W), of pairs, or of points. Images are uint8 with
            white paper 255, or floats in [0, 1] with white paper 1, which are rounded to 256 grays. Of a tuple or a
            list, as data sets with labels yield them, the first entry is used.

    Raises:
        TypeError: another dtype.
        ValueError: another shape, or floats outside [0, 1].
    """
    given = batch[0] if isinstance(batch, tuple | list) and batch else batch
    if not isinstance(given, Tensor | np.ndarray):
        raise TypeError(f"a batch is a {type(given).__name__}, must be a tensor or an array, or a tuple of these")
    samples = torch.as_tensor(given)
    if samples.ndim == 2 and samples.is_floating_point():
        return samples.float()
    samples = samples[:, None] if samples.ndim == 3 else samples
    if samples.ndim not in (4, 5) or samples.shape[-3] not in (1, 3) or (samples.ndim == 5 and samples.shape[1] != 2):
        hint = "; move the channels to axis 1" if samples.ndim == 4 and samples.shape[-1] in (1, 3) else ""
        raise ValueError(
            f"a batch has the shape {tuple(samples.shape)}, must be images (N, H, W) or (N, C, H, W) with 1 or 3 "
            f"channels, pairs (N, 2, C, H, W), or points (N, D) of floats{hint}"
        )
    if samples.dtype == torch.uint8:
        return samples
    if not samples.is_floating_point():
        raise TypeError(f"a batch is of {samples.dtype}, must be uint8, or floats in [0, 1]")
    if not bool(((samples >= 0) & (samples <= 1)).all()):
        low, high = float(samples.min()), float(samples.max())
        hint = "; (x + 1) / 2 scales from [-1, 1]" if -1 <= low < 0 else ""
        raise ValueError(
            f"a batch of floats is from {low:g} to {high:g}, must be from 0 (ink) to 1 (white paper){hint}"
        )
    return (255 * samples.float()).round().to(torch.uint8)
