"""What every GAN has: a generator, a discriminator, and the samples that both see."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from ..options import options
from ..rules import Rule
from .phases import Batch, Networks, Phase, Recipe, Stage, Stats

__all__ = ["Adversarial", "LatentOptions"]

Builders = dict[str, Callable[[], nn.Module]]


@options
class Adversarial(Recipe):
    """A generator against a discriminator; each GAN defines the losses."""

    norm: ClassVar[str] = "batch"
    """Normalization of the discriminator's maps: see reggan.networks.DCGANDiscriminator."""

    latent_dim: Annotated[int, Field(ge=1, le=65_536)] = 100
    """Numbers in a latent."""
    candidates: Annotated[int, Field(ge=1, le=1000)] = 1
    """Real samples that a step draws for each one in the discriminator's batch, which takes the best of them."""
    width: Annotated[int, Field(ge=1, le=4096)] = 64
    """Feature maps next to the image, doubled in each further layer; without convolutions, the size of each layer."""
    lr: Annotated[float, Field(ge=0, le=1)] = 2e-4
    """Learning rate of both optimizers."""
    instance_noise: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Standard deviation of the noise on every sample that the discriminator sees."""
    candidate_beta: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """0 takes the candidates with the best scores; above, they are drawn ∝ exp(candidate_beta * score)."""

    @property
    def draws(self) -> int:
        return self.candidates * self.batches

    def prior(self, count: int, generator: torch.Generator) -> Tensor:
        """Latents (count, latent_dim) on the CPU, standard normal; those of a smaller count are the first ones."""
        return torch.randn(count, self.latent_dim, generator=generator)

    def build(self, shape: tuple[int, ...], rule: Rule) -> Builders:
        channels, height, width = shape
        return {
            "generator": partial(DCGANGenerator, (height, width), channels, self.latent_dim, self.width),
            "discriminator": partial(DCGANDiscriminator, (height, width), channels, self.width, self.norm),
        }

    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        """One stage: the discriminator, then the generator against it."""
        return (Stage("gan", steps, self.adversarial_phases()),)

    @abstractmethod
    def adversarial_phases(self) -> tuple[Phase, ...]:
        """The phases of a step; the last one trains the generator."""

    @abstractmethod
    def adversarial_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The discriminator's loss on these real samples and as many generated ones."""

    @abstractmethod
    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The generator's loss on a batch of generated samples."""

    def discriminator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The best candidates against generated samples."""
        return self.adversarial_loss(networks, self.best(batch))

    def best(self, batch: Batch) -> Batch:
        """The candidates that the discriminator sees, one batch size on all ranks together."""
        if self.candidates == 1:
            return batch.take(slice(None))
        keys = batch.scores
        if self.candidate_beta:
            # The Gumbel-top-k trick draws without replacement (Kool, van Hoof and Welling, arXiv 1903.06059).
            uniform = torch.rand(len(keys), generator=batch.generator).to(keys)
            keys = self.candidate_beta * keys - torch.log(-torch.log(uniform))
        order = keys.argsort(descending=True, stable=True)
        return batch.take(order[: len(order) // self.candidates])

    def any(self, batch: Batch) -> Batch:
        """One batch size of the samples that a step draws, with any scores, on all ranks together."""
        return batch.take(slice(len(batch.real) // self.draws))

    def generate(self, networks: Networks, batch: Batch, again: bool = False) -> Tensor:
        """Generated samples, one for each real one, shared by the phases of a step unless `again` is set."""
        if again or "generated" not in batch.shared:
            batch.shared["generated"] = networks["generator"](batch.draw(len(batch.real), self.prior))
        return batch.shared["generated"]

    def discriminate_noisy(self, networks: Networks, batch: Batch, samples: Tensor) -> Tensor:
        """Logits (N,) of the discriminator on samples with instance noise."""
        logits: Tensor = networks["discriminator"](self.noisy(batch, samples))
        return logits

    def noisy(self, batch: Batch, samples: Tensor) -> Tensor:
        """Samples with instance noise."""
        return samples + self.instance_noise * batch.noise(*samples.shape) if self.instance_noise else samples


@options
class LatentOptions:
    """Options of recipes for images or points: the kind of latents, and the networks of points."""

    latent: Literal["normal", "uniform"] = "normal"
    """Numbers in a latent: standard normal, or uniform from -1 to 1."""
    fourier_features: Annotated[int, Field(ge=0, le=65_536)] = 0
    """Random Fourier features (arXiv 2006.10739) that networks without convolutions see, too."""

    def latents(self, count: int, dim: int, generator: torch.Generator) -> Tensor:
        """Latents (count, dim) on the CPU."""
        if self.latent == "uniform":
            return 2 * torch.rand(count, dim, generator=generator) - 1
        return torch.randn(count, dim, generator=generator)

    def fully_connected(self, shape: tuple[int, ...], latent_dim: int, width: int, depth: int = 3) -> Builders:
        """Generator and discriminator of fully connected layers."""
        count = self.fourier_features
        return {
            "generator": partial(MLPGenerator, shape, latent_dim, width, depth, fourier_features=count),
            "discriminator": partial(MLPDiscriminator, shape, width, depth, fourier_features=count),
        }
