"""What the array API takes and returns: layouts, types, tensors, `out=`, and every refusal."""

from __future__ import annotations

import ast
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import oracles
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import reggan

Function = Callable[..., Any]
two_largest = partial(reggan.largest_components, k=2)
no_specks = partial(reggan.remove_small, min_area=5)
WITH_OUT: tuple[Function, ...] = (
    *(reggan.score, reggan.label, reggan.largest_component, reggan.ink_mask),
    *(two_largest, no_specks),
)
FUNCTIONS: tuple[Function, ...] = (reggan.analyze, *WITH_OUT)
each_function = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: getattr(f, "func", f).__name__)
each_with_out = pytest.mark.parametrize("function", WITH_OUT, ids=lambda f: getattr(f, "func", f).__name__)


def some_images(dtype: Any = np.float32, shape: tuple[int, ...] = (12, 20, 70)) -> oracles.Array:
    ink = np.random.default_rng(7).random(shape) < np.linspace(0.2, 0.8, shape[0]).reshape(-1, 1, 1)
    return oracles.paper(ink, dtype)


def fields(result: Any) -> list[Any]:
    """The arrays of a result, whichever function gave it."""
    return list(vars(result).values()) if isinstance(result, reggan.Components) else [result]


def assert_same(found: Any, expected: Any) -> None:
    for one, other in zip(fields(found), fields(expected), strict=True):
        assert type(one) is type(other)
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


# Layouts

LAYOUTS: dict[str, Callable[[oracles.Array], oracles.Array]] = {
    "batch reversed": lambda a: a[::-1],
    "rows reversed": lambda a: a[:, ::-1],
    "columns reversed": lambda a: a[:, :, ::-1],
    "all reversed": lambda a: a[::-1, ::-1, ::-1],
    "every second image": lambda a: a[::2],
    "every third row": lambda a: a[:, ::3],
    "every second column": lambda a: a[:, :, ::2],
    "inner window": lambda a: a[2:9, 3:17, 5:69],
    "one column": lambda a: a[:, :, 3:4],
    "one row": lambda a: a[:, 4:5],
    "broadcast batch": lambda a: np.broadcast_to(a[0], (5, *a[0].shape)),
    "broadcast rows": lambda a: np.broadcast_to(a[:, :1], a.shape),
    "broadcast columns": lambda a: np.broadcast_to(a[:, :, :1], a.shape),
    "transposed": lambda a: a.transpose(0, 2, 1),
    "batch last in memory": lambda a: np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 0, -1)), -1, 0),
    "Fortran order": np.asfortranarray,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "unaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
    "subclass": lambda a: a.view(np.recarray),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.uint8, np.bool_])
@pytest.mark.parametrize("layout", LAYOUTS)
@each_function
def test_any_layout(function: Function, layout: str, dtype: Any) -> None:
    images = LAYOUTS[layout](some_images(dtype))
    plain = np.array(images, dtype, order="C", subok=False)
    assert_same(function(images), function(plain))
    if images.ndim == 3:
        assert_same(function(images[0]), function(plain[0]))


@each_function
def test_read_only_images_are_served_and_left_alone(function: Function) -> None:
    images = some_images()
    before = images.copy()
    images.flags.writeable = False
    function(images)
    np.testing.assert_array_equal(images, before)


@each_function
def test_one_image_has_a_result_without_the_batch_axis(function: Function) -> None:
    images = some_images()
    for one, batch in zip(fields(function(images[3])), fields(function(images)), strict=True):
        assert np.shape(one) == batch.shape[1:]
        assert one.dtype == batch.dtype
        np.testing.assert_array_equal(one, batch[3])


@each_function
def test_a_channel_axis_of_one_is_dropped(function: Function) -> None:
    images = some_images()
    assert_same(function(images[:, None]), function(images))
    assert_same(function(images[:, None, ::-1, ::2]), function(images[:, ::-1, ::2]))


