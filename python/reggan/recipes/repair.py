"""Repair: a DCGAN that learns from repaired images, so that every real image obeys the rule from the first step on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from hashlib import blake2b
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from ..data import normalize, quantize, to_numpy, to_tensor
from ..networks import DCGANDiscriminator, DCGANGenerator
from ..options import options
from ..rules import Rule, repair_samples
from .adversarial import Builders
from .dcgan import DCGAN
from .phases import Batch, Networks, Stage, Stats

__all__ = ["Repair", "Repairs"]

_REMEMBERED = 2**28
"""Most bytes of repaired images to remember."""


@options
class Repair(DCGAN):
    """DCGAN whose real images are the best candidates, repaired until they obey the rule."""

    method: str | None = None
    """How the rule repairs, such as slide or search. By default its first method other than search, if it has one:
    sliding pieces together keeps the look of the data better."""
    tanh_scale: Annotated[float, Field(ge=1, le=2)] = 1.08
    """Scale of the generator's last tanh, which is then clamped; above 1, white paper is exactly white."""
    tileable: bool = False
    """Make seamless tiles: the layers of both networks join opposite sides of the image."""

    clears: bool = True
    """Remove from generated images what is narrower than the discs of the rule, such as clear(5); not in training."""

    def build(self, shape: tuple[int, ...], rule: Rule) -> Builders:
        rule.check_method(self.method)
        channels, height, width = shape
        size = height, width
        discs = rule.discs if self.clears else (1, 1)
        options = self.latent_dim, self.width, self.tanh_scale, self.tileable, discs
        return {
            "generator": partial(DCGANGenerator, size, channels, *options),
            "discriminator": partial(DCGANDiscriminator, size, channels, self.width, self.norm, self.tileable),
        }

    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        """One stage: the discriminator on repaired images, then the generator against it."""
        (stage,) = super().stages(steps, rule)
        discriminator, generator = stage.phases
        loss = partial(self.repaired_discriminator_loss, Repairs(rule, self.method))
        return (replace(stage, phases=(replace(discriminator, loss=loss), generator)),)

    def repaired_discriminator_loss(self, repairs: Repairs, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Repaired images against generated ones."""
        return self.adversarial_loss(networks, self.repaired(repairs, batch))

    def repaired(self, repairs: Repairs, batch: Batch) -> Batch:
        """The best candidates, repaired."""
        best = self.best(batch)
        real = normalize(to_tensor(repairs(to_numpy(quantize(best.real))))).to(best.real)
        return replace(best, real=real.contiguous(memory_format=torch.channels_last))


class Repairs:
    """Repaired images. It remembers them, because the same good images are drawn again."""

    def __init__(self, rule: Rule, method: str | None) -> None:
        self._rule, self._method = rule, rule.check_method(method or rule.method_for_data())
        self._known: dict[bytes, npt.NDArray[np.uint8]] = {}

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Repair uint8 images (N, H, W) or (N, 3, H, W)."""
        keys = [blake2b(image.tobytes(), digest_size=16).digest() for image in images]
        found = {key: self._known[key] for key in keys if key in self._known}
        missing = {key: image for key, image in zip(keys, images, strict=True) if key not in found}
        if missing:
            repaired = repair_samples(self._rule, np.stack(list(missing.values())), method=self._method).images
            found |= zip(missing, repaired, strict=True)
            self._known |= found
            while len(self._known) * images[0].nbytes > _REMEMBERED:
                del self._known[next(iter(self._known))]
        return np.stack([found[key] for key in keys])
