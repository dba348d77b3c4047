"""The images of the benches: each batch is a pure function of its kind, size, dtype and number of pixels."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

import reggan

Images = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

NOISE = {"noise 10%": 0.1, "noise 50%": 0.5, "noise 59%": 0.59}
"""Shares of ink in independent pixels. Components are the most entangled at 59 %, where clusters percolate."""

KINDS = ("blobs", "GAN-like", *NOISE)


@lru_cache(maxsize=2)
def batch(kind: str, size: int, dtype: str, pixels: int) -> Images:
    """Images (N, size, size) of about `pixels` pixels in all, at least one; paper is 255 or 1, ink dark."""
    count = max(1, pixels // size**2)
    if kind == "blobs":
        return reggan.render(reggan.Circles(), count, size=size, dtype=np.dtype(dtype))
    gray = gan_like(count, size) if kind == "GAN-like" else noise(count, size, NOISE[kind])
    return gray if dtype == "float32" else np.rint(255 * gray).astype(np.uint8)


def noise(count: int, size: int, ink: float) -> npt.NDArray[np.float32]:
    """Black pixels on white, with probability `ink` each."""
    draws = np.random.default_rng(0).random((count, size, size), np.float32)
    return (draws >= ink).astype(np.float32)


def gan_like(count: int, size: int) -> npt.NDArray[np.float32]:
    """Like a generator's blobs: gray haze, grain at the edges, and six dark specks per 64x64 pixels."""
    generator = np.random.default_rng(1)
    shape = (count, size, size)
    gray = reggan.render(reggan.Circles(), count, seed=1, size=size, dtype=np.float32)
    coarse = generator.normal(0, 0.08, (count, -(-size // 8), -(-size // 8))).astype(np.float32)
    gray += coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :size, :size]
    gray += 0.04 * generator.standard_normal(shape, np.float32)
    specks = generator.random(shape, np.float32) < 6 / 64**2
    gray[specks] = generator.uniform(0.1, 0.45, np.count_nonzero(specks))
    return gray.clip(0, 1)


def ink(images: Images) -> Mask:
    """The ink pixels: gray <= 0.5."""
    mask: Mask = images <= (127 if images.dtype == np.uint8 else np.float32(0.5))
    return mask