@pytest.mark.parametrize(
    "layout", ["batch reversed", "rows reversed", "all rows", "inner window", "broadcast batch", "channel"]
)
def test_no_copy_while_the_last_axis_is_contiguous(layout: str) -> None:
    more: dict[str, Callable[[oracles.Array], oracles.Array]] = {
        "all rows": lambda a: a,
        "channel": lambda a: a[:, None],
    }
    images = (LAYOUTS | more)[layout](some_images(shape=(50, 100, 100)))
    reggan.score(images)
    tracemalloc.start()
    try:
        reggan.score(images)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < images[:1].nbytes


# Tensors and DLPack

TENSORS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "plain": lambda t: t,
    "requires grad": lambda t: t.clone().requires_grad_(),
    "in a graph": lambda t: t.clone().requires_grad_() * 1,
    "sliced": lambda t: t[2:9, 3:17, 5:69],
    "strided": lambda t: t[::2, ::3, ::2],
    "transposed": lambda t: t.transpose(1, 2),
    "expanded": lambda t: t[:1].expand(4, -1, -1),
    "channel": lambda t: t[:, None],
    "channels last": lambda t: t[:, None].contiguous(memory_format=torch.channels_last),
    "one image": lambda t: t[5],
    "no images": lambda t: t[:0],
    "parameter": torch.nn.Parameter,
}


@pytest.mark.parametrize("name", TENSORS)
@each_function
def test_a_tensor_gives_tensors(function: Function, name: str) -> None:
    tensor = TENSORS[name](torch.from_numpy(some_images()))
    expected = function(tensor.detach().numpy())
    found = function(tensor)
    for one, other in zip(fields(found), fields(expected), strict=True):
        assert type(one) is torch.Tensor
        assert one.device == tensor.device
        assert not one.requires_grad
        assert one.shape == np.shape(other)
        assert one.numpy().dtype == other.dtype
        np.testing.assert_array_equal(one.numpy(), other)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.uint8, torch.bool])
@each_function
def test_tensor_types(function: Function, dtype: torch.dtype) -> None:
    tensor = torch.from_numpy(some_images(np.uint8)).ne(0)
    tensor = tensor * 255 if dtype == torch.uint8 else tensor
    for one, other in zip(fields(function(tensor.to(dtype))), fields(function(some_images(np.uint8))), strict=True):
        np.testing.assert_array_equal(one.numpy(), other)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each_function
def test_a_cuda_tensor_gives_cuda_tensors(function: Function) -> None:
    tensor = torch.from_numpy(some_images()).cuda()
    for one, other in zip(fields(function(tensor)), fields(function(some_images())), strict=True):
        assert one.device == tensor.device
        np.testing.assert_array_equal(one.cpu().numpy(), other)


class OnlyDLPack:
    """An array that can be read through the DLPack protocol and in no other way."""

    def __init__(self, array: oracles.Array) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.uint8, np.bool_])
@each_function
def test_what_speaks_dlpack_gives_numpy(function: Function, dtype: Any) -> None:
    images = some_images(dtype)
    assert_same(function(OnlyDLPack(images)), function(images))
    assert_same(function(OnlyDLPack(images[:, ::-1, ::2])), function(images[:, ::-1, ::2]))


# out=


def outputs(function: Function, images: oracles.Array) -> oracles.Array:
    """A writeable array of the right shape and type, filled with what no result holds (but that of bool masks)."""
    return np.full_like(function(images), -7)


@each_with_out
def test_out_is_filled_and_returned(function: Function) -> None:
    for images in (some_images(), some_images()[:, None], some_images()[0], some_images()[:0]):
        expected = np.asarray(function(images))
        out = np.full(expected.shape, -7, expected.dtype)
        assert function(images, out=out) is out
        np.testing.assert_array_equal(out, expected)


