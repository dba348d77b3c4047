"""Classifiers of a rule's score: the paper's, a faster one, and one that is as good as it gets here."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ResidualClassifier", "ScoreClassifier", "StridedClassifier"]


class ScoreClassifier(nn.Module):
    """Images (N, channels, size, size) in [-1, 1] to logits over the score classes, (N, classes).

    4 convolutions, 2 max-pools, 3 linear layers: the paper (arXiv 2102.04593, section 3.2) gives kinds and numbers. The
    pools come before the second and the third convolution, so that most of the work happens at a quarter of the pixels;
    nothing depends on train or eval mode, so that a frozen classifier is one whose parameters are not updated.
    """

    def __init__(self, size: int = 64, channels: int = 1, classes: int = 11, width: int = 32) -> None:
        super().__init__()
        if size % 4 or size < 8:
            raise ValueError(f"size is {size}, must be a multiple of 4 of at least 8")
        if width < 1:
            raise ValueError(f"width is {width}, must be at least 1")
        self.layers = nn.Sequential(
            *self.stem(channels, width),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(2 * width * (size // 4) ** 2, 8 * width),
            nn.ReLU(inplace=True),
            nn.Linear(8 * width, 4 * width),
            nn.ReLU(inplace=True),
            nn.Linear(4 * width, classes),
        )

    def stem(self, channels: int, width: int) -> tuple[nn.Module, ...]:
        """The layers from the image to 2 * width maps at a quarter of its sides."""
        return (
            nn.Conv2d(channels, width, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images in [-1, 1]."""
        logits: Tensor = self.layers(images)
        return logits


class StridedClassifier(ScoreClassifier):
    """The same at half the cost: no layer works at all pixels, and none is lost to a pool.

    Squares of 2 x 2 pixels become channels (Shi et al., arXiv 1609.05158, backward), then comes a stride.
    """

    def stem(self, channels: int, width: int) -> tuple[nn.Module, ...]:
        """The layers from the image to 2 * width maps at a quarter of its sides."""
        return (
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * channels, 2 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(2 * width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
        )


class ResidualClassifier(nn.Module):
    """Images (N, channels, size, size) in [-1, 1] to logits (N, classes): one that sees how the ink hangs together.

    Residual blocks (He et al., arXiv 1512.03385) at half the resolution, to which no pixel is lost, with a detour at a
    quarter as in U-Net (Ronneberger et al., arXiv 1505.04597), which takes the news of a connection across the image.
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
    """Two convolutions that are added to their input, and add nothing at first."""

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
