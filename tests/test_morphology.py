"""Openings by discs against SciPy and shifts of arrays, and short runs against arrays of their ends."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

import reggan
from reggan.rules import Bridge, Clear, Runs, Slot

BORDERS = ("solid", "periodic")
masks_of_any_shape = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=20))


def disc(diameter: int) -> np.ndarray:
    """Pixels whose centers are less than d / 2 from the center of a d x d square."""
    centers = np.arange(diameter) - (diameter - 1) / 2
    return np.hypot(centers[:, None], centers) < diameter / 2


def narrow(mask: np.ndarray, diameter: int, border: str = "solid") -> int:
    """Pixels that SciPy's opening removes, with a margin wide enough for any disc."""
    margin = 2 * diameter
    mode: Any = {"mode": "wrap"} if border == "periodic" else {"constant_values": True}
    wide = np.pad(mask, margin, **mode)
    opened = ndimage.binary_opening(wide, disc(diameter))
    return int((wide & ~opened)[margin:-margin, margin:-margin].sum())


def opened(masks: np.ndarray, diameter: int, border: str) -> np.ndarray:
    """Masks (N, H, W) opened by shifts of the whole array, faster than SciPy."""
    margin = diameter - 1
    mode: Any = {"mode": "wrap"} if border == "periodic" else {"constant_values": True}
    wide = np.pad(masks, [(0, 0), (margin, margin), (margin, margin)], **mode)
    places = np.argwhere(disc(diameter))
    for combine in (np.logical_and, np.logical_or):
        height, width = (side - margin for side in wide.shape[1:])
        result = np.full((len(wide), height, width), combine is np.logical_and)
        for y, x in places:
            combine(result, wide[:, y : y + height, x : x + width], out=result)
        wide = result
    return wide


