"""A layer that leaves nothing narrow: openings and closings of grays by discs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Clear"]


class Clear(nn.Module):
    """Removes from images (N, channels, height, width) ink, and then paper, that is narrower than a disc.

    It acts in evaluation mode alone: with it in training, a few pixels of difference make whole strokes vanish, and
    training collapses. Openings and closings by flat discs commute with thresholds, so that grays are opened like masks
    (Serra, Image Analysis and Mathematical Morphology, 1982); the disc is that of `reggan.morphology`. The closing can
    make ink narrow again, but seldom does. Grays change only where ink becomes paper or paper ink. Outside the image
    everything is solid, or, if `periodic`, the image is repeated there.
    """

    def __init__(self, ink: int, paper: int, periodic: bool = False) -> None:
        super().__init__()
        self.ink, self.paper, self.periodic = ink, paper, periodic

    def forward(self, images: Tensor) -> Tensor:
        if self.training or self.ink == self.paper == 1:
            return images
        cleared = -self._opened(-self._opened(images, self.ink), self.paper)
        return torch.where((cleared > 0) == (images > 0), images, cleared)

    def _opened(self, images: Tensor, diameter: int) -> Tensor:
        """Images without what is dark and narrower than the diameter."""
        if diameter < 2:
            return images
        margin = (diameter - 1,) * 4
        around = F.pad(images, margin, "circular") if self.periodic else F.pad(images, margin, value=-1.0)
        return -_greatest(-_greatest(around, diameter), diameter)


def _greatest(images: Tensor, diameter: int) -> Tensor:
    """The greatest value in each disc that fits into images (N, C, H, W): (N, C, H - diameter + 1, ...)."""
    centers = torch.arange(diameter) - (diameter - 1) / 2
    widths = (centers.square()[:, None] + centers.square() < diameter**2 / 4).sum(1).tolist()
    # The disc is the union of these rectangles.
    parts = []
    for width in sorted(set(widths)):
        height = sum(each >= width for each in widths)
        top, left = (diameter - height) // 2, (diameter - width) // 2
        part = images[..., top : images.shape[-2] - top, left : images.shape[-1] - left]
        parts.append(F.max_pool2d(part, (height, width), 1))
    return torch.stack(parts).amax(0)
