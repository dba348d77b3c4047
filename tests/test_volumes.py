"""Volumes against scipy, scikit-image, a flood fill, and solids whose topology is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import euler_number

import reggan

CONNECTIVITIES = (6, 18, 26)
each_connectivity = pytest.mark.parametrize("connectivity", CONNECTIVITIES)


def random_volumes(rng: np.random.Generator, n: int, shape: tuple[int, ...]) -> oracles.Mask:
    """Random volumes, each of its own density from empty to full."""
    density = rng.choice([0, 0.03, 0.1, 0.2, 0.31, 0.5, 0.69, 0.8, 0.97, 1], (n, *[1] * len(shape)))
    return np.asarray(rng.random((n, *shape)) < density)


def ball(side: int, radius: float) -> oracles.Mask:
    """A solid ball in the middle of a cube."""
    places = np.indices((side,) * 3) - (side - 1) / 2
    return np.asarray((places**2).sum(axis=0) <= radius**2)


def torus(side: int, ring: float, tube: float) -> oracles.Mask:
    """A solid torus in the middle of a cube."""
    z, y, x = np.indices((side,) * 3) - (side - 1) / 2
    return np.asarray((np.hypot(y, x) - ring) ** 2 + z**2 <= tube**2)


# Random volumes


@each_connectivity
def test_random_volumes(connectivity: int) -> None:
    rng = np.random.default_rng(connectivity)
    total = 0
    for number in range(110):
        width = int(rng.choice([1, 2, 3, 7, 20, 63, 64, 65])) if number % 4 == 0 else int(rng.integers(1, 9))
        shape = (*rng.integers(1, 8, 2).tolist(), width)
        ink = random_volumes(rng, 20, shape)
        dtype = [np.float32, np.float64, np.float16, np.uint8, np.bool_][number % 5]
        if number % 2:
            oracles.assert_matches(oracles.paper(ink, dtype), connectivity)
        else:
            oracles.assert_matches(oracles.paper(~ink, dtype), connectivity, foreground="light")
        total += len(ink)
    assert total > 2000


@each_connectivity
def test_random_volumes_against_the_flood_fill(connectivity: int) -> None:
    rng = np.random.default_rng(connectivity)
    for _ in range(20):
        ink = random_volumes(rng, 4, tuple(rng.integers(1, 7, 3)))
        expected = [oracles.flood_fill(mask, connectivity) for mask in ink]
        np.testing.assert_array_equal(reggan.label(oracles.paper(ink), connectivity=connectivity), expected)


volumes = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9))


@given(volumes, st.sampled_from(CONNECTIVITIES))
def test_any_volume_matches_the_oracle(ink: oracles.Mask, connectivity: int) -> None:
    oracles.assert_matches(oracles.paper(ink)[None], connectivity)


@given(volumes, st.sampled_from(CONNECTIVITIES), st.permutations((0, 1, 2)))
def test_turned_and_mirrored_volumes_measure_the_same(ink: oracles.Mask, connectivity: int, axes: list[int]) -> None:
    fields = ("score", "count", "area", "largest_area", "holes", "euler")
    one = reggan.analyze(oracles.paper(ink), connectivity=connectivity, fields=fields)
    turned = oracles.paper(ink.transpose(axes)[::-1, :, ::-1])
    other = reggan.analyze(turned, connectivity=connectivity, fields=fields)
    for field in fields:
        assert getattr(one, field) == getattr(other, field), field


@given(volumes)
def test_the_euler_number_is_that_of_scikit_image(ink: oracles.Mask) -> None:
    for connectivity, order in ((6, 1), (26, 3)):
        found = reggan.analyze(oracles.paper(ink), connectivity=connectivity, fields=["euler"])
        assert found.euler == euler_number(ink, order)


@each_connectivity
def test_large_volumes(connectivity: int) -> None:
    rng = np.random.default_rng(1)
    for shape in ((20, 30, 130), (40, 1, 65), (1, 40, 65), (300, 2, 2), (2, 2, 5000)):
        for density in (0.1, 0.3, 0.7, 0.95):
            ink = rng.random((1, *shape)) < density
            expected = oracles.raster_order(oracles.ndimage.label(ink[0], oracles.STRUCTURE[connectivity])[0])
            np.testing.assert_array_equal(reggan.label(oracles.paper(ink), connectivity=connectivity)[0], expected)
            found = reggan.analyze(oracles.paper(ink), connectivity=connectivity, fields=("holes", "count"))
            assert found.holes == oracles.count_holes(ink[0], connectivity)
            assert found.count == expected.max()


# Solids


def chessboard() -> oracles.Mask:
    return np.asarray(np.indices((5, 6, 67)).sum(axis=0) % 2 == 0)


def helix() -> oracles.Mask:
    """A stair that winds upward; where its turns meet, only columns on the outside connect."""
    ink = np.zeros((16, 6, 70), np.bool_)
    for z in range(16):
        side = z // 2 % 4
        ink[z, :, 0 if side == 0 else -1] = side in (0, 2)
        ink[z, 0 if side == 1 else -1, :] |= side in (1, 3)
    return ink


def combs() -> oracles.Mask:
    """Columns along z that join only in the last slice, in the middle of which one is missing."""
    ink = np.zeros((7, 9, 131), np.bool_)
    ink[:, ::2, ::2] = True
    ink[-1] = True
    ink[-1, 4, 64] = False
    return ink


def diagonals() -> oracles.Mask:
    ink = np.zeros((66, 66, 66), np.bool_)
    place = np.arange(66)
    ink[place, place, place] = True
    ink[place, place[::-1], 0] = True
    return ink


@each_connectivity
@pytest.mark.parametrize("solid", [chessboard, helix, combs, diagonals])
def test_adversarial_volumes(solid: Any, connectivity: int) -> None:
    ink = solid()
    both = np.stack([ink, ~ink]) if ink.size < 10_000 else ink[None]
    oracles.assert_matches(oracles.paper(both), connectivity)


@each_connectivity
def test_solids_of_known_topology(connectivity: int) -> None:
    hollow = ball(17, 7) & ~ball(17, 4)
    nested = hollow | ball(17, 2)
    two_holes = hollow.copy()
    two_holes[8, 8, :] = False
    solids = {"ball": ball(17, 7), "hollow": hollow, "nested": nested, "torus": torus(17, 5, 2.2), "drilled": two_holes}
    found = reggan.analyze(oracles.paper(np.stack(list(solids.values()))), connectivity=connectivity)
    np.testing.assert_array_equal(found.euler, [1, 2, 3, 0, 0])
    np.testing.assert_array_equal(found.holes, [0, 1, 1, 0, 0])
    np.testing.assert_array_equal(found.count, [1, 1, 2, 1, 1])


@pytest.mark.parametrize(
    ("other", "counts"),
    [((0, 0, 1), (1, 1, 1)), ((0, 1, 1), (2, 1, 1)), ((1, 0, 1), (2, 1, 1)), ((1, 1, 1), (2, 2, 1))],
    ids=["face", "edge in a slice", "edge across slices", "corner"],
)
def test_two_voxels(other: tuple[int, int, int], counts: tuple[int, ...]) -> None:
    ink = np.zeros((2, 2, 2), np.bool_)
    ink[0, 0, 0] = ink[other] = True
    for flipped in (ink, ink[::-1], ink[:, ::-1], ink[:, :, ::-1]):
        for connectivity, count in zip(CONNECTIVITIES, counts, strict=True):
            found = reggan.analyze(oracles.paper(flipped), connectivity=connectivity)
            assert found.count == found.euler == count


def test_labels_rise_in_raster_order_and_the_first_of_equal_ones_is_the_largest() -> None:
    ink = np.zeros((2, 3, 3), np.bool_)
    ink[0, 0, 2] = ink[0, 2, 0] = ink[1, 2, 0] = ink[1, 0, 2] = True
    expected = np.zeros(ink.shape, int)
    expected[:, 0, 2], expected[:, 2, 0] = 1, 2
    volume = oracles.paper(ink)
    np.testing.assert_array_equal(reggan.label(volume, connectivity=6), expected)
    np.testing.assert_array_equal(reggan.largest_component(volume, connectivity=6), expected == 1)
    np.testing.assert_array_equal(reggan.largest_components(volume, 2, connectivity=6), expected)
    found = reggan.analyze(volume, connectivity=6)
    np.testing.assert_array_equal(found.bbox, [0, 0, 2, 2, 1, 3])
    np.testing.assert_array_equal(found.centroid, [0.5, 0, 2])


# Shapes


def test_what_axes_volumes_and_images_have() -> None:
    ink = random_volumes(np.random.default_rng(0), 4, (3, 5, 7))
    volumes = oracles.paper(ink)
    expected = reggan.label(volumes, connectivity=18)
    assert expected.shape == volumes.shape
    np.testing.assert_array_equal(reggan.label(volumes[:, None], connectivity=18), expected)
    np.testing.assert_array_equal(reggan.label(volumes[2], connectivity=18), expected[2])
    np.testing.assert_array_equal(reggan.label(torch.from_numpy(volumes), connectivity=18).numpy(), expected)
    found = reggan.analyze(volumes, connectivity=18)
    assert (found.bbox.shape, found.centroid.shape, found.euler.shape) == ((4, 6), (4, 3), (4,))
    one = reggan.analyze(volumes[0], connectivity=18)
    assert (one.bbox.shape, one.centroid.shape, one.euler.shape) == ((6,), (3,), ())
    assert reggan.score(volumes[:0], connectivity=26).shape == (0,)
    assert reggan.analyze(volumes[:0], connectivity=26).bbox.shape == (0, 6)


def test_one_slice_is_an_image_but_for_its_holes() -> None:
    ink = random_volumes(np.random.default_rng(0), 50, (20, 70))
    images = oracles.paper(ink)
    for flat, deep in ((4, 6), (8, 18), (8, 26)):
        np.testing.assert_array_equal(
            reggan.label(images[:, None], connectivity=deep)[:, 0], reggan.label(images, connectivity=flat)
        )
        plane, volume = reggan.analyze(images, connectivity=flat), reggan.analyze(images[:, None], connectivity=deep)
        np.testing.assert_array_equal(volume.euler, plane.euler)
        np.testing.assert_array_equal(volume.centroid[:, 1:], plane.centroid)
        assert not volume.holes.any()


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 2, 4, 4), (2, 1, 3, 4, 5)])
def test_volumes_are_never_taken_for_images(shape: tuple[int, ...], connectivity: int) -> None:
    for images in (np.zeros(shape, np.float32), torch.zeros(shape)):
        with pytest.raises(ValueError, match="connectivity 6, 18 or 26") as caught:
            reggan.score(images, connectivity=connectivity)
        assert "gray" in str(caught.value)


@each_connectivity
@pytest.mark.parametrize("shape", [(), (4,), (4, 5), (2, 2, 3, 4, 5), (1, 1, 1, 2, 2, 2)])
def test_other_shapes_are_refused(shape: tuple[int, ...], connectivity: int) -> None:
    with pytest.raises(ValueError, match="D, H, W"):
        reggan.score(np.zeros(shape, np.uint8), connectivity=connectivity)


def test_sizes_that_are_not_served() -> None:
    pixel = np.zeros((1, 1, 1), np.uint8)
    for shape in ((0, 4, 4), (4, 0, 4), (4, 4, 0), (32_769, 1, 1), (1, 32_769, 1), (1, 1, 32_769)):
        with pytest.raises(ValueError, match=r"32,?768"):
            reggan.score(np.zeros(shape, np.uint8), connectivity=6)
    with pytest.raises(ValueError, match="2147483647"):
        reggan.score(np.broadcast_to(pixel, (2048, 1024, 1024)), connectivity=6)
    assert reggan.score(np.zeros((32_768, 1, 1), np.uint8), connectivity=6) == 1


def test_nan_names_the_volume() -> None:
    volumes = np.zeros((9, 3, 4, 5), np.float32)
    volumes[4, 2, 3, 4] = volumes[7, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"image 4 .*NaN"):
        reggan.score(volumes, connectivity=6)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_and_strides_change_nothing(threads: int) -> None:
    volumes = oracles.paper(random_volumes(np.random.default_rng(0), 300, (9, 10, 65)))
    for view in (volumes, volumes[:, ::-1, ::2], volumes[::-2, 1:, :, 3:], volumes.transpose(0, 2, 1, 3)):
        expected = reggan.label(np.ascontiguousarray(view), connectivity=18, threads=1)
        np.testing.assert_array_equal(reggan.label(view, connectivity=18, threads=threads), expected)
