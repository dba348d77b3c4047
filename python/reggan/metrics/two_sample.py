"""Classifier two-sample tests (Lopez-Paz and Oquab, arXiv 1610.06545): whether a classifier recognizes images as fakes.

Coverage and the Fréchet distance weigh all features alike; a classifier finds those that differ. The accuracy of ridge
regression on detailed random features is cross-validated: 0.5 is chance, at 1 each image gives itself away.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import torch

from ..scoring import ink_mask
from .comparison import Comparison
from .features import RandomFeatures
from .ridge import Ridge

__all__ = ["DETAILED", "gray", "masks"]

Images = npt.NDArray[np.uint8]

DETAILED = (16, (4, 4, 4))
"""Width and grids of detailed features. Twice the width takes four times as long, and tells no more apart."""
_MOST = 2000
"""Most images of each side."""
_FOLDS = 5
_TIE = 1e-9
"""Smaller predictions are rounding errors of 0."""


def gray(comparison: Comparison) -> float:
    """Cross-validated accuracy on the images, all channels of RGB: 0 to 1."""
    return _accuracy(comparison.images.images, comparison.reference.images)


def masks(comparison: Comparison) -> float:
    """Cross-validated accuracy on masks of ink at threshold 0.5, which know neither haze nor blur: 0 to 1."""
    sides = comparison.images, comparison.reference
    return _accuracy(*(np.where(ink_mask(side.gray), 0, 255).astype(np.uint8) for side in sides))


def _accuracy(images: Images, reference: Images) -> float:
    """Accuracy on equally many of both sides; a tie counts half."""
    count, network = min(len(images), len(reference), _MOST), RandomFeatures(*DETAILED)
    features = torch.cat([network.of(_shuffled(side)[:count]) for side in (images, reference)])
    labels = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat_interleave(count)
    folds, correct = torch.arange(count).remainder(_FOLDS).repeat(2), 0.0
    for fold in range(_FOLDS):
        held_out = folds == fold
        classifier = Ridge.fit(features[~held_out], labels[~held_out, None])
        margins = classifier(features[held_out])[:, 0] * labels[held_out]
        correct += float((margins > _TIE).sum()) + 0.5 * float((margins.abs() <= _TIE).sum())
    return correct / len(labels)


def _shuffled(images: Images) -> Images:
    """Images in the order of their hashes: as good as random, but the same in whatever order they are given.

    So images that both sides share are in the same fold, and copies of an image within a side are in several.
    """
    return images[np.argsort([hashlib.blake2b(image.tobytes()).digest() for image in images], kind="stable")]
