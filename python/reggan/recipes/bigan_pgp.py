"""BiGAN with a pair-wise gradient penalty: no modes left behind (arXiv 1802.00771)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from .. import losses
from ..options import options
from .bigan import BiGAN
from .phases import Batch, Networks

__all__ = ["BiGANPGP"]


@options
class BiGANPGP(BiGAN):
    """BiGAN whose discriminator rises from a sample's reconstruction straight to the sample."""

    norm: ClassVar[str] = "layer"
    """The penalty is on each sample by itself."""

    pair_penalty: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    """Weight of the penalty: 1 in the article; in its code 0.1 for points and 1 for images."""
    pair_norm: Literal["plain", "squared"] = "plain"
    """Length of the gradient's error, as in the article's code, or its square, as in the text."""

    def penalty(self, networks: Networks, batch: Batch, codes: Tensor) -> Tensor:
        """The penalty between each real sample and its reconstruction."""
        real = batch.real
        with torch.no_grad(), _statistics_kept(networks["generator"]):
            twin = networks["generator"](codes)
        between = batch.uniform(len(real), *[1] * (real.ndim - 1))
        power = 2 if self.pair_norm == "squared" else 1

        def critic(samples: Tensor) -> Tensor:
            logits: Tensor = networks["discriminator"](samples, codes)
            return logits

        return self.pair_penalty * losses.pairwise_penalty(critic, real, twin, between, power)


@contextmanager
def _statistics_kept(network: nn.Module) -> Iterator[None]:
    """Keep the running statistics of batch normalization: these latents are not drawn from the prior."""
    norms = [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
