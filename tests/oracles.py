"""Slow, readable references: what a score, a label image, a random stream and a rendered picture are.

Components: `scipy.ndimage.label` and a flood fill. Streams: Philox4x32-10 (Salmon et al., "Parallel random
numbers: as easy as 1, 2, 3", 2011). Pictures: float64 NumPy and `scipy.ndimage.gaussian_filter`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from reggan import Circles

Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]

STRUCTURE = {4: ndimage.generate_binary_structure(2, 1), 8: ndimage.generate_binary_structure(2, 2)}
DUAL = {4: 8, 8: 4}


# Components


def grid(picture: str) -> Mask:
    """The ink of an ASCII picture: `#` is ink, anything else is paper; blanks around a row are dropped."""
    return np.array([[char == "#" for char in row] for row in picture.split()], dtype=np.bool_)


def paper(ink: Mask, dtype: npt.DTypeLike = np.float32) -> Array:
    """Draw ink black (0) on white (1, 255, True)."""
    white = 255 if np.dtype(dtype) == np.uint8 else 1
    return np.where(ink, 0, white).astype(dtype)


def foreground_mask(images: Array, threshold: float | None = None, foreground: str = "dark") -> Mask:
    """The foreground predicate, in float64."""
    gray = images / np.float64(255) if images.dtype == np.uint8 else images.astype(np.float64)
    level = 0.5 if threshold is None else float(threshold)
    return np.asarray(gray <= 1 - level if foreground == "dark" else gray >= level)


def flood_fill(mask: Mask, connectivity: int) -> npt.NDArray[np.int32]:
    """Labels 1, 2, ... in raster order of each component's first pixel; 0 elsewhere."""
    labels = np.zeros(mask.shape, np.int32)
    offsets = [(dy - 1, dx - 1) for dy, dx in np.argwhere(STRUCTURE[connectivity])]
    todo = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    for seed in sorted(todo):
        if seed not in todo:
            continue
        todo.remove(seed)
        label, stack = labels.max() + 1, [seed]
        while stack:
            y, x = stack.pop()
            labels[y, x] = label
            near = {(y + dy, x + dx) for dy, dx in offsets} & todo
            todo -= near
            stack.extend(near)
    return labels


