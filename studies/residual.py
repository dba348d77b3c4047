"""The residual network of the study `classifier`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ResidualClassifier"]


class ResidualClassifier(nn.Module):
    """Images (N, channels, size, size) in [-1, 1] to logits (N, classes); its receptive field spans the image.

    Residual blocks (He et al., arXiv 1512.03385) at half the resolution, which keeps all pixels, and at a quarter as in
    U-Net (Ronneberger et al., arXiv 1505.04597), which carries information across the image.
    """

    def __init__(self, channels: int = 1, classes: int = 11, width: int = 32, depth: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), *_convolution(4 * channels, width))
        self.near = nn.Sequential(*(_Residual(width) for _ in range(depth)))
        self.far = nn.Sequential(
            *_convolution(width, 2 * width, stride=2),
            *(_Residual(2 * width) for _ in range(depth)),
            nn.Conv2d(2 * width, width, 1),
            nn.Upsample(scale_factor=2),
        )
        self.joined = _Residual(width)
        self.head = nn.Sequential(nn.Linear(2 * width, 4 * width), nn.ReLU(inplace=True), nn.Linear(4 * width, classes))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images in [-1, 1], whose sides are multiples of 4."""
        near = self.near(self.stem(images))
        maps = self.joined(near + self.far(near))
        logits: Tensor = self.head(torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1))
        return logits


class _Residual(nn.Module):
    """Two convolutions with a skip connection; their output is initially zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(width, width), nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu(maps + self.layers(maps))


def _convolution(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
