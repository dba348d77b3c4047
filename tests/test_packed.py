"""Packed images, and tensors that are packed on their device: the bits, and what is measured of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import reggan
from reggan import PackedImages, _core, _torch

ORDERS = ("big", "little")
THRESHOLDS = (0.5, 0.0, 1.0, 0.3, 1 / 3, 1 - 77 / 255, 77 / 255)
LIMITS = (*THRESHOLDS, -0.1, 1.5, 1e300, -1e300)
"""Thresholds that kernels know of; those that no pixel or every pixel meets are refused before."""
TYPES = (torch.float64, torch.float32, torch.float16, torch.uint8, torch.bool)
each_type = pytest.mark.parametrize("dtype", TYPES, ids=str)
each_foreground = pytest.mark.parametrize("foreground", ["dark", "light"])


def packed(white: oracles.Mask, bitorder: Any = "big", padding: int = 0) -> PackedImages[Any]:
    """Bool images as bits; `padding` is what the bits beyond a row are."""
    width = white.shape[-1]
    margin = [(0, 0)] * (white.ndim - 1) + [(0, -width % 8)]
    filled = np.pad(white, margin, constant_values=bool(padding))
    return PackedImages(np.packbits(filled, axis=-1, bitorder=bitorder), width, bitorder)


def assert_same(found: Any, expected: Any) -> None:
    for field in oracles.FIELDS:
        np.testing.assert_array_equal(np.asarray(getattr(found, field)), np.asarray(getattr(expected, field)), field)


# Packed images


@pytest.mark.parametrize("bitorder", ORDERS)
@pytest.mark.parametrize("width", [*range(1, 20), 63, 64, 65, 100, 127, 128, 129])
def test_packed_images_are_the_bool_images_that_they_stand_for(width: int, bitorder: str) -> None:
    rng = np.random.default_rng(width)
    white = rng.random((12, 9, width)) < np.linspace(0, 1, 12).reshape(-1, 1, 1)
    for connectivity in (4, 8):
        for foreground in ("dark", "light"):
            ink = white if foreground == "light" else ~white
            expected = [oracles.measure(mask, connectivity) for mask in ink]
            for padding in (0, 1):
                images = packed(white, bitorder, padding)
                oracles.assert_measured(images, expected, connectivity=connectivity, foreground=foreground)


@given(
    hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=70)),
    st.sampled_from(ORDERS),
    st.sampled_from((0, 1)),
    st.sampled_from(["dark", "light"]),
    st.sampled_from(THRESHOLDS),
)
def test_any_bits(white: oracles.Mask, bitorder: str, padding: int, foreground: Any, threshold: float) -> None:
    options: dict[str, Any] = {"foreground": foreground, "threshold": threshold}
    images = packed(white, bitorder, padding)
    np.testing.assert_array_equal(reggan.label(images, **options), reggan.label(white, **options))
    assert_same(reggan.analyze(images, **options), reggan.analyze(white, **options))


@pytest.mark.parametrize("bitorder", ORDERS)
def test_packed_volumes(bitorder: str) -> None:
    white = np.random.default_rng(0).random((30, 4, 5, 13)) < 0.6
    for connectivity in (6, 18, 26):
        expected = [oracles.measure(~volume, connectivity) for volume in white]
        oracles.assert_measured(packed(white, bitorder), expected, connectivity=connectivity)
        oracles.assert_measured(packed(white[:, None], bitorder), expected, connectivity=connectivity)


def test_axes_and_strides_of_packed_images() -> None:
    white = np.random.default_rng(0).random((6, 10, 75)) < 0.5
    images = packed(white)
    labels = reggan.label(white)
    np.testing.assert_array_equal(reggan.label(packed(white[2])), labels[2])
    assert reggan.score(packed(white[2])).shape == ()
    np.testing.assert_array_equal(reggan.label(packed(white[:, None])), labels)
    assert reggan.score(packed(white[:0])).shape == (0,)
    for view in (images.bits[::-1], images.bits[1:5], np.asfortranarray(images.bits), images.bits[:, ::2]):
        plain = np.unpackbits(view, axis=-1, count=75).astype(np.bool_)
        np.testing.assert_array_equal(reggan.label(PackedImages(view, 75)), reggan.label(plain))
    out = np.full((6, 10, 75), -1, np.int32)
    assert reggan.label(images, out=out) is out
    np.testing.assert_array_equal(out, labels)
    memory = np.zeros((6, 1, 8), np.uint8)
    with pytest.raises(ValueError, match="out shares memory"):
        reggan.largest_component(PackedImages(memory.reshape(-1)[:6].reshape(6, 1, 1), 8), out=memory.view(np.bool_))


def test_packed_tensors_give_tensors() -> None:
    white = np.random.default_rng(0).random((6, 10, 75)) < 0.5
    bits = torch.from_numpy(packed(white).bits)
    found = reggan.score(PackedImages(bits, 75))
    assert isinstance(found, torch.Tensor)
    np.testing.assert_array_equal(found.numpy(), reggan.score(white))


def test_what_are_no_packed_images() -> None:
    bits = np.zeros((2, 3, 2), np.uint8)
    for width in (0, -1, 8, 17, 32_769):
        with pytest.raises(ValueError, match=str(width)):
            PackedImages(bits, width)
    with pytest.raises(TypeError, match=r"1\.5"):
        PackedImages(bits, 1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="middle"):
        PackedImages(bits, 16, "middle")  # type: ignore[arg-type]
    for other in (bits.astype(np.int8), bits.astype(np.bool_), torch.zeros(2, 3, 2)):
        with pytest.raises(TypeError, match="uint8"):
            PackedImages(other, 16)
    with pytest.raises(TypeError, match="list"):
        PackedImages(bits.tolist(), 16)
    with pytest.raises(TypeError, match="bits: a masked array"):
        PackedImages(np.ma.array(bits), 16)
    for order in (None, np.array(["big", "little"])):
        with pytest.raises(TypeError, match='must be "big" or "little"'):
            PackedImages(bits, 16, order)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shape"):
        PackedImages(np.zeros((), np.uint8), 1)
    for shape in ((2,), (2, 3, 4, 2), (1, 1, 1, 1, 2)):
        with pytest.raises(ValueError, match="shape"):
            reggan.score(PackedImages(np.zeros(shape, np.uint8), 16))
    with pytest.raises(ValueError, match=r"32,?768"):
        reggan.score(PackedImages(np.zeros((2, 0, 2), np.uint8), 16))
    with pytest.raises(TypeError, match="meta"):
        reggan.score(PackedImages(torch.zeros((2, 3, 2), dtype=torch.uint8, device="meta"), 16))


def test_packed_images_are_frozen() -> None:
    images = PackedImages(np.zeros((2, 3, 2), np.uint8), np.int64(16))  # type: ignore[arg-type]
    assert type(images.width) is int
    with pytest.raises(AttributeError):
        images.width = 15  # type: ignore[misc]


# Tensors that are packed where they are

TENSORS: dict[str, Any] = {
    "plain": lambda t: t,
    "one image": lambda t: t[3],
    "no images": lambda t: t[:0],
    "odd width": lambda t: t[:, :, :61],
    "one column": lambda t: t[:, :, :1],
    "whole bytes": lambda t: t[:, :, :64],
    "strided": lambda t: t[::2, ::3, ::2],
    "transposed": lambda t: t.transpose(1, 2),
    "expanded": lambda t: t[:1].expand(4, -1, -1),
    "channel": lambda t: t[:, None],
    "channels last": lambda t: t[:, None].contiguous(memory_format=torch.channels_last),
}


def some_tensor(dtype: torch.dtype) -> torch.Tensor:
    """Gray values of which many lie at the limits of `THRESHOLDS`."""
    rng = np.random.default_rng(5)
    levels = np.array([*THRESHOLDS, 1 - 1 / 3, 0.7])
    gray = rng.choice(levels, (6, 12, 75))
    if dtype == torch.uint8:
        return torch.from_numpy((gray * 255).round().astype(np.uint8))
    return torch.from_numpy(gray > 0.4) if dtype == torch.bool else torch.from_numpy(gray).to(dtype)


@each_foreground
@each_type
def test_bits_packed_by_torch_are_those_of_numpy(dtype: torch.dtype, foreground: str) -> None:
    tensor = some_tensor(dtype)
    for threshold in LIMITS:
        options = _core.Options(threshold, foreground, 4, None)
        for change in TENSORS.values():
            images = change(tensor)
            mask = oracles.foreground_mask(images.numpy(), threshold, foreground)
            rows = _torch.packed_rows(images, options) if images.ndim > 2 else _torch.packed_rows(images[None], options)
            expected = np.packbits(mask, axis=-1, bitorder="little")
            np.testing.assert_array_equal(rows.reshape(expected.shape), expected)


@pytest.fixture
def packs_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tensors take the way of those that are not on the CPU."""
    monkeypatch.setattr(_torch, "on_cpu", lambda tensor: False)