@each_with_out
def test_out_may_be_part_of_an_array(function: Function) -> None:
    images = some_images()
    expected = function(images)
    whole = np.full((len(images) + 4, *expected.shape[1:]), -7, expected.dtype)
    before = whole.copy()
    function(images, out=whole[2:-2])
    np.testing.assert_array_equal(whole[2:-2], expected)
    np.testing.assert_array_equal(whole[:2], before[:2])
    np.testing.assert_array_equal(whole[-2:], before[-2:])


@each_with_out
def test_a_wrong_out_is_refused_and_left_alone(function: Function) -> None:
    images = some_images()
    right = outputs(function, images)
    frozen = right.copy()
    frozen.flags.writeable = False
    wide = np.full((*right.shape, 2), -7, right.dtype)
    refused: list[tuple[type[Exception], Any]] = [
        (ValueError, right[1:]),
        (ValueError, right[None]),
        (ValueError, wide[..., 0]),
        (ValueError, right[::-1]),
        (ValueError, frozen),
        (TypeError, right.astype(np.float64)),
        (TypeError, right.astype(">f4" if right.dtype == np.float32 else ">i4")),
        (TypeError, right.tolist()),
    ]
    for error, out in refused:
        before = np.array(out)
        with pytest.raises(error, match="out"):
            function(images, out=out)
        np.testing.assert_array_equal(np.array(out), before)


@each_with_out
def test_out_may_be_a_tensor(function: Function) -> None:
    images = torch.from_numpy(some_images())
    expected = function(images)
    out = torch.full_like(expected, -7)
    assert function(images, out=out) is out
    assert torch.equal(out, expected)
    for error, wrong in [
        (ValueError, out[1:]),
        (ValueError, torch.stack([out, out], -1)[..., 0]),
        (TypeError, out.double()),
    ]:
        with pytest.raises(error, match="out"):
            function(images, out=wrong)


def test_a_tensor_that_cannot_be_written_is_refused() -> None:
    images = torch.from_numpy(some_images())
    refused: list[tuple[type[Exception], str, torch.Tensor]] = [
        (ValueError, r"out requires a gradient.*out\.detach\(\)", torch.zeros(12, requires_grad=True)),
        (ValueError, "out is on meta", torch.zeros(12, device="meta")),
        (ValueError, "out is a negative view", torch._neg_view(torch.zeros(12))),
        (TypeError, "out has dtype torch.bfloat16.*float32", torch.zeros(12, dtype=torch.bfloat16)),
        (TypeError, "out: .*sparse", torch.zeros(12).to_sparse()),
    ]
    for error, words, out in refused:
        with pytest.raises(error, match=words):
            reggan.score(images, out=out)


def test_out_over_the_images_is_refused() -> None:
    memory = some_images(shape=(12, 8, 8))
    before = memory.copy()
    with pytest.raises(ValueError, match="out"):
        reggan.score(memory, out=memory.reshape(-1)[:12])
    with pytest.raises(ValueError, match="out"):
        reggan.label(memory, out=memory.view(np.int32))
    np.testing.assert_array_equal(memory, before)


def test_out_over_the_images_is_found_through_any_base() -> None:
    buffer = bytearray(4 * 64)
    images = np.frombuffer(buffer, np.float32).reshape(1, 8, 8)
    for out in (np.frombuffer(buffer, np.int32), torch.frombuffer(buffer, dtype=torch.int32)):
        with pytest.raises(ValueError, match="out shares memory with images; pass a separate array"):
            reggan.label(images, out=out.reshape(1, 8, 8))


# Refusals


@pytest.mark.parametrize("dtype", ["f16", "i1", "i2", "i4", "i8", "u2", "u4", "u8", "c8", "O", "U1", "M8[s]"])
@each_function
def test_other_types_are_refused_by_name(function: Function, dtype: str) -> None:
    with pytest.raises(TypeError) as caught:
        function(np.zeros((2, 3, 4), dtype))
    for word in (str(np.dtype(dtype)), "float64", "float32", "float16", "uint8", "bool"):
        assert word in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.int64, torch.int8])
