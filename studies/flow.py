"""Rectified flow (Liu, Gong and Liu, arXiv 2209.03003): the rival that needs no discriminator."""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from reggan.options import options
from reggan.recipes import Repair
from reggan.recipes.adversarial import Builders
from reggan.recipes.phases import Batch, Networks, Phase, Stage, Stats
from reggan.recipes.repair import Repairs
from reggan.rules import Rule

__all__ = ["RectifiedFlow"]

_FREQUENCIES = 16


@options
class RectifiedFlow(Repair):
    """A U-Net that moves noise to repaired images along straight lines; options of a discriminator have no effect."""

    latent_dim: Annotated[int, Field(ge=1, le=1_000_000)] = 32 * 32
    """Numbers of an image."""
    width: Annotated[int, Field(ge=4, le=1024, multiple_of=4)] = 16
    """Feature maps at full resolution, doubled at each of two coarser ones."""
    evaluations: Annotated[int, Field(ge=1, le=1000)] = 24
    """Evaluations of the network for a sample."""

    def build(self, shape: tuple[int, ...], rule: Rule) -> Builders:
        if math.prod(shape) != self.latent_dim:
            raise ValueError(f"latent_dim is {self.latent_dim}, must be {math.prod(shape)} for images of {shape}")
        return {"generator": partial(Flow, shape, self.width, self.evaluations)}

    def stages(self, steps: int, rule: Rule) -> tuple[Stage, ...]:
        """One stage with one phase: the velocity from noise to repaired images."""
        adam = partial(torch.optim.Adam, lr=self.lr, fused=True)
        loss = partial(self.velocity_loss, Repairs(rule, self.method))
        return (Stage("flow", steps, (Phase("flow", "generator", loss, adam),)),)

    def velocity_loss(self, repairs: Repairs, networks: Networks, batch: Batch) -> tuple[Tensor, Stats]:
        """Mean squared error of the velocity x - z at (1 - t) z + t x, with noise z and t in [0, 1] (equation 1)."""
        real = self.repaired(repairs, batch).real
        noise = batch.noise(*real.shape)
        time = batch.uniform(len(real))
        along = time[:, None, None, None]
        velocity = cast(Flow, networks["generator"]).velocity((1 - along) * noise + along * real, time)
        return F.mse_loss(velocity.float(), real - noise), {}


class Flow(nn.Module):
    """Noise (N, C * H * W) to images (N, C, H, W) in [-1, 1], by Euler's method; sides are multiples of 4."""

    def __init__(self, shape: tuple[int, ...], width: int, evaluations: int) -> None:
        super().__init__()
        self.shape, self.evaluations = shape, evaluations
        self.first = nn.Conv2d(shape[0], width, 3, padding=1)
        self.down = nn.ModuleList([_Block(width, width), _Block(width, 2 * width), _Block(2 * width, 4 * width)])
        self.middle = _Block(4 * width, 4 * width)
        self.up = nn.ModuleList([_Block(6 * width, 2 * width), _Block(3 * width, width)])
        self.last = nn.Conv2d(width, shape[0], 3, padding=1)

    def velocity(self, images: Tensor, time: Tensor) -> Tensor:
        """Velocity (N, C, H, W) of images at these times (N,)."""
        angles = time[:, None] * torch.pi * torch.arange(1, _FREQUENCIES + 1, device=time.device)
        waves = torch.cat([angles.sin(), angles.cos()], dim=1)
        fine = self.down[0](self.first(images), waves)
        coarse = self.down[1](F.avg_pool2d(fine, 2), waves)
        maps = self.middle(self.down[2](F.avg_pool2d(coarse, 2), waves), waves)
        maps = self.up[0](torch.cat([F.interpolate(maps, scale_factor=2.0), coarse], dim=1), waves)
        maps = self.up[1](torch.cat([F.interpolate(maps, scale_factor=2.0), fine], dim=1), waves)
        velocity: Tensor = self.last(F.silu(maps))
        return velocity

    def forward(self, z: Tensor) -> Tensor:
        images = z.view(-1, *self.shape)
        for k in range(self.evaluations):
            time = torch.full((len(z),), k / self.evaluations, device=z.device)
            images = images + self.velocity(images, time) / self.evaluations
        return images.clamp(-1, 1)


class _Block(nn.Module):
    """Two convolutions beside a shortcut; the time scales and shifts the maps between them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(4, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.norm = nn.GroupNorm(4, outputs)
        self.time = nn.Linear(2 * _FREQUENCIES, 2 * outputs)
        self.second = nn.Sequential(nn.SiLU(), nn.Conv2d(outputs, outputs, 3, padding=1))
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, maps: Tensor, waves: Tensor) -> Tensor:
        scale, shift = self.time(waves)[:, :, None, None].chunk(2, dim=1)
        found: Tensor = self.second(self.norm(self.first(maps)) * (1 + scale) + shift) + self.shortcut(maps)
        return found
