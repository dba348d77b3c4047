"""Periodic borders, winding ranks, Betti numbers and their rules against SciPy, a displacement search and gudhi."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

import reggan
from reggan.rules import Betti, Clean, Connected, Framed, Holes, Ink, Solid, Symmetric, Wraps, resolve_rule
from reggan.scoring import betti_numbers

FIELDS = ("score", "count", "area", "largest_area", "holes", "euler", "winding_rank")
masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9))
connectivities = st.sampled_from((4, 8))


def torus_labels(mask: oracles.Mask, connectivity: int) -> oracles.Array:
    """SciPy's labels of the open image, joined over pairs of pixels across the border, in raster order."""
    labels, count = ndimage.label(mask, oracles.STRUCTURE[connectivity])
    parent = list(range(count + 1))

    def root(node: int) -> int:
        while parent[node] != node:
            node = parent[node]
        return node

    reach = (0,) if connectivity == 4 else (-1, 0, 1)
    for grid in (labels, labels.T):
        for near, far in ((grid[0], np.roll(grid[-1], shift)) for shift in reach):
            for a, b in zip(near.tolist(), far.tolist(), strict=True):
                if a and b:
                    parent[root(a)] = root(b)
    return oracles.raster_order(np.array([root(node) for node in range(count + 1)])[labels])


