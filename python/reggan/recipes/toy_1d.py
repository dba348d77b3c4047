"""The one-dimensional GAN that the game is explained with: few numbers, tanh, points on a line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import nn
from torch.optim import SGD, Optimizer

from ..networks import MLPDiscriminator, MLPGenerator
from ..options import check_ranges
from ..rules import Rule
from .gan import GAN

__all__ = ["Toy1D"]


@dataclass(frozen=True)
class Toy1D(GAN):
    """GAN of points on a line: a generator of few numbers, against a discriminator of tanh layers that sees well."""

    name: ClassVar[str] = "toy-1d"
    makes: ClassVar[tuple[str, ...]] = ("points",)

    latent_dim: int = 1
    """Numbers in a latent."""
    width: int = 12
    """Numbers in each hidden layer of the generator: four for each of three modes."""
    discriminator_width: int = 64
    """Numbers in each hidden layer of the discriminator."""
    lr: float = 1e-3
    """Rate of both optimizers."""
    beta1: float = 0.0
    """First Adam coefficient; the second is 0.999."""
    instance_noise: float = 0.2
    """Standard deviation of the noise on every sample that the discriminator sees."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """What trains both networks."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, discriminator_width=(1, 4096))
        if self.optimizer not in ("adam", "sgd"):
            raise ValueError(f"optimizer is {self.optimizer!r}, must be adam or sgd")

    def build(self, shape: tuple[int, ...], rule: Rule) -> dict[str, nn.Module]:
        """Generator and discriminator."""
        return {
            "generator": MLPGenerator(
                shape, self.latent_dim, self.width, self.depth, fourier_features=self.fourier_features
            ),
            "discriminator": MLPDiscriminator(
                shape, self.discriminator_width, self.depth, "tanh", self.fourier_features
            ),
        }

    def adam(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        """Adam, or plain gradient descent."""
        return super().adam(parameters, lr) if self.optimizer == "adam" else SGD(parameters, lr=lr, fused=True)
