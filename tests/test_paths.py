"""Paths against SciPy's graphs and labels: distances, diameters, spans, and the rules of them."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage, sparse
from scipy.sparse import csgraph

import reggan
from reggan.rules import Joins, Path, Reach, resolve_rule

masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=11))
connectivities = st.sampled_from((4, 8))


def graph(batch: oracles.Mask, connectivity: int) -> sparse.csr_array:
    """The steps between the pixels of all images, which are apart from each other."""
    _, height, width = batch.shape
    number = np.arange(batch.size).reshape(batch.shape)
    ends = []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1))[: connectivity // 2]:
        here = number[:, : height - dy, max(0, -dx) : width - max(0, dx)].ravel()
        there = number[:, dy:, max(0, dx) : width + min(0, dx)].ravel()
        touch = batch.ravel()[here] & batch.ravel()[there]
        ends.append((here[touch], there[touch]))
    here, there = (np.concatenate(each) for each in zip(*ends, strict=True))
    return sparse.csr_array((np.ones(len(here)), (here, there)), shape=(batch.size, batch.size))


def diameters(batch: oracles.Mask, connectivity: int) -> list[int]:
    """The longest of all shortest paths, from every pixel to every pixel."""
    found = []
    for image in batch:
        inside = np.flatnonzero(image)
        steps = graph(image[None], connectivity)[inside][:, inside]
        between = csgraph.shortest_path(steps, directed=False, unweighted=True) if len(inside) else np.zeros(1)
        found.append(int(between[np.isfinite(between)].max()))
    return found


def distances(batch: oracles.Mask, seeds: oracles.Mask, connectivity: int) -> oracles.Array:
    """One search from a pixel outside of all images, a step before every seed."""
    starts = np.flatnonzero(batch & seeds)
    steps = graph(batch, connectivity).tocoo()
    here = np.concatenate([steps.coords[0], np.full(len(starts), batch.size)])
    there = np.concatenate([steps.coords[1], starts])
    whole = sparse.csr_array((np.ones(len(here)), (here, there)), shape=(batch.size + 1, batch.size + 1))
    found = csgraph.dijkstra(whole, directed=False, indices=batch.size, unweighted=True)[:-1] - 1
    # A path may not pass the pixel outside, which is beside seeds only.
    return np.where(np.isfinite(found), found, -1).reshape(batch.shape).astype(np.int32)


def extents(batch: oracles.Mask, connectivity: int) -> list[list[int]]:
    found = []
    for image in batch:
        places = ndimage.find_objects(ndimage.label(image, oracles.STRUCTURE[connectivity])[0])
        found.append([max((place[axis].stop - place[axis].start for place in places), default=0) for axis in (0, 1)])
    return found


def adversarial(height: int, width: int) -> oracles.Mask:
    """Empty, full, one pixel, a serpentine, a comb, a spiral, a ring, two rings, stairs and a checkerboard."""
    y, x = np.indices((height, width))
    serpentine = (y % 2 == 0) | (x == np.where(y % 4 == 1, width - 1, 0))
    comb = (y == 0) | (x % 2 == 0)
    depth = np.minimum(np.minimum(y, height - 1 - y), np.minimum(x, width - 1 - x))
    ring = depth == 0
    rings = (depth % 2 == 0) & ~((y == height // 2) & (x < width // 3))
    joint = (x == y + 1) & (depth % 2 == 1) & (y < height // 2)
    gap = (x == y) & (depth % 2 == 0) & (y > 0) & (y < height // 2)
    spiral = (depth % 2 == 0) & ~gap | joint
    stairs = (x - y == 0) | (x - y == 1)
    dot = (y == height // 2) & (x == width // 2)
    every = (dot & False, dot | True, dot, serpentine, serpentine & (depth > 0), comb, ring, rings, spiral, stairs)
    return np.stack([*every, (x + y) % 2 == 0])


def noise(seed: int, *shape: int) -> oracles.Mask:
    rng = np.random.default_rng(seed)
    return rng.random(shape) < rng.choice([0.3, 0.5, 0.6, 0.7, 0.9], (shape[0], 1, 1))


def check(batch: oracles.Mask, connectivity: int, seed: int) -> None:
    """Compare all kernels with SciPy."""
    options = {"foreground": "light", "connectivity": connectivity}
    np.testing.assert_array_equal(reggan.geodesic_diameter(batch, **options), diameters(batch, connectivity))
    np.testing.assert_array_equal(reggan.spans(batch, **options), extents(batch, connectivity))
    seeds = np.random.default_rng(seed).random(batch.shape) < 0.02
    found = reggan.geodesic_distance(batch, seeds, **options)
    np.testing.assert_array_equal(found, distances(batch, seeds, connectivity))


@pytest.mark.parametrize("connectivity", [4, 8])
def test_every_width(connectivity: int) -> None:
    for width in range(1, 131):
        height = 1 + width * 7 % 12
        check(np.concatenate([noise(width, 3, height, width), adversarial(height, width)[3:6]]), connectivity, width)


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("sides", [(1, 1), (14, 14), (15, 16), (16, 16), (13, 12), (31, 32), (20, 21), (30, 33)])
def test_shapes_that_are_hard_for_wavefronts(sides: tuple[int, int], connectivity: int) -> None:
    check(adversarial(*sides), connectivity, 0)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_thousands_of_noise_images(connectivity: int) -> None:
    batch = noise(1, 6000, 8, 9)
    options = {"foreground": "light", "connectivity": connectivity}
    found = reggan.geodesic_diameter(batch, **options)
    np.testing.assert_array_equal(found[:1500], diameters(batch[:1500], connectivity))
    seeds = np.random.default_rng(2).random(batch.shape) < 0.05
    expected = distances(batch, seeds, connectivity)
    np.testing.assert_array_equal(reggan.geodesic_distance(batch, seeds, **options), expected)
    # The wavefronts of images of any size agree with those of small images.
    wide = np.zeros((len(batch), 8, 70), np.bool_)
    wide[:, :, 61:] = batch
    np.testing.assert_array_equal(reggan.geodesic_diameter(wide, **options), found)
    np.testing.assert_array_equal(reggan.spans(batch[:1500], **options), extents(batch[:1500], connectivity))


@settings(deadline=None)
@given(masks, connectivities, st.randoms(use_true_random=False))
def test_properties(batch: oracles.Mask, connectivity: int, random: object) -> None:
    options = {"foreground": "light", "connectivity": connectivity}
    longest, extent = reggan.geodesic_diameter(batch, **options), reggan.spans(batch, **options)
    for turned in (batch[:, ::-1], batch[:, :, ::-1], batch.swapaxes(1, 2)):
        np.testing.assert_array_equal(reggan.geodesic_diameter(turned, **options), longest)
    np.testing.assert_array_equal(reggan.spans(batch.swapaxes(1, 2), **options), extent[:, ::-1])
    assert (longest >= extent.max(axis=1) - 1).all()
    assert (longest <= np.maximum(batch.sum(axis=(1, 2)) - 1, 0)).all()
    np.testing.assert_array_equal(reggan.geodesic_distance(batch, batch, **options), batch.astype(np.int32) - 1)


@pytest.mark.parametrize("width", [14, 70])
def test_every_kind_of_images(width: int) -> None:
    batch = noise(3, 40, 14, width)
    seeds = noise(4, 40, 14, width) & noise(5, 40, 14, width)
    wanted = [diameters(batch, 4), extents(batch, 4), distances(batch, seeds, 4)]

    def found(images: object, **options: object) -> list[object]:
        kernels = (reggan.geodesic_diameter, reggan.spans)
        return [each(images, **options) for each in kernels] + [reggan.geodesic_distance(images, seeds, **options)]

    strided = np.zeros((80, 28, 2 * width), np.uint8)
    strided[::2, ::2, :width] = 255 * batch
    kinds = [batch, batch.astype(np.float32), 255 * batch.astype(np.uint8), strided[::2, ::2, :width], batch[:, None]]
    kinds += [reggan.PackedImages(np.packbits(batch, axis=-1), width), batch.astype(np.float64)]
    for images in kinds:
        for threads in (1, 3, None):
            for result, expected in zip(found(images, foreground="light", threads=threads), wanted, strict=True):
                np.testing.assert_array_equal(result, expected)
    for result, expected in zip(found(~batch, foreground="dark", threshold=0.9), wanted, strict=True):
        np.testing.assert_array_equal(result, expected)
    tensors = found(torch.from_numpy(batch), foreground="light")
    for result, expected in zip(tensors, wanted, strict=True):
        assert isinstance(result, torch.Tensor)
        np.testing.assert_array_equal(result.numpy(), expected)
    out = np.empty((40, 2), np.int64)
    assert reggan.spans(batch, foreground="light", out=out) is out
    np.testing.assert_array_equal(out, wanted[1])
    one = reggan.geodesic_diameter(batch[0], foreground="light")
    assert one.shape == ()
    assert one == wanted[0][0]
    shared = reggan.geodesic_distance(batch, torch.from_numpy(seeds[0]), foreground="light")
    np.testing.assert_array_equal(shared, distances(batch, np.broadcast_to(seeds[0], batch.shape), 4))
    assert reggan.geodesic_diameter(batch[:0]).shape == (0,)


def test_errors() -> None:
    batch = np.zeros((2, 5, 6), np.float32)
    with pytest.raises(ValueError, match="connectivity is 6, but must be 4 or 8"):
        reggan.geodesic_diameter(batch, connectivity=6)
    with pytest.raises(TypeError, match="seeds have dtype float32, but must be bool"):
        reggan.geodesic_distance(batch, batch)
    with pytest.raises(ValueError, match=r"seeds have shape \(5, 5\), but must be \(2, 5, 6\) or \(5, 6\)"):
        reggan.geodesic_distance(batch, np.zeros((5, 5), np.bool_))
    with pytest.raises(ValueError, match="image 1 holds NaN"):
        reggan.spans(np.where([[[False]], [[True]]], np.nan, batch))


PROGRAM = """
import hashlib
import numpy as np
import reggan