def unroll(mask: oracles.Mask, connectivity: int) -> list[tuple[int, set[tuple[int, int]]]]:
    """The area of each component of the torus, and its loops around it: a flood fill that carries displacements."""
    sides = height, width = mask.shape
    offsets = (np.argwhere(oracles.STRUCTURE[connectivity]) - 1).tolist()
    place: dict[tuple[int, int], tuple[int, int]] = {}
    found = []
    for seed in map(tuple, np.argwhere(mask).tolist()):
        if seed in place:
            continue
        place[seed] = seed
        stack, area, loops = [seed], 0, set()
        while stack:
            pixel = stack.pop()
            area += 1
            for dy, dx in offsets:
                y, x = place[pixel][0] + dy, place[pixel][1] + dx
                other = (y % height, x % width)
                if other not in place and mask[other]:
                    place[other] = (y, x)
                    stack.append(other)
                elif mask[other] and place[other] != (y, x):
                    loops.add(((y - place[other][0]) // sides[0], (x - place[other][1]) // sides[1]))
        found.append((area, loops))
    return found


def rank_of(components: list[tuple[int, set[tuple[int, int]]]]) -> int:
    loops = [loop for _, loops in components for loop in loops]
    return int(np.linalg.matrix_rank(np.array(loops))) if loops else 0


def euler(mask: oracles.Mask, connectivity: int) -> int:
    """V - E + F with wrapped cells; with connectivity 8 an edge more for each square of two pixels at a corner."""
    left, up = np.roll(mask, 1, 1), np.roll(mask, 1, 0)
    both = np.roll(left, 1, 0)
    number = mask.sum() - (mask & left).sum() - (mask & up).sum() + (mask & left & up & both).sum()
    corners = (mask == both) & (left == up) & (mask != left)
    return int(number - (corners.sum() if connectivity == 8 else 0))


def pictures(height: int, width: int) -> Iterator[oracles.Mask]:
    """Masks that are hard at a border: full, empty, lines, diagonals, frames, checkerboards and noise."""
    y, x = np.indices((height, width))
    yield from (x < width, x > width, y == 0, x == width - 1, (y == 0) | (x == 0), (x + y) % 2 == 0)
    yield from ((x + y) % width == 0, (x - y) % width < 2, (x % 3 == 0) | (y == height // 2), (2 * y + x) % 5 == 0)
    rng = np.random.default_rng(1000 * height + width)
    yield from (rng.random((height, width)) < density for density in (0.05, 0.3, 0.5, 0.59, 0.7, 0.95))


def check(batch: oracles.Mask, connectivity: int) -> None:
    """Everything that has a meaning on a torus, for masks (N, H, W)."""
    images = oracles.paper(batch, np.uint8)
    ink = [unroll(mask, connectivity) for mask in batch]
    paper = [unroll(~mask, oracles.DUAL[connectivity]) for mask in batch]
    labels = np.stack([torus_labels(mask, connectivity) for mask in batch])
    areas = [np.bincount(each.ravel())[1:] for each in labels]
    found = reggan.analyze(images, border="periodic", connectivity=connectivity)
    assert tuple(vars(found)) == FIELDS
    np.testing.assert_array_equal(found.count, [len(each) for each in ink])
    np.testing.assert_array_equal(found.largest_area, [each.max(initial=0) for each in areas])
    np.testing.assert_array_equal(found.area, batch.sum((1, 2)))
    np.testing.assert_array_equal(found.score, np.float32([each.max(initial=0) / max(each.sum(), 1) for each in areas]))
    np.testing.assert_array_equal(found.holes, [sum(not loops for _, loops in each) for each in paper])
    np.testing.assert_array_equal(found.euler, [euler(mask, connectivity) for mask in batch])
    np.testing.assert_array_equal(found.winding_rank, [rank_of(each) for each in ink])
    winding = np.array([sum(bool(loops) for _, loops in each) for each in ink])
    np.testing.assert_array_equal(found.euler, found.count - found.holes - winding)
    by_numbers = found.count - found.euler - [len(each) for each in paper] + 1
    np.testing.assert_array_equal(found.winding_rank, by_numbers)
    np.testing.assert_array_equal(reggan.winding_rank(images, connectivity=connectivity), found.winding_rank)
    options = {"border": "periodic", "connectivity": connectivity}
    np.testing.assert_array_equal(reggan.score(images, **options), found.score)
    np.testing.assert_array_equal(reggan.label(images, **options), labels)
    for min_area in (0, 1, 3, 40):
        large = [np.concatenate([[False], each >= min_area])[one] for each, one in zip(areas, labels, strict=True)]
        np.testing.assert_array_equal(reggan.remove_small(images, min_area, **options), large)
        enclosed = [[area for area, loops in each if not loops] for each in paper]
        check_betti(betti_numbers(images, min_area, **options), min_area, [each.tolist() for each in areas], enclosed)
    largest = [one == each.argmax() + 1 if len(each) else one > 0 for each, one in zip(areas, labels, strict=True)]
    np.testing.assert_array_equal(reggan.largest_component(images, **options), largest)


def check_betti(found: oracles.Array, min_area: int, *areas: list[list[int]]) -> None:
    """Numbers of components and holes, given by their areas."""
    small = [[[area for area in one if area < min_area] for one in each] for each in areas]
    numbers = [
        (len(one), len(few), sum(few))
        for each, small_ones in zip(areas, small, strict=True)
        for one, few in zip(each, small_ones, strict=True)
    ]
    np.testing.assert_array_equal(found, np.array(numbers).reshape(2, -1, 3).swapaxes(0, 1).reshape(-1, 6))


@pytest.mark.parametrize("connectivity", [4, 8])
def test_small_images_of_every_shape(connectivity: int) -> None:
    for height in range(1, 8):
        for width in range(1, 8):
            check(np.stack(list(pictures(height, width))), connectivity)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_every_width(connectivity: int) -> None:
    for width in range(1, 131):
        batch = np.stack(list(pictures(1 + width % 5 + 2 * (width % 64 < 2), width)))
        check(batch[width % 3 :: 3], connectivity)


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (2, 4), (1, 9), (9, 1), (3, 3)])
def test_all_masks_of_few_pixels(shape: tuple[int, int], connectivity: int) -> None:
    pixels = shape[0] * shape[1]
    numbers = np.arange(2**pixels)[:, None] >> np.arange(pixels)
    check((numbers & 1).astype(np.bool_).reshape(-1, *shape), connectivity)


@given(masks, connectivities)
def test_any_mask(mask: oracles.Mask, connectivity: int) -> None:
    check(mask[None], connectivity)


@given(masks, connectivities, st.integers(-9, 9), st.integers(-9, 9))
def test_a_torus_has_no_first_pixel(mask: oracles.Mask, connectivity: int, down: int, right: int) -> None:
    images = oracles.paper(np.stack([mask, np.roll(mask, (down, right), (0, 1))]), np.uint8)
    found = reggan.analyze(images, border="periodic", connectivity=connectivity)
    for field in FIELDS:
        assert len(set(getattr(found, field).tolist())) == 1


@pytest.mark.parametrize("connectivity", [4, 8])
def test_images_of_several_strips_and_more_than_one_band(connectivity: int) -> None:
    """Larger than the flood fill can take: labels by SciPy, and the rest by arithmetic."""
    rng = np.random.default_rng(5)
    for height, width in ((64, 64), (65, 130), (130, 192), (512, 70), (513, 64), (700, 130)):
        coarse = rng.random((6, height, width))
        batch = np.stack([ndimage.gaussian_filter(each, k, mode="wrap") for k, each in enumerate(coarse)])
        batch = batch < np.quantile(batch, 0.55, axis=(1, 2), keepdims=True)
        labels = np.stack([torus_labels(mask, connectivity) for mask in batch])
        paper = np.array([torus_labels(~mask, oracles.DUAL[connectivity]).max() for mask in batch])
        images = oracles.paper(batch, np.uint8)
        found = reggan.analyze(images, border="periodic", connectivity=connectivity)
        np.testing.assert_array_equal(reggan.label(images, border="periodic", connectivity=connectivity), labels)
        np.testing.assert_array_equal(found.count, labels.max((1, 2)))
        np.testing.assert_array_equal(found.largest_area, [np.bincount(each.ravel())[1:].max() for each in labels])
        np.testing.assert_array_equal(found.euler, [euler(mask, connectivity) for mask in batch])
        np.testing.assert_array_equal(found.winding_rank, found.count - found.euler - paper + 1)
        turned = reggan.analyze(images.swapaxes(1, 2), border="periodic", connectivity=connectivity)
        for field in FIELDS:
            np.testing.assert_array_equal(getattr(found, field), getattr(turned, field))
        for min_area in (1, 9):
            numbers, transposed = (
                betti_numbers(each, min_area, border="periodic", connectivity=connectivity)
                for each in (images, images.swapaxes(1, 2))
            )
            np.testing.assert_array_equal(numbers, transposed)
            np.testing.assert_array_equal(numbers[:, 3], found.holes)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_betti_numbers_of_open_images(connectivity: int) -> None:
    for height, width in ((1, 1), (2, 5), (9, 64), (23, 65), (40, 130), (64, 64), (520, 3), (600, 70)):
        batch = np.stack(list(pictures(height, width)))
        areas, enclosed = [], []
        for mask in batch:
            found, _ = ndimage.label(mask, oracles.STRUCTURE[connectivity])
            areas.append(np.bincount(found.ravel())[1:].tolist())
            framed = np.pad(~mask, 1, constant_values=True)
            found, _ = ndimage.label(framed, oracles.STRUCTURE[oracles.DUAL[connectivity]])
            enclosed.append(np.bincount(found.ravel())[2:].tolist())
        for min_area in (0, 1, 5, 200):
            numbers = betti_numbers(oracles.paper(batch), min_area, connectivity=connectivity)
            check_betti(numbers, min_area, areas, enclosed)


def test_ten_thousand_images_of_every_type() -> None:
    for seed, density in enumerate((0.3, 0.45, 0.6, 0.75)):
        pixels = np.random.default_rng(seed).random((2_500, 6, 7)) < density
        for batch, connectivity in ((pixels[:1_250], 4), (pixels[1_250:], 8)):
            options = {"connectivity": connectivity, "border": "periodic", "fields": FIELDS}
            found = reggan.analyze(oracles.paper(batch, np.uint8), **options)
            components = [unroll(mask, connectivity) for mask in batch]
            np.testing.assert_array_equal(found.winding_rank, [rank_of(each) for each in components])
            np.testing.assert_array_equal(found.count, [len(each) for each in components])
            np.testing.assert_array_equal(found.euler, [euler(mask, connectivity) for mask in batch])
            packed = reggan.PackedImages(np.packbits(batch, axis=-1), 7)
            strided = np.repeat(oracles.paper(batch), 2, axis=1)[:, ::2]
            others = [
                reggan.analyze(oracles.paper(batch, np.float32), **options),
                reggan.analyze(~batch, **options),
                reggan.analyze(strided, threads=2, **options),
                reggan.analyze(packed, foreground="light", **options),
                reggan.analyze(oracles.paper(~batch, np.uint8), foreground="light", **options),
            ]
            for other in others:
                for field in FIELDS:
                    np.testing.assert_array_equal(getattr(found, field), getattr(other, field))


@pytest.mark.parametrize("periodic", [False, True])
def test_gudhi_counts_the_same(periodic: bool) -> None:
    gudhi = pytest.importorskip("gudhi")
    rng = np.random.default_rng(8)
    for density in (0.2, 0.5, 0.65, 0.8):
        batch = rng.random((60, rng.integers(3, 9), rng.integers(3, 12))) < density
        found = reggan.analyze(
            oracles.paper(batch), connectivity=8, border="periodic" if periodic else "open", fields=FIELDS[:6]
        )
        ranks = reggan.winding_rank(oracles.paper(batch), connectivity=8) if periodic else np.zeros(60, np.int64)
        for k, mask in enumerate(batch):
            cells = np.where(mask, 0.0, 1.0)
            complex_ = (
                gudhi.PeriodicCubicalComplex(top_dimensional_cells=cells, periodic_dimensions=[True, True])
                if periodic
                else gudhi.CubicalComplex(top_dimensional_cells=cells)
            )
            complex_.compute_persistence(homology_coeff_field=2)
            b0, b1, b2 = (*complex_.persistent_betti_numbers(0, 0), 0, 0)[:3]
            assert (b0, b0 - b1 + b2) == (found.count[k], found.euler[k])
            paper = len(unroll(~mask, 4)) if periodic else 0
            assert b1 == (paper - 1 + ranks[k] + b2 if periodic else found.holes[k])


@given(masks, connectivities)
def test_wraps(mask: oracles.Mask, connectivity: int) -> None:
    components = unroll(mask, connectivity)
    largest, rank = max((area for area, _ in components), default=0), rank_of(components)
    (score,) = Wraps(connectivity=connectivity)(oracles.paper(mask[None], np.uint8))
    assert score == pytest.approx(largest / max(mask.sum(), 1) * (1 + rank) / 3, rel=1e-6)
    assert (score == 1) == (len(components) == 1 and rank_of(components[:1]) == 2)


@given(masks, connectivities, st.integers(0, 2), st.integers(0, 2), st.integers(1, 9))
def test_periodic_rules(mask: oracles.Mask, connectivity: int, pieces: int, holes: int, min_area: int) -> None:
    image = oracles.paper(mask[None], np.uint8)
    ink = [area for area, _ in unroll(mask, connectivity)]
    enclosed = [area for area, loops in unroll(~mask, oracles.DUAL[connectivity]) if not loops]
    options = {"connectivity": connectivity, "periodic": True}
    assert Connected(**options)(image) == np.float32(max(ink, default=0) / max(sum(ink), 1))
    assert Solid(**options)(image) == np.float32(1 / (1 + len(enclosed)) if ink else 0)
    assert Holes(holes, holes, **options)(image) == np.float32(4 / (4 + abs(len(enclosed) - holes)))
    lacking = sum(1 - area / min_area for area in ink + enclosed if area < min_area)
    off = abs(len(ink) - pieces) + abs(len(enclosed) - holes) + lacking
    assert Betti(pieces, holes, min_area, **options)(image) == pytest.approx(4 / (4 + off), rel=1e-6)
    clean = Clean(periodic=True)(image) == 1
    assert clean == (euler(mask, 4) == euler(mask, 8))


@given(hnp.arrays(np.uint8, (2, 6, 7)), st.sampled_from((0.2, 0.5, 0.7)))
def test_light_rules_read_the_negative(images: oracles.Array, threshold: float) -> None:
    ink = reggan.ink_mask(images, threshold=threshold, foreground="light")
    for kind in (Connected, Ink, Solid, Symmetric, Holes, Betti, Clean, Framed, Wraps):
        light = kind(threshold=threshold, foreground="light")
        np.testing.assert_array_equal(light(images), kind()(oracles.paper(ink, np.uint8)))


def test_defaults_keep_their_terms() -> None:
    terms = [Connected().terms(9), Ink(0, 1).terms(9), Solid(0.5, 8).terms(9), Symmetric().terms(9)]
    assert terms == [(("connected", (4,)),), (("ink", (0, 9)),), (("solid", (8,)),), (("symmetric", (0.8,)),)]


def test_repairs() -> None:
    images = reggan.render(reggan.Circles(), 12, seed=3, size=32)
    assert Connected(periodic=True).known_methods() == ("search",)
    assert (reggan.repair(images, Connected(periodic=True)).scores == 1).all()
    light, negative = Connected(foreground="light"), 255 - images
    assert light.known_methods() == ("search", "slide", "erase", "bridge")
    for method in ("slide", "erase", "bridge"):
        dark, found = reggan.repair(images, method=method), reggan.repair(negative, light, method=method)
        np.testing.assert_array_equal(found.images, 255 - dark.images)
        np.testing.assert_array_equal(found.changed, dark.changed)
        assert (light(found.images) == 1).all()
    assert isinstance(resolve_rule("wraps(connectivity=8)"), Wraps)


def test_wrong_options() -> None:
    image = np.zeros((5, 5), np.uint8)
    with pytest.raises(ValueError, match='border is \'round\', but must be "open" or "periodic"'):
        reggan.score(image, border="round")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="connectivity 6, but only images, not volumes"):
        reggan.score(np.zeros((5, 5, 5)), border="periodic", connectivity=6)
    for name in ("bbox", "centroid"):
        with pytest.raises(ValueError, match=f"{name} has no meaning with border 'periodic', only with 'open'"):
            reggan.analyze(image, fields=("score", name), border="periodic")
    with pytest.raises(ValueError, match="winding_rank has no meaning with border 'open'"):
        reggan.analyze(image, fields=("winding_rank",))
    with pytest.raises(ValueError, match="min_area is -1"):
        betti_numbers(image, -1)
    with pytest.raises(ValueError, match="NaN"):
        betti_numbers(np.full((1, 4, 4), np.nan), 3)
    assert reggan.winding_rank(image) == 2
    assert reggan.winding_rank(np.zeros((0, 4, 4))).shape == (0,)
    assert betti_numbers(np.zeros((0, 4, 4)), 2).shape == (0, 6)
