"""render against a NumPy reimplementation of the streams and a float64 blur; determinism; refusals."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import random
from typing import Any

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import reggan
from reggan import Circles

TOLERANCE = 1e-5
TOLERANCE_OF_WIDE_BLURS = 4e-5
LIMIT = 2**64

SPECS = {
    "default": Circles(),
    "attached": Circles(clustering=(0.0, 1.0)),
    "apart": Circles(clustering=(-1.0, 0.0)),
    "always apart": Circles(count=(5, 30), clustering=(-1.0, -1.0)),
    "always attached": Circles(count=(5, 30), clustering=(1.0, 1.0)),
    "sharp": Circles(blur=(0.0, 0.0)),
    "a hair of blur": Circles(blur=(0.0, 0.1)),
    "one disc": Circles(count=(1, 1), radius=(10.0, 10.0), blur=(1.0, 1.0)),
    "many small": Circles(count=(200, 300), radius=(0.1, 1.0), blur=(0.3, 0.3)),
    "all ink": Circles(count=(1, 2), radius=(1e4, 1e4), blur=(0.5, 3.0)),
    "wide blur": Circles(count=(30, 40), radius=(5.0, 20.0), blur=(20.0, 64.0)),
    "blurred dust": Circles(count=(900, 1000), radius=(0.05, 0.3), blur=(10.0, 64.0)),
}
SIZES = [1, 2, 32, 64, 65, (48, 80), (1, 200), (130, 3)]


def shape_of(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def assert_matches_oracle(spec: Circles, seed: int, indices: list[int], size: int | tuple[int, int]) -> None:
    """Float images within the tolerance; bytes rounded half up, but for a value that this error moves over a half."""
    widest = spec.blur[1] * min(shape_of(size)) / 64
    tolerance = TOLERANCE if widest <= 16 else TOLERANCE_OF_WIDE_BLURS
    expected = np.array([oracles.render_circles(spec, seed, i, *shape_of(size)) for i in indices])
    exact = reggan.render(spec, indices, seed=seed, size=size, dtype=np.float32)
    assert exact.dtype == np.float32
    assert exact.shape == expected.shape
    np.testing.assert_allclose(exact, expected, rtol=0, atol=tolerance)
    assert exact.min() >= 0
    assert exact.max() <= 1

    found = reggan.render(spec, indices, seed=seed, size=size, dtype=np.uint8)
    assert found.dtype == np.uint8
    levels = 255 * expected
    difference = np.abs(found - np.floor(levels + 0.5))
    assert difference.max() <= 1
    to_a_half = np.abs(levels - np.floor(levels) - 0.5)
    assert to_a_half[difference > 0].max(initial=0) <= 255 * tolerance


# The oracle itself


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_the_philox_oracle_gives_the_known_answers(counter: str, key: str, expected: str) -> None:
    c0, c1, c2, c3 = (int(word, 16) for word in counter.split())
    k0, k1 = (int(word, 16) for word in key.split())
    assert oracles.philox4x32((c0, c1, c2, c3), (k0, k1)) == tuple(int(w, 16) for w in expected.split())


# Pictures


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", SPECS)
def test_renders_what_the_reference_renders(name: str, size: int | tuple[int, int]) -> None:
    assert_matches_oracle(SPECS[name], 20, [0, 1, 2, 5, 1000], size)


@pytest.mark.parametrize("name", ["default", "attached", "wide blur", "blurred dust"])
def test_renders_large_images(name: str) -> None:
    assert_matches_oracle(SPECS[name], 1, [0, 3], 300)


@pytest.mark.parametrize("size", [(32768, 1), (1, 32768), (2, 32768)], ids=str)
def test_renders_the_longest_images(size: tuple[int, int]) -> None:
    spec = Circles(radius=(50.0, 5000.0), blur=(20.0, 60.0))
    assert_matches_oracle(spec, 2, [0, 1], size)


def test_renders_many_default_images() -> None:
    assert_matches_oracle(Circles(clustering=(0.0, 1.0)), 5, list(range(300)), 64)


def interval(low: float, high: float) -> st.SearchStrategy[tuple[float, float]]:
    return st.tuples(st.floats(low, high), st.floats(low, high)).map(lambda pair: (min(pair), max(pair)))


specs = st.builds(
    Circles,
    count=interval(1, 40).map(lambda pair: (int(pair[0]), int(pair[1]))),
    radius=interval(0.01, 40),
    blur=interval(0, 12),
    clustering=interval(-1, 1),
)


@settings(max_examples=200)
@given(
    spec=specs,
    seed=st.integers(0, LIMIT - 1),
    index=st.integers(0, LIMIT - 1),
    size=st.tuples(st.integers(1, 80), st.integers(1, 80)),
)
def test_any_spec_seed_index_and_size(spec: Circles, seed: int, index: int, size: tuple[int, int]) -> None:
    assert_matches_oracle(spec, seed, [index], size)


@pytest.mark.parametrize("number", [0, 1, 2**32 - 1, 2**32, 2**63 - 1, 2**63, LIMIT - 1])
def test_seeds_and_indices_of_64_bits(number: int) -> None:
    assert_matches_oracle(Circles(), number, [0], 32)
    assert_matches_oracle(Circles(), 0, [number], 32)


def test_the_most_discs() -> None:
    spec = Circles(count=(65536, 65536), radius=(0.01, 0.5))
    images = reggan.render(spec, 2, size=32)
    assert len(np.unique(images[0])) > 1
    assert not np.array_equal(images[0], images[1])


def test_statistics_of_the_default_spec() -> None:
    images, scores = reggan.render(Circles(), 4000, seed=11, with_scores=True)
    found = reggan.analyze(images)
    assert scores.mean() == pytest.approx(0.34, abs=0.02)
    assert found.count.mean() == pytest.approx(8, abs=0.7)
    assert found.area.mean() / images[0].size == pytest.approx(0.2, abs=0.02)


def test_attaching_flattens_the_scores() -> None:
    _, uniform = reggan.render(Circles(), 2000, with_scores=True)
    _, attached = reggan.render(Circles(clustering=(0.0, 1.0)), 2000, with_scores=True)
    assert attached.mean() > uniform.mean() + 0.1
    assert attached.std() > 1.5 * uniform.std()


def test_keeping_apart_makes_more_pieces() -> None:
    uniform = reggan.analyze(reggan.render(Circles(), 1000))
    apart = reggan.analyze(reggan.render(Circles(clustering=(-1.0, -1.0)), 1000))
    assert apart.count.mean() > uniform.count.mean() + 3
    assert apart.score.mean() < uniform.score.mean() - 0.1


def test_images_differ() -> None:
    images = reggan.render(Circles(), 500, seed=1)
    others = reggan.render(Circles(), 500, seed=2)
    assert len({image.tobytes() for image in (*images, *others)}) == 1000


def test_proportions_do_not_depend_on_the_size() -> None:
    small = reggan.render(Circles(), 300, size=64, dtype=np.float32)
    large = reggan.render(Circles(), 300, size=128, dtype=np.float32)
    shrunk = large.reshape(300, 64, 2, 64, 2).mean(axis=(2, 4))
    assert np.abs(shrunk - small).mean() < 0.01


# Determinism


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_threads_change_no_byte(dtype: Any) -> None:
    spec = Circles(clustering=(0.0, 1.0))
    one, scores = reggan.render(spec, 2000, seed=3, dtype=dtype, with_scores=True, threads=1)
    for threads in (2, 5, None):
        many, same = reggan.render(spec, 2000, seed=3, dtype=dtype, with_scores=True, threads=threads)
        assert many.tobytes() == one.tobytes()
        assert same.tobytes() == scores.tobytes()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_any_index_alone_is_the_same_as_in_a_batch(dtype: Any) -> None:
    batch = reggan.render(Circles(), 100, seed=4, dtype=dtype)
    order = np.random.default_rng(0).permutation(100)
    np.testing.assert_array_equal(reggan.render(Circles(), order, seed=4, dtype=dtype), batch[order])
    for index in (0, 17, 99):
        np.testing.assert_array_equal(reggan.render(Circles(), [index], seed=4, dtype=dtype)[0], batch[index])
    np.testing.assert_array_equal(reggan.render(Circles(), [5, 5, 5], seed=4, dtype=dtype), batch[[5, 5, 5]])


@pytest.mark.parametrize(
    "indices",
    [
        [3, 1, 4],
        (3, 1, 4),
        np.array([3, 1, 4]),
        np.array([3, 1, 4], np.uint64),
        np.array([3, 1, 4], np.int8),
        np.array([3, 1, 4], ">i4"),
        np.array([3, 0, 1, 0, 4, 0])[::2],
        [np.int64(3), np.uint8(1), 4],
    ],
)
def test_indices_of_any_kind(indices: Any) -> None:
    batch = reggan.render(Circles(), 5, size=16)
    np.testing.assert_array_equal(reggan.render(Circles(), indices, size=16), batch[[3, 1, 4]])


def test_counts_and_ranges() -> None:
    batch = reggan.render(Circles(), 10, size=16)
    np.testing.assert_array_equal(reggan.render(Circles(), np.int64(10), size=16), batch)
    np.testing.assert_array_equal(reggan.render(Circles(), range(2, 10, 3), size=16), batch[2:10:3])
    np.testing.assert_array_equal(reggan.render(Circles(), range(9, -1, -1), size=16), batch[::-1])


@pytest.mark.parametrize("nothing", [0, [], (), range(0), np.array([], np.int64)])
def test_no_images(nothing: Any) -> None:
    images, scores = reggan.render(Circles(), nothing, size=(3, 4), with_scores=True)
    assert images.shape == (0, 3, 4)
    assert scores.shape == (0,)


def test_global_random_state_is_neither_read_nor_moved() -> None:
    random.seed(0)
    torch.manual_seed(0)
    state, torch_state = random.getstate(), torch.random.get_rng_state()
    first = reggan.render(Circles(), 5)
    assert random.getstate() == state
    assert torch.equal(torch.random.get_rng_state(), torch_state)
    random.seed(1)
    torch.manual_seed(1)
    np.testing.assert_array_equal(reggan.render(Circles(), 5), first)


# The bytes of stream version 2, on every machine and for every instruction set.
GOLDEN: dict[tuple[str, int, int | tuple[int, int], str], str] = {
    ("default", 0, 64, "uint8"): "de281858e9f7ece77ce3a322f26652c0f4666ffc47cea05cea0f289876b34cfe",
    ("default", 0, 64, "float32"): "6dc77ff6af442eb7cdd83bf910700fa29ef0856b3d5df2bf0db4de9f7f5c8ea3",
    ("default", LIMIT - 1, 32, "uint8"): "8028cf864143cf15c4ce9be4404c2f165f1e63809fc1d330ff68cc3a55a41732",
    ("default", 7, 128, "float32"): "eae2efeff3c674406c1efeed6750b44cea60af9c8df3a2609270a439935af66a",
    ("attached", 1, 64, "uint8"): "692ff8bc70059bc49508a2df1ec029f69ddb396db162b6acdc44da5bac75581d",
    ("attached", 1, (48, 80), "float32"): "d20bb380bc70c6f0b08e87f996a4ffc6dc3b6781019abecb9ee6a9a1c8eecc37",
    ("apart", 8, 64, "uint8"): "59ea85fbce1dc9ef79a370b08ee186bb0004a31ab207a357ca466da949ebc940",
    ("always attached", 2, 65, "uint8"): "cb92e38281683eba101cd848eecdf39bbe7a06155f95cb9f6a2958570c769d95",
    ("sharp", 3, 64, "uint8"): "44b1ab639c9a66a71400675871308f1021a0e31e3faa4a117031d37bcb45184a",
    ("sharp", 3, 64, "float32"): "365386be02f6a730569825dfdb784a6da0ab4f72b2ee50578c6ffd6d26c99f06",
    ("many small", 4, (130, 3), "uint8"): "bdee9488c2f6045291a0733c2181ce08f71a96edd86cfbfcab6fa466a3f31325",
    ("wide blur", 5, 100, "float32"): "4c138f7f074bd26e20026aacbe76e500848f0db487c3c2cbe5a2a71d9386cf46",
    ("all ink", 6, 33, "uint8"): "ad709a0126c31d259b2b48cf2778a40549edf21fedebea0028102c2c71a1b45b",
}


def digest(spec: str, seed: int, size: int | tuple[int, int], dtype: str) -> str:
    images = reggan.render(SPECS[spec], 64, seed=seed, size=size, dtype=np.dtype(dtype))
    return hashlib.sha256(images.astype(images.dtype.newbyteorder("<")).tobytes()).hexdigest()


@pytest.mark.parametrize(("spec", "seed", "size", "dtype"), GOLDEN, ids=str)
def test_golden_bytes(spec: str, seed: int, size: int | tuple[int, int], dtype: str) -> None:
    assert reggan.STREAM_VERSION == 2
    assert digest(spec, seed, size, dtype) == GOLDEN[spec, seed, size, dtype]


# Scores and out=


@pytest.mark.parametrize("size", [1, 32, 64, 65, (48, 80), 300], ids=str)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_scores_are_those_of_the_returned_images(dtype: Any, size: int | tuple[int, int]) -> None:
    spec = Circles(radius=(0.5, 7.0), blur=(0.0, 4.0), clustering=(0.0, 1.0))
    images, scores = reggan.render(spec, 300, size=size, dtype=dtype, with_scores=True)
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, reggan.score(images))
    np.testing.assert_array_equal(images, reggan.render(spec, 300, size=size, dtype=dtype))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_out_is_filled_and_returned(dtype: Any) -> None:
    expected = reggan.render(Circles(), 30, dtype=dtype)
    out = np.full_like(expected, 7)
    assert reggan.render(Circles(), 30, dtype=dtype, out=out) is out
    np.testing.assert_array_equal(out, expected)
    out[:] = 7
    images, scores = reggan.render(Circles(), 30, dtype=dtype, out=out, with_scores=True)
    assert images is out
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(scores, reggan.score(expected))


def test_out_may_be_a_tensor() -> None:
    expected = reggan.render(Circles(), 5, dtype=np.float32)
    out = torch.full(expected.shape, 7.0)
    assert reggan.render(Circles(), 5, dtype=np.float32, out=out) is out
    np.testing.assert_array_equal(out.numpy(), expected)


def test_a_wrong_out_is_refused_and_left_alone() -> None:
    right = np.full((4, 8, 9), 7, np.uint8)
    frozen = right.copy()
    frozen.flags.writeable = False
    refused: list[tuple[type[Exception], Any]] = [
        (ValueError, right[1:]),
        (ValueError, right[:, None]),
        (ValueError, right.reshape(4, 9, 8)),
        (ValueError, right[:, :, ::-1]),
        (ValueError, frozen),
        (TypeError, right.astype(np.float32)),
        (TypeError, right.tolist()),
    ]
    for error, out in refused:
        with pytest.raises(error, match="out"):
            reggan.render(Circles(), 4, size=(8, 9), out=out)
        assert (np.array(out) == 7).all()


def test_out_over_the_indices_is_refused_and_left_alone() -> None:
    buffer = bytearray(8 * 64)
    one = np.frombuffer(buffer, np.uint8)
    for indices in (np.frombuffer(buffer, np.uint64)[:8], one.view(np.uint64)[:8]):
        with pytest.raises(ValueError, match="out shares memory with indices; pass a separate array"):
            reggan.render(Circles(), indices, size=8, out=one.reshape(8, 8, 8))
    assert not any(buffer)


# Refusals


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", (0, 5)),
        ("count", (6, 5)),
        ("count", (-1, 5)),
        ("count", (1, 65537)),
        ("radius", (0.0, 1.0)),
        ("radius", (-1.0, 1.0)),
        ("radius", (2.0, 1.0)),
        ("radius", (1.0, 10001.0)),
        ("radius", (1.0, math.inf)),
        ("radius", (math.nan, 1.0)),
        ("radius", (1.0, math.nan)),
        ("blur", (-0.1, 1.0)),
        ("blur", (2.0, 1.0)),
        ("blur", (0.0, 64.1)),
        ("blur", (math.nan, 1.0)),
        ("blur", (0.0, math.inf)),
        ("clustering", (-1.1, 1.0)),
        ("clustering", (0.0, 1.1)),
        ("clustering", (0.6, 0.5)),
        ("clustering", (0.0, math.nan)),
    ],
)
def test_specs_out_of_range_are_refused(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        Circles(**{field: value})
    with pytest.raises(ValueError, match=field):
        dataclasses.replace(Circles(), **{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", (1.5, 3.5)),
        ("count", (1, 2, 3)),
        ("count", 5),
        ("radius", ("1", "2")),
        ("blur", (1.0,)),
        ("blur", None),
    ],
)
def test_specs_of_a_wrong_type_are_refused(field: str, value: Any) -> None:
    with pytest.raises(TypeError, match=field):
        Circles(**{field: value})


def test_specs_are_frozen_values() -> None:
    assert Circles() == Circles(count=(11, 18), radius=(2.0, 7.0), blur=(0.5, 2.5), clustering=(0.0, 0.0))
    assert len({Circles(), Circles(), Circles(count=(1, 2))}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        Circles().count = (1, 2)  # type: ignore[misc]


@pytest.mark.parametrize("name", reggan.RENDERERS)
def test_every_renderer_renders(name: str) -> None:
    spec = reggan.RENDERERS[name]()
    images, scores = reggan.render(spec, 20, size=32, with_scores=True)
    assert images.shape == (20, *reggan.image_shape(spec, 32)) == (20, *spec.axes * (32,))
    assert images.std() > 0
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"n_or_indices": -1}, "-1"),
        ({"n_or_indices": [3, -1]}, "ind"),
        ({"n_or_indices": np.array([3, -1])}, "ind"),
        ({"n_or_indices": [LIMIT]}, "ind"),
        ({"seed": -1}, "seed"),
        ({"seed": LIMIT}, "seed"),
        ({"size": 0}, "32,?768"),
        ({"size": -5}, "32,?768"),
        ({"size": 32769}, "32,?768"),
        ({"size": (5, 0)}, "32,?768"),
        ({"size": (32769, 5)}, "32,?768"),
        ({"threads": 0}, "threads"),
        ({"threads": -2}, "threads"),
    ],
)
def test_arguments_out_of_range_are_refused(options: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        reggan.render(Circles(), **({"n_or_indices": 3} | options))


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"n_or_indices": 2.0}, "ind"),
        ({"n_or_indices": "3"}, "ind"),
        ({"n_or_indices": None}, "ind"),
        ({"n_or_indices": {3, 1}}, "ind"),
        ({"n_or_indices": [0.5, 1.5]}, "ind"),
        ({"n_or_indices": [[1, 2], [3, 4]]}, "ind"),
        ({"n_or_indices": np.zeros((2, 2), np.int64)}, "ind"),
        ({"n_or_indices": np.array([0.0, 1.0])}, "ind"),
        ({"n_or_indices": np.array([True, False])}, "ind"),
        ({"n_or_indices": np.ma.array([1, 2])}, "indices: a masked array"),
        ({"seed": 1.5}, "seed"),
        ({"seed": None}, "seed"),
        ({"seed": "1"}, r"seed .* from 0 to 2\*\*64 - 1"),
        ({"size": 8.0}, "size"),
        ({"size": "8"}, "size"),
        ({"size": (5, 6, 7)}, "size"),
        ({"size": (5.0, 6.0)}, "size"),
        ({"size": "64"}, r"size is '64', .*\(height, width\)"),
        ({"dtype": "grey"}, "'grey', but must be uint8 or float32"),
        ({"dtype": None}, "None, but must be uint8 or float32"),
        ({"dtype": torch.uint8}, "torch.uint8, but must be uint8 or float32"),
        ({"dtype": np.float64}, "float64"),
        ({"dtype": np.int32}, "int32"),
        ({"dtype": np.float16}, "float16"),
        ({"dtype": np.bool_}, "bool"),
        ({"dtype": ">f4"}, "dtype"),
        ({"threads": 1.5}, "threads"),
        ({"threads": "2"}, "threads .* at least 1, or None"),
    ],
)
def test_arguments_of_a_wrong_type_are_refused(options: dict[str, Any], word: str) -> None:
    with pytest.raises(TypeError, match=word):
        reggan.render(Circles(), **({"n_or_indices": 3} | options))


@pytest.mark.parametrize("spec", [None, "circles", {}, Circles, (11, 18)])
def test_what_is_no_spec_is_refused(spec: Any) -> None:
    with pytest.raises(TypeError, match="spec"):
        reggan.render(spec, 3)


@pytest.mark.parametrize(
    "n", [10**7, 2**40, 2**62, LIMIT - 1, 2**70, range(10**7), range(2**60), range(LIMIT)], ids=str
)
def test_more_than_memory_is_refused_before_anything_is_touched(n: Any) -> None:
    with pytest.raises(MemoryError, match="GiB"):
        reggan.render(Circles(), n, size=16384, dtype=np.float32)
