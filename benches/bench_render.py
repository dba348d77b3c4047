"""Rendered 64x64 images per second, against common ways to draw blurred discs and irregular polygons; and the blur.

The peers get the discs, so only our time includes drawing random numbers. Their circles and blurs are approximations
(anti-aliasing, box filters, other borders): before timing, the mean absolute difference of gray, and the share of
images whose score differs by more than 0.05, must be small. The polygons' peer gets the positions but draws its own
normal deviates, so its ink and its numbers of pieces must equal ours on average. OpenCV blurs with as many weights as
we do, with zeros outside the image.
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
                center = round((x - 0.5) * unit), round((y - 0.5) * unit)
                # A filled circle also has its outline drawn: a quarter of a pixel evens out the area.
                cv2.circle(image, center, round((r - 0.25) * unit), 0, -1, cv2.LINE_8, SUBPIXEL_BITS)
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


def fused(scenes: Scenes) -> npt.NDArray[np.float32]:
    return reggan.render_scores(SPEC, len(scenes), size=SIZE, threads=1)


RENDERERS: dict[tuple[str, int | None, str], Renderer] = {
    ("reggan", 1, "float32"): ours(np.float32, 1),
    ("reggan", None, "float32"): ours(np.float32, None),
    ("opencv", 1, "float32"): opencv(np.float32),
    ("scipy", 1, "float32"): scipy,
    ("reggan", 1, "uint8"): ours(np.uint8, 1),
    ("reggan", 2, "uint8"): ours(np.uint8, 2),
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


def bench_render_and_score(benchmark: BenchmarkFixture) -> None:
    scenes = [oracles.circles_scene(SPEC, 0, index, SIZE, SIZE) for index in range(N)]
    images, scores = reggan.render(SPEC, N, size=SIZE, with_scores=True)
    np.testing.assert_array_equal(fused(scenes), scores)
    benchmark.group = "render and score"
    benchmark.extra_info |= {"job": "render and score", "by": "reggan", "threads": 1, "kind": "blobs"}
    benchmark.extra_info |= {"dtype": "uint8", "shape": images.shape, "agreement": "equal"}
    benchmark(fused, scenes)


POLYGONS = reggan.Polygons()
ANGLES = 2 * np.pi * np.arange(POLYGONS.vertices) / POLYGONS.vertices
DIRECTIONS = np.stack([np.cos(ANGLES), np.sin(ANGLES)])


def pillow_polygons(truth: reggan.GroundTruth) -> Images:
    """The outlines smoothed and stretched by NumPy and SciPy, and filled by Pillow: without graded edges."""
    random = np.random.default_rng(0)
    images = np.empty((len(truth.count), SIZE, SIZE), np.uint8)
    side = SIZE / POLYGONS.boxes
    for out, count, centers in zip(images, truth.count, truth.centers, strict=True):
        image = Image.new("L", (SIZE, SIZE), 255)
        draw = ImageDraw.Draw(image)
        for y, x in centers[:count]:
            rough = random.normal(1, POLYGONS.irregularity, POLYGONS.vertices) * DIRECTIONS
            smooth = ndimage.gaussian_filter1d(rough, POLYGONS.smoothing, mode="wrap")
            low, high = smooth.min(axis=1, keepdims=True), smooth.max(axis=1, keepdims=True)
            # Pillow draws the outline as well, about three quarters of a pixel, and counts from a pixel's middle.
            places = ((smooth - low) / (high - low) - 0.5) * (side - 1.5) + [[x - 0.5], [y - 0.5]]
            draw.polygon(places.T.ravel().tolist(), fill=0)
        out[:] = image
    return images


@pytest.mark.parametrize(("by", "threads"), [("reggan", 1), ("reggan", 2), ("pillow", 1)])
def bench_polygons(benchmark: BenchmarkFixture, by: str, threads: int) -> None:
    truth = reggan.ground_truth(POLYGONS, N)
    theirs, images = pillow_polygons(truth), reggan.render(POLYGONS, N, size=SIZE)
    ink = [1 - drawn.mean() / 255 for drawn in (images, theirs)]
    pieces = [reggan.analyze(drawn, fields=("count",)).count.mean() for drawn in (images, theirs)]
    assert abs(ink[1] / ink[0] - 1) < 0.1
    assert abs(pieces[1] / pieces[0] - 1) < 0.1
    benchmark.group = "polygons"
    benchmark.extra_info |= {"job": "render", "by": by, "threads": threads, "kind": "polygons", "dtype": "uint8"}
    benchmark.extra_info |= {
        "shape": images.shape,
        "agreement": f"ink {ink[0]:.4f} and {ink[1]:.4f}; pieces {pieces[0]:.2f} and {pieces[1]:.2f}",
    }
    if by == "pillow":
        benchmark(pillow_polygons, truth)
    else:
        benchmark(lambda: reggan.render(POLYGONS, N, size=SIZE, threads=threads))


@pytest.mark.parametrize(("by", "threads"), [("reggan", 1), ("reggan", 2), ("opencv", 1)])
@pytest.mark.parametrize("sigma", [1, 3, 8])
@pytest.mark.parametrize("size", [64, 256, 1024])
def bench_blur(benchmark: BenchmarkFixture, size: int, sigma: int, by: str, threads: int) -> None:
    images = np.random.default_rng(0).random((max(1, 2**20 // size**2), size, size), dtype=np.float32)
    kernel = (8 * sigma + 1, 8 * sigma + 1)
    out = np.empty_like(images)

    def ours(images: Images) -> None:
        reggan.gaussian_blur(images, sigma, outside=0.0, out=out, threads=threads)

    def opencv(images: Images) -> None:
        for image, blurred in zip(images, out, strict=True):
            cv2.GaussianBlur(image, kernel, sigma, dst=blurred, borderType=cv2.BORDER_CONSTANT)

    opencv(images)
    theirs = out.copy()
    ours(images)
    difference = float(np.abs(out - theirs).max())
    assert difference < 1e-5
    benchmark.group = f"blur {size} sigma {sigma}"
    benchmark.extra_info |= {"job": "blur", "by": by, "threads": threads, "kind": f"sigma {sigma}"}
    benchmark.extra_info |= {"dtype": "float32", "shape": images.shape, "agreement": f"within {difference:.0e}"}
    benchmark(ours if by == "reggan" else opencv, images)
