"""Classifiers of a rule's score: the paper's, and a faster one."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["ScoreClassifier", "StridedClassifier"]


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
