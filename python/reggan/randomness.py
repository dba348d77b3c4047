"""Private generators: all randomness is a function of (seed, purpose, step), and no global generator is changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["private_generator", "seeded_layers"]


def private_generator(seed: int, purpose: str, step: int = 0) -> torch.Generator:
    """A CPU generator that is a function of (seed, purpose, step)."""
    words = np.random.SeedSequence((seed, step, *purpose.encode())).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0]) >> 1)


@contextmanager
def seeded_layers(device: torch.device, seed: int, purpose: str, step: int = 0) -> Iterator[None]:
    """Let code that draws from torch's global generators, as dropout does, draw from (seed, purpose, step) instead.

    The global generators of the CPU and of a CUDA or XPU device are restored. Other threads must not draw from them
    meanwhile, so train in one thread at a time.
    """
    on_cpu, has_state = device.type == "cpu", device.type in ("cuda", "xpu")
    value = private_generator(seed, purpose, step).initial_seed()
    with torch.random.fork_rng([device] if has_state else [], device_type=device.type if has_state else "cuda"):
        # torch.manual_seed seeds all devices, which costs more where an accelerator is not used.
        (torch.default_generator.manual_seed if on_cpu else torch.manual_seed)(value)
        yield
