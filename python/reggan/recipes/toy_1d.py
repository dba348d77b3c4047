"""The one-dimensional GAN that the game is explained with: few numbers, tanh, points on a line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import nn
from torch.optim import SGD, Optimizer

from .gan import GAN

__all__ = ["Toy1D"]


@dataclass(frozen=True)
class Toy1D(GAN):
    """GAN of points on a line, with few numbers a layer."""

    name: ClassVar[str] = "toy-1d"
    makes: ClassVar[tuple[str, ...]] = ("points",)
    activation: ClassVar[str] = "tanh"

    latent_dim: int = 1
    """Numbers in a latent."""
    width: int = 12
    """Numbers in each hidden layer: four for each of three modes."""
    lr: float = 2e-3
    """Rate of both optimizers."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """What trains both networks."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.optimizer not in ("adam", "sgd"):
            raise ValueError(f"optimizer is {self.optimizer!r}, must be adam or sgd")

    def adam(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        """Adam, or plain gradient descent."""
        return super().adam(parameters, lr) if self.optimizer == "adam" else SGD(parameters, lr=lr, foreach=True)
