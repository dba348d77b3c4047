"""Memory that cannot be allocated: a MemoryError, and an interpreter that goes on."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import reggan
from reggan import Circles, Polygons, Spheres, _arrays

# Each writes to `out`, which is there before the memory is limited, so what cannot be allocated is working memory.
CALLS = {
    "score": ("np.empty((), 'f4')", "reggan.score(wide, out=out, threads={threads})"),
    "score of a volume": ("np.empty((), 'f4')", "reggan.score(volume, connectivity=6, out=out, threads={threads})"),
    "analyze": ("None", "reggan.analyze(checkers, threads={threads})"),
    "analyze of a volume": ("None", "reggan.analyze(volume, connectivity=18, threads={threads})"),
    "label": ("np.empty((1024, 1024), 'i4')", "reggan.label(checkers, out=out, threads={threads})"),
    "label of a volume": (
        "np.empty(volume.shape, 'i4')",
        "reggan.label(volume, connectivity=26, out=out, threads={threads})",
    ),
    "largest_component": (
        "np.empty((1024, 1024), bool)",
        "reggan.largest_component(checkers, connectivity=8, out=out, threads={threads})",
    ),
    "largest_components": (
        "np.empty((1024, 1024), 'i4')",
        "reggan.largest_components(checkers, 1000, out=out, threads={threads})",
    ),
    "remove_small": ("np.empty((1024, 1024), bool)", "reggan.remove_small(checkers, 1, out=out, threads={threads})"),
    "polygons": ("np.empty((2, 1024, 1024), 'u1')", "render(Polygons(), 2, size=1024)"),
    "colored polygons": ("np.empty((1, 3, 512, 512), 'u1')", "render(Polygons(color=True), 1, size=512)"),
    "circles": ("np.empty((2, 1024, 1024), 'u1')", "render(Circles(), 2, size=1024)"),
    "soft circles": ("np.empty((1, 1024, 1024), 'f4')", "render(Circles(antialias=True), 1, size=1024)"),
    "scores of circles": ("None", "reggan.render_scores(Circles(), 2, size=1024, threads={threads})"),
    "truth of circles": ("None", "reggan.ground_truth(Circles(count=(9000, 9000)), 8, threads={threads})"),
    "binary blobs": ("np.empty((1, 512, 512), 'u1')", "render(reggan.BinaryBlobs(), 1, size=512)"),
    "reduced binary blobs": ("np.empty((1, 256, 256), 'u1')", "render(reggan.BinaryBlobs(reduced=4), 1, size=256)"),
    "spheres": ("np.empty((2, 96, 96, 96), 'u1')", "render(reggan.Spheres(), 2, size=96, with_scores=True)[1]"),
    "narrow blur": ("np.empty_like(floats)", "reggan.gaussian_blur(floats, 3.0, out=out, threads={threads})"),
    "wide blur": ("np.empty_like(floats)", "reggan.gaussian_blur(floats, 40.0, out=out, threads={threads})"),
    "blur of many": (
        "np.empty((30_000, 2, 2), 'f4')",
        "reggan.gaussian_blur(floats.ravel()[: 30_000 * 4].reshape(-1, 2, 2), 1.0, out=out, threads={threads})",
    ),
}

NEEDS_LITTLE = {"binary blobs", "narrow blur", "reduced binary blobs"}

LIMITED = """
import resource
import time
from functools import partial
import numpy as np
import numpy.ma  # Otherwise the check of `out` imports it, when memory is limited.
import reggan
from reggan import Circles, Polygons

def limited(call, room):
    "What the call gives while the process can get `room` more bytes."
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as sizes:
        used = int(sizes.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + room, hard))
    try:
        return call()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
"""

SCRIPT = """
def values(result):
    if result is None:
        return b""
    arrays = vars(result).values() if hasattr(result, "__dict__") else [result]
    return b"".join(array.tobytes() for array in arrays)

checkers = np.indices((1024, 1024)).sum(axis=0) % 2 == 0
wide = np.ascontiguousarray(np.tile(checkers[:64], (1, 16)))
volume = np.random.default_rng(0).random((96, 96, 96)) < 0.6
floats = np.random.default_rng(0).random((2, 512, 512), np.float32)
render = partial(reggan.render, threads={threads})
out = {out}
if out is not None:
    render = partial(render, dtype=out.dtype, out=out)

def call():
    return {call}

# The pool starts before memory is short: each of its threads allocates a little when it first looks for work.
reggan.score(np.zeros((4, 1024, 1024), bool), threads={threads})
time.sleep(0.1)
refusals, found = set(), []
for step in range(22):
    try:
        found.append(values(limited(call, int(2**14 * 1.45**step))))
    except MemoryError as error:
        refusals.add(str(error))
expected = values(call())
assert all(each == expected for each in found), "a result is wrong"
assert refusals, "no memory was missed"
print(*refusals, sep="\\n")
"""


def run(script: str) -> str:
    # Each large array is given back when it is freed, so that every limit is met anew.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}
    command = [sys.executable, "-c", LIMITED + script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


needs_limits = pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_AS and /proc")


@needs_limits
@pytest.mark.parametrize("call", CALLS)
def test_working_memory_that_cannot_be_had_is_an_error(call: str) -> None:
    out, code = CALLS[call]
    scripts = [SCRIPT.format(out=out, call=code.format(threads=threads), threads=threads) for threads in (1, 2)]
    outputs = run("\nprint('then')\n".join(scripts)).split("then\n")
    assert len(outputs) == 2
    for output in outputs:
        # Where a call needs little, Python itself may be what misses memory, and says nothing.
        assert "bytes of working memory cannot be allocated" in output or call in NEEDS_LITTLE


@needs_limits
def test_masks_take_twelve_bytes_a_run_and_a_bit_a_pixel() -> None:
    run("""
dots = np.ones((2048, 2048), bool)
dots[::2, ::2] = False
out = np.empty(dots.shape, bool)
runs, spare = dots.size // 4, 2**21
needed = 12 * runs + dots.size // 8
limited(lambda: reggan.remove_small(dots, 2, out=out, threads=1), needed + spare)
assert not out.any()
try:
    limited(lambda: reggan.remove_small(dots, 2, out=out, threads=1), needed - spare)
except MemoryError:
    pass
else:
    raise SystemExit("it took less")
""")


def test_working_memory_is_counted_before_anything_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_arrays, "machine_memory", lambda: 200_000)
    assert reggan.render(Circles(), 1, size=256).shape == (1, 256, 256)
    for spec, size in ((Polygons(), 256), (Circles(antialias=True), 256), (Spheres(), 40)):
        with pytest.raises(MemoryError, match="of working memory"):
            reggan.render(spec, 1, size=size)
        with pytest.raises(MemoryError, match="of working memory"):
            reggan.render_scores(spec, 1, size=size)
        assert reggan.render(spec, 0, size=size).size == 0
    with pytest.raises(MemoryError):
        reggan.render_scores(Circles(), 1, size=512)
    assert reggan.ground_truth(Circles(count=(1, 1000)), 4).radii.shape == (4, 1000)
    with pytest.raises(MemoryError):
        reggan.ground_truth(Circles(count=(1, 1000)), 5)


def test_scenes_of_many_images_are_those_of_one_call_each() -> None:
    truth, few = reggan.ground_truth(Circles(), 10_000), [0, 4095, 4096, 9999]
    expected = reggan.ground_truth(Circles(), few)
    for name, values in vars(truth).items():
        np.testing.assert_array_equal(values[few], getattr(expected, name))
