"""The schedule of a training: how long, in which batches, from which seed and on what device."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .devices import Precision
from .options import options

__all__ = ["Count", "Schedule"]

Count = Annotated[int, Field(ge=1, le=10**9)]
"""A number of steps."""


@options
class Schedule:
    """Options that a `Trainer` shares with a training configuration."""

    steps: Count = 1000
    """Steps of the generator's training; a recipe can have further steps before these."""
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = 64
    """Samples in a batch."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of weights, latents and order; the data have their own."""
    device: str = "auto"
    """cpu, cuda, cuda:1, mps, ...; auto is an accelerator where there is one."""
    precision: Precision = "auto"
    """bfloat16 computes convolutions in mixed precision; auto does so where that is faster."""
    workers: Annotated[int, Field(ge=0, le=1024)] = 0
    """Processes that fetch batches; the batches are the same. With 0 a small set is cached on the device."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.995
    """Decay of the generator's moving average, which makes the samples; 0 for none."""
    lr_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the steps, at the end, over which all learning rates fall linearly; 0 for none."""
    lr_floor: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Where they stop falling, as a share of the initial rate."""
