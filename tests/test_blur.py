"""gaussian_blur against SciPy in float64, at every size and sigma; determinism; refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import reggan

BORDERS = ["paper", "reflect", "periodic"]
LARGEST_EXACT = 16.1


def noise(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> Any:
    random = np.random.default_rng(seed)
    if dtype == np.uint8:
        return random.integers(0, 256, shape, np.uint8)
    return random.random(shape, np.float32)


def expected(image: Any, sigma: float, border: str = "paper", outside: float = 1.0) -> Any:
    white = 255 if image.dtype == np.uint8 else 1
    return ndimage.gaussian_filter(
        image.astype(np.float64), sigma, mode=oracles.MODES[border], cval=outside * white, truncate=4
    )


def assert_blurred(image: Any, sigma: float, border: Any = "paper", outside: float = 1.0) -> None:
    found = reggan.gaussian_blur(image, sigma, border=border, outside=outside)
    assert found.dtype == image.dtype
    assert found.shape == image.shape
    tolerance = 1e-5 if sigma < LARGEST_EXACT else 4e-5
    if image.dtype == np.uint8:
        tolerance = 0.5 + 255 * tolerance
    np.testing.assert_allclose(found, expected(image, sigma, border, outside), rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("sigma", [1.0, 3.0, 8.0])
@pytest.mark.parametrize("size", [64, 256, 1024])
def test_sizes_and_sigmas_of_the_table(size: int, sigma: float, dtype: Any) -> None:
    assert_blurred(noise((size, size), dtype), sigma)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("sigma", [0.0, 0.1, 0.3, 0.7, 2.5, 5.3, 16.0, 16.2, 20.0, 64.0, 200.0])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (17, 300), (300, 17), (129, 257)], ids=str)
def test_any_border(shape: tuple[int, int], sigma: float, border: str) -> None:
    assert_blurred(noise(shape, np.float32), sigma, border)


@settings(max_examples=100)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    sigma=st.floats(0, 16),
    border=st.sampled_from(BORDERS),
    outside=st.floats(-2, 2),
    seed=st.integers(0, 2**32),
)
def test_any_blur(height: int, width: int, sigma: float, border: Any, outside: float, seed: int) -> None:
    image = noise((height, width), np.float32, seed)
    assert_blurred(image, sigma, border, outside)
    assert_blurred((255 * image).astype(np.uint8), sigma, border, min(max(outside, 0), 1))


def test_a_sigma_for_each_image() -> None:
    images = noise((40, 50, 70), np.float32)
    sigmas = np.linspace(0, 20, 40)
    for threads in (1, 2, None):
        found = reggan.gaussian_blur(images, sigmas, threads=threads)
        for image, sigma, blurred in zip(images, sigmas, found, strict=True):
            np.testing.assert_array_equal(reggan.gaussian_blur(image, float(sigma)), blurred)
            np.testing.assert_allclose(blurred, expected(image, sigma), rtol=0, atol=4e-5)


def test_threads_change_no_byte_of_a_large_image() -> None:
    for sigma in (2.0, 30.0):
        image = noise((700, 900), np.float32)
        one = reggan.gaussian_blur(image, sigma, threads=1)
        np.testing.assert_array_equal(reggan.gaussian_blur(image, sigma, threads=4), one)


def test_values_beyond_black_and_white() -> None:
    image = 1000 * noise((30, 40), np.float32) - 500
    np.testing.assert_allclose(reggan.gaussian_blur(image, 2), expected(image, 2), rtol=0, atol=1e-2)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("sigma", [0.0, 1.0, 15.0, 20.0, 300.0])
def test_any_finite_value_is_served(sigma: float, border: Any) -> None:
    largest = np.finfo(np.float32).max
    for white in (np.ones((30, 40), np.bool_), noise((30, 40), np.uint8) < 128):
        image = np.where(white, largest, -largest)
        found = reggan.gaussian_blur(image, sigma, border=border, outside=0.0).astype(np.float64)
        np.testing.assert_allclose(
            found / largest, expected(image, sigma, border, 0.0) / float(largest), rtol=0, atol=4e-5
        )


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (40, 30), (1, 500)], ids=str)
@pytest.mark.parametrize("sigma", [41.0, 499.0, 501.0, 3000.0])
def test_a_gaussian_wider_than_the_image(sigma: float, shape: tuple[int, int], border: Any) -> None:
    image = noise(shape, np.float32)
    for outside in (0.0, 1.0):
        assert_blurred(image, sigma, border, outside)
    found = reggan.gaussian_blur(np.full(shape, 0.25, np.float32), sigma, border=border, outside=0.25)
    np.testing.assert_allclose(found, 0.25, rtol=1e-6)


@pytest.mark.parametrize("border", ["reflect", "periodic"])
@pytest.mark.parametrize("sigma", [10.0, 20.0])
def test_nothing_is_outside_where_an_image_goes_on(border: Any, sigma: float) -> None:
    images = noise((2, 30, 30), np.float32)
    found = reggan.gaussian_blur(images, sigma, border=border)
    np.testing.assert_array_equal(reggan.gaussian_blur(images, sigma, border=border, outside=1e10), found)
    small = reggan.gaussian_blur(1e-6 * images, sigma, border=border)
    np.testing.assert_allclose(1e6 * small, found, atol=1e-6)


def test_layouts_and_kinds_of_arrays() -> None:
    images = noise((6, 20, 30), np.uint8)
    found = reggan.gaussian_blur(images, 1.5)
    np.testing.assert_array_equal(reggan.gaussian_blur(images[:, None], 1.5)[:, 0], found)
    np.testing.assert_array_equal(reggan.gaussian_blur(images[::-2], 1.5), found[::-2])
    np.testing.assert_array_equal(reggan.gaussian_blur(np.asfortranarray(images), 1.5), found)
    tensor = reggan.gaussian_blur(torch.from_numpy(images), 1.5)
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), found)
    assert reggan.gaussian_blur(images[:0], 1.5).shape == (0, 20, 30)
    out = np.empty_like(images)
    assert reggan.gaussian_blur(images, 1.5, out=out) is out
    np.testing.assert_array_equal(out, found)


@pytest.mark.parametrize(
    ("error", "word", "images", "options"),
    [
        (ValueError, "sigma", np.zeros((4, 4), np.uint8), {"sigma": -1.0}),
        (ValueError, "sigma", np.zeros((4, 4), np.uint8), {"sigma": float("nan")}),
        (ValueError, "sigma", np.zeros((4, 4), np.uint8), {"sigma": 40_000.0}),
        (ValueError, "sigma", np.zeros((3, 4, 4), np.uint8), {"sigma": [1.0, 2.0]}),
        (ValueError, "border", np.zeros((4, 4), np.uint8), {"sigma": 1.0, "border": "constant"}),
        (ValueError, "outside", np.zeros((4, 4), np.uint8), {"sigma": 1.0, "outside": float("inf")}),
        (ValueError, "outside", np.zeros((4, 4), np.uint8), {"sigma": 1.0, "outside": 1e31}),
        (ValueError, "shape", np.zeros((2, 3, 4, 4), np.uint8), {"sigma": 1.0}),
        (ValueError, "shape", np.zeros(4, np.uint8), {"sigma": 1.0}),
        (ValueError, "32768", np.zeros((3, 0, 4), np.uint8), {"sigma": 1.0}),
        (ValueError, "out", np.zeros((4, 4), np.uint8), {"sigma": 1.0, "out": np.zeros((4, 5), np.uint8)}),
        (TypeError, "float64", np.zeros((4, 4)), {"sigma": 1.0}),
        (TypeError, "images", [[1, 2]], {"sigma": 1.0}),
        (TypeError, "out", np.zeros((4, 4), np.uint8), {"sigma": 1.0, "out": np.zeros((4, 4), np.float32)}),
        (TypeError, "images: a masked", np.ma.zeros((4, 4), np.uint8), {"sigma": 1.0}),
        (TypeError, "sigma: a masked", np.zeros((1, 4, 4), np.uint8), {"sigma": np.ma.array([1.0])}),
        (TypeError, "sigma .* a number", np.zeros((4, 4), np.uint8), {"sigma": "1"}),
        (TypeError, "sigma .* a number", np.zeros((1, 4, 4), np.uint8), {"sigma": ["1"]}),
        (TypeError, "sigma .* a number", np.zeros((4, 4), np.uint8), {"sigma": None}),
        (TypeError, "sigma .* a number", np.zeros((2, 4, 4), np.uint8), {"sigma": [[1.0], [1.0, 2.0]]}),
        (TypeError, "sigma: .* meta", np.zeros((4, 4), np.uint8), {"sigma": torch.ones((), device="meta")}),
        (TypeError, "outside .* from -1e.30", np.zeros((4, 4), np.uint8), {"sigma": 1.0, "outside": "1"}),
        (TypeError, "outside .* from -1e.30", np.zeros((4, 4), np.uint8), {"sigma": 1.0, "outside": None}),
        (TypeError, "outside .* from -1e.30", np.zeros((4, 4), np.uint8), {"sigma": 1.0, "outside": 1j}),
        (TypeError, "border .*paper.*periodic", np.zeros((4, 4), np.uint8), {"sigma": 1.0, "border": None}),
        (
            TypeError,
            "border .*paper.*periodic",
            np.zeros((4, 4), np.uint8),
            {"sigma": 1.0, "border": np.array(BORDERS)},
        ),
    ],
)
def test_what_is_refused(error: type[Exception], word: str, images: Any, options: Any) -> None:
    with pytest.raises(error, match=word):
        reggan.gaussian_blur(images, **options)


def test_out_must_be_other_memory() -> None:
    images = noise((3, 8, 8), np.uint8)
    with pytest.raises(ValueError, match="out shares memory with images"):
        reggan.gaussian_blur(images, 1.0, out=images)
    buffer = bytearray(8 * 64)
    one = np.frombuffer(buffer, np.uint8)
    for sigma in (np.frombuffer(buffer, np.float64)[:8], one.view(np.float64)[:8]):
        with pytest.raises(ValueError, match="out shares memory with sigma"):
            reggan.gaussian_blur(noise((8, 8, 8), np.uint8), sigma, out=one.reshape(8, 8, 8))


def test_sigma_may_be_a_tensor_or_integers() -> None:
    images = noise((2, 20, 30), np.float32)
    found = reggan.gaussian_blur(images, [1.0, 2.0])
    for sigma in (torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([1, 2]), np.array([1, 2], np.uint8)):
        np.testing.assert_array_equal(reggan.gaussian_blur(images, sigma), found)
