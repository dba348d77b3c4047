"""Openings by discs against SciPy."""

import numpy as np
import pytest
from scipy import ndimage

import reggan
from reggan.rules import Bridge, Clear, Slot


def disc(diameter: int) -> np.ndarray:
    """Pixels whose centers are less than d / 2 from the center of a d x d square."""
    centers = np.arange(diameter) - (diameter - 1) / 2
    return np.hypot(centers[:, None], centers) < diameter / 2


def narrow(mask: np.ndarray, diameter: int) -> int:
    """Pixels that the opening removes; outside of the image all is solid, in a margin wide enough for any disc."""
    margin = 2 * diameter
    solid = np.pad(mask, margin, constant_values=True)
    opened = ndimage.binary_opening(solid, disc(diameter))
    return int((solid & ~opened)[margin:-margin, margin:-margin].sum())


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


@pytest.mark.parametrize(("diameter", "width"), [(33, 40), (34, 64), (66, 3)])
def test_discs_wider_than_a_word_and_than_the_image(diameter, width):
    masks = images(np.random.default_rng(diameter), 6, width)[[4, 12]]
    masks[1, 2, width // 2] = False
    counts = reggan.narrow_pixels(np.where(masks, 0, 255).astype(np.uint8), diameter)
    assert counts.tolist() == [narrow(mask, diameter) for mask in masks]


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


def test_rules_of_widths_count_violating_pixels():
    masks = images(np.random.default_rng(2), 24, 30)
    grays = np.where(masks, 0, 255).astype(np.uint8)
    ink = np.array([narrow(mask, 3) for mask in masks])
    paper = np.array([narrow(~mask, 3) for mask in masks])
    for rule, violations in ((Bridge(3), ink), (Slot(3), paper), (Clear(3), ink + paper)):
        np.testing.assert_allclose(rule(grays), 1 / (1 + violations / 8), rtol=1e-6)
        assert ((rule(grays) == 1) == (violations == 0)).all()
    assert Bridge(3) != Slot(3) == Slot(3)
    assert Bridge().classify([1 / (1 + v / 8) for v in (0, 1, 2, 3, 5, 6, 12, 13, 24, 25)]).tolist() == [
        5, 4, 4, 3, 3, 2, 2, 1, 1, 0,
    ]  # fmt: skip


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
