"""Rendered images a second, against the usual ways to draw blurred discs: 64x64, the same discs and sigmas.

The peers are handed the discs, so that drawing the random numbers is in our time and not in theirs. Their
circles and blurs are approximations (anti-aliasing, box filters, other borders): before anything is timed,
the mean absolute difference of gray, and the share of images whose score differs by more than 0.05, must be
small.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import oracles
import pytest
from PIL import Image, ImageDraw, ImageFilter
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import ndimage

import reggan

Images = npt.NDArray[Any]
Scenes = list[oracles.Scene]
Renderer = Callable[[Scenes], Images]

N, SIZE = 1000, 64
SPEC = reggan.Circles()
SUBPIXEL_BITS = 4
cv2.setNumThreads(1)


def pillow(scenes: Scenes) -> Images:
    images = np.empty((len(scenes), SIZE, SIZE), np.uint8)
    for out, scene in zip(images, scenes, strict=True):
        image = Image.new("L", (SIZE, SIZE), 255)
        draw = ImageDraw.Draw(image)
        for x, y, r in scene.discs:
            # Pillow cuts coordinates to whole pixels and fills both ends: half a pixel in is the nearest.
            draw.ellipse((x - r + 0.5, y - r + 0.5, x + r - 0.5, y + r - 0.5), fill=0)
        out[:] = image.filter(ImageFilter.GaussianBlur(scene.sigma))
    return images


def opencv(dtype: type[np.generic]) -> Renderer:
    """OpenCV's own kernel size for the type: 3 sigma for bytes, 4 sigma for floats."""
    white = 255 if dtype is np.uint8 else 1

    def render(scenes: Scenes) -> Images:
        images = np.empty((len(scenes), SIZE, SIZE), dtype)
        unit = 1 << SUBPIXEL_BITS
        for out, scene in zip(images, scenes, strict=True):
            image = np.full((SIZE, SIZE), white, dtype)
            for x, y, r in scene.discs:
                centre = round((x - 0.5) * unit), round((y - 0.5) * unit)
                # A filled circle also has its outline drawn: a quarter of a pixel evens out the area.
                cv2.circle(image, centre, round((r - 0.25) * unit), 0, -1, cv2.LINE_8, SUBPIXEL_BITS)
            cv2.GaussianBlur(image, (0, 0), scene.sigma, dst=out, borderType=cv2.BORDER_REPLICATE)
        return images

    return render


def scipy(scenes: Scenes) -> Images:
    images = np.empty((len(scenes), SIZE, SIZE), np.float32)
    for out, scene in zip(images, scenes, strict=True):
        paper = (~oracles.draw_discs(scene, SIZE, SIZE)).astype(np.float32)
        ndimage.gaussian_filter(paper, scene.sigma, mode="constant", cval=1, truncate=4, output=out)
    return images


def ours(dtype: type[np.generic], threads: int | None) -> Renderer:
    return lambda scenes: reggan.render(SPEC, len(scenes), size=SIZE, dtype=dtype, threads=threads)


RENDERERS: dict[tuple[str, int | None, str], Renderer] = {
    ("reggan", 1, "float32"): ours(np.float32, 1),
    ("reggan", None, "float32"): ours(np.float32, None),
    ("opencv", 1, "float32"): opencv(np.float32),
    ("scipy", 1, "float32"): scipy,
    ("reggan", 1, "uint8"): ours(np.uint8, 1),
    ("reggan", None, "uint8"): ours(np.uint8, None),
    ("opencv", 1, "uint8"): opencv(np.uint8),
    ("pillow", 1, "uint8"): pillow,
}


def disagreement(images: Images, reference: Images) -> tuple[float, float]:
    """Mean absolute difference of gray in [0, 1], and the share of scores that differ by more than 0.05."""
    white = 255 if images.dtype == np.uint8 else 1
    gray = float(np.abs(images / np.float64(white) - reference).mean())
    scores = np.abs(reggan.score(images) - reggan.score(reference))
    return gray, float((scores > 0.05).mean())


@pytest.mark.parametrize(("name", "threads", "dtype"), RENDERERS)
def bench_render(benchmark: BenchmarkFixture, name: str, threads: int | None, dtype: str) -> None:
    scenes = [oracles.circles_scene(SPEC, 0, index, SIZE, SIZE) for index in range(N)]
    renderer = RENDERERS[name, threads, dtype]
    images = renderer(scenes)
    assert images.dtype == np.dtype(dtype)
    gray, scores = disagreement(images, reggan.render(SPEC, N, size=SIZE, dtype=np.float32))
    assert gray < 0.02
    assert scores < 0.1
    benchmark.group = f"render {dtype}"
    benchmark.extra_info |= {"job": "render", "by": name, "threads": threads or "all"}
    benchmark.extra_info |= {
        "kind": "blobs",
        "dtype": dtype,
        "shape": images.shape,
        "agreement": f"mean |gray difference| {gray:.4f}; scores off by over 0.05: {scores:.1%}",
    }
    benchmark(renderer, scenes)
