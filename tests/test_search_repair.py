"""Repair by search: what comes back obeys, or says that it does not."""

from dataclasses import dataclass, replace
from functools import reduce
from operator import and_

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import reggan
from reggan import Bridge, Clear, Connected, Ink, Rule, Slot, Solid, Symmetric, repair_by_search
from reggan.rules import Betti, Holes, Path, Wraps
from reggan.searching import _split

CIRCLES = reggan.render(reggan.Circles(), 40, size=32, dtype=np.uint8)
HARD = Connected() & Clear(5) & Ink()


@dataclass(frozen=True)
class Centered(Rule):
    """A rule of one's own: the center of the ink is in the middle, to one pixel."""

    def __call__(self, images):
        scores = np.zeros(len(images), np.float32)
        for position, mask in enumerate(reggan.ink_mask(images)):
            if mask.any():
                off = np.abs(np.subtract(ndimage.center_of_mass(mask), (np.array(mask.shape) - 1) / 2)).max()
                scores[position] = 1 if off <= 1 else 1 / (1 + off)
        return scores


@dataclass(frozen=True)
class Dark(Rule):
    """A rule about grays: the mean is at most 0.6."""

    def __call__(self, images):
        white = 255 if images.dtype == np.uint8 else 1
        return np.minimum(1, (1 - images.mean((1, 2)) / white) / 0.4).astype(np.float32)


def masks(images):
    return reggan.ink_mask(images)


def searched(images, rule, **options):
    """Repaired images, numbers of changed pixels and scores."""
    found = repair_by_search(images, rule, **options)
    return found.images, found.changed, found.scores


@pytest.mark.parametrize(
    "rule",
    [
        Connected(),
        Connected(connectivity=8),
        Ink(0.3, 0.32),
        Solid() & Ink(0.3, 0.5),
        Symmetric(),
        Symmetric(1),
        Bridge(4),
        Slot(3),
        Clear(5),
        HARD,
        HARD & Symmetric(0.9) & Solid(),
        Holes(2, 3),
        Holes(1, connectivity=8) & Ink(),
        Betti(3, 1, 12),
        Betti(2, 2, 9, connectivity=8) & Bridge(3),
        Betti(0),
        Betti(12, 0, 4),
        Path(60),
        Path(40, connectivity=8) & Slot(2),
        Betti(1, 1, foreground="light"),
        Connected(threshold=0.3) & Clear(3, threshold=0.3),
        Connected() & Ink(threshold=0.6),
        Centered(),
        Centered() & HARD,
        Dark(),
    ],
    ids=str,
)
def test_every_rule_is_obeyed_and_scores_and_changes_are_exact(rule):
    images = CIRCLES[:12]
    before = images.copy()
    repaired, changed, scores = searched(images, rule)
    assert (images == before).all()
    assert scores.tolist() == rule(repaired).tolist()
    assert (scores == 1).all()
    assert (scores.dtype, changed.dtype, repaired.dtype) == (np.float32, np.int32, np.uint8)
    thresholds = {factor.threshold for factor in _factors(rule) if hasattr(factor, "threshold")}
    if len(thresholds) < 2:
        threshold = next(iter(thresholds), 0.5)
        flipped = reggan.ink_mask(images, threshold=threshold) != reggan.ink_mask(repaired, threshold=threshold)
        assert changed.tolist() == flipped.sum((1, 2)).tolist()
    obeyed = rule(images) == 1
    assert (repaired[obeyed] == images[obeyed]).all()
    assert not changed[obeyed].any()
    assert (changed[~obeyed] > 0).all()


def _factors(rule):
    return [*_factors(rule.first), *_factors(rule.second)] if hasattr(rule, "first") else [rule]


@pytest.mark.parametrize("rule", [HARD, Centered() & Connected()], ids=str)
def test_results_depend_on_image_and_seed_alone(rule):
    images = CIRCLES[:10]
    whole = searched(images, rule, seed=3, threads=1)
    for threads in (2, None):
        for one, other in zip(whole, searched(images, rule, seed=3, threads=threads), strict=True):
            assert (one == other).all()
    part = searched(images[6:2:-1], rule, seed=3)
    assert (part[0] == whole[0][6:2:-1]).all()
    assert (searched(images, rule, seed=4)[0] != whole[0]).any()
    twins = searched(np.stack([images[0]] * 2), rule)[0]
    assert (twins[0] == twins[1]).all()


def test_images_that_obey_come_back_as_they_are():
    repaired, _, _ = searched(CIRCLES, HARD)
    again, changed, scores = searched(repaired, HARD, seed=9)
    assert (again == repaired).all()
    assert not changed.any()
    assert (scores == 1).all()


