"""Copies of training images: whether images are nearer to training images than to held-out ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["COPIES_ALLOWED", "copies", "memorizes"]

COPIES_ALLOWED = 0.1
"""A generator with at most this value does not count as memorizing."""
_ERRORS = 4
"""A larger value must also be this number of standard errors above 0."""
_BATCH = 2048
_MAX_DISTANCES = 2**25
"""Distances in memory at once (128 MB)."""


def copies(
    images: npt.NDArray[np.uint8], training: npt.NDArray[np.uint8], held_out: npt.NDArray[np.uint8]
) -> tuple[float, float]:
    """Excess of training images over held-out ones among the nearest images, -1 to 1, and its standard error.

    The nearest image of each image (N, H, W), by Euclidean distance, is among equal numbers of training and held-out
    images (M, H, W). An image that is nearest to several counts once, since one sparse image may be nearest to all
    images with little ink. New images have about 0, copies 1 (after the data-copying test of Meehan, Chaudhuri and
    Dasgupta, arXiv 2004.05675). Given only some of the training images, copies have about their share.
    """
    count = min(len(training), len(held_out))
    others = torch.from_numpy(np.concatenate([training[:count], held_out[:count]])).flatten(1)
    pixels = torch.from_numpy(images).flatten(1).float()
    least, nearest = torch.full((len(pixels),), torch.inf), torch.zeros(len(pixels), dtype=torch.int64)
    size = max(1, min(_BATCH, _MAX_DISTANCES // len(pixels)))
    for k, part in enumerate(torch.split(others, size)):
        distance, index = torch.cdist(pixels, part.float()).min(dim=1)
        nearest = torch.where(distance < least, index + k * size, nearest)
        least = torch.minimum(distance, least)
    nearest = torch.unique(nearest)
    share = float((nearest < count).double().mean())
    return 2 * share - 1, len(nearest) ** -0.5


def memorizes(value: float, error: float) -> bool:
    """Whether a value of `copies` with this standard error shows that a generator memorizes."""
    return value > max(COPIES_ALLOWED, _ERRORS * error)
