"""BiGAN with a pair-wise gradient penalty: no modes left behind (arXiv 1802.00771)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from .. import losses
from ..options import check_ranges
from .bigan import BiGAN
from .phases import Batch, Networks, Options

__all__ = ["BiGANPGP"]


@dataclass(frozen=True)
class BiGANPGP(BiGAN):
    """BiGAN whose discriminator rises from a sample's reconstruction straight to the sample."""

    name: ClassVar[str] = "bigan-pgp"
    norm: ClassVar[str] = "layer"
    """The penalty is on each sample by itself."""
    of_points: ClassVar[Options] = {**BiGAN.of_points, "pair_penalty": 0.1}

    pair_penalty: float = 1.0
    """Weight of the penalty: 1 in the article; 0.1 for points in its code, and 1 for images."""
    pair_norm: Literal["plain", "squared"] = "plain"
    """The length of the gradient's error as in the article's code, or squared as in its text."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, pair_penalty=(0.0, 1e6))
        if self.pair_norm not in ("plain", "squared"):
            raise ValueError(f"pair_norm is {self.pair_norm!r}, must be plain or squared")

    def penalty(self, networks: Networks, batch: Batch, codes: Tensor) -> Tensor:
        """The penalty on the way between each real sample and its reconstruction."""
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
    """Batch normalization by the batch, which its running statistics are not to know: it is not of the prior."""
    norms = [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