@each_function
def test_other_tensor_types_are_refused_by_name(function: Function, dtype: torch.dtype) -> None:
    with pytest.raises(TypeError) as caught:
        function(torch.zeros((2, 3, 4), dtype=dtype))
    assert str(dtype).removeprefix("torch.") in str(caught.value)
    assert "float32" in str(caught.value)


@pytest.mark.parametrize(
    "thing", [[[0.0, 1.0], [1.0, 0.0]], ((0, 1),), None, 3, 0.5, "image.png", b"\x00", object(), range(4)]
)
@each_function
def test_other_objects_are_refused(function: Function, thing: Any) -> None:
    with pytest.raises(TypeError, match=type(thing).__name__):
        function(thing)


@each_function
def test_a_tensor_without_data_is_refused(function: Function) -> None:
    with pytest.raises(TypeError, match="meta"):
        function(torch.zeros((2, 3, 4), device="meta"))


def emptied(kept: int) -> torch.Tensor:
    """(2, 3, 4) zeros, of which the storage keeps this many bytes."""
    tensor = torch.zeros(2, 3, 4)
    tensor.untyped_storage().resize_(kept)
    return tensor


def fake() -> torch.Tensor:
    with FakeTensorMode():
        return torch.zeros(2, 3, 4)


def nested(layout: torch.layout) -> torch.Tensor:
    return torch.nested.nested_tensor([torch.zeros(3, 4), torch.zeros(2, 4)], layout=layout)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize(
    ("tensor", "word"),
    [
        (partial(emptied, 0), "resized"),
        (partial(emptied, 4 * 23), "resized"),
        (fake, "FakeTensor"),
        (partial(nested, torch.strided), "to_padded_tensor"),
        (partial(nested, torch.jagged), "to_padded_tensor"),
        (lambda: torch.zeros(2, 3, 4).to_sparse(), "dense"),
        (lambda: torch._efficientzerotensor(2, 3, 4), "pass a dense tensor"),
    ],
)
@each_function
def test_a_tensor_whose_data_cannot_be_read_is_refused(
    function: Function, tensor: Callable[[], torch.Tensor], word: str
) -> None:
    with pytest.raises(TypeError, match=f"^images: .*{word}"):
        function(tensor())


@each_with_out
def test_a_tensor_whose_data_cannot_be_written_is_refused(function: Function) -> None:
    images = some_images()
    out = torch.from_numpy(outputs(function, images)).clone()
    out.untyped_storage().resize_(out.nbytes - 1)
    with pytest.raises(TypeError, match=r"^out: .*resized"):
        function(images, out=out)


@pytest.mark.parametrize("transform", [torch.vmap, lambda f: torch.func.grad(lambda images: f(images).sum())])
@each_function
def test_a_tensor_inside_a_transform_is_refused(function: Function, transform: Any) -> None:
    with pytest.raises(TypeError, match=r"images: .*torch\.vmap, torch\.func .*outside of such transforms"):
        transform(function)(torch.zeros(2, 3, 4))


@each_function
def test_a_masked_array_is_refused(function: Function) -> None:
    page = np.ones((8, 8))
    with pytest.raises(TypeError, match=r"images: a masked array .*array\.filled\(value\)"):
        function(np.ma.array(page, mask=page == 0))


@each_with_out
def test_a_masked_out_is_refused(function: Function) -> None:
    images = some_images()
    with pytest.raises(TypeError, match=r"out: a masked array"):
        function(images, out=np.ma.array(outputs(function, images)))


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4, 5), (2, 2, 4, 4), (1, 1, 1, 4, 4)])
@each_function
def test_wrong_shapes_are_refused(function: Function, shape: tuple[int, ...]) -> None:
    for images in (np.zeros(shape, np.float32), torch.zeros(shape)):
        with pytest.raises(ValueError, match=r"shape|axes|dimension"):
            function(images)


