"""Slow, readable references: what a score, a label image, a random stream and a rendered picture are.

Components: `scipy.ndimage.label`, `skimage.measure.euler_number` and a flood fill. Streams: Philox4x32-10
(Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011). Pictures: float64 NumPy and
`scipy.ndimage.gaussian_filter`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import euler_number

import reggan
from reggan import Circles

Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]

STRUCTURE = {
    4: ndimage.generate_binary_structure(2, 1),
    8: ndimage.generate_binary_structure(2, 2),
    6: ndimage.generate_binary_structure(3, 1),
    18: ndimage.generate_binary_structure(3, 2),
    26: ndimage.generate_binary_structure(3, 3),
}
DUAL = {4: 8, 8: 4, 6: 26, 18: 6, 26: 6}
FIELDS = ("score", "count", "area", "largest_area", "bbox", "centroid", "holes", "euler")


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
    offsets = np.argwhere(STRUCTURE[connectivity]) - 1
    todo = {tuple(place) for place in np.argwhere(mask).tolist()}
    for seed in sorted(todo):
        if seed not in todo:
            continue
        todo.remove(seed)
        label, stack = labels.max() + 1, [seed]
        while stack:
            place = stack.pop()
            labels[place] = label
            near = {tuple(other) for other in (np.array(place) + offsets).tolist()} & todo
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
    """What there is to know about the components of one image or volume."""

    labels: npt.NDArray[np.int32]
    areas: npt.NDArray[np.int64]
    largest: Mask
    score: np.float32
    count: int
    area: int
    largest_area: int
    bbox: tuple[int, ...]
    centroid: tuple[float, ...]
    holes: int
    euler: int

    def largest_components(self, k: int) -> npt.NDArray[np.int32]:
        """The ranks of the k largest components; a stable sort keeps raster order among equal ones."""
        ranks = np.zeros(self.count + 1, np.int32)
        order = np.argsort(-self.areas, kind="stable")[:k]
        ranks[order + 1] = np.arange(1, len(order) + 1)
        return np.asarray(ranks[self.labels])

    def remove_small(self, min_area: int) -> Mask:
        """The foreground in components of at least `min_area` pixels."""
        return np.asarray(np.concatenate([[False], self.areas >= min_area])[self.labels])


def count_holes(mask: Mask, connectivity: int) -> int:
    """Background components under the dual connectivity that do not touch the border."""
    background, count = ndimage.label(~mask, STRUCTURE[DUAL[connectivity]])
    inside = np.zeros(mask.shape, np.bool_)
    inside[(slice(1, -1),) * mask.ndim] = True
    return int(count - np.count_nonzero(np.unique(background[~inside])))


def euler(mask: Mask, connectivity: int) -> int:
    """Euler number of a volume. Scikit-image knows 6 and 26; 18 is 26 once contacts at corners alone are cut."""
    if connectivity == 18:
        mask = without_corner_contacts(mask)
    return int(euler_number(mask, 1 if connectivity == 6 else 3))


def without_corner_contacts(mask: Mask) -> Mask:
    """Each voxel drawn 3 x 3 x 3, less a corner of one where two opposite voxels are all there is at a corner."""
    fine = mask.repeat(3, axis=0).repeat(3, axis=1).repeat(3, axis=2)
    for z, y, x in np.ndindex(*(side - 1 for side in mask.shape)):
        cube = mask[z : z + 2, y : y + 2, x : x + 2]
        if cube.sum() == 2 and np.array_equal(cube, cube[::-1, ::-1, ::-1]):
            first = np.argwhere(cube)[0]
            fine[tuple(3 * (np.array([z, y, x]) + 1) - 1 + first)] = False
    return fine


def measure(mask: Mask, connectivity: int = 4) -> Measures:
    """Measure one image with scipy. `argmax` takes the first of equal areas, as raster order asks."""
    found, count = ndimage.label(mask, STRUCTURE[connectivity])
    labels, holes = raster_order(found), count_holes(mask, connectivity)
    areas = np.bincount(labels.ravel())[1:]
    largest = labels == areas.argmax() + 1 if count else mask
    area = int(areas.sum())
    box = ndimage.find_objects(largest.astype(np.int8))[0] if count else (slice(0, 0),) * mask.ndim
    return Measures(
        labels=labels,
        areas=areas,
        largest=largest,
        score=np.float32(areas.max() / area if count else 0),
        count=int(count),
        area=area,
        largest_area=int(largest.sum()),
        bbox=(*(int(side.start) for side in box), *(int(side.stop) for side in box)),
        centroid=ndimage.center_of_mass(largest) if count else (math.nan,) * mask.ndim,
        holes=holes,
        euler=count - holes if mask.ndim == 2 else euler(mask, connectivity),
    )


def assert_matches(images: Array, connectivity: int, **options: Any) -> None:
    """All functions give what is measured on each image of a batch."""
    masks = foreground_mask(images, options.get("threshold"), options.get("foreground", "dark"))
    assert_measured(images, [measure(mask, connectivity) for mask in masks], connectivity=connectivity, **options)


def assert_measured(images: Any, expected: list[Measures], **options: Any) -> None:
    """All functions give what was measured on each image."""
    found = reggan.analyze(images, **options)
    for field in FIELDS:
        want = np.array([getattr(one, field) for one in expected])
        np.testing.assert_array_equal(getattr(found, field), want, err_msg=field)
    np.testing.assert_array_equal(reggan.score(images, **options), found.score)
    np.testing.assert_array_equal(reggan.label(images, **options), [one.labels for one in expected])
    np.testing.assert_array_equal(reggan.largest_component(images, **options), [one.largest for one in expected])
    for k in (1, 3):
        ranks = [one.largest_components(k) for one in expected]
        np.testing.assert_array_equal(reggan.largest_components(images, k, **options), ranks)
    for min_area in (0, 2, max(one.largest_area for one in expected)):
        large = [one.remove_small(min_area) for one in expected]
        np.testing.assert_array_equal(reggan.remove_small(images, min_area, **options), large)


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
        """A uniform number in [0, 1) with 32 bits."""
        return next(self._words) * 2.0**-32

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
    """Hard-edged discs, row by row, in the float32 arithmetic that is documented."""
    one, half_pixel = np.float32(1), np.float32(0.5)
    ink = np.zeros((height, width), np.bool_)
    for cx, cy, r in scene.discs:
        x, radius = np.float32(cx), np.float32(r)
        dy = (np.arange(height) + 0.5 - cy).astype(np.float32)
        square = (radius - dy) * (radius + dy)
        half = np.sqrt(np.maximum(square, 0))
        start, end = np.ceil(x - half - half_pixel), np.floor(x + half - half_pixel) + one
        columns = np.arange(width)
        ink |= (square >= 0)[:, None] & (columns >= start[:, None]) & (columns < end[:, None])
    return ink


def render_circles(spec: Circles, seed: int, index: int, height: int, width: int) -> npt.NDArray[np.float64]:
    """One image in float64, paper 1 and ink 0."""
    scene = circles_scene(spec, seed, index, height, width)
    ink = draw_discs(scene, height, width).astype(np.float64)
    return 1 - ndimage.gaussian_filter(ink, scene.sigma, mode="constant", truncate=4)
