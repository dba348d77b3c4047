"""WGAN-GP (Gulrajani et al., arXiv 1704.00028): a penalty on the critic's gradient in the place of clipped weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from .. import losses
from ..options import check_ranges
from .phases import Batch, Networks, Options
from .wgan import Wasserstein

__all__ = ["WGANGP"]


@dataclass(frozen=True)
class WGANGP(Wasserstein):
    """WGAN-GP: a critic whose gradient has a length of about 1."""

    name: ClassVar[str] = "wgan-gp"
    norm: ClassVar[str] = "layer"
    """The penalty is on each image by itself, so that batch norm is out of place (section 4 of the paper)."""
    of_points: ClassVar[Options] = {**Wasserstein.of_points, "gradient_penalty": 0.1}

    lr: float = 1e-4
    """Rate of both Adam optimizers, whose coefficients are 0 and 0.9."""
    gradient_penalty: float = 10.0
    """Weight of the penalty."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, gradient_penalty=(0.0, 1e6))

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """Adam without momentum."""
        return Adam(parameters, lr=self.lr, betas=(0.0, 0.9), fused=True)

    def penalty(self, networks: Networks, batch: Batch, real: Tensor, fake: Tensor) -> Tensor:
        """The penalty on the way between each real sample and a generated one."""
        share = batch.uniform(len(real), *[1] * (real.ndim - 1))
        mixed = share * real + (1 - share) * fake
        return self.gradient_penalty * losses.gradient_penalty(networks["discriminator"], mixed)
