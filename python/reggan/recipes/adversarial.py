"""What every GAN has: a generator, a discriminator, and samples that both see."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from ..networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from ..options import check_ranges
from ..rules import Rule
from .phases import Batch, Networks, Options, Phase, Recipe, Stage, Stats

__all__ = ["Adversarial", "ChoosesPrior"]


@dataclass(frozen=True)
class Adversarial(Recipe):
    """A generator against a discriminator; who wins by what is left to each GAN."""

    norm: ClassVar[str] = "batch"
    """What normalizes the discriminator's maps: see reggan.networks.DCGANDiscriminator."""

    latent_dim: int = 100
    """Numbers in a latent."""
    pool: int = 1
    """Real samples that a step draws for each one of its batch size, and that the discriminator's are chosen from."""
    width: int = 64
    """Feature maps next to the image, twice as many one layer further on; without convolutions, those of each layer."""
    lr: float = 2e-4
    """Rate of both optimizers."""
    instance_noise: float = 0.0
    """Standard deviation of the noise on every sample that the discriminator sees."""
    pool_beta: float = 0.0
    """0 takes the real samples with the best scores of the pool; above, they are drawn ∝ exp(pool_beta * score)."""

    def __post_init__(self) -> None:
        check_ranges(
            self,
            latent_dim=(1, 65_536),
            pool=(1, 1000),
            width=(1, 4096),
            lr=(0.0, 1.0),
            instance_noise=(0.0, 10.0),
            pool_beta=(0.0, 1000.0),
        )

    @property
    def draws(self) -> int:
        """Batches of real samples that a step draws: a pool for each that it trains with."""
        return self.pool * self.batches

    def prior(self, count: int, generator: torch.Generator) -> Tensor:
        """Latents (count, latent_dim) on the CPU, standard normal; those of a smaller count are the first of these."""
        return torch.randn(count, self.latent_dim, generator=generator)

    def build(self, shape: tuple[int, ...], rule: Rule) -> dict[str, nn.Module]:
        """Generator and discriminator."""
        channels, size, _ = shape
        return {
            "generator": DCGANGenerator(size, channels, self.latent_dim, self.width),
            "discriminator": DCGANDiscriminator(size, channels, self.width, self.norm),
        }

    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        """One stage: the discriminator, then the generator against it."""
        return (Stage("gan", steps, self.adversarial_phases()),)

    @abstractmethod
    def adversarial_phases(self) -> tuple[Phase, ...]:
        """The phases of a step, of which the last one trains the generator."""

    @abstractmethod
    def adversarial_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The discriminator's loss on these real samples and as many generated ones."""

    @abstractmethod
    def generator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The generator's loss on as many samples as the discriminator sees."""

    def discriminator_loss(self, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """The best real samples of the pool against generated ones."""
        return self.adversarial_loss(networks, self.best(batch))

    def best(self, batch: Batch) -> Batch:
        """The part of the pool that the discriminator sees, one batch size on all ranks together."""
        if self.pool == 1:
            return batch.take(slice(None))
        keys = batch.scores
        if self.pool_beta:
            # The Gumbel-top-k trick draws without replacement (Kool, van Hoof and Welling, arXiv 1903.06059).
            uniform = torch.rand(len(keys), generator=batch.generator).to(keys)
            keys = self.pool_beta * keys - torch.log(-torch.log(uniform))
        order = keys.argsort(descending=True, stable=True)
        return batch.take(order[: len(order) // self.pool])

    def any(self, batch: Batch) -> Batch:
        """A part of what a step draws, with all scores, one batch size on all ranks together."""
        return batch.take(slice(len(batch.real) // self.draws))

    def generate(self, networks: Networks, batch: Batch, again: bool = False) -> Tensor:
        """As many samples as the batch has, made once for all phases of a step; `again` where the generator changed."""
        if again or "generated" not in batch.shared:
            batch.shared["generated"] = networks["generator"](batch.draw(len(batch.real), self.prior))
        return batch.shared["generated"]

    def judge(self, networks: Networks, batch: Batch, samples: Tensor) -> Tensor:
        """Logits (N,) of the discriminator, behind the instance noise."""
        logits: Tensor = networks["discriminator"](self.noisy(batch, samples))
        return logits

    def noisy(self, batch: Batch, samples: Tensor) -> Tensor:
        """Samples behind the instance noise."""
        return samples + self.instance_noise * batch.noise(*samples.shape) if self.instance_noise else samples


@dataclass(frozen=True)
class ChoosesPrior(Adversarial):
    """A recipe of images or points, with a choice of what latents are."""

    of_points: ClassVar[Options] = {
        "latent_dim": 1,
        "latent": "uniform",
        "width": 128,
        "lr": 1.5e-3,
        "fourier_features": 32,
    }

    latent: Literal["normal", "uniform"] = "normal"
    """Numbers in a latent are standard normal, or uniform from -1 to 1."""
    fourier_features: int = 0
    """Random Fourier features (arXiv 2006.10739) that networks without convolutions see too; 0 is none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, fourier_features=(0, 65_536))
        if self.latent not in ("normal", "uniform"):
            raise ValueError(f"latent is {self.latent!r}, must be normal or uniform")

    def prior(self, count: int, generator: torch.Generator) -> Tensor:
        """Latents (count, latent_dim) on the CPU."""
        if self.latent == "uniform":
            return 2 * torch.rand(count, self.latent_dim, generator=generator) - 1
        return super().prior(count, generator)

    def build(self, shape: tuple[int, ...], rule: Rule) -> dict[str, nn.Module]:
        """Generator and discriminator: convolutions where samples are images, else fully connected layers."""
        if len(shape) == 3:
            return super().build(shape, rule)
        return {
            "generator": MLPGenerator(shape, self.latent_dim, self.width, fourier_features=self.fourier_features),
            "discriminator": MLPDiscriminator(shape, self.width, fourier_features=self.fourier_features),
        }
