"""Classifiers of a rule's score: the paper's, and a faster one."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["ScoreClassifier", "StridedClassifier"]


class ScoreClassifier(nn.Module):
    """Images (N, channels, height, width) in [-1, 1] to logits of the score classes, (N, classes).

    4 convolutions, 2 max-pools and 3 linear layers, as in the paper (arXiv 2102.04593, section 3.2), which leaves their
    order open; early pooling is cheap. Training and evaluation mode give the same results.
    `size` is one side or (height, width), `width` the number of feature maps of the first layer.
    """

    def __init__(self, size: int | tuple[int, int] = 64, channels: int = 1, classes: int = 11, width: int = 32) -> None:
        super().__init__()
        sides = (size, size) if isinstance(size, int) else size
        if any(side % 4 or side < 8 for side in sides):
            raise ValueError(
                f"size is {size}, each side must be a multiple of 4 and at least 8: "
                "give another size, or your own classifier"
            )
        if width < 1:
            raise ValueError(f"width is {width}, must be at least 1")
        self.layers = nn.Sequential(
            *self.stem(channels, width),
            *_convolution(2 * width, 2 * width, 3),
            *_convolution(2 * width, 2 * width, 3),
            nn.Flatten(),
            nn.Linear(2 * width * (sides[0] // 4) * (sides[1] // 4), 8 * width),
            nn.ReLU(inplace=True),
            nn.Linear(8 * width, 4 * width),
            nn.ReLU(inplace=True),
            nn.Linear(4 * width, classes),
        )

    def stem(self, channels: int, width: int) -> tuple[nn.Module, ...]:
        """Images to 2 * width feature maps with a quarter of the height and width."""
        first, second = _convolution(channels, width, 5), _convolution(width, 2 * width, 3)
        return (*first, nn.MaxPool2d(2), *second, nn.MaxPool2d(2))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images)
        return logits


class StridedClassifier(ScoreClassifier):
    """ScoreClassifier at half the cost, without pooling or convolutions at full resolution.

    Blocks of 2 x 2 pixels become channels (the inverse of the pixel shuffle of Shi et al., arXiv 1609.05158), and a
    strided convolution follows.
    """

    def stem(self, channels: int, width: int) -> tuple[nn.Module, ...]:
        first, second = _convolution(4 * channels, 2 * width, 3), _convolution(2 * width, 2 * width, 3, stride=2)
        return (nn.PixelUnshuffle(2), *first, *second)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2), nn.ReLU(inplace=True)
