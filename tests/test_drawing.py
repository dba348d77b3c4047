"""Sheets and highlights, pixel by pixel."""

import numpy as np

from reggan.drawing import highlight, panels, sheet

IMAGE = np.array([[0, 0, 255, 100], [255, 255, 255, 200]], np.uint8)


def test_the_largest_piece_is_black_and_others_are_gray():
    assert highlight(IMAGE[None])[0].tolist() == [[0, 0, 255, 176], [255, 255, 255, 255]]


def test_a_sheet_holds_every_image_at_its_place():
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 4)).astype(np.uint8)
    drawn = np.asarray(sheet(images, columns=2, zoom=2))
    assert drawn.shape == (3 * (3 * 2 + 4) + 4, 2 * (4 * 2 + 4) + 4)
    for k, image in enumerate(images):
        y, x = 4 + (k // 2) * 10, 4 + (k % 2) * 12
        assert (drawn[y : y + 6 : 2, x : x + 8 : 2] == image).all()
        assert (drawn[y + 1 : y + 6 : 2, x + 1 : x + 8 : 2] == image).all()
    assert (drawn[24:, 16:] == 226).all()


def test_small_images_are_enlarged_and_large_ones_are_not():
    assert sheet(np.zeros((1, 32, 32), np.uint8)).size == (72, 72)
    assert sheet(np.zeros((1, 100, 200), np.uint8)).size == (208, 108)


def test_panels_stand_side_by_side_under_their_names():
    images = np.zeros((4, 8, 8), np.uint8)
    drawn = panels({"one": images, "two": images}, columns=2)
    alone = sheet(images, columns=2)
    assert drawn.size == (2 * alone.width + 24, alone.height + 34)
    assert (np.asarray(drawn)[34:, -alone.width :] == np.asarray(alone)).all()
    assert np.asarray(drawn)[:34].min() == 0


def test_names_of_panels_may_have_signs_that_are_not_letters():
    heads = {np.asarray(panels({sign: np.zeros((4, 32, 32), np.uint8)}))[:34].tobytes() for sign in "≥≤∝±"}
    assert len(heads) == 4