def count_short(masks: np.ndarray, length: int, gap: int, periodic: bool) -> np.ndarray:
    """Short runs of masks (N, H, W), from the places where the pixels of a row change."""
    total = np.zeros(len(masks), np.int64)
    for lines in (masks, masks.swapaxes(1, 2)):
        count, rows, width = lines.shape
        # Three rounds of a ring, of whose runs those that start in the second count.
        wide = np.tile(lines, 3) if periodic else np.pad(lines, [(0, 0), (0, 0), (1, 1)])
        flat = wide.reshape(count * rows, -1)
        row, place = np.nonzero(flat[:, 1:] != flat[:, :-1])
        same, start, size = row[1:] == row[:-1], place[:-1] + 1, np.diff(place)
        short = same & (size < np.where(flat[row[:-1], start], length, gap))
        if periodic:
            short &= (start >= width) & (start < 2 * width)
        total += np.bincount(row[:-1][short] // rows, minlength=count)
    return total


def images(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Masks from coarse to fine, among them all ink, no ink and noise."""
    fields = [ndimage.gaussian_filter(rng.standard_normal((height, width)), sigma) for sigma in (0, 1, 2, 4)]
    masks = [field > np.quantile(field, share) for field in fields for share in (0.2, 0.5, 0.9)]
    return np.stack([*masks, np.ones((height, width), bool), np.zeros((height, width), bool)])


SIDES = [
    (1, 1),
    (1, 130),
    (130, 1),
    (7, 5),
    (32, 32),
    (20, 31),
    (9, 63),
    (12, 64),
    (11, 65),
    (40, 100),
    (8, 128),
    (6, 130),
]


@pytest.mark.parametrize(("height", "width"), SIDES)
def test_the_opening_is_that_of_scipy(height, width):
    rng = np.random.default_rng(height * 1000 + width)
    masks = images(rng, height, width)
    for diameter in (1, 2, 3, 4, 5, 6, 7, 10):
        for layer, solid in (("foreground", masks), ("background", ~masks)):
            counts = reggan.narrow_pixels(np.where(masks, 0, 255).astype(np.uint8), diameter, layer=layer)
            assert counts.dtype == np.int64
            assert counts.tolist() == [narrow(mask, diameter) for mask in solid], (diameter, layer)


def adversarial(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    """Masks (N, H, W): noise of any density, stripes of any direction and period, discs, frames, and their inverses."""
    y, x = np.indices((height, width))
    masks = np.empty((count, height, width), bool)
    for index, mask in enumerate(masks):
        match index % 5:
            case 0:
                mask[:] = rng.random((height, width)) < rng.random()
            case 1:
                steps, period = rng.integers(-3, 4, 2), rng.integers(2, 15)
                mask[:] = (y * steps[0] + x * steps[1] + rng.integers(15)) % period < rng.integers(1, period)
            case 2:
                radii, ys, xs = rng.uniform(0.5, 9, 4), rng.uniform(0, height, 4), rng.uniform(0, width, 4)
                mask[:] = (np.hypot(y[..., None] - ys, x[..., None] - xs) < radii).any(-1)
            case 3:
                edge = rng.integers(0, 6)
                mask[:] = np.minimum(np.minimum(y, height - 1 - y), np.minimum(x, width - 1 - x)) == edge
            case 4:
                mask[:] = True
                mask[rng.integers(height), rng.integers(width)] = False
    return masks ^ (np.arange(count) % 10 >= 5)[:, None, None]


def grays_of(masks: np.ndarray, rng: np.random.Generator) -> Any:
    """Images whose ink the masks are, of any type, contiguous or not."""
    white = ~masks
    match rng.integers(5):
        case 0:
            return np.where(masks, 0.4, 0.6).astype(np.float32)
        case 1:
            return np.where(masks, 0, 255).astype(np.uint8)
        case 2:
            return np.concatenate([white, white[:, :, :1]], axis=2)[:, :, :-1]
        case 3:
            return reggan.PackedImages(np.packbits(white, axis=-1), white.shape[2])
        case _:
            return reggan.PackedImages(np.packbits(white, axis=-1, bitorder="little"), white.shape[2], "little")


@pytest.mark.parametrize("first", range(1, 131, 10))
def test_ten_thousand_images_of_all_widths(first):
    for width in range(first, first + 10):
        rng = np.random.default_rng(width)
        height, diameter = int(rng.integers(1, 25)), 2 + width % 11
        masks = adversarial(rng, 80, height, width)
        images, light = grays_of(masks, rng), grays_of(~masks, rng)
        for border in BORDERS:
            ink, paper = opened(masks, diameter, border), opened(~masks, diameter, border)
            removed = {"foreground": (masks & ~ink).sum((1, 2)), "background": (~masks & ~paper).sum((1, 2))}
            removed["both"] = removed["foreground"] + removed["background"]
            for grays, side in ((images, "dark"), (light, "light")):
                options: Any = {"foreground": side, "border": border}
                np.testing.assert_array_equal(reggan.opening(grays, diameter, **options), ink)
                np.testing.assert_array_equal(reggan.closing(grays, diameter, **options), ~paper)
                for layer, counts in removed.items():
                    found = reggan.narrow_pixels(grays, diameter, layer=layer, **options)
                    np.testing.assert_array_equal(found, counts, f"{width=} {diameter=} {layer=} {options}")
        for periodic in (False, True):
            length, gap = rng.integers(1, 12, 2).tolist()
            counts = count_short(masks, length, gap, periodic)
            for grays, side in ((images, "dark"), (light, "light")):
                found = reggan.short_runs(grays, length, gap, foreground=side, periodic=periodic)
                np.testing.assert_array_equal(found, counts, f"{width=} {length=} {gap=} {periodic=} {side}")


def test_ten_thousand_minimum_widths():
    rng = np.random.default_rng(3)
    for _ in range(50):
        height, width = rng.integers(1, 15, 2)
        masks = adversarial(rng, 200, height, width)
        for border in BORDERS:
            for layer, measure in ((masks, reggan.minimum_width), (~masks, reggan.minimum_spacing)):
                widths = layer.any((1, 2)).astype(np.int64)
                for diameter in range(2, max(height, width) + 1):
                    wider = np.flatnonzero(widths == diameter - 1)
                    kept = (opened(layer[wider], diameter, border) == layer[wider]).all((1, 2))
                    widths[wider[kept]] = diameter
                found = measure(np.where(masks, 0, 255).astype(np.uint8), border=border)
                assert found.dtype == np.int64
                np.testing.assert_array_equal(found, widths)


def test_minimum_widths_of_known_images():
    square = np.ones((40, 50), bool)
    square[8:20, 10:22] = False
    assert reggan.minimum_width(square) == 3  # The largest disc that is a square.
    for diameter in (1, 2, 5, 12, 17):
        one = ~np.pad(disc(diameter), 20)
        # A smaller disc leaves pixels of a larger one uncovered at times, so the width is at most the diameter.
        fitting = [d for d in range(1, diameter + 1) if narrow(~one, d) > 0]
        assert reggan.minimum_width(one) == (min(fitting) - 1 if fitting else diameter)
    assert reggan.minimum_width(np.zeros((3, 7), np.uint8)) == reggan.minimum_spacing(np.ones((3, 7))) == 7
    assert reggan.minimum_width(np.ones((3, 7))) == reggan.minimum_spacing(np.zeros((3, 7), np.uint8)) == 0
    assert reggan.minimum_width(np.zeros((1, 2000), np.uint8)) == 1024
    assert reggan.minimum_width(np.zeros((0, 5, 5), np.uint8)).shape == (0,)


@pytest.mark.parametrize(("diameter", "width"), [(17, 40), (18, 70), (32, 2), (33, 40), (34, 64), (66, 3), (70, 9)])
@pytest.mark.parametrize("border", BORDERS)
def test_discs_wider_than_a_word_and_than_the_image(diameter, width, border):
    masks = images(np.random.default_rng(diameter), 6, width)[[4, 12]]
    masks[1, 2, width // 2] = False
    for layer, solid in (("foreground", masks), ("background", ~masks)):
        counts = reggan.narrow_pixels(np.where(masks, 0, 255).astype(np.uint8), diameter, layer=layer, border=border)
        assert counts.tolist() == [narrow(mask, diameter, border) for mask in solid]


@pytest.mark.parametrize("lengths", [(1, 1), (200, 3), (3, 200), (70, 66), (10**30, 10**30)])
@pytest.mark.parametrize("width", [1, 5, 64, 130])
def test_runs_longer_than_words_and_images(lengths, width):
    masks = adversarial(np.random.default_rng(width), 20, 7, width)
    for periodic in (False, True):
        found = reggan.short_runs(~masks, *lengths, periodic=periodic)
        length, gap = (min(each, 1000) for each in lengths)
        np.testing.assert_array_equal(found, count_short(masks, length, gap, periodic))


@given(masks_of_any_shape, st.integers(1, 9), st.sampled_from(BORDERS))
def test_openings_shrink_and_closings_grow(masks, diameter, border):
    once, closed = (
        open_or_close(~masks, diameter, border=border) for open_or_close in (reggan.opening, reggan.closing)
    )
    assert not (once & ~masks).any()
    assert not (masks & ~closed).any()
    np.testing.assert_array_equal(reggan.opening(~once, diameter, border=border), once)
    np.testing.assert_array_equal(reggan.closing(~closed, diameter, border=border), closed)
    np.testing.assert_array_equal(closed, ~reggan.opening(masks, diameter, border=border))


@given(masks_of_any_shape, st.integers(1, 9), st.integers(0, 30), st.integers(0, 30))
def test_a_periodic_image_has_no_first_pixel(masks, diameter, down, right):
    moved = np.roll(masks, (down, right), (1, 2))
    narrow_of_both = [reggan.narrow_pixels(~each, diameter, layer="both", border="periodic") for each in (masks, moved)]
    np.testing.assert_array_equal(*narrow_of_both)
    runs = [reggan.short_runs(~each, diameter, 3, periodic=True) for each in (masks, moved)]
    np.testing.assert_array_equal(*runs)


def test_masks_are_written_to_out():
    masks = images(np.random.default_rng(4), 20, 70)
    for open_or_close in (reggan.opening, reggan.closing):
        out = np.ones_like(masks)
        assert open_or_close(~masks, 3, out=out) is out
        np.testing.assert_array_equal(out, open_or_close(~masks, 3, threads=1))
        assert open_or_close(~masks[0], 3).shape == (20, 70)
        assert open_or_close(~masks[:0], 3).shape == (0, 20, 70)
        with pytest.raises(ValueError, match="out has shape"):
            open_or_close(~masks, 3, out=out[1:])


@pytest.mark.parametrize(
    ("diameter", "rows"),
    [(1, [1]), (2, [2, 2]), (3, [3, 3, 3]), (4, [2, 4, 4, 2]), (5, [3, 5, 5, 5, 3]), (6, [4, 6, 6, 6, 6, 4])],
)
def test_a_disc_fits_itself_and_loses_any_pixel(diameter, rows):
    assert disc(diameter).sum(1).tolist() == rows
    image = np.pad(disc(diameter), 3)
    assert reggan.narrow_pixels(~image, diameter) == 0
    for y, x in np.argwhere(image):
        less = image.copy()
        less[y, x] = False
        assert reggan.narrow_pixels(~less, diameter) == image.sum() - 1


def test_the_side_of_the_threshold_is_that_of_scores():
    gray = np.random.default_rng(1).random((3, 20, 21)).astype(np.float32)
    for threshold in (0.2, 0.5):
        ink = reggan.ink_mask(gray, threshold=threshold)
        for layer, masks in (("foreground", ink), ("background", ~ink)):
            counts = reggan.narrow_pixels(gray, 2, layer=layer, threshold=threshold)
            assert counts.tolist() == [narrow(mask, 2) for mask in masks]
    light = reggan.narrow_pixels(gray, 2, foreground="light", threshold=0.3)
    assert light.tolist() == [narrow(mask, 2) for mask in reggan.ink_mask(gray, foreground="light", threshold=0.3)]


def test_rules_of_widths_count_violations():
    masks = adversarial(np.random.default_rng(2), 2000, 13, 15)
    for periodic in (False, True):
        border = "periodic" if periodic else "solid"
        ink, paper = ((layer & ~opened(layer, 3, border)).sum((1, 2)) for layer in (masks, ~masks))
        runs = count_short(masks, 3, 2, periodic)
        for foreground, white in (("dark", ~masks), ("light", masks)):
            options: Any = {"foreground": foreground, "periodic": periodic}
            for rule, violations in (
                (Bridge(3, **options), ink),
                (Slot(3, **options), paper),
                (Clear(3, **options), ink + paper),
                (Runs(3, 2, **options), runs),
            ):
                scores = rule(np.where(white, 255, 0).astype(np.uint8))
                np.testing.assert_array_equal(scores, np.float32(8 / (8 + violations)))
                np.testing.assert_array_equal(scores, rule(white.astype(np.float32)))
    assert Bridge(3) != Slot(3) == Slot(3)
    for rule, terms in ((Bridge(4), ["bridge"]), (Slot(4), ["slot"]), (Clear(4), ["bridge", "slot"])):
        # The search takes the terms of the class itself.
        assert "terms" in vars(type(rule))
        assert rule.terms(9) == tuple((term, (4, False)) for term in terms)
    assert Bridge().classify([1 / (1 + v / 8) for v in (0, 1, 2, 3, 5, 6, 12, 13, 24, 25)]).tolist() == [
        5, 4, 4, 3, 3, 2, 2, 1, 1, 0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "rule", ["clear(3, periodic=True)", "bridge(3, foreground='light')", "runs(2, 2, periodic=True)"]
)
def test_a_search_repairs_what_python_scores(rule):
    grays = reggan.render(reggan.Circles(), 4, seed=2, size=24)
    assert (reggan.repair(grays, rule).scores == 1).all()


@pytest.mark.parametrize("diameter", [0, -1, 1025])
def test_diameters_that_make_no_sense_are_refused(diameter):
    with pytest.raises(ValueError, match=f"diameter is {diameter}, but must be an integer from 1 to 1024"):
        reggan.narrow_pixels(np.zeros((4, 4), np.uint8), diameter)
    with pytest.raises(ValueError, match="diameter is"):
        Clear(diameter)
    with pytest.raises(TypeError, match=r"diameter is 2\.5"):
        Slot(2.5)
    with pytest.raises(ValueError, match="layer is 'ink'"):
        reggan.narrow_pixels(np.zeros((4, 4), np.uint8), 2, layer="ink")
    with pytest.raises(ValueError, match="border is 'reflect'"):
        reggan.opening(np.zeros((4, 4), np.uint8), 2, border="reflect")
    with pytest.raises(ValueError, match="length is 0, but must be an integer of at least 1"):
        reggan.short_runs(np.zeros((4, 4), np.uint8), 0, 2)
    with pytest.raises(TypeError, match=r"gap is 1\.5"):
        reggan.short_runs(np.zeros((4, 4), np.uint8), 1, 1.5)
    with pytest.raises(ValueError, match="foreground is 'white'"):
        Runs(foreground="white")
    with pytest.raises(ValueError, match="image 1"):
        reggan.minimum_width(np.stack([np.zeros((4, 4)), np.full((4, 4), np.nan)]))
