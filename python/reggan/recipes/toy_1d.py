"""The one-dimensional GAN of textbooks: few numbers, tanh, points on a line."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import nn
from torch.optim import SGD, Optimizer

from ..networks import MLPDiscriminator
from ..options import options
from ..rules import Rule
from .adversarial import Builders
from .gan import GAN

__all__ = ["Toy1D"]


@options
class Toy1D(GAN):
    """GAN of points on a line: a small generator against a discriminator of tanh layers that sees well."""

    makes: ClassVar[tuple[str, ...]] = ("points",)

    latent_dim: Annotated[int, Field(ge=1, le=65_536)] = 1
    """Numbers in a latent."""
    width: Annotated[int, Field(ge=1, le=4096)] = 12
    """Size of each hidden layer of the generator: four units for each of three modes."""
    discriminator_width: Annotated[int, Field(ge=1, le=4096)] = 64
    """Size of each hidden layer of the discriminator."""
    lr: Annotated[float, Field(ge=0, le=1)] = 1e-3
    """Learning rate of both optimizers."""
    beta1: Annotated[float, Field(ge=0, le=0.9999)] = 0.0
    """First Adam coefficient; the second is 0.999."""
    instance_noise: Annotated[float, Field(ge=0, le=10)] = 0.2
    """Standard deviation of the noise on every sample that the discriminator sees."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """Optimizer of both networks."""

    def build(self, shape: tuple[int, ...], rule: Rule) -> Builders:
        width, count = self.discriminator_width, self.fourier_features
        return {
            **self.fully_connected(shape, self.latent_dim, self.width, self.depth),
            "discriminator": partial(MLPDiscriminator, shape, width, self.depth, "tanh", count),
        }

    def adam(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        """Adam, or plain gradient descent."""
        return super().adam(parameters, lr) if self.optimizer == "adam" else SGD(parameters, lr=lr, fused=True)
