"""Rules of counts, runs and reach against SciPy, scikit-image and loops."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.measure import euler_number

import reggan
from reggan.rules import Betti, Clean, Framed, Holes, Ink, Joins, Rule, Runs, resolve_rule

STRUCTURES = {4: ndimage.generate_binary_structure(2, 1), 8: np.ones((3, 3))}
masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=11))
connectivities = st.sampled_from((4, 8))
few = st.integers(1, 4)


def images_of(ink: oracles.Mask) -> oracles.Array:
    return np.where(ink, 0, 255).astype(np.uint8)


def pieces(ink: oracles.Mask, connectivity: int) -> list[int]:
    """The areas of the pieces."""
    labels, count = ndimage.label(ink, STRUCTURES[connectivity])
    return np.bincount(labels.ravel(), minlength=count + 1)[1:].tolist()


def holes(ink: oracles.Mask, connectivity: int) -> list[int]:
    """The areas of the holes: those of the paper, without the one around the image."""
    labels, count = ndimage.label(np.pad(~ink, 1, constant_values=True), STRUCTURES[12 - connectivity])
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    areas[[0, labels[0, 0]]] = 0
    return areas[areas > 0].tolist()


def test_the_oracles_agree_with_the_euler_number() -> None:
    for ink in np.random.default_rng(0).random((300, 9, 12)) < 0.5:
        for connectivity in (4, 8):
            euler = len(pieces(ink, connectivity)) - len(holes(ink, connectivity))
            assert euler == euler_number(ink, connectivity // 4)


@given(masks, connectivities, st.integers(0, 2), st.integers(0, 2))
def test_holes(ink: oracles.Mask, connectivity: int, low: int, more: int) -> None:
    counts = [len(holes(each, connectivity)) for each in ink]
    off = [max(low - count, count - low - more, 0) for count in counts]
    scores = Holes(low, low + more, connectivity=connectivity)(images_of(ink))
    np.testing.assert_array_equal(scores, np.float32([4 / (4 + each) for each in off]))


@given(masks, connectivities, few, st.integers(0, 2), st.integers(1, 60))
def test_betti(ink: oracles.Mask, connectivity: int, wanted: int, enclosed: int, min_area: int) -> None:
    off = []
    for each in ink:
        found, within = pieces(each, connectivity), holes(each, connectivity)
        lacking = sum(1 - area / min_area for area in found + within if area < min_area)
        off.append(abs(len(found) - wanted) + abs(len(within) - enclosed) + lacking)
    scores = Betti(wanted, enclosed, min_area, connectivity=connectivity)(images_of(ink))
    np.testing.assert_allclose(scores, [4 / (4 + each) for each in off], rtol=1e-6)
    np.testing.assert_array_equal(scores == 1, np.array(off) == 0)


@given(masks)
def test_clean_images_have_the_same_pieces_with_both_connectivities(ink: oracles.Mask) -> None:
    _, height, width = ink.shape
    corners = [
        sum(
            bool(each[y, x] == each[y + 1, x + 1] != each[y, x + 1] == each[y + 1, x])
            for y in range(height - 1)
            for x in range(width - 1)
        )
        for each in ink
    ]
    scores = Clean()(images_of(ink))
    np.testing.assert_array_equal(scores, np.float32([4 / (4 + each) for each in corners]))
    for each in ink[scores == 1]:
        assert pieces(each, 4) == pieces(each, 8)


@given(masks, connectivities, st.integers(1, 6))
def test_framed(ink: oracles.Mask, connectivity: int, width: int) -> None:
    _, height, side = ink.shape
    y, x = np.indices((height, side))
    frame = (np.minimum(y, height - 1 - y) < width) | (np.minimum(x, side - 1 - x) < width)
    expected = [max(areas) / sum(areas) for areas in (pieces(each | frame, connectivity) for each in ink)]
    scores = Framed(width, connectivity=connectivity)(images_of(ink))
    np.testing.assert_array_equal(scores, np.float32(expected))


@given(masks, connectivities)
def test_joins(ink: oracles.Mask, connectivity: int) -> None:
    for name, axis in (("y", 0), ("x", 1)):
        expected = []
        for each in ink:
            labels, _ = ndimage.label(each, STRUCTURES[connectivity])
            found = [place[axis] for place in ndimage.find_objects(labels)]
            expected.append(max((extent.stop - extent.start for extent in found), default=0) / each.shape[axis])
        scores = Joins(name, connectivity=connectivity)(images_of(ink))  # type: ignore[arg-type]
        np.testing.assert_array_equal(scores, np.float32(expected))


@given(masks)
def test_ink_joins_the_sides_or_paper_the_other_two(ink: oracles.Mask) -> None:
    joins = Joins("x", connectivity=4)(images_of(ink)) == 1
    parts = Joins("y", connectivity=8)(images_of(~ink)) == 1
    assert (joins != parts).all()


@given(masks, few, few)
def test_runs(ink: oracles.Mask, shortest: int, gap: int) -> None:
    violations = []
    for each in ink:
        found = 0
        for line in [*each, *each.T]:
            text = "".join("#" if pixel else "." for pixel in line)
            found += sum(0 < len(run) < shortest for run in text.split("."))
            found += sum(0 < len(run) < gap for run in text.strip(".").split("#"))
        violations.append(found)
    scores = Runs(shortest, gap)(images_of(ink))
    np.testing.assert_array_equal(scores, np.float32([8 / (8 + each) for each in violations]))


RULES = (
    "holes(1, 3) & connected",
    "betti(3, 1, 8)",
    "clean & connected(connectivity=8)",
    "framed(2) & ink",
    "joins('y') & ink",
    "runs(3, 2)",
)


@pytest.mark.parametrize("text", RULES)
def test_ten_thousand_images_and_every_type(text: str) -> None:
    rule = resolve_rule(text)
    images = np.concatenate(
        [(255 * (np.random.default_rng(1).random((8000, 17, 23)) < density)).astype(np.uint8) for density in (0.3, 0.6)]
    )
    scores = rule(images)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    np.testing.assert_array_equal(scores[:500], rule(images[:500].astype(np.float32) / 255))
    np.testing.assert_array_equal(scores[-50:], np.concatenate([rule(image[None]) for image in images[-50:]]))
    assert rule(images[:0]).shape == (0,)


@pytest.mark.parametrize("text", RULES)
def test_a_search_repairs_renders(text: str) -> None:
    images = reggan.render(reggan.Circles(), 20, seed=8, size=32)
    repaired = reggan.repair(images, text)
    assert (repaired.scores == 1).all()
    assert (resolve_rule(text)(repaired.images) == 1).all()


def test_a_search_edits_the_ink_at_the_threshold_of_the_rule() -> None:
    images = np.full((4, 32, 32), 255, np.uint8)
    images[:, 4:16, 4:16] = 150
    for rule in (Holes(threshold=0.2), Betti(2, 0, threshold=0.2), Holes(threshold=0.2) & Ink(0, 1, threshold=0.2)):
        repaired = reggan.repair(images, rule)
        assert (repaired.scores == 1).all()
        before, after = (reggan.ink_mask(each, threshold=0.2) for each in (images, repaired.images))
        np.testing.assert_array_equal(repaired.changed, (before != after).sum((1, 2)))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Holes(3, 2), "holes are from 3 to 2"),
        (lambda: Betti(-1), "pieces is -1, but must be an integer of at least 0"),
        (lambda: Framed(0), "width is 0"),
        (lambda: Holes(1.5), "low is 1.5, but must be an integer of at least 0"),  # type: ignore[arg-type]
        (lambda: Framed(connectivity="4"), "connectivity is '4', but must be 4 or 8"),  # type: ignore[arg-type]
        (lambda: Joins("z"), "axis is 'z', but must be 'x' or 'y'"),  # type: ignore[arg-type]
        (lambda: Runs(0), "ink is 0, but must be an integer of at least 1"),
        (lambda: Clean(threshold=2), "threshold is 2"),
    ],
)
def test_wrong_options(make: type[Rule], text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        make()