@pytest.mark.parametrize(
    "shape", [(2, 0, 4), (2, 4, 0), (0, 0, 0), (0, 4), (2, 32769, 1), (2, 1, 32769), (0, 32769, 1)]
)
@each_function
def test_sizes_outside_1_to_32768_are_refused(function: Function, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"32,?768"):
        function(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"connectivity": 5}, "connectivity"),
        ({"connectivity": 27}, "connectivity"),
        ({"connectivity": 0}, "connectivity"),
        ({"connectivity": -4}, "connectivity"),
        ({"foreground": "black"}, "foreground"),
        ({"foreground": ""}, "foreground"),
        ({"threshold": float("nan")}, "threshold"),
        ({"threshold": float("inf")}, "threshold"),
        ({"threshold": -float("inf")}, "threshold"),
        ({"threshold": 10**400}, "threshold"),
        ({"threshold": 127}, "threshold is 127, .* from 0 to 1, .* by 255"),
        ({"threshold": -0.1}, "threshold is -0.1, .* from 0 to 1"),
        ({"threshold": np.nextafter(1, 2)}, "threshold is .* from 0 to 1"),
        ({"threads": 0}, "threads"),
        ({"threads": -1}, "threads"),
    ],
)
@each_function
def test_options_out_of_range_are_refused(function: Function, options: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word) as caught:
        function(some_images(), **options)
    assert str(next(iter(options.values()))) in str(caught.value)
    with pytest.raises(ValueError, match=word):
        function(some_images()[:0], **options)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"threads": 1.5}, "threads"),
        ({"threads": "2"}, "threads .* at least 1, or None"),
        ({"threads": np.array([1, 2])}, "threads .* at least 1, or None"),
        ({"threshold": "0.5"}, "threshold .* from 0 to 1"),
        ({"threshold": np.array([0.2, 0.5])}, "threshold .* from 0 to 1"),
        ({"foreground": None}, 'foreground .* "dark" or "light"'),
        ({"foreground": np.array(["dark", "light"])}, 'foreground .* "dark" or "light"'),
        ({"connectivity": "4"}, "connectivity .* 4 or 8"),
        ({"connectivity": None}, "connectivity .* 4 or 8"),
        ({"connectivity": np.array([4, 8])}, "connectivity .* 4 or 8"),
    ],
)
@each_function
def test_options_of_a_wrong_type_are_refused(function: Function, options: dict[str, Any], word: str) -> None:
    with pytest.raises(TypeError, match=word):
        function(some_images(), **options)


@each_function
def test_options_may_be_numpy_scalars(function: Function) -> None:
    options = {"threshold": np.float32(0.25), "connectivity": np.int64(8), "threads": np.int32(1)}
    assert_same(function(some_images(), **options), function(some_images(), threshold=0.25, connectivity=8))


@each_function
def test_more_threads_than_cores_are_served(function: Function) -> None:
    images = some_images(shape=(3000, 16, 16))
    assert_same(function(images, threads=10_000), function(images, threads=1))


# NaN


@pytest.mark.parametrize("threads", [1, 2, None])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@each_function
def test_nan_names_the_first_image_that_holds_one(function: Function, dtype: Any, threads: int | None) -> None:
    rng = np.random.default_rng(3)
    whole = rng.random((4000, 9, 65), dtype=np.float32).astype(dtype)
    for _ in range(10):
        images, broken = whole.copy(), rng.integers(0, len(whole), 5)
        images[broken, rng.integers(0, 9, 5), rng.integers(0, 65, 5)] = rng.choice([np.nan, -np.nan])
        with pytest.raises(ValueError, match=rf"image {broken.min()} .*NaN"):
            function(images, threads=threads)


