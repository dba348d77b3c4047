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
from scipy import ndimage, special
from skimage.measure import euler_number

import reggan
from reggan import BinaryBlobs, Circles, Polygons, Spheres

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
    np.testing.assert_array_equal(reggan.ink_mask(images, **options), [one.labels > 0 for one in expected])
    np.testing.assert_array_equal(reggan.largest_component(images, **options), [one.largest for one in expected])
    for k in (1, 3):
        ranks = [one.largest_components(k) for one in expected]
        np.testing.assert_array_equal(reggan.largest_components(images, k, **options), ranks)
    for min_area in (0, 2, max(one.largest_area for one in expected)):
        large = [one.remove_small(min_area) for one in expected]
        np.testing.assert_array_equal(reggan.remove_small(images, min_area, **options), large)


# Streams

WORD = 0xFFFFFFFF


def philox4x32(counter: tuple[Any, int, int, int], key: tuple[int, int]) -> tuple[Any, Any, Any, Any]:
    """Ten rounds of Philox4x32, for a counter or for uint64 arrays of counters."""
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

    @staticmethod
    def words(seed: int, index: int, item: int, count: int) -> npt.NDArray[np.uint64]:
        """The first words of a stream, (count,), at once."""
        counter = (np.arange(math.ceil(count / 4), dtype=np.uint64), item, index & WORD, index >> 32)
        return np.stack(philox4x32(counter, (seed & WORD, seed >> 32)), axis=1).reshape(-1)[:count]

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
        inside = (lambda place, length: place % length) if spec.border == "periodic" else clamped
        if i > 0 and chance < clustering:
            near_x, near_y, near_r = discs[disc.integer(0, i - 1)]
            angle = 2 * math.pi * disc.u01()
            distance = (near_r + r) * (0.8 + 0.2 * disc.u01())
            x = inside(near_x + distance * math.cos(angle), width)
            y = inside(near_y + distance * math.sin(angle), height)
        elif chance < -clustering:
            for _ in range(16):
                if all(gap(spec, x - cx, y - cy, height, width) > r + cr + sigma for cx, cy, cr in discs):
                    break
                x, y = disc.u01() * width, disc.u01() * height
        discs.append((x, y, r))
    return Scene(discs, sigma)


def clamped(place: float, length: float) -> float:
    return min(max(place, 0.0), float(length))


def gap(spec: Circles, dx: float, dy: float, height: int, width: int) -> float:
    """The distance of two centers, around a periodic image if that is shorter."""
    if spec.border == "periodic":
        dx, dy = min(abs(dx), width - abs(dx)), min(abs(dy), height - abs(dy))
    return math.hypot(dx, dy)


def copies(discs: list[tuple[float, float, float]], height: int, width: int) -> list[tuple[float, float, float]]:
    """The discs of a periodic image and all that reach into it."""
    found = []
    for x, y, r in discs:
        r = min(r, math.hypot(height, width) + 1)
        for down in range(-math.ceil(r / height) - 2, math.ceil(r / height) + 3):
            found += [
                (x + across * width, y + down * height, r)
                for across in range(-math.ceil(r / width) - 2, math.ceil(r / width) + 3)
            ]
    return found


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


def draw_soft_discs(scene: Scene, height: int, width: int) -> npt.NDArray[np.float64]:
    """Discs whose edges are graded over a pixel."""
    y, x = np.arange(height)[:, None] + 0.5, np.arange(width) + 0.5
    ink = np.zeros((height, width))
    for cx, cy, r in scene.discs:
        ink = np.maximum(ink, np.clip(r + 0.5 - np.hypot(y - cy, x - cx), 0, 1))
    return ink


MODES = {"paper": "constant", "reflect": "reflect", "periodic": "wrap"}
"""What SciPy calls the borders."""


def render_circles(spec: Circles, seed: int, index: int, height: int, width: int) -> npt.NDArray[np.float64]:
    """One image in float64, paper 1 and ink 0."""
    scene = circles_scene(spec, seed, index, height, width)
    if spec.border == "periodic":
        scene = Scene(copies(scene.discs, height, width), scene.sigma)
    draw = draw_soft_discs if spec.antialias else draw_discs
    ink = draw(scene, height, width).astype(np.float64)
    return 1 - ndimage.gaussian_filter(ink, scene.sigma, mode=MODES[spec.border], truncate=4)


def render_spheres(
    spec: Spheres, seed: int, index: int, depth: int, height: int, width: int
) -> npt.NDArray[np.float64]:
    """One volume in float64, paper 1 and ink 0."""
    scale = min(depth, height, width) / 64
    volume = Stream(seed, index, 0)
    count, sigma = volume.integer(*spec.count), volume.uniform(spec.blur) * scale
    ink = np.zeros((depth, height, width), np.bool_)
    for i in range(count):
        ball = Stream(seed, index, 1 + i)
        r = ball.uniform(spec.radius) * scale
        x, y, center = ball.u01() * width, ball.u01() * height, ball.u01() * depth
        around = range(-math.ceil(r / depth) - 1, math.ceil(r / depth) + 2) if spec.border == "periodic" else [0]
        for z in range(depth):
            for lap in around:
                dz = z + 0.5 - center - lap * depth
                if abs(dz) <= r:
                    discs = [(x, y, math.sqrt((r - dz) * (r + dz)))]
                    if spec.border == "periodic":
                        discs = copies(discs, height, width)
                    ink[z] |= draw_discs(Scene(discs, 0), height, width)
    return 1 - ndimage.gaussian_filter(ink.astype(np.float64), sigma, mode=MODES[spec.border], truncate=4)


