"""Scores, measures, labels and masks of images against scipy, a flood fill, and pictures."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import oracles
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import reggan

CONNECTIVITIES = (4, 8)
DTYPES = (np.float64, np.float32, np.float16, np.uint8, np.bool_)
masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=70))
connectivities = st.sampled_from(CONNECTIVITIES)
WORD_WIDTHS = (63, 64, 65, 127, 128, 129)


def random_images(rng: np.random.Generator, n: int, height: int, width: int, dtype: Any) -> oracles.Array:
    """Random images, each of its own density from empty to full."""
    density = rng.choice([0, 0.02, 0.1, 0.3, 0.45, 0.55, 0.65, 0.8, 0.95, 1], (n, 1, 1))
    ink = rng.random((n, height, width)) < density
    noise = rng.random(ink.shape) * 0.49
    gray = np.where(ink, noise, 0.501 + noise)
    if dtype == np.uint8:
        return (gray * 255).round().astype(np.uint8)
    return ~ink if dtype == np.bool_ else gray.astype(dtype)


# Random images


@pytest.mark.parametrize("connectivity", CONNECTIVITIES)
def test_random_images_of_every_width(connectivity: int) -> None:
    rng = np.random.default_rng(connectivity)
    total = 0
    for width in range(1, 131):
        for dtype in DTYPES:
            height = int(rng.choice([1, 2, 3, 5, 8, 13, 21, 34]))
            images = random_images(rng, 22, height, width, dtype)
            oracles.assert_matches(images, connectivity, foreground=rng.choice(["dark", "light"]).item())
            total += len(images)
    assert total > 10_000


@pytest.mark.parametrize("connectivity", CONNECTIVITIES)
def test_random_images_against_the_flood_fill(connectivity: int) -> None:
    rng = np.random.default_rng(connectivity)
    for _ in range(100):
        height, width = rng.integers(1, 12, 2)
        images = random_images(rng, 10, height, width, np.float32)
        expected = [oracles.flood_fill(mask, connectivity) for mask in images <= 0.5]
        np.testing.assert_array_equal(reggan.label(images, connectivity=connectivity), expected)


@pytest.mark.parametrize("connectivity", CONNECTIVITIES)
@pytest.mark.parametrize(("height", "width"), [(300, 517), (1000, 65), (1, 32768), (32768, 1), (3, 32768)])
def test_large_images(height: int, width: int, connectivity: int) -> None:
    rng = np.random.default_rng(height)
    for density in (0.3, 0.6, 0.97):
        ink = rng.random((1, height, width)) < density
        oracles.assert_matches(oracles.paper(ink), connectivity)


def test_rendered_images_as_numpy_and_scipy_see_them() -> None:
    images = reggan.render(reggan.Circles(clustering=(0.0, 1.0)), 300, size=64)
    oracles.assert_matches(images, 4)
    oracles.assert_matches(images, 8, foreground="light", threshold=0.8)


# Pictures

SPIRAL = """
    #########
    #........
    #.#######
    #.#.....#
    #.#.###.#
    #.#...#.#
    #.#####.#
    #.......#
    #########
"""
COMB = """
    #.#.#.#.#
    #.#.#.#.#
    #.#.#.#.#
    #########
"""
CHECKERBOARD = """
    #.#.#
    .#.#.
    #.#.#
"""
RINGS = """
    #########
    #.......#
    #.#####.#
    #.#...#.#
    #.#.#.#.#
    #.#...#.#
    #.#####.#
    #.......#
    #########
"""
DIAMOND = """
    ..#..
    .#.#.
    ..#..
"""
APART = """
    ..##....##..
    .####..####.
    .####..####.
    ..##....##..
"""
TOUCHING = """
    ..##..##..
    .########.
    .########.
    ..##..##..
