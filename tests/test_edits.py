"""Edits between images and their repaired versions."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

import reggan
from reggan import Connected, Ink, Joins, Rule
from reggan.edits import Edit, edits_between

BEFORE = """
    ###..###......
    ###..###......
    ###..###......
    ..............
    #####.........
    #.###....##...
    #####....##...
"""
AFTER = """
    ..#..###......
    ########......
    ###..###......
    .............#
    #####.........
    #####.........
    ####..........
"""
RING = """
    .....
    .###.
    .#.#.
    .###.
"""
OPENED_RING = """
    .....
    .#.#.
    .#.#.
    .###.
"""
pairs = hnp.array_shapes(min_dims=3, max_dims=3, max_side=9).flatmap(
    lambda shape: st.tuples(hnp.arrays(np.bool_, shape), hnp.arrays(np.bool_, shape))
)


def drawn(picture: str) -> oracles.Array:
    return np.array([[[0 if mark == "#" else 255 for mark in row.strip()] for row in picture.split()]], np.uint8)


def test_a_picture_of_every_kind() -> None:
    (edits,) = edits_between(drawn(BEFORE), drawn(AFTER))
    assert edits == (
        Edit("erased", 4, (5, 9, 7, 11)),
        Edit("removed", 2, (0, 0, 1, 2)),
        Edit("joined", 2, (1, 3, 2, 5)),
        Edit("added", 1, (3, 13, 4, 14)),
        Edit("filled", 1, (5, 1, 6, 2)),
        Edit("removed", 1, (6, 4, 7, 5)),
    )
    assert edits_between(drawn(RING), drawn(OPENED_RING)) == ((Edit("opened", 1, (1, 2, 2, 3)),),)


@given(pairs, st.sampled_from((4, 8)))
def test_edits_are_the_regions_that_differ(masks: tuple[oracles.Mask, oracles.Mask], connectivity: int) -> None:
    before, after = (np.where(mask, 0, 255).astype(np.uint8) for mask in masks)
    edits = edits_between(before, after, connectivity=connectivity)
    structure = {4: None, 8: np.ones((3, 3))}
    for old, new, found in zip(*masks, edits, strict=True):
        expected = []
        for mask, of in ((new & ~old, connectivity), (old & ~new, 12 - connectivity)):
            regions, _ = ndimage.label(mask, structure[of])
            for number, place in enumerate(ndimage.find_objects(regions), 1):
                rows, columns = place
                box = (rows.start, columns.start, rows.stop, columns.stop)
                expected.append((int((regions == number).sum()), box, bool(mask is not (old & ~new))))
        assert sorted((edit.pixels, edit.box) for edit in found) == sorted(each[:2] for each in expected)
        added = sum(edit.pixels for edit in found if edit.kind in ("filled", "joined", "added"))
        assert added == (new & ~old).sum()


@given(pairs)
def test_ink_and_paper_trade_their_kinds(masks: tuple[oracles.Mask, oracles.Mask]) -> None:
    # In a margin of paper, which no edit reaches, no hole touches the border.
    before, after = (np.pad(mask, ((0, 0), (1, 1), (1, 1)), constant_values=True) for mask in masks)
    mirrored = {"filled": "erased", "joined": "opened", "added": "removed"}
    mirrored |= {of_paper: of_ink for of_ink, of_paper in mirrored.items()}
    # In a bool image, ink is False.
    there, back = edits_between(before, after), edits_between(~before, ~after, connectivity=8)
    for edits, others in zip(there, back, strict=True):
        assert [(mirrored[edit.kind], edit.pixels, edit.box) for edit in edits] == [
            (edit.kind, edit.pixels, edit.box) for edit in others
        ]


@pytest.mark.parametrize("rule", [Connected(), Connected() & Ink(0.07, 0.42), Connected(connectivity=8, threshold=0.6)])
def test_a_repair_explains_all_that_changed(rule: Rule) -> None:
    images = reggan.render(reggan.Circles(), 100, seed=4, size=32)
    repaired = reggan.repair(images, rule, explain=True)
    assert repaired.edits is not None
    assert [sum(edit.pixels for edit in edits) for edits in repaired.edits] == repaired.changed.tolist()
    assert reggan.repair(images, rule).edits is None


def test_a_single_image() -> None:
    images = reggan.render(reggan.Circles(), 30, seed=4, size=32)
    whole, single = (reggan.repair(given, explain=True).edits for given in (images, images[3]))
    assert whole is not None
    assert single == whole[3:4]


def test_bridges_join_and_erasing_erases() -> None:
    images = drawn(BEFORE)
    for method, kinds in (("bridge", {"joined"}), ("erase", {"erased"})):
        edits = reggan.repair(images, method=method, explain=True).edits
        assert edits is not None
        assert {edit.kind for edit in edits[0]} == kinds


def test_diagonal_holes_and_pieces_and_paper_at_the_border() -> None:
    ring, whole = np.ones((1, 9, 9), bool), np.ones((1, 9, 9), bool)
    ring[0, 2:7, 2:7] = whole[0, 2:7, 2:7] = False
    ring[0, 3, 3] = ring[0, 4, 4] = True
    assert [edit.kind for edit in edits_between(ring, whole)[0]] == ["filled", "filled"]
    dots = np.ones((1, 9, 9), bool)
    dots[0, 3, 5] = dots[0, 4, 6] = False
    assert [edit.kind for edit in edits_between(dots, np.ones_like(dots), connectivity=8)[0]] == ["erased", "erased"]
    assert [edit.kind for edit in edits_between(np.ones_like(dots), np.zeros_like(dots))[0]] == ["added"]


def test_edits_are_of_the_ink_at_the_threshold_of_the_rule() -> None:
    image = np.full((1, 32, 32), 255, np.uint8)
    image[:, 12:20, 12:20] = 0
    repaired = reggan.repair(reggan.gaussian_blur(image, 1.5), Joins(threshold=0.1), explain=True)
    assert repaired.edits is not None
    assert repaired.scores == 1
    assert sum(edit.pixels for edit in repaired.edits[0]) == repaired.changed


@pytest.mark.parametrize(
    ("images", "options", "text"),
    [
        (np.ones((3, 3)), {}, r"images are of shape \(3, 3\), but must be a NumPy array \(N, H, W\)"),
        ([[[1]]], {}, "images are a list, but must be"),
        (np.ones((1, 3, 3)), {"connectivity": 6}, "connectivity is 6, but must be 4 or 8"),
    ],
)
def test_wrong_arguments(images: Any, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        edits_between(images, images, **options)


def test_shapes_that_differ() -> None:
    with pytest.raises(ValueError, match=r"images are \(1, 4, 5\) and repaired images \(1, 7, 14\)"):
        edits_between(drawn(RING), drawn(AFTER))
