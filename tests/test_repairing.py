"""Repaired images against SciPy's labels, brute force and pictures."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any, Literal

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from scipy.spatial.distance import cdist

import reggan
from reggan.repairing import Repaired, repair_connected

Method = Literal["erase", "slide", "bridge"]
METHODS: tuple[Method, ...] = ("erase", "slide", "bridge")
CONNECTIVITIES = (4, 8)
DTYPES = (np.uint8, np.bool_, np.float32, np.float16, np.float64)
masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))
small_masks = hnp.arrays(np.bool_, st.tuples(st.integers(1, 5), st.integers(1, 5)))
methods = st.sampled_from(METHODS)
connectivities = st.sampled_from(CONNECTIVITIES)


def gray_images(rng: np.random.Generator, count: int, height: int, width: int, dtype: Any = np.uint8) -> oracles.Array:
    """Blurred noise of many densities, from empty to full."""
    noise = ndimage.gaussian_filter(rng.standard_normal((count, height, width)), (0, 1.0, 1.0))
    noise /= np.abs(noise).max()
    gray = np.clip(0.5 + 3 * (noise - rng.uniform(-0.7, 0.7, (count, 1, 1))), 0, 1)
    if dtype == np.bool_:
        return np.asarray(gray > 0.5)
    return (255 * gray).round().astype(np.uint8) if dtype == np.uint8 else gray.astype(dtype)


def ink(images: oracles.Array, threshold: float | None = None) -> oracles.Mask:
    return oracles.foreground_mask(images, threshold)


def repaired_grid(picture: str, method: Method, connectivity: int = 4, width: int = 1) -> oracles.Mask:
    image = oracles.paper(oracles.grid(picture), np.uint8)
    return ink(repair_connected(image, method=method, connectivity=connectivity, width=width).images)


# Properties


def assert_obeys(repaired: oracles.Array, before: oracles.Array, connectivity: int) -> None:
    """One piece, by SciPy; none where there was none."""
    for after, mask in zip(ink(repaired), ink(before), strict=True):
        assert ndimage.label(after, oracles.STRUCTURE[connectivity])[1] == int(mask.any())


@given(masks, methods, connectivities, st.integers(1, 4))
def test_a_repaired_image_obeys_and_stays(mask: oracles.Mask, method: Method, connectivity: int, width: int) -> None:
    images = oracles.paper(mask, np.uint8)[None]
    once = repair_connected(images, method=method, connectivity=connectivity, width=width)
    assert_obeys(once.images, images, connectivity)
    assert once.changed[0] == np.count_nonzero(ink(once.images) != mask)
    again = repair_connected(once.images, method=method, connectivity=connectivity, width=width)
    np.testing.assert_array_equal(again.images, once.images)
    assert again.changed[0] == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("connectivity", CONNECTIVITIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_gray_images_of_every_size(dtype: Any, connectivity: int, method: Method) -> None:
    rng = np.random.default_rng(connectivity)
    for height, width in [(1, 1), (1, 9), (9, 1), (17, 63), (20, 64), (33, 65), (8, 130), (40, 31)]:
        images = gray_images(rng, 12, height, width, dtype)
        result = repair_connected(images, method=method, connectivity=connectivity)
        assert result.images.dtype == images.dtype
        assert result.images.shape == images.shape
        assert_obeys(result.images, images, connectivity)
        np.testing.assert_array_equal(result.changed, (ink(result.images) != ink(images)).sum((1, 2)))
        obeying = reggan.score(images, connectivity=connectivity) == 1
        np.testing.assert_array_equal(result.images[obeying], images[obeying])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9, 1.0])
def test_thresholds(threshold: float, method: Method) -> None:
    images = gray_images(np.random.default_rng(0), 60, 30, 30, np.float32)
    result = repair_connected(images, method=method, threshold=threshold)
    scores = reggan.score(images, threshold=threshold)
    assert (scores < 1).any()
    np.testing.assert_array_equal(reggan.score(result.images, threshold=threshold), scores > 0)


@pytest.mark.parametrize("method", METHODS)
def test_results_do_not_depend_on_threads_or_batches(method: Method) -> None:
    images = reggan.render(reggan.Circles(), 300, size=64, dtype=np.uint8)
    expected = repair_connected(images, method=method, threads=1)
    assert (expected.changed > 0).mean() > 0.9
    for threads in (2, None):
        result = repair_connected(images, method=method, threads=threads)
        np.testing.assert_array_equal(result.images, expected.images)
        np.testing.assert_array_equal(result.changed, expected.changed)
    for image, wanted in zip(images[:20], expected.images, strict=False):
        np.testing.assert_array_equal(repair_connected(image, method=method).images, wanted)


@given(masks, connectivities)
def test_erasing_keeps_the_largest_piece(mask: oracles.Mask, connectivity: int) -> None:
    result = repair_connected(oracles.paper(mask), method="erase", connectivity=connectivity)
    np.testing.assert_array_equal(ink(result.images), oracles.measure(mask, connectivity).largest)


@given(masks, connectivities)
def test_sliding_keeps_the_largest_piece(mask: oracles.Mask, connectivity: int) -> None:
    result = repair_connected(oracles.paper(mask), method="slide", connectivity=connectivity)
    assert ink(result.images)[oracles.measure(mask, connectivity).largest].all()


@pytest.mark.parametrize("size", [32, 64])
def test_sliding_rendered_images_keeps_the_number_of_ink_pixels(size: int) -> None:
    images = reggan.render(reggan.Circles(), 500, size=size, dtype=np.uint8)
    gained = ink(repair_connected(images).images).sum((1, 2), np.int64) - ink(images).sum((1, 2), np.int64)
    assert (gained == 0).mean() > 0.9
    assert (gained <= 0).mean() > 0.95


@given(masks, connectivities, st.integers(1, 3))
def test_bridges_only_add_ink(mask: oracles.Mask, connectivity: int, width: int) -> None:
    result = repair_connected(oracles.paper(mask), method="bridge", connectivity=connectivity, width=width)
    assert ink(result.images)[mask].all()


def spanning_tree(mask: oracles.Mask, connectivity: int) -> int:
    """Paper pixels in the shortest bridges of a minimum spanning tree of the pieces, by the distances of all pixels."""
    labels, count = ndimage.label(mask, oracles.STRUCTURE[connectivity])
    places = [np.argwhere(labels == number + 1).astype(np.float64) for number in range(count)]
    metric: Literal["cityblock", "chebyshev"] = "cityblock" if connectivity == 4 else "chebyshev"
    distances = {pair: cdist(places[pair[0]], places[pair[1]], metric).min() - 1
                 for pair in itertools.combinations(range(count), 2)}  # fmt: skip
    total, sets = 0, [{number} for number in range(count)]
    for a, b in sorted(distances, key=lambda pair: distances[pair]):
        first, second = (next(found for found in sets if number in found) for number in (a, b))
        if first is not second:
            sets = [found for found in sets if found is not first and found is not second] + [first | second]
            total += int(distances[a, b])
    return total


@given(masks, connectivities)
def test_bridges_are_no_longer_than_a_minimum_spanning_tree(mask: oracles.Mask, connectivity: int) -> None:
    result = repair_connected(oracles.paper(mask), method="bridge", connectivity=connectivity)
    assert result.changed <= spanning_tree(mask, connectivity)


def fewest_flips(mask: oracles.Mask, connectivity: int) -> int:
    """The fewest paper pixels that make the ink one piece, by trying all sets of them."""
    paper = np.argwhere(~mask)
    for count in range(len(paper) + 1):
        for chosen in itertools.combinations(paper.tolist(), count):
            trial = mask.copy()
            for y, x in chosen:
                trial[y, x] = True
            if ndimage.label(trial, oracles.STRUCTURE[connectivity])[1] <= 1:
                return count
    raise AssertionError("all ink is one piece")


@given(small_masks, connectivities)
def test_bridges_of_few_pieces_are_the_smallest(mask: oracles.Mask, connectivity: int) -> None:
    pieces = ndimage.label(mask, oracles.STRUCTURE[connectivity])[1]
    if pieces <= 5:
        result = repair_connected(oracles.paper(mask), method="bridge", connectivity=connectivity)
        assert result.changed == fewest_flips(mask, connectivity)


# Halos


@pytest.mark.parametrize("method", METHODS)
def test_an_edit_is_local(method: Method) -> None:
    """Nothing changes far from the strays and from where they go."""
    images = reggan.render(reggan.Circles(), 5000, size=64, dtype=np.uint8)
    near = images[reggan.score(images) >= 0.85]
    assert len(near) > 2
    result = repair_connected(near, method=method)
    for before, after in zip(near, result.images, strict=True):
        reach = ndimage.binary_dilation(ink(before) != ink(after), iterations=16)
        strays = ink(before) & ~oracles.measure(ink(before), 4).largest
        reach |= ndimage.binary_dilation(strays, iterations=16)
        np.testing.assert_array_equal(before[~reach], after[~reach])


def test_erasing_leaves_no_halo() -> None:
    """A far stray and its halo become white; the rest stays as it is."""
    gray = np.ones((64, 64), np.float32)
    gray[30:40, 10:20] = 0
    alone = reggan.gaussian_blur(gray, 1.5)
    gray[30:34, 50:54] = 0
    both = reggan.gaussian_blur(gray, 1.5)
    result = repair_connected(both, method="erase")
    np.testing.assert_allclose(result.images, alone, atol=0.5 / 255)


def test_erasing_a_near_stray_leaves_the_halo_of_the_kept_piece() -> None:
    gray = np.ones((64, 64), np.float32)
    gray[25:45, 20:32] = 0
    alone = reggan.gaussian_blur(gray, 2.0)
    gray[32:38, 36:42] = 0
    both = reggan.gaussian_blur(gray, 2.0)
    assert reggan.score(both) < 1
    result = repair_connected(both, method="erase")
    error = np.abs(result.images - alone)
    assert error.max() < 0.15
    assert error.max() < np.abs(both - alone)[~ink(both)].max()


# Pictures


def test_pictures_of_each_method() -> None:
    picture = """
        ........
        .##.....
        .##...#.
        .##.....
    """
    assert np.array_equal(repaired_grid(picture, "erase"), oracles.grid("........ .##..... .##..... .##....."))
    assert np.array_equal(repaired_grid(picture, "slide"), oracles.grid("........ .##..... .###.... .##....."))
    assert np.array_equal(repaired_grid(picture, "bridge"), oracles.grid("........ .##..... .######. .##....."))


def test_connectivity_decides_whether_corners_touch() -> None:
    picture = """
        ##...
        ##...
        ..#..
    """
    assert np.array_equal(repaired_grid(picture, "slide", 8), oracles.grid(picture))
    assert repaired_grid(picture, "slide", 4).sum() == 5
    assert repaired_grid(picture, "bridge", 4).sum() == 6


def test_the_first_of_equal_pieces_stays() -> None:
    picture = """
        ##...
        .....
        ...##
    """
    assert np.array_equal(repaired_grid(picture, "erase"), oracles.grid("##... ..... ....."))


def test_a_width_of_bridges() -> None:
    picture = """
        .........
        ##.....##
        ##.....##
        ##.....##
        .........
    """
    assert repaired_grid(picture, "bridge", width=1).sum() == 12 + 5
    assert repaired_grid(picture, "bridge", width=3).sum() >= 12 + 15


def test_a_piece_that_would_leave_the_image_is_bridged() -> None:
    picture = """
        .##.###
        #.#####
        ..##...
        #.#..#.
        #...###
        ######.
    """
    joined = """
        .##.###
        .######
        ..##...
        ###..#.
        #...###
        ######.
    """
    assert np.array_equal(repaired_grid(picture, "slide"), oracles.grid(joined))


# Arguments


@pytest.mark.parametrize("method", METHODS)
def test_layouts_and_strides(method: Method) -> None:
    images = gray_images(np.random.default_rng(1), 6, 21, 40)
    expected = repair_connected(images, method=method)
    channel = repair_connected(images[:, None], method=method)
    assert channel.images.shape == (6, 1, 21, 40)
    np.testing.assert_array_equal(channel.images[:, 0], expected.images)
    spread = np.zeros((12, 42, 50), np.uint8)[::2, ::2, 3:43]
    spread[:] = images
    np.testing.assert_array_equal(repair_connected(spread, method=method).images, expected.images)
    turned = np.asfortranarray(images)
    np.testing.assert_array_equal(repair_connected(turned, method=method).images, expected.images)
    empty = repair_connected(images[:0], method=method)
    assert empty.images.shape == (0, 21, 40)
    assert empty.changed.shape == (0,)


def test_tensors_in_tensors_out() -> None:
    torch = pytest.importorskip("torch")
    images = gray_images(np.random.default_rng(2), 6, 21, 40)
    expected = repair_connected(images)
    result: Repaired[Any] = repair_connected(torch.from_numpy(images)[:, None])
    assert torch.equal(result.images[:, 0], torch.from_numpy(expected.images))
    assert torch.equal(result.changed, torch.from_numpy(expected.changed))
    assert result.changed.dtype == torch.int32


def test_the_input_is_not_changed() -> None:
    images = gray_images(np.random.default_rng(3), 6, 21, 40)
    images.flags.writeable = False
    before = images.copy()
    for method in METHODS:
        assert not np.shares_memory(repair_connected(images, method=method).images, images)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize(
    ("error", "text", "options"),
    [
        (ValueError, "method", {"method": "move"}),
        (TypeError, "method", {"method": 3}),
        (ValueError, "width is 0", {"method": "bridge", "width": 0}),
        (TypeError, "width", {"width": 1.5}),
        (ValueError, "connectivity is 6", {"connectivity": 6}),
        (ValueError, "threshold is 2", {"threshold": 2}),
        (ValueError, "threads is 0", {"threads": 0}),
    ],
)
def test_wrong_options(error: type[Exception], text: str, options: dict[str, Any]) -> None:
    with pytest.raises(error, match=text):
        repair_connected(np.ones((4, 4)), **options)


def test_wrong_images() -> None:
    with pytest.raises(TypeError, match="int64"):
        repair_connected(np.ones((4, 4), np.int64))
    with pytest.raises(ValueError, match="shape"):
        repair_connected(np.ones((2, 3, 4, 4), np.uint8))
    with pytest.raises(TypeError, match="PackedImages"):
        repair_connected(reggan.PackedImages(np.ones((4, 1), np.uint8), 8))  # type: ignore[type-var]
    clouded = np.ones((3, 4, 4), np.float32)
    clouded[1, 2, 2] = np.nan
    with pytest.raises(ValueError, match="image 1 holds NaN"):
        repair_connected(clouded)


def test_a_threshold_that_makes_paper_ink() -> None:
    images = np.full((4, 5), 2.0, np.float32)
    images[0, 0] = images[3, 3] = 0.5
    with pytest.raises(ValueError, match="white"):
        repair_connected(images, threshold=0)


def test_repairing_imports_no_torch() -> None:
    code = "import sys, reggan.repairing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
