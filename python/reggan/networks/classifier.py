"""The classifier of the rule's score: 4 convolutions, 2 max-pools, 3 linear layers (arXiv 2102.04593, section 3.2)."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["ScoreClassifier"]


class ScoreClassifier(nn.Module):
    """Images (N, channels, size, size) in [-1, 1] to logits over the score classes, (N, classes).

    The paper gives the layers' kinds and numbers. Here the pools follow the second and the fourth convolution's
    predecessors, so that most of the work happens at a quarter of the pixels; nothing depends on train or eval
    mode, so that a frozen classifier is one whose parameters are not updated.
    """

    def __init__(self, size: int = 64, channels: int = 1, classes: int = 11, width: int = 32) -> None:
        super().__init__()
        if size % 4 or size < 8:
            raise ValueError(f"size is {size}, must be a multiple of 4 of at least 8")
        if width < 1:
            raise ValueError(f"width is {width}, must be at least 1")
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
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

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images in [-1, 1]."""
        logits: Tensor = self.layers(images)
        return logits
