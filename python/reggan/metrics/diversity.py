"""How much images differ from each other, pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["diversity"]


def diversity(images: npt.NDArray[Any]) -> float:
    """Mean over the pixels of the standard deviation over uint8 images (N, H, W), in gray from 0 to 1.

    0 when all images are the same; 0.5 at most.
    """
    # A row of pixels after another, since NumPy keeps a float64 of every pixel that it is given.
    rows = [row.std(axis=0, dtype=np.float64) for row in np.moveaxis(images, 1, 0)]
    return float(np.mean(rows) / 255)
