"""Whether images are copies of training images: are they nearer to those than to images that nobody trained on?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["COPIES_ALLOWED", "copies", "memorizes"]

COPIES_ALLOWED = 0.1
"""Up to this figure nothing is said of memorizing, however sure it is."""
_ERRORS = 4
"""Standard errors that the figure must be above 0."""
_BATCH = 2048
_DISTANCES = 2**25
"""At most so many at once (128 MB), whatever the number of images."""


def copies(
    images: npt.NDArray[np.uint8], training: npt.NDArray[np.uint8], held_out: npt.NDArray[np.uint8]
) -> tuple[float, float]:
    """How much more often the nearest of an image (N, H, W) is a training than a held-out one: -1 to 1, and its error.

    As many training as held-out images (M, H, W) are looked at, and distances are Euclidean, between pixels. What is
    nearest to several images counts once, since one sparse image may be nearest to all that have little ink. New images
    have about 0, within the standard error that is the second number; copies have 1 (the idea of the data-copying test
    of Meehan, Chaudhuri and Dasgupta, arXiv 2004.05675). If only a part of the training images is given, copies of all
    of them have about that part.
    """
    count = min(len(training), len(held_out))
    among = torch.from_numpy(np.concatenate([training[:count], held_out[:count]])).flatten(1)
    wanted = torch.from_numpy(images).flatten(1).float()
    least, nearest = torch.full((len(wanted),), torch.inf), torch.zeros(len(wanted), dtype=torch.int64)
    size = max(1, min(_BATCH, _DISTANCES // len(wanted)))
    for k, part in enumerate(torch.split(among, size)):
        found, place = torch.cdist(wanted, part.float()).min(dim=1)
        nearest = torch.where(found < least, place + k * size, nearest)
        least = torch.minimum(found, least)
    nearest = torch.unique(nearest)
    share = float((nearest < count).double().mean())
    return 2 * share - 1, len(nearest) ** -0.5


def memorizes(figure: float, error: float) -> bool:
    """Whether what `copies` gives says that a generator memorizes."""
    return figure > max(COPIES_ALLOWED, _ERRORS * error)