def raster_order(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    """Renumber a label image so that labels rise in raster order of each component's first pixel."""
    found, first = np.unique(labels, return_index=True)
    order = found[np.argsort(first)]
    renumbered = np.zeros(found[-1] + 1, np.int32)
    renumbered[order[order > 0]] = np.arange(1, np.count_nonzero(found) + 1)
    return np.asarray(renumbered[labels])


@dataclass(frozen=True)
class Measures:
    """What there is to know about one image's components."""

    labels: npt.NDArray[np.int32]
    largest: Mask
    score: np.float32
    count: int
    area: int
    largest_area: int
    holes: int
    bbox: tuple[int, int, int, int]


def count_holes(mask: Mask, connectivity: int) -> int:
    """Background components under the dual connectivity that do not touch the border."""
    background, count = ndimage.label(~mask, STRUCTURE[DUAL[connectivity]])
    border = np.concatenate([background[0], background[-1], background[:, 0], background[:, -1]])
    return int(count - np.count_nonzero(np.unique(border)))


def measure(mask: Mask, connectivity: int = 4) -> Measures:
    """Measure one image with scipy. `argmax` takes the first of equal areas, as raster order asks."""
    found, count = ndimage.label(mask, STRUCTURE[connectivity])
    labels, holes = raster_order(found), count_holes(mask, connectivity)
    if count == 0:
        return Measures(labels, mask, np.float32(0), 0, 0, 0, holes, (0, 0, 0, 0))
    areas = np.bincount(labels.ravel())[1:]
    largest = labels == areas.argmax() + 1
    rows, columns = np.flatnonzero(largest.any(axis=1)), np.flatnonzero(largest.any(axis=0))
    bbox = (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
    score = np.float32(areas.max() / areas.sum())
    return Measures(labels, largest, score, int(count), int(areas.sum()), int(areas.max()), holes, bbox)


# Streams

WORD = 0xFFFFFFFF


def philox4x32(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Ten rounds of Philox4x32."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & WORD, (p0 >> 32) ^ c3 ^ k1, p0 & WORD
        k0, k1 = (k0 + 0x9E3779B9) & WORD, (k1 + 0xBB67AE85) & WORD
    return c0, c1, c2, c3


class Stream:
    """The numbers of one object (0: the image itself, 1 + i: disc i) of one image, in drawing order."""

    def __init__(self, seed: int, index: int, item: int) -> None:
        self._words = self._generate(seed, index, item)

    @staticmethod
    def _generate(seed: int, index: int, item: int) -> Iterator[int]:
        block = 0
        while True:
            counter = (block, item, index & WORD, index >> 32)
            yield from philox4x32(counter, (seed & WORD, seed >> 32))
            block += 1

    def u01(self) -> float:
        """A uniform number in [0, 1) with 53 bits; the low word is drawn first."""
        low, high = next(self._words), next(self._words)
        return ((high << 32 | low) >> 11) * 2.0**-53

    def uniform(self, interval: tuple[float, float]) -> float:
        """A uniform number in [low, high]."""
        low, high = interval
        return low + (high - low) * self.u01()

    def integer(self, low: int, high: int) -> int:
        """A uniform integer in [low, high]."""
        return low + (next(self._words) * (high - low + 1) >> 32)


# Pictures


@dataclass(frozen=True)
class Scene:
    """The discs of one image as (cx, cy, r) in pixels, and the sigma of its blur in pixels."""

    discs: list[tuple[float, float, float]]
    sigma: float


def circles_scene(spec: Circles, seed: int, index: int, height: int, width: int) -> Scene:
    """Draw an image's parameters from its streams, in the documented order."""
    scale = min(height, width) / 64
    image = Stream(seed, index, 0)
    count = image.integer(*spec.count)
    sigma = image.uniform(spec.blur) * scale
    clustering = image.uniform(spec.clustering)
    discs: list[tuple[float, float, float]] = []
    for i in range(count):
        disc = Stream(seed, index, 1 + i)
        r = disc.uniform(spec.radius) * scale
        chance = disc.u01()
        x, y = disc.u01() * width, disc.u01() * height
        if i > 0 and chance < clustering:
            near_x, near_y, near_r = discs[disc.integer(0, i - 1)]
            angle = 2 * math.pi * disc.u01()
            distance = (near_r + r) * (0.8 + 0.2 * disc.u01())
            x = min(max(near_x + distance * math.cos(angle), 0.0), float(width))
            y = min(max(near_y + distance * math.sin(angle), 0.0), float(height))
        elif chance < -clustering:
            for _ in range(16):
                if all(math.hypot(x - cx, y - cy) > r + cr + sigma for cx, cy, cr in discs):
                    break
                x, y = disc.u01() * width, disc.u01() * height
        discs.append((x, y, r))
    return Scene(discs, sigma)


def draw_discs(scene: Scene, height: int, width: int) -> Mask:
    """Hard-edged discs: a pixel is ink when its centre lies in a disc."""
    y, x = np.arange(height)[:, None] + 0.5, np.arange(width)[None, :] + 0.5
    ink = np.zeros((height, width), np.bool_)
    for cx, cy, r in scene.discs:
        ink |= (x - cx) ** 2 + (y - cy) ** 2 <= r * r
    return ink


def render_circles(spec: Circles, seed: int, index: int, height: int, width: int) -> npt.NDArray[np.float64]:
    """One image in float64, paper 1 and ink 0."""
    scene = circles_scene(spec, seed, index, height, width)
    ink = draw_discs(scene, height, width).astype(np.float64)
    return 1 - ndimage.gaussian_filter(ink, scene.sigma, mode="constant", truncate=4)
