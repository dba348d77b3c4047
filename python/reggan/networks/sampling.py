"""Sampling from a generator, and evaluation mode without side effects."""

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
    """Outputs of a generator for inputs (N, ...), by default uint8 images; leaves it in evaluation mode."""
    generator.eval()
    return torch.cat([make(generator, batch) for batch in torch.split(inputs, batch_size)])


@contextmanager
def evaluation_mode(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Set evaluation mode, and restore the mode of each module afterward."""
    modules = [module for network in networks for module in network.modules()]
    modes = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
