"""Features of images by a fixed network of random convolutions, which no training steers and nobody has to download."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data import tensor
from ..rules import darkest

__all__ = ["Featured", "RandomFeatures", "standardize", "varies"]

_SEED = 2102_04593
_BATCH = 256
_LEAST_SCALE = 0.5
"""Of the median scale. Without it what hardly varies among the references, as corners do, would outweigh the rest; with
the features as they are, the amount of ink would outweigh specks and haze."""
_LEAST_SPREAD = 1e-4
"""Features that vary less among the references do not vary: rounding makes 1e-7, and images of traffic, which are
nearly all the same, 4e-3. Without it references that are all alike would have distances in units of 0."""


class RandomFeatures(nn.Module):
    """Images (N, 1, H, W) of ink in [0, 1] to features (N, 10 * width).

    Three levels of a random 3 x 3 convolution, ReLU and an average pool of 2. Of each level there are the mean and the
    standard deviation of every map, and of the last also the means of its quarters, which know where the ink is.
    Random weights as in Naeem et al. (arXiv 2002.09797, section 5), who find that they tell more of images that are far
    from natural ones than networks that were trained on those.
    """

    INPUTS = (1, None, None)
    """Channels that each level reads; None is the width."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(_SEED)
        for level, inputs in enumerate(self.INPUTS):
            channels = inputs or width
            weight = torch.randn(width, channels, 3, 3, generator=random) * math.sqrt(2 / (9 * channels))
            self.register_buffer(f"weight{level}", weight)
            self.register_buffer(f"bias{level}", 0.4 * torch.rand(width, generator=random) - 0.2)
        self.num_features = 2 * len(self.INPUTS) * width + 4 * width

    def forward(self, ink: Tensor) -> Tensor:
        """Features (N, num_features) of ink (N, 1, H, W) in [0, 1]."""
        maps, found = ink, []
        for level in range(len(self.INPUTS)):
            weight, bias = self.get_buffer(f"weight{level}"), self.get_buffer(f"bias{level}")
            maps = F.avg_pool2d(F.relu(F.conv2d(maps, weight, bias, padding=1)), 2)
            found += [maps.mean(dim=(2, 3)), maps.std(dim=(2, 3))]
        return torch.cat([*found, F.adaptive_avg_pool2d(maps, 2).flatten(1)], dim=1)


@dataclass(frozen=True, eq=False)
class Featured:
    """Images and, once they are asked for, their features."""

    images: npt.NDArray[np.uint8]
    """(N, H, W), or (N, 3, H, W) of RGB, white paper 255; sides of at least 16."""

    @property
    def gray(self) -> npt.NDArray[np.uint8]:
        """(N, H, W): what rules see."""
        return darkest(self.images)

    @cached_property
    def features(self) -> Tensor:
        """Float64 (N, channels * num_features)."""
        network = RandomFeatures()

        def features_of(part: Tensor) -> Tensor:
            channels = torch.split(part.float().div(-255).add(1), 1, dim=1)
            return torch.cat([network(channel) for channel in channels], dim=1)

        # Parts of about equal size: one image alone has other features in the last digit than among others.
        parts = torch.tensor_split(tensor(self.images), -(-len(self.images) // _BATCH))
        return torch.cat([features_of(part) for part in parts]).double()


def standardize(images: Featured, reference: Featured) -> tuple[Tensor, Tensor]:
    """Features of both, less the references' mean and over their standard deviation, where they have any.

    Raises:
        ArithmeticError: a feature is not finite, or there is one reference, whose deviation is not defined. What
            follows is linear algebra, which can end the process on such numbers.
    """
    mean, scale = reference.features.mean(dim=0), reference.features.std(dim=0)
    scale = scale.clamp_min(max(_LEAST_SCALE * float(scale.median()), _LEAST_SPREAD))
    found, wanted = (images.features - mean) / scale, (reference.features - mean) / scale
    if not (found.isfinite().all() and wanted.isfinite().all()):
        raise ArithmeticError(
            f"features of {len(found)} images and {len(wanted)} references are not finite numbers; "
            "give images of finite gray, and at least 2 references"
        )
    return found, wanted


def varies(reference: Featured) -> bool:
    """Whether any feature of the references does: not so if they are all alike."""
    return float(reference.features.std(dim=0).max()) >= _LEAST_SPREAD
