"""Instruction sets: what is told of them, the variable that keeps from the better ones, and equal results."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import reggan

NAMES = ("scalar", "neon", "avx2", "avx512")
AVAILABLE = reggan.simd_info()["available"]

PROGRAM = """
import hashlib, sys
import numpy as np
import reggan

rng = np.random.default_rng(0)
digest = hashlib.sha256()
for width in (1, 31, 32, 63, 64, 65, 127, 128, 129, 200):
    for density in (0.05, 0.4, 0.5, 0.6, 0.9):
        gray = rng.random((20, 33, width))
        for dtype in (np.float64, np.float32, np.float16):
            digest.update(reggan.score(gray.astype(dtype), threshold=1 - density).tobytes())
        bits = np.packbits(gray > density, axis=-1)
        digest.update(reggan.score(reggan.PackedImages(bits, width), connectivity=8).tobytes())
        images = (255 * gray).astype(np.uint8)
        digest.update(reggan.score(images, threshold=density, foreground="light").tobytes())
        digest.update(reggan.label(images, threshold=density).tobytes())
        for border in ("open", "periodic"):
            for connectivity in (4, 8):
                options = {"threshold": density, "border": border, "connectivity": connectivity}
                found = reggan.analyze(images, fields=("score", "count", "holes", "euler"), **options)
                digest.update(b"".join(measure.tobytes() for measure in vars(found).values()))
                digest.update(reggan.scoring.betti_numbers(images, 4, **options).tobytes())
        digest.update(reggan.winding_rank(images, threshold=density).tobytes())
for width in range(1, 131):
    white = rng.random((10, 20, width)) < np.linspace(0.1, 0.9, 10).reshape(-1, 1, 1)
    for border in ("solid", "periodic"):
        for diameter in (2, 3, 5, 20):
            digest.update(reggan.narrow_pixels(white, diameter, layer="both", border=border).tobytes())
            digest.update(reggan.opening(white, diameter, border=border).tobytes())
        digest.update(reggan.minimum_spacing(white, border=border).tobytes())
        digest.update(reggan.short_runs(white, 3, 4, periodic=border == "periodic").tobytes())
images, scores = reggan.render(reggan.Circles(), 50, size=65, with_scores=True)
digest.update(images.tobytes() + scores.tobytes())
print(reggan.simd_info()["used"], digest.hexdigest())
"""


def run(program: str, wanted: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"REGGAN_SIMD": wanted}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)


def test_the_best_available_is_used_unless_the_variable_forbids() -> None:
    info = reggan.simd_info()
    assert info["available"][0] == "scalar"
    assert info["available"] == [name for name in NAMES if name in info["available"]]
    if "REGGAN_SIMD" not in os.environ:
        assert info["used"] == info["available"][-1]


def test_every_instruction_set_gives_the_same_bytes() -> None:
    outputs = {}
    for wanted in NAMES:
        result = run(PROGRAM, wanted)
        assert result.returncode == 0, result.stderr
        used, outputs[wanted] = result.stdout.split()
        allowed = [name for name in AVAILABLE if NAMES.index(name) <= NAMES.index(wanted)]
        assert used == allowed[-1]
    assert len(set(outputs.values())) == 1


@pytest.mark.parametrize("wanted", ["sse9", "", "AVX2"])
def test_an_unknown_name_is_an_error_of_the_call(wanted: str) -> None:
    result = run("import numpy, reggan; reggan.score(numpy.zeros((1, 8, 8)))", wanted)
    assert result.returncode == 1
    assert "ValueError: REGGAN_SIMD is" in result.stderr
    assert "avx512" in result.stderr


def test_a_huge_image_in_stripes_is_scored_as_in_one_piece() -> None:
    rng = np.random.default_rng(1)
    image = np.repeat(np.repeat(rng.random((600, 700)) < 0.6, 3, axis=0), 2, axis=1)
    gray = np.where(image, 0, 255).astype(np.uint8)
    for connectivity in (4, 8):
        one = reggan.analyze(gray, connectivity=connectivity, threads=1, fields=("score", "count", "largest_area"))
        many = reggan.analyze(gray, connectivity=connectivity, threads=2, fields=("score", "count", "largest_area"))
        labels = reggan.label(gray, connectivity=connectivity)
        areas = np.bincount(labels.ravel())[1:]
        assert one.count == many.count == len(areas)
        assert one.largest_area == many.largest_area == areas.max()
        assert one.score == many.score == np.float32(areas.max() / areas.sum())