"""


@pytest.mark.parametrize(
    ("picture", "connectivity", "score", "count", "holes"),
    [
        (SPIRAL, 4, 1, 1, 0),
        (SPIRAL, 8, 1, 1, 0),
        (COMB, 4, 1, 1, 0),
        (CHECKERBOARD, 4, 1 / 8, 8, 0),
        (CHECKERBOARD, 8, 1, 1, 1),
        (RINGS, 4, 32 / 49, 3, 2),
        (RINGS, 8, 32 / 49, 3, 2),
        (DIAMOND, 4, 1 / 4, 4, 0),
        (DIAMOND, 8, 1, 1, 1),
        (APART, 4, 1 / 2, 2, 0),
        (APART, 8, 1 / 2, 2, 0),
        (TOUCHING, 4, 1, 1, 0),
    ],
    ids=[
        "spiral 4",
        "spiral 8",
        "comb 4",
        "checkerboard 4",
        "checkerboard 8",
        "rings 4",
        "rings 8",
        "diamond 4",
        "diamond 8",
        "apart 4",
        "apart 8",
        "touching 4",
    ],
)
def test_pictures(picture: str, connectivity: int, score: float, count: int, holes: int) -> None:
    image = oracles.paper(oracles.grid(picture))
    found = reggan.analyze(image, connectivity=connectivity)
    assert found.score == np.float32(score)
    assert found.count == count
    assert found.holes == holes
    oracles.assert_matches(image[None], connectivity)


def test_labels_rise_in_raster_order_of_the_first_pixel() -> None:
    # The right arm of the U is met first and joins the left one only in the last row.
    image = oracles.paper(
        oracles.grid("""
            ....#.#
            #.#.#..
            #.###..
            #....##
        """)
    )
    expected = [
        [0, 0, 0, 0, 1, 0, 2],
        [3, 0, 1, 0, 1, 0, 0],
        [3, 0, 1, 1, 1, 0, 0],
        [3, 0, 0, 0, 0, 4, 4],
    ]
    np.testing.assert_array_equal(reggan.label(image), expected)
    assert reggan.label(image).dtype == np.int32


def test_of_equal_components_the_first_in_raster_order_is_the_largest() -> None:
    image = oracles.paper(
        oracles.grid("""
            .....#
            ##..##
            ##..#.
        """)
    )
    expected = oracles.grid("""
            .....#
            ....##
            ....#.
    """)
    np.testing.assert_array_equal(reggan.largest_component(image), expected)
    np.testing.assert_array_equal(reggan.analyze(image).bbox, [0, 4, 3, 6])
    assert reggan.score(image) == 0.5


def test_bounding_box_is_that_of_the_largest_component() -> None:
    image = oracles.paper(
        oracles.grid("""
            #.......
            ...##...
            ..###...
            ........
            .......#
        """)
    )
    np.testing.assert_array_equal(reggan.analyze(image).bbox, [1, 2, 3, 5])


def test_ranks_of_components() -> None:
    image = oracles.paper(
        oracles.grid("""
            ##...#
            #..#.#
            .....#
            ##...#
        """)
    )
    expected = [
        [2, 2, 0, 0, 0, 1],
        [2, 0, 0, 4, 0, 1],
        [0, 0, 0, 0, 0, 1],
        [3, 3, 0, 0, 0, 1],
    ]
    for k in (1, 2, 3, 4, 5, 2**70):
        ranks = reggan.largest_components(image, k)
        np.testing.assert_array_equal(ranks, np.where(np.array(expected) <= k, expected, 0))
    for area, least in ((10, 0), (10, 1), (9, 2), (7, 3), (4, 4), (0, 5), (0, 2**70)):
        assert reggan.remove_small(image, least).sum() == area
    assert reggan.remove_small(image, np.int16(3)).sum() == 7


@pytest.mark.parametrize("seed", range(20))
def test_ranks_among_many_equal_components(seed: int) -> None:
    ink = np.random.default_rng(seed).random((1, 60, 90)) < 0.2
    expected = oracles.measure(ink[0])
    for k in (1, 2, 10, 100, expected.count - 1, expected.count, expected.count + 1):
        ranks = reggan.largest_components(oracles.paper(ink), k)[0]
        np.testing.assert_array_equal(ranks, expected.largest_components(k))


# Edges


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 64), (64, 1), (5, 63), (7, 129), (64, 64)])
def test_empty_and_full_images(shape: tuple[int, int], dtype: Any) -> None:
    empty, full = np.zeros(shape, np.bool_), np.ones(shape, np.bool_)
    images = oracles.paper(np.stack([empty, full]), dtype)
    found = reggan.analyze(images)
    area = shape[0] * shape[1]
    np.testing.assert_array_equal(found.score, [0, 1])
    np.testing.assert_array_equal(found.count, [0, 1])
    np.testing.assert_array_equal(found.area, [0, area])
    np.testing.assert_array_equal(found.largest_area, [0, area])
    np.testing.assert_array_equal(found.holes, [0, 0])
    np.testing.assert_array_equal(found.euler, [0, 1])
    np.testing.assert_array_equal(found.bbox, [[0, 0, 0, 0], [0, 0, *shape]])
    np.testing.assert_array_equal(found.centroid, [[np.nan] * 2, [(side - 1) / 2 for side in shape]])
    np.testing.assert_array_equal(reggan.label(images), [empty, full])
    np.testing.assert_array_equal(reggan.largest_component(images), [empty, full])


@pytest.mark.parametrize("connectivity", CONNECTIVITIES)
@pytest.mark.parametrize("width", WORD_WIDTHS)
def test_runs_that_end_and_begin_at_word_boundaries(width: int, connectivity: int) -> None:
    images = []
    for gap in {0, 1, 62, 63, 64, 65, 126, 127, width - 2, width - 1} & set(range(width)):
        row = np.ones((1, width), np.bool_)
        row[0, gap] = False
        images += [np.vstack([row, ~row, row]), np.vstack([~row, row, ~row]), np.vstack([row, row, row])]
    oracles.assert_matches(oracles.paper(np.stack(images)), connectivity)


@pytest.mark.parametrize("connectivity", CONNECTIVITIES)
def test_diagonals_across_word_boundaries(connectivity: int) -> None:
    images = np.zeros((4, 130, 130), np.bool_)
    images[0] = np.eye(130)
    images[1] = np.eye(130)[::-1]
    images[2] = ~images[0]
    images[3] = ~images[1]
    oracles.assert_matches(oracles.paper(images), connectivity)


def test_no_images() -> None:
    images = np.zeros((0, 5, 7), np.float32)
    found = reggan.analyze(images)
    assert reggan.score(images).shape == (0,)
    assert found.bbox.shape == (0, 4)
    assert found.centroid.shape == (0, 2)
    assert found.euler.shape == found.holes.shape == found.count.shape == found.area.shape == (0,)
    assert reggan.label(images).shape == (0, 5, 7)
    assert reggan.largest_component(images).shape == (0, 5, 7)


def test_the_widest_image_has_exact_areas() -> None:
    image = np.zeros((1100, 16384), np.uint8)
    image[700] = 255
    found = reggan.analyze(image)
    assert found.largest_area == 700 * 16384
    assert found.area == 1099 * 16384
    assert found.score == np.float32(700 / 1099)


def test_a_stray_pixel_beside_ever_so_much_ink_is_seen() -> None:
    image = np.zeros((1, 5794, 5794), np.uint8)
    image[0, :2, :2] = 255
    image[0, 0, 0] = 0
    assert image.size > 2**25
    below = np.nextafter(np.float32(1), np.float32(0))
    assert reggan.score(image)[0] == reggan.analyze(image).score[0] == below
    image[0, 0, 1] = 0
    assert reggan.score(image)[0] == 1


def test_types_of_the_results() -> None:
    found = reggan.analyze(np.ones((3, 4, 5), np.uint8))
    types = dict.fromkeys(oracles.FIELDS, "i8") | {"score": "f4", "bbox": "i4", "centroid": "f8"}
    for field, dtype in types.items():
        assert getattr(found, field).dtype == np.dtype(dtype), field
    assert reggan.score(np.ones((3, 4, 5), np.uint8)).dtype == np.float32
    assert reggan.largest_component(np.ones((3, 4, 5), np.uint8)).dtype == np.bool_
    assert reggan.largest_components(np.ones((3, 4, 5), np.uint8), 2).dtype == np.int32
    assert reggan.remove_small(np.ones((3, 4, 5), np.uint8), 2).dtype == np.bool_


# Fields


@pytest.mark.parametrize("connectivity", [4, 8, 6, 26])
def test_each_field_alone_is_what_all_together_give(connectivity: int) -> None:
    images = random_images(np.random.default_rng(0), 400, 8, 66, np.uint8)
    images = images.reshape(100, 4, 8, 66) if connectivity in (6, 26) else images
    every = reggan.analyze(images, connectivity=connectivity)
    assert tuple(vars(every)) == oracles.FIELDS
    for field in oracles.FIELDS:
        found = reggan.analyze(images, fields=[field], connectivity=connectivity)
        assert tuple(vars(found)) == (field,)
        np.testing.assert_array_equal(getattr(found, field), getattr(every, field), field)


@given(masks, st.lists(st.sampled_from(oracles.FIELDS)))
def test_any_fields(ink: oracles.Mask, fields: list[str]) -> None:
    image = oracles.paper(ink)
    every, found = reggan.analyze(image), reggan.analyze(image, fields=iter(fields))
    assert set(vars(found)) == set(fields)
    for field in fields:
        np.testing.assert_array_equal(getattr(found, field), getattr(every, field), field)


def test_a_field_that_was_not_asked_for_is_an_error_that_says_so() -> None:
    found = reggan.analyze(np.zeros((2, 3, 4), np.uint8), fields=("area", "score"))
    with pytest.raises(AttributeError, match=r"holes.*'area', 'score'.*fields=\('area', 'score', 'holes'\)"):
        _ = found.holes
    with pytest.raises(AttributeError, match="has no attribute 'color'"):
        _ = found.color  # type: ignore[attr-defined]
    assert not hasattr(found, "bbox")
    assert repr(found) == f"Components(area={found.area!r}, score={found.score!r})"
    with pytest.raises(AttributeError):
        found.area = found.score  # type: ignore[misc]
    again = pickle.loads(pickle.dumps(copy.copy(found)))
    np.testing.assert_array_equal(again.area, found.area)
    assert not hasattr(again, "bbox")


@pytest.mark.parametrize("fields", [["area", "size"], "size", "area", ("Area",), [None], [3]])
def test_unknown_fields_are_refused(fields: Any) -> None:
    with pytest.raises(ValueError, match="fields") as caught:
        reggan.analyze(np.zeros((2, 3, 4), np.uint8), fields=fields)
    assert all(name in str(caught.value) for name in oracles.FIELDS)
    with pytest.raises(TypeError, match="fields is 3"):
        reggan.analyze(np.zeros((2, 3, 4), np.uint8), fields=3)  # type: ignore[arg-type]


def test_no_fields_still_look_for_nan() -> None:
    assert vars(reggan.analyze(np.zeros((2, 3, 4), np.float32), fields=())) == {}
    for fields in ((), ("area",)):
        with pytest.raises(ValueError, match=r"image 1 .*NaN"):
            reggan.analyze(np.array([[[0.0]], [[np.nan]]]), fields=fields)


def test_measures_of_more_images_than_a_block() -> None:
    rng = np.random.default_rng(0)
    images = random_images(rng, 40_000, 3, 5, np.float32)
    found = reggan.analyze(images)
    for part in (slice(0, 100), slice(16_380, 16_390), slice(32_760, 32_775), slice(39_900, 40_000)):
        few = reggan.analyze(images[part])
        for field in oracles.FIELDS:
            np.testing.assert_array_equal(getattr(found, field)[part], getattr(few, field), field)
    images[[39_000, 39_999], 2, 4] = np.nan
    with pytest.raises(ValueError, match="image 39000 "):
        reggan.analyze(images)


@pytest.mark.parametrize(
    ("function", "name", "wrong", "least"),
    [(reggan.largest_components, "k", (0, -1), 1), (reggan.remove_small, "min_area", (-1, -(2**70)), 0)],
)
def test_numbers_out_of_range_are_refused(function: Any, name: str, wrong: tuple[int, ...], least: int) -> None:
    image = np.zeros((3, 4), np.uint8)
    for number in wrong:
        with pytest.raises(ValueError, match=rf"{name} is {number}, .*at least {least}"):
            function(image, number)
    for thing in (1.5, "2", None):
        with pytest.raises(TypeError, match=name):
            function(image, thing)


# The threshold


def single_pixels(grays: oracles.Array) -> oracles.Array:
    """One image a gray value: its score is 1 where the value is foreground and 0 elsewhere."""
    return grays.reshape(-1, 1, 1)


def some_grays(dtype: Any, threshold: float | None) -> oracles.Array:
    """Every value of a short type; for the others those around the limits, and the special ones."""
    if dtype == np.uint8:
        return np.arange(256, dtype=np.uint8)
    if dtype == np.float16:
        every = np.arange(65536, dtype=np.uint16).view(np.float16)
        return every[~np.isnan(every)]
    level = 0.5 if threshold is None else threshold
    with np.errstate(over="ignore"):
        center = np.array([level, 1 - level, 0, 0.5, 1, -1, 3e38, 1e-45, np.inf], dtype)
    near = [center, np.nextafter(center, dtype(-np.inf)), np.nextafter(center, dtype(np.inf))]
    return np.concatenate([*near, -np.concatenate(near), np.array([0.0, -0.0], dtype)])


THRESHOLDS = [None, 0.0, 1.0, 0.5, 0.1, 0.2, 0.3, 1 / 3, 0.7, 0.9, -0.0, 1e-9, 1 - 1e-9, 5e-324]
THRESHOLDS += [k / 255 for k in (1, 51, 77, 127, 128, 204, 254)] + [1 - k / 255 for k in (1, 77, 127, 254)]
THRESHOLDS += [np.nextafter(0.5, 0), np.nextafter(0.5, 1)]


@pytest.mark.parametrize("foreground", ["dark", "light"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_threshold_at_exact_boundaries(dtype: Any, foreground: str) -> None:
    for threshold in THRESHOLDS:
        grays = some_grays(dtype, threshold)
        expected = oracles.foreground_mask(grays, threshold, foreground)
        found = reggan.score(single_pixels(grays), threshold=threshold, foreground=foreground)
        np.testing.assert_array_equal(found.astype(np.bool_), expected, err_msg=f"{threshold=}")


@given(
    threshold=st.floats(0, 1),
    foreground=st.sampled_from(["dark", "light"]),
    dtype=st.sampled_from([np.uint8, np.float16, np.float32, np.float64, np.bool_]),
)
@example(threshold=0.1, foreground="dark", dtype=np.float32)
def test_any_threshold_as_in_float64(threshold: float, foreground: str, dtype: Any) -> None:
    grays = np.array([False, True]) if dtype == np.bool_ else some_grays(dtype, threshold)
    expected = oracles.foreground_mask(grays, threshold, foreground)
    found = reggan.score(single_pixels(grays), threshold=threshold, foreground=foreground)
    np.testing.assert_array_equal(found.astype(np.bool_), expected)


def test_the_default_threshold_is_one_half() -> None:
    grays = single_pixels(np.array([0.5, np.nextafter(np.float32(0.5), np.float32(1))], np.float32))
    np.testing.assert_array_equal(reggan.score(grays), [1, 0])
    np.testing.assert_array_equal(reggan.score(grays, foreground="light"), [1, 1])
    np.testing.assert_array_equal(reggan.score(single_pixels(np.array([127, 128], np.uint8))), [1, 0])


def test_any_nonzero_byte_of_a_bool_is_white() -> None:
    images = single_pixels(np.array([0, 1, 2, 128, 255], np.uint8).view(np.bool_))
    for threshold in (1.0, 0.5, 1e-9):
        options: dict[str, Any] = {"threshold": threshold}
        np.testing.assert_array_equal(reggan.score(images, **options), [1, 0, 0, 0, 0])
        np.testing.assert_array_equal(reggan.score(images, foreground="light", **options), [0, 1, 1, 1, 1])


# Properties


def invariants(ink: oracles.Mask, connectivity: int) -> tuple[float, ...]:
    """The measures that do not depend on where and how an image lies."""
    found = reggan.analyze(oracles.paper(ink), connectivity=connectivity)
    return tuple(float(m) for m in (found.score, found.count, found.area, found.largest_area, found.holes))


@given(masks, connectivities)
def test_any_mask_matches_the_oracle(ink: oracles.Mask, connectivity: int) -> None:
    oracles.assert_matches(oracles.paper(ink)[None], connectivity)


@given(masks, connectivities)
def test_flips_and_transposition_change_nothing(ink: oracles.Mask, connectivity: int) -> None:
    expected = invariants(ink, connectivity)
    for moved in (ink[::-1], ink[:, ::-1], ink[::-1, ::-1], ink.T):
        assert invariants(moved, connectivity) == expected


@given(masks, connectivities, st.tuples(*[st.integers(0, 66)] * 4))
def test_a_white_margin_changes_nothing(
    ink: oracles.Mask, connectivity: int, margin: tuple[int, int, int, int]
) -> None:
    top, bottom, left, right = margin
    padded = np.pad(ink, ((top, bottom), (left, right)))
    assert invariants(padded, connectivity) == invariants(ink, connectivity)


@given(masks, masks, connectivities)
def test_components_of_images_laid_apart_add_up(first: oracles.Mask, second: oracles.Mask, connectivity: int) -> None:
    together = np.zeros((len(first) + 1 + len(second), first.shape[1] + 1 + second.shape[1]), np.bool_)
    together[: len(first), : first.shape[1]] = first
    together[len(first) + 1 :, first.shape[1] + 1 :] = second
    _, *a = invariants(first, connectivity)
    _, *b = invariants(second, connectivity)
    largest, area = max(a[2], b[2]), a[1] + b[1]
    score = float(np.float32(largest / area)) if area else 0.0
    assert invariants(together, connectivity) == (score, a[0] + b[0], area, largest, a[3] + b[3])


@given(masks, connectivities)
def test_count_minus_holes_is_the_euler_number(ink: oracles.Mask, connectivity: int) -> None:
    cells = np.pad(ink, 1)
    quads = [cells[:-1, :-1], cells[:-1, 1:], cells[1:, :-1], cells[1:, 1:]]
    ones = np.sum(quads, axis=0)
    diagonal = int(np.count_nonzero((ones == 2) & (quads[0] == quads[3])))
    corners = int(np.count_nonzero(ones == 1)) - int(np.count_nonzero(ones == 3))
    euler = (corners + (2 if connectivity == 4 else -2) * diagonal) // 4
    _, count, _, _, holes = invariants(ink, connectivity)
    assert count - holes == euler


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=20)), connectivities)
def test_light_foreground_is_the_dark_of_the_inverted_image(images: oracles.Array, connectivity: int) -> None:
    np.testing.assert_array_equal(
        reggan.score(images, foreground="light", connectivity=connectivity),
        reggan.score(255 - images, connectivity=connectivity),
    )


@given(masks)
def test_a_score_of_one_means_one_component(ink: oracles.Mask) -> None:
    found = reggan.analyze(oracles.paper(ink))
    assert (found.score == 1) == (found.count == 1)
    assert (found.score == 0) == (found.count == 0)


@given(masks, connectivities)
def test_labels_are_consistent_with_the_measures(ink: oracles.Mask, connectivity: int) -> None:
    image = oracles.paper(ink, np.uint8)
    found = reggan.analyze(image, connectivity=connectivity)
    labels = reggan.label(image, connectivity=connectivity)
    largest = reggan.largest_component(image, connectivity=connectivity)
    assert labels.max(initial=0) == found.count
    assert np.count_nonzero(labels) == found.area
    assert np.count_nonzero(largest) == found.largest_area
    y0, x0, y1, x1 = found.bbox
    assert np.count_nonzero(largest[y0:y1, x0:x1]) == found.largest_area


@pytest.mark.parametrize("threads", [1, 2, 5, None])
def test_threads_change_nothing(threads: int | None) -> None:
    rng = np.random.default_rng(0)
    images = random_images(rng, 3000, 33, 70, np.float32)
    one = reggan.analyze(images, threads=1)
    many = reggan.analyze(images, threads=threads)
    for field in oracles.FIELDS:
        np.testing.assert_array_equal(getattr(many, field), getattr(one, field))
    np.testing.assert_array_equal(reggan.score(images, threads=threads), one.score)
    np.testing.assert_array_equal(reggan.label(images, threads=threads), reggan.label(images, threads=1))