digest = hashlib.sha256()
for side in (9, 14, 16, 28, 33, 70):
    images = np.random.default_rng(side).random((60, side, side)) < 0.6
    for connectivity in (4, 8):
        for kernel in (reggan.geodesic_diameter, reggan.spans):
            digest.update(kernel(images, foreground="light", connectivity=connectivity).tobytes())
print(digest.hexdigest())
"""


def test_every_instruction_set_gives_the_same_bytes() -> None:
    def run(wanted: str) -> str:
        environment = os.environ | {"REGGAN_SIMD": wanted}
        return subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert len({run(wanted) for wanted in reggan.simd_info()["available"]}) == 1


# Rules


def test_path_on_a_drawn_maze() -> None:
    maze = oracles.grid("#####. ....#. .####. .#.... .#####")
    assert reggan.geodesic_diameter(oracles.paper(maze)) == 15
    scores = [Path(length)(oracles.paper(maze)[None])[0] for length in (1, 15, 16, 30)]
    np.testing.assert_array_equal(scores, np.float32([1, 1, 15 / 16, 0.5]))
    assert Path(length=1)(np.ones((1, 4, 4), np.float32)) == 0


@settings(deadline=None)
@given(masks, connectivities, st.integers(1, 30))
def test_path(batch: oracles.Mask, connectivity: int, length: int) -> None:
    expected = []
    for image, longest in zip(batch, diameters(batch, connectivity), strict=True):
        _, regions = ndimage.label(image, oracles.STRUCTURE[connectivity])
        expected.append(min(1, longest / length) / max(regions, 1))
    scores = Path(length, connectivity=connectivity)(oracles.paper(batch, np.uint8))
    np.testing.assert_array_equal(scores, np.float32(expected))
    light = Path(length, connectivity=connectivity, foreground="light")(batch)
    np.testing.assert_array_equal(light, scores)


INDICES = {"left": np.s_[:, 0], "right": np.s_[:, -1], "top": np.s_[0], "bottom": np.s_[-1]}
places = st.sampled_from([*INDICES, (0.0, 0.0), (1.0, 1.0), (0.5, 0.25)])


@settings(deadline=None)
@given(masks, connectivities, places, st.lists(places, min_size=1, max_size=4).map(tuple))
def test_reach(batch: oracles.Mask, connectivity: int, start: object, goals: tuple[object, ...]) -> None:
    def pieces(labels: oracles.Array, place: object) -> set[int]:
        if isinstance(place, tuple):
            y, x = (int(share * (side - 1) + 0.5) for share, side in zip(place, labels.shape, strict=True))
            return {int(labels[y, x])} - {0}
        return set(labels[INDICES[str(place)]].ravel().tolist()) - {0}

    expected = []
    for image in batch:
        labels, _ = ndimage.label(image, oracles.STRUCTURE[connectivity])
        expected.append(np.mean([bool(pieces(labels, start) & pieces(labels, goal)) for goal in goals]))
    rule = Reach(start, goals, connectivity=connectivity)  # type: ignore[arg-type]
    scores = rule(oracles.paper(batch))
    np.testing.assert_array_equal(scores, np.float32(expected))
    np.testing.assert_array_equal(scores == 1, np.array(expected) == 1)
    classes = np.rint(np.array(expected) * len(goals))
    np.testing.assert_array_equal(rule.classify(scores), classes)


def test_joins_reads_either_side() -> None:
    batch = noise(6, 500, 9, 12)
    for axis in ("x", "y"):
        dark = Joins(axis)(oracles.paper(batch))  # type: ignore[arg-type]
        np.testing.assert_array_equal(Joins(axis, foreground="light")(batch), dark)  # type: ignore[arg-type]


def test_rules_by_name() -> None:
    assert resolve_rule("path(20, foreground='light')") == Path(20, foreground="light")
    rule = resolve_rule("reach((0.0, 0.0), ((1.0, 1.0), 'top'))")
    assert rule == Reach((0.0, 0.0), ((1.0, 1.0), "top"))
    for text, reason in {
        "path(0)": "length is 0",
        "reach('middle')": "start is 'middle', but must be",
        "reach('left', 'right')": "goals is 'right', but must be a tuple",
        "reach('left', ((0.5, 2.0),))": "a coordinate of goals is 2.0",
        "reach(goals=(3,))": "goals has 3",
        "path(connectivity=6)": "connectivity is 6",
    }.items():
        with pytest.raises(ValueError, match=reason.replace("(", r"\(")):
            resolve_rule(text)