@pytest.mark.usefixtures("packs_tensors")
@pytest.mark.parametrize("name", TENSORS)
@each_type
def test_packing_on_the_device_changes_no_result(name: str, dtype: torch.dtype) -> None:
    tensor = TENSORS[name](some_tensor(dtype))
    for connectivity, foreground, threshold in [(4, "dark", None), (8, "light", 0.3), (8, "dark", 1.0)]:
        options: dict[str, Any] = {"connectivity": connectivity, "foreground": foreground, "threshold": threshold}
        found = reggan.analyze(tensor, **options)
        assert all(isinstance(value, torch.Tensor) for value in vars(found).values())
        assert_same(found, reggan.analyze(tensor.numpy(), **options))
        for function in (reggan.score, reggan.label, partial(reggan.largest_components, k=2)):
            one, other = function(tensor, **options), function(tensor.numpy(), **options)
            assert one.shape == other.shape
            np.testing.assert_array_equal(one.numpy(), other)


@pytest.mark.usefixtures("packs_tensors")
def test_volumes_are_packed_on_the_device() -> None:
    tensor = torch.rand((5, 6, 7, 13), generator=torch.Generator().manual_seed(0))
    for volumes in (tensor, tensor[0], tensor[:, None], tensor[:, ::2, 1:, ::3]):
        for connectivity in (6, 18, 26):
            found = reggan.label(volumes, connectivity=connectivity)
            np.testing.assert_array_equal(found.numpy(), reggan.label(volumes.numpy(), connectivity=connectivity))


