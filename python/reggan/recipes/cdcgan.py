"""A DCGAN that is told how many pieces an image has (conditional GAN, Mirza and Osindero, arXiv 1411.1784).

The earlier draft of RegGAN's paper conditions on the number of connected components; here it is counted exactly, of the
real images and of the generated ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .. import losses
from ..data import arrays, quantize
from ..networks import DCGANEncoder, DCGANGenerator, JointDiscriminator
from ..options import check_ranges
from ..rules import Rule, darkest
from ..scoring import analyze
from .dcgan import DCGAN
from .phases import Batch, Networks, Stats

__all__ = ["CDCGAN"]


@dataclass(frozen=True)
class CDCGAN(DCGAN):
    """DCGAN conditioned on the number of pieces: a latent ends with it, one-hot, and the discriminator sees it."""

    name: ClassVar[str] = "cdcgan"

    counts: int = 12
    """Numbers of pieces that are told apart, from 1 on; the last one is that many and more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, counts=(2, 1000))

    def prior(self, count: int, generator: torch.Generator) -> Tensor:
        """Latents (count, latent_dim + counts), of which the last are one-hot: all numbers of pieces equally often."""
        random = torch.rand(count, self.latent_dim + 1, generator=generator, dtype=torch.float64)
        # One row of uniform numbers a latent, so that those of a smaller count are the first of a larger one's.
        normal = torch.special.ndtri(random[:, 1:].clamp(1e-12, 1 - 1e-12)).float()
        return torch.cat([normal, self.one_hot((random[:, 0] * self.counts).long() + 1)], dim=1)

    def one_hot(self, pieces: Tensor) -> Tensor:
        """Numbers of pieces (N,) as networks see them, (N, counts)."""
        return F.one_hot((pieces - 1).clamp(0, self.counts - 1), self.counts).float()

    def count(self, images: Tensor) -> Tensor:
        """Exact numbers of pieces (N,), on the CPU, of images (N, C, H, W) uint8."""
        return torch.from_numpy(analyze(darkest(arrays(images)), fields=("count",)).count).long()

    def build(self, shape: tuple[int, ...], rule: Rule) -> dict[str, nn.Module]:
        """Generator of longer latents, and a discriminator of images with their numbers of pieces."""
        channels, size, _ = shape
        seen = 8 * self.width
        features = DCGANEncoder(size, channels, seen, self.width, self.norm)
        return {
            "generator": DCGANGenerator(size, channels, self.latent_dim + self.counts, self.width),
            "discriminator": JointDiscriminator(features, seen, self.counts, seen, depth=1),
        }

    def adversarial_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Real images with their numbers of pieces, against generated ones with those that were asked for."""
        told = self.one_hot(self.count(quantize(batch.real))).to(batch.real)
        real = self.judge_told(networks, batch, batch.real, told)
        made = self.generate(networks, batch).detach()
        fake = self.judge_told(networks, batch, made, batch.shared["told"])
        return losses.discriminator_bce(real, fake, self.real_label), {
            "on_real": real.detach().sigmoid().mean(),
            "on_fake": fake.detach().sigmoid().mean(),
        }

    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The discriminator shall take generated images for real ones with as many pieces as were asked for."""
        batch = self.best(batch)
        made, told = self.generate(networks, batch), batch.shared["told"]
        found = self.one_hot(self.count(quantize(made.detach()))).to(told)
        as_asked = (found * told).sum(dim=1).mean()
        return losses.generator_bce(self.judge_told(networks, batch, made, told)), {"as_asked": as_asked}

    def generate(self, networks: Networks, batch: Batch, again: bool = False) -> Tensor:
        """As many images as the batch has, made once for all phases of a step, and what was asked for."""
        if again or "generated" not in batch.shared:
            latents = batch.draw(len(batch.real), self.prior)
            batch.shared["told"] = latents[:, self.latent_dim :]
            batch.shared["generated"] = networks["generator"](latents)
        return batch.shared["generated"]

    def opinion(self, networks: Networks, samples: Tensor) -> Tensor:
        """Logits (N,) of images with their exact numbers of pieces."""
        pieces = self.one_hot(self.count(quantize(samples))).to(samples)
        logits: Tensor = networks["discriminator"](samples, pieces)
        return logits

    def judge_told(self, networks: Networks, batch: Batch, images: Tensor, told: Tensor) -> Tensor:
        """Logits (N,) of the discriminator, behind the instance noise."""
        logits: Tensor = networks["discriminator"](self.noisy(batch, images), told)
        return logits
