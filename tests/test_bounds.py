"""Rules that no image obeys together."""

import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from reggan import train
from reggan.rules import Connected, Joins, Rule, resolve_rule
from reggan.rules import __main__ as listing

IMPOSSIBLE = {
    "connected & betti(3, 1)": r"no image obeys both Connected\(\) and Betti\(pieces=3, holes=1\): "
    r"the one needs exactly 1, the other exactly 3 pieces of dark ink",
    "solid & holes(2, 5)": "the one needs exactly 0, the other 2 to 5 holes in dark ink",
    "ink(0.07, 0.42) & ink(0.5, 0.6)": "the one needs 72 to 430, the other 512 to 614 dark pixels",
    "ink(0.6, 1) & ink(0.6, 1, foreground='light')": "the one needs .*, the other .* dark pixels",
    "joins('x') & joins('y', connectivity=8, foreground='light')": "pieces of dark ink from left to right",
    "joins('y', foreground='light') & joins('x', connectivity=8)": "at least 1, the other exactly 0 pieces of light",
    "path(500) & ink(0.1, 0.3)": "the one needs 501 to 1024, the other 103 to 307 dark pixels",
    "path(56) & betti(2)": "pieces of dark ink",
    "wraps & betti(2, periodic=True)": "pieces of dark ink",
    "holes(3) & connected(connectivity=8, foreground='light')": "at least 3, the other exactly 1 pieces of light ink",
    "betti(20, 0, 60)": r"no image of 1,024 pixels obeys Betti\(pieces=20, min_area=60\)",
    "connected & (betti(2) | betti(3))": "the one needs exactly 1, the other 2 to 3 pieces of dark ink",
}

POSSIBLE = [
    "connected & clear(5) & ink(0.07, 0.42)",
    "joins('x') & joins('y', foreground='light')",
    "joins('x', connectivity=8) & joins('y', connectivity=8, foreground='light')",
    "connected(threshold=0.3) & betti(2)",
    "connected & betti(2, foreground='light')",
    "connected & (betti(1, 2) | betti(3))",
    "connected & betti(2, connectivity=8)",
    "connected | betti(2)",
    "~connected & connected",
    "solid & holes(1, periodic=True)",
]
"""Rules that some image obeys, or of which nothing is said."""

RULES = [
    *("connected", "solid", "ink(0.2, 0.6)", "ink(0.6, 1, foreground='light')", "joins('x')", "joins('y')"),
    *("joins('x', connectivity=8, foreground='light')", "joins('y', connectivity=8, foreground='light')"),
    *("holes(0, 1)", "holes(1)", "betti(2, 1)", "betti(2, 0, 3)", "path(4)", "wraps", "betti(1, 1, periodic=True)"),
    *("connected(foreground='light')", "connected(connectivity=8, foreground='light')", "connected(periodic=True)"),
    *("connected & ink(0.2, 0.4)", "solid | betti(1, 1)", "betti(2, 1, foreground='light')", "holes(2, 3)"),
]

images = st.tuples(st.integers(1, 7), st.integers(1, 7)).flatmap(lambda sides: hnp.arrays(np.bool_, sides))


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_impossible_rules_are_warned_of(text):
    assert re.search(IMPOSSIBLE[text], resolve_rule(text).warn(32 * 32))


@pytest.mark.parametrize("text", POSSIBLE)
def test_other_rules_are_not(text):
    assert resolve_rule(text).warn(32 * 32) == ""


def test_there_are_no_wrong_warnings():
    """Whatever two rules one image obeys are possible together."""
    rules = [resolve_rule(text) for text in RULES]
    generator, together = np.random.default_rng(0), 0
    for sides in ((1, 5), (3, 3), (4, 6)):
        share = generator.random((3000, 1, 1))
        pixels = np.where(generator.random((3000, *sides)) < share, 0, 255).astype(np.uint8)
        obeys = np.stack([rule(pixels) >= 1 for rule in rules])
        for one, other in combinations(range(len(rules)), 2):
            if (obeys[one] & obeys[other]).any():
                together += 1
                assert (rules[one] & rules[other]).warn(sides[0] * sides[1]) == "", (RULES[one], RULES[other])
    assert together > 200


@given(images)
def test_either_ink_joins_two_sides_or_paper_joins_the_others(ink):
    """Of 4-connected ink from left to right and 8-connected paper from top to bottom, exactly one exists."""
    image = np.where(ink, 0, 255).astype(np.uint8)[None]
    for axis, across in (("x", "y"), ("y", "x")):
        joins = Joins(axis)(image)[0] >= 1
        assert joins != (Joins(across, connectivity=8, foreground="light")(image)[0] >= 1)


def test_rules_of_your_own_know_nothing():
    class Own(Rule):
        def __call__(self, images):
            return np.ones(len(images), np.float32)

    assert (Own() & Connected()).warn(100) == ""


def test_the_command_line_warns_before_a_training(capsys):
    assert train.main(["--rule", "connected & betti(3)", "--dry-run"]) == 0
    assert "no image obeys both Connected() and Betti(pieces=3)" in capsys.readouterr().err
    assert listing.main(["connected & betti(3)"]) == 0
    assert "no image obeys both Connected() and Betti(pieces=3)" in capsys.readouterr().out