def binary_blobs(
    spec: BinaryBlobs, seed: int, index: int, height: int, width: int
) -> tuple[npt.NDArray[np.float64], Mask]:
    """One image, paper 1 and ink 0; and where rounding may make another one of it."""
    height, width = height * spec.reduced, width * spec.reduced
    side = min(height, width)
    n = Stream(seed, index, 0).integer(*spec.count)
    points = math.floor(n * n * (height * width / side**2) + 0.5)
    x, y = Stream.words(seed, index, 1, 2 * points).reshape(points, 2).T
    noise = np.zeros((height, width))
    noise[y * height >> 32, x * width >> 32] = 1
    sigma = side * 500 / 512 / (3.5 * n)
    smooth = ndimage.gaussian_filter(noise, sigma, mode=MODES[spec.border], truncate=4)
    limit = spec.threshold * noise.mean()
    ink = (smooth > limit) == (spec.blobs == "dark")

    def reduce(pixels: Array) -> Array:
        blocks = (height // spec.reduced, spec.reduced, width // spec.reduced, spec.reduced)
        return pixels.reshape(blocks).mean(axis=(1, 3))

    return 1 - reduce(ink), reduce(np.abs(smooth - limit) < 1e-5 * smooth.max()) > 0


COLORS = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0)]


def polygons_scene(
    spec: Polygons, seed: int, index: int, height: int, width: int
) -> list[tuple[float, float, tuple[int, int, int]]]:
    """The center (x, y) and the color of each blob."""
    box = min(height, width) / spec.boxes
    image, blobs = Stream(seed, index, 0), []
    low, high = spec.count
    for _ in range(low + index % (high - low + 1)):
        for _ in range(1000):
            x = image.uniform((spec.margin * box, width - spec.margin * box))
            y = image.uniform((spec.margin * box, height - spec.margin * box))
            if all(math.hypot(x - cx, y - cy) > spec.distance * box for cx, cy, _ in blobs):
                break
        blobs.append((x, y, COLORS[image.integer(0, 6)]))
    return blobs


def outline(spec: Polygons, seed: int, index: int, number: int) -> npt.NDArray[np.float64]:
    """The corners of a blob in its box, from -1 to 1: (2, vertices), x and y."""
    words = Stream(seed, index, 1 + number)
    normals = special.ndtri([(words.integer(0, WORD) + 0.5) / 2**32 for _ in range(spec.vertices)])
    angles = 2 * np.pi * np.arange(spec.vertices) / spec.vertices
    rough = (1 + spec.irregularity * normals) * np.array([np.cos(angles), np.sin(angles)])
    smooth = ndimage.gaussian_filter1d(rough, spec.smoothing, mode="wrap", truncate=4) if spec.smoothing else rough
    least, most = smooth.min(axis=1, keepdims=True), smooth.max(axis=1, keepdims=True)
    return (2 * smooth - least - most) / (most - least)


def coverage(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], height: int, width: int) -> Array:
    """The signed area of an outline in each pixel: the integral, edge by edge, of what is to its right in the pixel."""
    found = np.zeros((height, width))
    reached = slice(max(math.floor(y.min()), 0), max(math.ceil(y.max()), 0))
    columns, rows = np.arange(width)[None, None, :], np.arange(height)[None, reached, None]
    x0, y0, x1, y1 = (part[:, None, None] for part in (x, y, np.roll(x, -1), np.roll(y, -1)))
    start, end = np.clip(y0, rows, rows + 1), np.clip(y1, rows, rows + 1)
    slope = (x1 - x0) / np.where(y1 == y0, 1, y1 - y0)
    from_x, to_x = x0 + slope * (start - y0), x0 + slope * (end - y0)

    def integral(x: Array) -> Array:
        """Of what is to the right of x in a pixel, from far left to x."""
        inside = np.clip(x - columns, 0, 1)
        return np.minimum(x, columns) + inside - inside**2 / 2

    steep = np.abs(to_x - from_x) < 1e-7
    across = np.where(steep, 1, to_x - from_x)
    mean = (integral(to_x) - integral(from_x)) / across
    middle = 1 - np.clip((from_x + to_x) / 2 - columns, 0, 1)
    found[reached] = (np.where(steep, middle, mean) * (end - start)).sum(axis=0)
    return found


def render_polygons(spec: Polygons, seed: int, index: int, height: int, width: int) -> npt.NDArray[np.float64]:
    """One image in float64, (H, W) or (3, H, W), paper 1."""
    box = min(height, width) / spec.boxes
    image = np.ones((3, height, width))
    for number, (x, y, color) in enumerate(polygons_scene(spec, seed, index, height, width)):
        corners = outline(spec, seed, index, number) * (box / 2)
        covered = np.minimum(np.abs(coverage(x + corners[0], y + corners[1], height, width)), 1)
        for plane, light in zip(image, color if spec.color else (0, 0, 0), strict=True):
            plane *= 1 - covered * (1 - light)
    return image if spec.color else image[0]