def test_few_pixels_change():
    repaired, _, _ = searched(CIRCLES, HARD)
    damaged = repaired.copy()
    damaged[:, 15, 3:9] ^= 255
    broken = HARD(damaged) < 1
    assert broken.mean() > 0.8
    _, changed, scores = searched(damaged, HARD)
    assert (scores == 1).all()
    assert changed.max() <= 40
    assert changed[broken].mean() < 10


def test_far_from_changes_grays_are_those_of_the_sample():
    repaired, changed, _ = searched(CIRCLES, Solid() & Connected())
    flipped = masks(CIRCLES) != masks(repaired)
    # The widest blur that is tried reaches 7 pixels.
    near = np.stack([ndimage.binary_dilation(mask, np.ones((15, 15))) for mask in flipped])
    assert changed.any()
    assert (repaired[~near] == CIRCLES[~near]).all()
    assert (repaired[near] != CIRCLES[near]).any()


@pytest.mark.parametrize("rule", [HARD, Centered()], ids=str)
def test_a_search_that_runs_out_says_so(rule):
    repaired, changed, scores = searched(CIRCLES, rule, budget=4)
    before = rule(CIRCLES)
    assert scores.tolist() == rule(repaired).tolist()
    assert (scores < 1).mean() > 0.5
    assert (scores >= before).all()
    assert (changed == (masks(CIRCLES) != masks(repaired)).sum((1, 2))).all()


def test_what_no_image_obeys_fails_within_the_budget():
    nothing = Ink(0.5, 0.5) & Symmetric(1)
    odd = np.random.default_rng(0).integers(0, 256, (3, 5, 5), np.uint8)
    repaired, _, scores = searched(odd, nothing, budget=500)
    assert (scores < 1).all()
    assert (scores >= nothing(odd)).all()
    assert scores.tolist() == nothing(repaired).tolist()


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**32), st.floats(0.1, 0.9))
@settings(max_examples=25, deadline=None)
def test_any_size_and_any_image(height, width, seed, share):
    images = (np.random.default_rng(seed).random((2, height, width)) < share).astype(np.uint8) * 255
    for rule in (Clear(3), Connected() & Solid(), Symmetric(1)):
        repaired, changed, scores = searched(images, rule, seed=seed, budget=3000)
        assert scores.tolist() == rule(repaired).tolist()
        assert (scores >= rule(images)).all()
        assert changed.tolist() == (masks(images) != masks(repaired)).sum((1, 2)).tolist()


def test_a_rule_of_ones_own_is_called_with_batches():
    sizes = []

    class Counting(Centered):
        def __call__(self, images):
            sizes.append(len(images))
            return super().__call__(images)

    searched(CIRCLES, Counting())
    assert sizes[0] == len(CIRCLES)
    # Searches that are done leave the batch; all of them go on side by side.
    assert len(sizes) < 2000
    assert sizes[-2] < len(CIRCLES)


def test_subclasses_of_rules_are_rules_of_ones_own():
    class Half(Ink):
        def __call__(self, images):
            return super().__call__(images) * np.float32(0.5)

    scores = searched(CIRCLES[:2], Half(), budget=20)[2]
    assert (scores <= 0.5).all()


@pytest.mark.parametrize(
    ("images", "options", "error", "message"),
    [
        (np.zeros((2, 4, 4)), {}, TypeError, "images are float64, but must be a uint8 array"),
        (np.zeros((4, 4), np.uint8), {}, ValueError, r"images have shape \(4, 4\), but must be \(N, H, W\)"),
        (CIRCLES, {"seed": -1}, ValueError, "seed is -1, but must be from 0"),
        (CIRCLES, {"budget": 0}, ValueError, "budget is 0, but must be from 1"),
        (CIRCLES, {"threads": 0}, ValueError, "threads is 0"),
        (CIRCLES, {"rule": Connected(threshold=0)}, ValueError, "the threshold must be above 0"),
    ],
)
def test_what_cannot_be_repaired_is_refused(images, options, error, message):
    with pytest.raises(error, match=message):
        searched(images, options.pop("rule", HARD), **options)


def test_no_images_are_fine():
    repaired, changed, scores = searched(CIRCLES[:0], HARD)
    assert (repaired.shape, changed.shape, scores.shape) == ((0, 32, 32), (0,), (0,))


