"""Samples of a generator, as they would be saved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..data import quantize

__all__ = ["evaluation_mode", "sample"]


def _make_images(generator: nn.Module, latents: Tensor) -> Tensor:
    return quantize(generator(latents))


@torch.no_grad()
def sample(
    generator: nn.Module,
    inputs: Tensor,
    make: Callable[[nn.Module, Tensor], Tensor] = _make_images,
    batch_size: int = 256,
) -> Tensor:
    """What a generator makes of inputs (N, ...), by default images (N, C, H, W) uint8 with white paper 255.

    The generator is left in evaluation mode.
    """
    generator.eval()
    return torch.cat([make(generator, part) for part in torch.split(inputs, batch_size)])


@contextmanager
def evaluation_mode(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Look at networks without a trace: no dropout, and batch normalization that learns nothing."""
    parts = [part for network in networks for part in network.modules()]
    before = [part.training for part in parts]
    for part in parts:
        part.training = False
    try:
        yield
    finally:
        for part, training in zip(parts, before, strict=True):
            part.training = training
