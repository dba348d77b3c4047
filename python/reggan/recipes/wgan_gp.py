"""WGAN-GP (Gulrajani et al., arXiv 1704.00028): a penalty on the critic's gradient instead of clipped weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from .. import losses
from ..options import options
from .phases import Batch, Networks
from .wgan import Wasserstein

__all__ = ["WGANGP"]


@options
class WGANGP(Wasserstein):
    """WGAN-GP: a critic whose gradient has a norm of about 1."""

    norm: ClassVar[str] = "layer"
    """The penalty applies to each image independently, which rules out batch norm (section 4 of the paper)."""

    lr: Annotated[float, Field(ge=0, le=1)] = 1e-4
    """Learning rate of both Adam optimizers, whose coefficients are 0 and 0.9."""
    gradient_penalty: Annotated[float, Field(ge=0, le=1e6)] = 10.0
    """Weight of the penalty."""

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        return Adam(parameters, lr=self.lr, betas=(0.0, 0.9), fused=True)

    def penalty(self, networks: Networks, batch: Batch, real: Tensor, fake: Tensor) -> Tensor:
        """Penalty at a random point between each real sample and a generated one."""
        share = batch.uniform(len(real), *[1] * (real.ndim - 1))
        mixed = share * real + (1 - share) * fake
        return self.gradient_penalty * losses.gradient_penalty(networks["discriminator"], mixed)