def test_erased_pieces_leave_no_faint_rings():
    images = reggan.render(reggan.Circles(), 200, seed=6, size=32)
    repaired, _, _ = searched(images, Connected())
    before, after = (reggan.label(each) for each in (images, repaired))
    gone = (before > 0) & (after == 0)
    dusty = 0
    for sample, image, old, ink, removed in zip(images, repaired, before > 0, after > 0, gone, strict=True):
        # Two pixels around ink that went, and further away from all other ink than its grays reach.
        near = ndimage.binary_dilation(removed, np.ones((5, 5)))
        alone = near & ~ink & ~ndimage.binary_dilation(old & ~removed, np.ones((15, 15)))
        dusty += int((image[alone] < np.median(sample[~old]) - 3).sum())
    assert gone.sum() > 500
    assert dusty <= 5


def test_what_is_erased_gets_the_gray_of_the_paper():
    image = np.full((1, 32, 32), 200, np.uint8)
    image[0, 4:16, 4:16], image[0, 22:26, 22:26] = 0, 110
    repaired, changed, scores = searched(image, Connected())
    assert (scores == 1).all()
    assert changed == 16
    assert np.unique(repaired[0, 18:, 18:]).tolist() == [200]


KNOWN = [Connected(), Ink(), Symmetric(), Bridge(3), Slot(3), Clear(3), Wraps(), Path(9)]
KNOWN_OPEN = [Solid(), Holes(1), Betti(3)]


@pytest.mark.parametrize("rule", KNOWN + KNOWN_OPEN)
def test_the_core_knows_rules_whose_border_it_reads(rule):
    assert _split(rule, 1024)[2] == []
    if hasattr(rule, "periodic"):
        around = replace(rule, periodic=True)
        assert _split(around, 1024)[2] == ([around] if rule in KNOWN_OPEN else [])


TILES = reggan.render(reggan.Circles(border="periodic"), 30, size=(32, 40), dtype=np.uint8)


@pytest.mark.parametrize(
    "rule",
    [
        Wraps(),
        Wraps(connectivity=8),
        Wraps() & Clear(3, periodic=True),
        Connected(periodic=True),
        Connected(connectivity=8, periodic=True) & Slot(4, periodic=True),
        Clear(4, periodic=True) & Ink(0.2, 0.5),
        Connected() & Bridge(3, periodic=True),
    ],
    ids=str,
)
def test_tiles_obey_rules_of_the_torus(rule):
    repaired, changed, scores = searched(TILES, rule)
    assert scores.tolist() == rule(repaired).tolist()
    assert (scores == 1).all()
    assert changed.tolist() == (masks(repaired) != masks(TILES)).sum((1, 2)).tolist()
    assert (changed > 0).any()
    # What obeys comes back as it is, wherever the tile is cut.
    rolled = np.roll(repaired, (5, 9), (1, 2))
    obeying = rolled[rule(rolled) == 1]
    assert len(obeying) > 0
    again, changed, _ = searched(obeying, rule)
    assert np.array_equal(again, obeying)
    assert not changed.any()


def test_numbers_without_bounds_are_no_overflow():
    images = CIRCLES[:3]
    for rule in (Betti(10**15, 10**15, 10**15), Path(10**15), Holes(10**17, 10**18)):
        repaired, changed, scores = searched(images, rule, budget=50)
        assert (scores < 1).all()
        assert (scores >= rule(images)).all()
        assert repaired.shape == images.shape
        assert (changed >= 0).all()


def test_tiles_are_repaired_alike_anywhere_in_a_batch():
    rule = Wraps() & Bridge(3, periodic=True)
    whole, _, _ = searched(TILES[:8], rule, seed=4)
    alone, _, _ = searched(TILES[5:6], rule, seed=4, threads=1)
    assert np.array_equal(whole[5:6], alone)


@pytest.mark.parametrize("rule", [HARD, Solid()])
def test_light_ink_is_repaired_as_dark_ink_of_the_negative(rule):
    light = reduce(and_, (replace(each, foreground="light") for each in rule.factors))
    images, changed, scores = searched(255 - CIRCLES[:10], light, seed=3)
    expected, expected_changed, expected_scores = searched(CIRCLES[:10], rule, seed=3)
    np.testing.assert_array_equal(images, 255 - expected)
    np.testing.assert_array_equal(changed, expected_changed)
    np.testing.assert_array_equal(scores, expected_scores)
    assert (scores == 1).all()


def test_dark_and_light_rules_are_searched_together():
    images, _, scores = searched(CIRCLES[:6], Connected() & Connected(foreground="light"), budget=5000)
    assert (scores == 1).all()
    assert (reggan.score(images) == 1).all()
    assert (reggan.score(images, foreground="light") == 1).all()