@pytest.mark.usefixtures("packs_tensors")
@each_foreground
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16], ids=str)
def test_nan_on_the_device_names_the_first_image(dtype: torch.dtype, foreground: Any) -> None:
    tensor = torch.zeros((20, 4, 9), dtype=dtype)
    tensor[17, 2, 3] = torch.nan
    tensor[19, 3, 8] = -torch.nan
    with pytest.raises(ValueError, match=r"image 17 .*NaN"):
        reggan.score(tensor, foreground=foreground)
    with pytest.raises(ValueError, match=r"image 0 .*NaN"):
        reggan.score(tensor[17], foreground=foreground)
    tensor[17:] = torch.inf
    tensor[18] = -torch.inf
    assert reggan.score(tensor, foreground=foreground)[18] == (foreground == "dark")


@pytest.mark.usefixtures("packs_tensors")
def test_what_is_refused_is_refused_on_the_device() -> None:
    for shape, word in (((), "shape"), ((5,), "shape"), ((2, 3, 4, 5), "gray"), ((2, 0, 4), "32768")):
        with pytest.raises(ValueError, match=word):
            reggan.score(torch.zeros(shape))
    with pytest.raises(TypeError, match=r"bfloat16.*float64, float32, float16, uint8 and bool"):
        reggan.score(torch.zeros((2, 3, 4), dtype=torch.bfloat16))


@each_foreground
@each_type
def test_the_limit_is_exact(dtype: torch.dtype, foreground: str) -> None:
    name = _torch.PIXEL_TYPES[dtype]
    if name == "bool":
        values = np.array([0, 1, 2, 255], np.uint8)
        grays = values != 0
    else:
        values = np.arange(256).astype(name) if name == "uint8" else np.array(THRESHOLDS).astype(name)
        if name != "uint8":
            values = np.concatenate([values, np.nextafter(values, values.dtype.type(-9)), 1 - values])
        grays = values
    for threshold in LIMITS:
        limit, negate = _core.Options(threshold, foreground, 4, None).limit(name)
        expected = oracles.foreground_mask(grays, threshold, foreground)
        np.testing.assert_array_equal((values.astype(np.float64) <= limit) != negate, expected)


def test_a_limit_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="bfloat16"):
        _core.Options(0.5, "dark", 4, None).limit("bfloat16")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each_type
def test_cuda_tensors(dtype: torch.dtype) -> None:
    tensor = some_tensor(dtype)
    for name, change in TENSORS.items():
        for foreground in ("dark", "light"):
            for threshold in THRESHOLDS:
                options: dict[str, Any] = {"foreground": foreground, "threshold": threshold}
                found = reggan.label(change(tensor.cuda()), **options)
                assert found.is_cuda
                np.testing.assert_array_equal(found.cpu().numpy(), reggan.label(change(tensor), **options), name)
    bits = torch.from_numpy(packed(tensor.numpy() > 0).bits)
    found = reggan.score(PackedImages(bits.cuda(), tensor.shape[-1]))
    assert found.is_cuda
    np.testing.assert_array_equal(found.cpu().numpy(), reggan.score(PackedImages(bits.numpy(), tensor.shape[-1])))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_work_is_waited_for() -> None:
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        images = torch.ones((2000, 64, 64), device="cuda")
        for _ in range(50):
            images = images * 0.5 + 0.5
        images[:, 3:9, 3:9] = 0
        found = reggan.analyze(images, fields=["area"])
    assert (found.area == 36).all()
