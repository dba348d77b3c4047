"""GAN (Goodfellow et al., arXiv 1406.2661): the game by itself, with fully connected networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from .. import losses
from ..networks import MLPDiscriminator, MLPGenerator
from ..options import check_ranges
from ..rules import Rule
from .adversarial import ChoosesPrior
from .dcgan import DCGAN
from .phases import Batch, Networks, Options, Stats

__all__ = ["GAN"]


@dataclass(frozen=True)
class GAN(ChoosesPrior, DCGAN):
    """GAN with fully connected networks, of images or points."""

    name: ClassVar[str] = "gan"
    makes: ClassVar[tuple[str, ...]] = ("images", "points")
    small: ClassVar[Options] = {**DCGAN.small, "width": 256}
    of_points: ClassVar[Options] = {**ChoosesPrior.of_points, "beta1": 0.0}

    width: int = 512
    """Numbers in each hidden layer."""
    depth: int = 3
    """Hidden layers."""
    loss: Literal["minimax", "non-saturating"] = "non-saturating"
    """What the generator minimizes: E[log(1 - D(G(z)))], or -E[log D(G(z))], whose gradient does not vanish."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, depth=(1, 100))
        if self.loss not in ("minimax", "non-saturating"):
            raise ValueError(f"loss is {self.loss!r}, must be minimax or non-saturating")

    def build(self, shape: tuple[int, ...], rule: Rule) -> dict[str, nn.Module]:
        """Generator and discriminator."""
        return {
            "generator": MLPGenerator(
                shape, self.latent_dim, self.width, self.depth, fourier_features=self.fourier_features
            ),
            "discriminator": MLPDiscriminator(shape, self.width, self.depth, fourier_features=self.fourier_features),
        }

    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The discriminator shall take generated samples for real."""
        batch = self.best(batch)
        fake = self.judge(networks, batch, self.generate(networks, batch))
        return (losses.generator_minimax(fake) if self.loss == "minimax" else losses.generator_bce(fake)), {}
