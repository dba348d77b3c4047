"""A DCGAN conditioned on the number of pieces (conditional GAN, Mirza and Osindero, arXiv 1411.1784).

The earlier draft of RegGAN's paper conditions on the number of connected components. Here it is counted exactly, in
real and in generated images.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from .. import losses
from ..data import quantize, to_numpy
from ..networks import DCGANEncoder, DCGANGenerator, JointDiscriminator
from ..options import options
from ..rules import Rule, min_channel
from ..scoring import analyze
from .adversarial import Builders
from .dcgan import DCGAN
from .phases import Batch, Networks, Stats

__all__ = ["CDCGAN"]


@options
class CDCGAN(DCGAN):
    """DCGAN conditioned on the number of pieces: a latent ends with it, one-hot, and the discriminator sees it."""

    counts: Annotated[int, Field(ge=2, le=1000)] = 12
    """Numbers of pieces that are distinguished: 1, 2, ..., and this many or more."""

    def prior(self, count: int, generator: torch.Generator) -> Tensor:
        """Latents (count, latent_dim + counts) that end with a one-hot number of pieces, drawn uniformly."""
        random = torch.rand(count, self.latent_dim + 1, generator=generator, dtype=torch.float64)
        # One row of uniform numbers for each latent, so that the latents of a smaller count are the first ones.
        normal = torch.special.ndtri(random[:, 1:].clamp(1e-12, 1 - 1e-12)).float()
        return torch.cat([normal, self.one_hot((random[:, 0] * self.counts).long() + 1)], dim=1)

    def one_hot(self, pieces: Tensor) -> Tensor:
        """Numbers of pieces (N,) as vectors (N, counts)."""
        return F.one_hot((pieces - 1).clamp(0, self.counts - 1), self.counts).float()

    def count(self, images: Tensor) -> Tensor:
        """Exact numbers of pieces (N,), on the CPU, of images (N, C, H, W) uint8."""
        return torch.from_numpy(analyze(min_channel(to_numpy(images)), fields=("count",)).count).long()

    def build(self, shape: tuple[int, ...], rule: Rule) -> Builders:
        """Generator of longer latents, and a discriminator of images with their numbers of pieces."""
        channels, height, width = shape
        size, num_features = (height, width), 8 * self.width
        features = DCGANEncoder(size, channels, num_features, self.width, self.norm)
        return {
            "generator": partial(DCGANGenerator, size, channels, self.latent_dim + self.counts, self.width),
            "discriminator": partial(JointDiscriminator, features, num_features, self.counts, num_features, depth=1),
        }

    def adversarial_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Real images with their numbers of pieces, against generated ones with the requested numbers."""
        counts = self.one_hot(self.count(quantize(batch.real))).to(batch.real)
        real = self.discriminate_counted(networks, batch, batch.real, counts)
        generated = self.generate(networks, batch).detach()
        fake = self.discriminate_counted(networks, batch, generated, batch.shared["requested"])
        return losses.discriminator_bce(real, fake, self.real_label), {
            "on_real": real.detach().sigmoid().mean(),
            "on_fake": fake.detach().sigmoid().mean(),
        }

    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The discriminator should take generated images for real ones with the requested number of pieces."""
        batch = self.best(batch)
        fake, requested = self.generate(networks, batch), batch.shared["requested"]
        found = self.one_hot(self.count(quantize(fake.detach()))).to(requested)
        as_asked = (found * requested).sum(dim=1).mean()
        return losses.generator_bce(self.discriminate_counted(networks, batch, fake, requested)), {"as_asked": as_asked}

    def generate(self, networks: Networks, batch: Batch, again: bool = False) -> Tensor:
        """Generated images, and in `shared` the requested numbers of pieces."""
        if again or "generated" not in batch.shared:
            latents = batch.draw(len(batch.real), self.prior)
            batch.shared["requested"] = latents[:, self.latent_dim :]
            batch.shared["generated"] = networks["generator"](latents)
        return batch.shared["generated"]

    def discriminate(self, networks: Networks, samples: Tensor) -> Tensor:
        """Logits (N,) of images with their exact numbers of pieces."""
        pieces = self.one_hot(self.count(quantize(samples))).to(samples)
        logits: Tensor = networks["discriminator"](samples, pieces)
        return logits

    def discriminate_counted(self, networks: Networks, batch: Batch, images: Tensor, counts: Tensor) -> Tensor:
        """Logits (N,) of the discriminator on images with instance noise."""
        logits: Tensor = networks["discriminator"](self.noisy(batch, images), counts)
        return logits
