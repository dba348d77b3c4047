"""Features of images from a fixed network of random convolutions, without training or downloads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data import to_tensor
from ..rules import min_channel

__all__ = ["Featured", "RandomFeatures"]

_SEED = 2102_04593
_BATCH = 256
_SMALLEST = 16
"""Pixels on a side of the smallest images whose last maps have a deviation."""


class RandomFeatures(nn.Module):
    """Images (N, 1, H, W) of ink in [0, 1] to features (N, num_features).

    Three levels of a random 3 x 3 convolution, ReLU and an average pool of 2. The features are the mean and standard
    deviation of every map of each level, and its means over the fields of a grid, which depend on the position of the
    ink; by default, over the quarters of the last maps. For images far from natural ones, Naeem et al. (arXiv
    2002.09797, section 5) find random weights better than weights trained on natural images.
    """

    INPUTS = (1, None, None)
    """Input channels of each level; None is the width."""

    def __init__(self, width: int = 32, grids: tuple[int, int, int] = (0, 0, 2)) -> None:
        """`grids` are the sides of the grid of each level; 0 is no grid."""
        super().__init__()
        random = torch.Generator().manual_seed(_SEED)
        for level, inputs in enumerate(self.INPUTS):
            channels = inputs or width
            weight = torch.randn(width, channels, 3, 3, generator=random) * math.sqrt(2 / (9 * channels))
            self.register_buffer(f"weight{level}", weight)
            self.register_buffer(f"bias{level}", 0.4 * torch.rand(width, generator=random) - 0.2)
        self.grids = grids
        self.num_features = sum(2 + side**2 for side in grids) * width

    def forward(self, ink: Tensor) -> Tensor:
        maps, found = ink, []
        for level, side in enumerate(self.grids):
            weight, bias = self.get_buffer(f"weight{level}"), self.get_buffer(f"bias{level}")
            maps = F.avg_pool2d(F.relu(F.conv2d(maps, weight, bias, padding=1)), 2)
            found += [maps.mean(dim=(2, 3)), maps.std(dim=(2, 3))]
            if side:
                found.append(F.adaptive_avg_pool2d(maps, side).flatten(1))
        return torch.cat(found, dim=1)

    def of(self, images: npt.NDArray[np.uint8]) -> Tensor:
        """Float64 features (N, channels * num_features) of images (N, H, W) or (N, 3, H, W), white paper 255.

        Smaller images get margins of white paper, up to 16 pixels.
        """
        lacking = [max(_SMALLEST - side, 0) for side in images.shape[-2:]]
        margins = [part for lack in reversed(lacking) for part in (lack // 2, lack - lack // 2)]

        def features_of(part: Tensor) -> Tensor:
            ink = F.pad(part.float().div(-255).add(1), margins)
            channels = torch.split(ink, 1, dim=1)
            return torch.cat([self(channel) for channel in channels], dim=1)

        # Parts of about equal size: in a batch of one, features differ in the last digit.
        parts = torch.tensor_split(to_tensor(images), -(-len(images) // _BATCH))
        return torch.cat([features_of(part) for part in parts]).double()


@dataclass(frozen=True, eq=False)
class Featured:
    """Images and their features, which are computed on first use."""

    images: npt.NDArray[np.uint8]
    """(N, H, W), or (N, 3, H, W) of RGB, white paper 255."""

    @property
    def gray(self) -> npt.NDArray[np.uint8]:
        """(N, H, W): the darkest channel, which rules read."""
        return min_channel(self.images)

    @cached_property
    def features(self) -> Tensor:
        """Float64 (N, channels * num_features)."""
        return RandomFeatures().of(self.images)