@pytest.mark.parametrize("foreground", ["dark", "light"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_nan_is_found_at_every_place(dtype: Any, foreground: str) -> None:
    for width in (1, 7, 63, 64, 65, 129):
        for place in range(3 * width):
            image = np.zeros((3, width), dtype)
            image.reshape(-1)[place] = np.nan
            with pytest.raises(ValueError, match="NaN"):
                reggan.score(image, foreground=foreground)


def test_every_bit_pattern_of_nan_is_found() -> None:
    patterns = np.array([0x7F800001, 0x7FFFFFFF, 0x7FC00000, 0xFF800001, 0xFFC00000, 0xFFFFFFFF], np.uint32)
    for pattern in patterns:
        with pytest.raises(ValueError, match="NaN"):
            reggan.score(np.full((1, 1), pattern).view(np.float32))
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    for pattern in every[np.isnan(every)][::37]:
        with pytest.raises(ValueError, match="NaN"):
            reggan.score(np.full((1, 1), pattern))


@each_function
def test_nan_in_a_tensor_is_found(function: Function) -> None:
    tensor = torch.zeros((20, 4, 4))
    tensor[17, 2, 3] = torch.nan
    with pytest.raises(ValueError, match=r"image 17 .*NaN"):
        function(tensor)


@each_function
def test_infinities_are_served(function: Function) -> None:
    images = np.array([[[np.inf, -np.inf]], [[1, 0]]], np.float32)
    for found in fields(function(images)):
        np.testing.assert_array_equal(found[0], found[1])


# Memory and import


@pytest.mark.parametrize("function", [reggan.label, reggan.largest_component, two_largest, no_specks])
def test_a_result_larger_than_memory_is_an_error(function: Function) -> None:
    images = np.broadcast_to(np.uint8(0), (10**6, 16384, 16384))
    with pytest.raises(MemoryError):
        function(images)


def test_importing_and_scoring_need_no_torch() -> None:
    code = """
import sys, numpy, reggan
reggan.score(numpy.zeros((2, 3, 4), numpy.float32))
reggan.render(reggan.Circles(), 2)
assert "torch" not in sys.modules, "torch was imported"
assert not any(name.startswith("reggan.") and "train" in name for name in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


POSIX_ONLY = ("fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty")

ELSEWHERE = """
import sys, pathlib, numpy, os
work = pathlib.Path(sys.argv[1])
for name in sys.argv[2].split(","):
    sys.modules[name] = None
for name in "O_DIRECTORY O_NOFOLLOW fork register_at_fork sysconf sched_getaffinity getloadavg uname".split():
    if hasattr(os, name):
        delattr(os, name)
opened = os.open
def refuse_folders(path, *flags):
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", path)
    return opened(path, *flags)
os.open = refuse_folders

import reggan
images, scores = reggan.render(reggan.Circles(), 3, with_scores=True)
assert (scores == reggan.score(images)).all() and reggan.label(images).shape == images.shape
found = reggan.find(reggan.Circles(), reggan.Ink(0.0, 0.9), 2, state=work / "state.json")
assert (reggan.Found.load(work / "state.json").indices == found.indices).all()
assert [path.name for path in work.iterdir()] == ["state.json"]
import reggan.cli, reggan.data.shards
"""


def test_the_array_api_needs_nothing_that_one_system_lacks(tmp_path: Path) -> None:
    blocked = ",".join(name for name in POSIX_ONLY if name != "posix")  # The standard library itself needs that here.
    command = [sys.executable, "-c", ELSEWHERE, str(tmp_path), blocked]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_no_module_imports_what_one_system_lacks() -> None:
    for path in Path(reggan.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            assert not set(names) & set(POSIX_ONLY), path


def test_the_public_names() -> None:
    names = {
        *("Circles", "Components", "PackedImages", "RENDERERS", "STREAM_VERSION"),
        *("analyze", "ink_mask", "label", "largest_component", "largest_components", "remove_small", "render", "score"),
    }
    assert names <= set(reggan.__all__)
    for name in reggan.__all__:
        assert hasattr(reggan, name), name
