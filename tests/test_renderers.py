"""Every renderer against a NumPy reimplementation of its streams and float64 drawing; ground truth; golden bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import oracles
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import reggan
from reggan import BinaryBlobs, Circles, Polygons, Spheres

TOLERANCE = 1e-5
Sides = tuple[int, ...]

CIRCLES = {
    "antialiased": Circles(antialias=True),
    "antialiased, no blur": Circles(antialias=True, blur=(0.0, 0.0)),
    "reflect": Circles(border="reflect"),
    "periodic": Circles(border="periodic"),
    "periodic, attached": Circles(border="periodic", clustering=(0.0, 1.0), blur=(0.0, 8.0)),
    "periodic, apart": Circles(border="periodic", clustering=(-1.0, -1.0)),
    "periodic, large": Circles(border="periodic", count=(1, 3), radius=(20.0, 90.0), antialias=True),
    "periodic, wide": Circles(border="periodic", blur=(30.0, 64.0)),
}
SPHERES = {
    "default": Spheres(),
    "sharp": Spheres(blur=(0.0, 0.0)),
    "reflect": Spheres(border="reflect", blur=(1.0, 6.0)),
    "periodic": Spheres(border="periodic"),
}
BLOBS = {
    "default": BinaryBlobs(),
    "dark": BinaryBlobs(blobs="dark"),
    "reduced": BinaryBlobs(reduced=3),
    "paper": BinaryBlobs(border="paper"),
    "periodic": BinaryBlobs(border="periodic"),
    "few": BinaryBlobs(count=(1, 3)),
    "many": BinaryBlobs(count=(60, 70), threshold=1.0),
}
POLYGONS = {
    "default": Polygons(),
    "color": Polygons(color=True),
    "crowded": Polygons(count=(20, 22), boxes=4.0, margin=0.0, color=True),
    "triangles": Polygons(vertices=3, smoothing=0.0, boxes=3.0, irregularity=0.2),
    "rough": Polygons(vertices=50, smoothing=0.5, irregularity=1.0),
    "large": Polygons(count=(1, 2), boxes=1.0, margin=0.0, distance=0.0),
    "round": Polygons(irregularity=0.0, vertices=1000),
}
SIZES = [1, 2, 32, 64, 65, (48, 80), (1, 200), (130, 3)]


def sides_of(size: int | Sides, axes: int = 2) -> Sides:
    return (size,) * axes if isinstance(size, int) else size


def draw(spec: Any, seed: int, index: int, size: int | Sides) -> tuple[Any, Any]:
    """An image in float32, and its bytes, which must be its rounded values."""
    pixels = reggan.render(spec, [index], seed=seed, size=size, dtype=np.float32)[0]
    found = reggan.render(spec, [index], seed=seed, size=size)[0]
    assert np.abs(found - 255 * pixels).max() <= 0.5 + 1e-2
    assert pixels.shape == reggan.image_shape(spec, size)
    return pixels, found


# Pictures


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", CIRCLES)
def test_circles(name: str, size: int | Sides) -> None:
    spec = CIRCLES[name]
    tolerance = 4e-5 if spec.blur[1] > 16 else TOLERANCE
    for index in (0, 1, 77):
        found, _ = draw(spec, 3, index, size)
        np.testing.assert_allclose(
            found, oracles.render_circles(spec, 3, index, *sides_of(size)), rtol=0, atol=tolerance
        )


@pytest.mark.parametrize("size", [1, 16, 33, (5, 20, 70), (40, 3, 9)], ids=str)
@pytest.mark.parametrize("name", SPHERES)
def test_spheres(name: str, size: int | Sides) -> None:
    for index in (0, 5):
        found, _ = draw(SPHERES[name], 3, index, size)
        expected = oracles.render_spheres(SPHERES[name], 3, index, *sides_of(size, 3))
        np.testing.assert_allclose(found, expected, rtol=0, atol=2 * TOLERANCE)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", BLOBS)
def test_binary_blobs(name: str, size: int | Sides) -> None:
    for index in (0, 1, 2**40):
        found, _ = draw(BLOBS[name], 9, index, size)
        expected, unsure = oracles.binary_blobs(BLOBS[name], 9, index, *sides_of(size))
        np.testing.assert_allclose(found[~unsure], expected[~unsure], rtol=0, atol=1e-6)
        assert unsure.sum() <= 4 + unsure.size // 200 or unsure.all()


@pytest.mark.parametrize("size", [1, 2, 17, 64, (48, 80), (1, 200), (130, 3)], ids=str)
@pytest.mark.parametrize("name", POLYGONS)
def test_polygons(name: str, size: int | Sides) -> None:
    for index in (0, 1, 8):
        found, _ = draw(POLYGONS[name], 2, index, size)
        expected = oracles.render_polygons(POLYGONS[name], 2, index, *sides_of(size))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
        assert np.abs(found - expected).mean() < TOLERANCE


def test_polygons_at_a_large_size() -> None:
    found, _ = draw(Polygons(), 0, 2, 400)
    np.testing.assert_allclose(found, oracles.render_polygons(Polygons(), 0, 2, 400, 400), rtol=0, atol=4e-4)


sides = st.integers(1, 60)


@settings(max_examples=60)
@given(
    spec=st.builds(
        Polygons,
        count=st.tuples(st.integers(1, 5), st.integers(5, 12)),
        irregularity=st.floats(0, 2),
        vertices=st.integers(8, 300),
        smoothing=st.just(0.0) | st.floats(0.05, 1),
        boxes=st.floats(1, 9),
        distance=st.floats(0, 1),
        margin=st.floats(0, 0.5),
        color=st.booleans(),
    ),
    seed=st.integers(0, 2**64 - 1),
    index=st.integers(0, 2**64 - 1),
    size=st.tuples(sides, sides),
)
def test_any_polygons(spec: Polygons, seed: int, index: int, size: Sides) -> None:
    found, _ = draw(spec, seed, index, size)
    expected = oracles.render_polygons(spec, seed, index, *size)
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-4)


@settings(max_examples=60)
@given(
    spec=st.builds(
        BinaryBlobs,
        count=st.tuples(st.integers(1, 5), st.integers(5, 30)),
        threshold=st.floats(0, 2),
        blobs=st.sampled_from(["light", "dark"]),
        reduced=st.integers(1, 4),
        border=st.sampled_from(["paper", "reflect", "periodic"]),
    ),
    seed=st.integers(0, 2**64 - 1),
    index=st.integers(0, 2**64 - 1),
    size=st.tuples(sides, sides),
)
@example(BinaryBlobs(count=(1, 16), threshold=1.0, blobs="light", border="paper"), 1, 19332, (51, 10))  # 25 * 5.1 draws
def test_any_binary_blobs(spec: BinaryBlobs, seed: int, index: int, size: Sides) -> None:
    found, _ = draw(spec, seed, index, size)
    expected, unsure = oracles.binary_blobs(spec, seed, index, *size)
    np.testing.assert_allclose(found[~unsure], expected[~unsure], rtol=0, atol=1e-6)


# What the sources say


def test_the_notebooks_scores() -> None:
    scores = reggan.render_scores(BinaryBlobs(), 800, size=512)
    assert scores.mean() == pytest.approx(0.79, abs=0.02)
    assert 0.15 < scores.min() < 0.35
    reduced = reggan.render_scores(BinaryBlobs(reduced=8), 800, size=64)
    # A neck of ink that is thinner than half a pixel is gone.
    assert scores.mean() - 0.15 < reduced.mean() < scores.mean()


def test_reducing_is_averaging() -> None:
    spec = BinaryBlobs()
    full = reggan.render(spec, 5, size=(160, 96), dtype=np.float32)
    reduced = reggan.render(dataclasses.replace(spec, reduced=8), 5, size=(20, 12), dtype=np.float32)
    np.testing.assert_allclose(reduced, full.reshape(5, 20, 8, 12, 8).mean(axis=(2, 4)), atol=1e-6)
    assert set(np.unique(full)) == {0, 1}


def test_as_many_polygons_of_each_number() -> None:
    truth = reggan.ground_truth(Polygons(), 900)
    np.testing.assert_array_equal(np.bincount(truth.count), [0] + 9 * [100])
    images = reggan.render(Polygons(), 900)
    found = reggan.analyze(images).count
    assert (found == truth.count).mean() > 0.8
    y, x = np.moveaxis(truth.centers, -1, 0)
    gaps = np.hypot(y[:, :, None] - y[:, None], x[:, :, None] - x[:, None])
    gaps[:, range(9), range(9)] = np.nan
    assert np.nanmin(gaps) > 64 / 7
    assert np.nanmin(truth.centers) >= 64 / 7
    assert np.nanmax(truth.centers) <= 64 - 64 / 7


def test_a_blob_fills_its_box() -> None:
    for index in range(20):
        image = reggan.render(Polygons(count=(1, 1)), [index], size=256, dtype=np.float32)[0]
        truth = reggan.ground_truth(Polygons(count=(1, 1)), [index], size=256)
        ink = np.argwhere(image < 1)
        (y, x), radius = truth.centers[0, 0], truth.radii[0, 0]
        np.testing.assert_allclose(ink.min(axis=0), np.floor([y - radius, x - radius]), atol=1)
        np.testing.assert_allclose(ink.max(axis=0) + 1, np.ceil([y + radius, x + radius]), atol=1)


def test_colors_and_gray_are_the_same_blobs() -> None:
    gray, color = (reggan.render(Polygons(color=color), 90, dtype=np.float32) for color in (False, True))
    assert color.shape == (90, 3, 64, 64)
    np.testing.assert_allclose(color.min(axis=1), gray, atol=0.3)
    found = {tuple(shape) for shape in reggan.ground_truth(Polygons(color=True), 90).colors.reshape(-1, 3)}
    assert {color for color in found if not math.isnan(color[0])} == {tuple(map(float, c)) for c in oracles.COLORS}


@pytest.mark.parametrize("spec", [Circles(border="periodic"), BinaryBlobs(border="periodic")], ids=str)
def test_periodic_images_have_no_seam(spec: Any) -> None:
    images = reggan.render(spec, 200, size=64, dtype=np.float32)
    across = np.abs(np.diff(np.concatenate([images, images], axis=2), axis=2)).mean(axis=(0, 1))
    assert across[63] < 1.3 * np.median(across)
    cut = reggan.render(Circles(), 200, size=64, dtype=np.float32)
    torn = np.abs(np.diff(np.concatenate([cut, cut], axis=2), axis=2)).mean(axis=(0, 1))
    assert torn[63] > 1.5 * np.median(torn)


# Ground truth


def test_the_truth_of_circles() -> None:
    spec = Circles(clustering=(-1.0, 1.0))
    truth = reggan.ground_truth(spec, [3, 2**50], seed=8, size=(50, 90))
    assert truth.centers.shape == (2, 18, 2)
    for number, index in enumerate((3, 2**50)):
        scene = oracles.circles_scene(spec, 8, index, 50, 90)
        count = len(scene.discs)
        assert truth.count[number] == count
        assert truth.sigma[number] == pytest.approx(scene.sigma)
        x, y, r = np.array(scene.discs).T
        np.testing.assert_allclose(truth.centers[number, :count], np.stack([y, x], axis=1))
        np.testing.assert_allclose(truth.radii[number, :count], r)
        assert (truth.colors[number, :count] == 0).all()
        for array in (truth.centers, truth.radii, truth.colors):
            assert np.isnan(array[number, count:]).all()


def test_the_truth_of_polygons() -> None:
    truth = reggan.ground_truth(Polygons(color=True), [7], seed=1, size=(70, 140))
    blobs = oracles.polygons_scene(Polygons(color=True), 1, 7, 70, 140)
    assert truth.count[0] == len(blobs) == 8
    np.testing.assert_allclose(truth.centers[0, :8], [(y, x) for x, y, _ in blobs])
    np.testing.assert_array_equal(truth.colors[0, :8], [color for _, _, color in blobs])
    np.testing.assert_allclose(truth.radii[0, :8], 5.0)
    assert np.isnan(truth.sigma).all()


def test_the_truth_of_binary_blobs_and_spheres() -> None:
    truth = reggan.ground_truth(BinaryBlobs(reduced=2), 3, size=64)
    image = Circles(count=(1, 1))
    assert truth.centers.shape == (3, 18**2, 2)
    assert ((truth.count > 100) & (truth.count <= 18**2)).all()
    assert (truth.sigma == np.sort(truth.sigma)[np.argsort(np.argsort(truth.sigma))]).all()
    assert reggan.ground_truth(image, 1).centers.shape == (1, 1, 2)
    spec = Spheres(count=(1, 1), blur=(0.0, 0.0))
    truth = reggan.ground_truth(spec, 5, size=48)
    volumes = reggan.render(spec, 5, size=48)
    for volume, center, radius in zip(volumes, truth.centers[:, 0], truth.radii[:, 0], strict=True):
        places = np.stack(np.meshgrid(*3 * [np.arange(48) + 0.5], indexing="ij"), axis=-1)
        inside = np.linalg.norm(places - center, axis=-1) <= radius
        assert ((volume == 0) != inside).sum() <= 2


def test_no_truth_is_refused_or_empty() -> None:
    assert reggan.ground_truth(Circles(), 0).centers.shape == (0, 18, 2)
    with pytest.raises(TypeError, match="spec"):
        reggan.ground_truth("circles", 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="seed"):
        reggan.ground_truth(Circles(), 3, seed=-1)
    with pytest.raises(MemoryError):
        reggan.ground_truth(Circles(), 2**50)


# Scores


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(
    ("spec", "size"),
    [
        (BinaryBlobs(), (40, 70)),
        (BinaryBlobs(reduced=4), 33),
        (Polygons(), 64),
        (Polygons(color=True, count=(5, 9)), (64, 90)),
        (Spheres(), 24),
        (Spheres(), (3, 40, 70)),
        (Spheres(), (1, 40, 70)),
        (Circles(antialias=True), 64),
        (Circles(border="periodic"), 64),
    ],
    ids=str,
)
def test_scores_are_those_of_the_images(spec: Any, size: Any, dtype: Any) -> None:
    images, scores = reggan.render(spec, 50, size=size, dtype=dtype, with_scores=True)
    gray = images.min(axis=1) if images.shape[1:] == (3, *sides_of(size)) else images
    expected = reggan.score(gray, connectivity=6 if spec.axes == 3 else 4)
    np.testing.assert_array_equal(scores, expected)
    np.testing.assert_array_equal(reggan.render_scores(spec, 50, size=size, dtype=dtype), expected)


# Determinism

SPECS: dict[str, tuple[Any, int | Sides]] = {
    **{f"circles, {name}": (spec, 64) for name, spec in CIRCLES.items()},
    **{f"binary blobs, {name}": (spec, (50, 70)) for name, spec in BLOBS.items()},
    "binary blobs of the notebook": (BinaryBlobs(), 512),
    **{f"polygons, {name}": (spec, (64, 70)) for name, spec in POLYGONS.items()},
    **{f"spheres, {name}": (spec, (20, 24, 70)) for name, spec in SPHERES.items()},
}


@pytest.mark.parametrize("name", SPECS)
def test_threads_and_batches_change_no_byte(name: str) -> None:
    spec, size = SPECS[name]
    images = reggan.render(spec, 12, seed=3, size=size, dtype=np.float32, threads=1)
    np.testing.assert_array_equal(reggan.render(spec, 12, seed=3, size=size, dtype=np.float32, threads=3), images)
    for index in (11, 0):
        np.testing.assert_array_equal(
            reggan.render(spec, [index], seed=3, size=size, dtype=np.float32)[0], images[index]
        )


# Bytes of stream version 2, on every machine and for every instruction set: uint8 and float32.
GOLDEN: dict[str, tuple[str, str]] = {
    "circles, antialiased": (
        "7cd8a66d52e0988216e8ea198d6bf1f1",
        "debd5a7470a69fb8a5a9c70cc3178e63",
    ),
    "circles, antialiased, no blur": (
        "34f9c5b47cbe894be37e6f4228588c31",
        "e25570f8091021081988c0bd9aed454f",
    ),
    "circles, reflect": (
        "82dae450cfa0db45fcc3ceac2fecb02e",
        "e1e36dd2d6e0fe3a2295b6e49e1ea15d",
    ),
    "circles, periodic": (
        "e51531bbebd7f839548f62b5a4310425",
        "1247ac37b912281b7265e8b25f73a235",
    ),
    "circles, periodic, attached": (
        "98caf43551d79a69f91812893320322b",
        "3c2c07756acfc6fe6f483755e37f7c59",
    ),
    "circles, periodic, apart": (
        "d45dcaf65ba43a1c59bac071ce3a8f82",
        "6e40070942e74155ae21093f464616df",
    ),
    "circles, periodic, large": (
        "3b6dfcc11d2e59eac002db2c4439f4a5",
        "dcf06972b41d59d5a1f185a72e35322b",
    ),
    "circles, periodic, wide": (
        "634165c4fdd91301388222be6c49bd70",
        "b157b141bd169e7563559bd84682282a",
    ),
    "binary blobs, default": (
        "e7cf96bd1838dc4e0d3998c7092f6fdb",
        "7c556a324ddb3ecefdf766cff19bc254",
    ),
    "binary blobs, dark": (
        "4c8b2fcbb0b57523be91c5207e55f952",
        "b18d75a023e88e82e944595a9242e790",
    ),
    "binary blobs, reduced": (
        "76ece49793aaec9a764a77fd8c6f8b20",
        "6078c5a6e28c1034bf25ea7c92938d6e",
    ),
    "binary blobs, paper": (
        "2a8cd66b3586c6fd1686b5e67388ff18",
        "10be8c1590eec5ff0ced0be3158de1ad",
    ),
    "binary blobs, periodic": (
        "1382006b9b3b41bd0be145042a10a3d2",
        "4d17ba5791ec7ee8c2d55b10756100b3",
    ),
    "binary blobs, few": (
        "434b95a1a83a08f9f91588c3d91e0331",
        "0c44b97d65175c8ee81cea7d0fdde812",
    ),
    "binary blobs, many": (
        "1604b56781c55ffb9bac97223fc709b3",
        "06f2a49eb6d9bf02717c3fd9ad806cec",
    ),
    "binary blobs of the notebook": (
        "27a70bfc4edc02607b12e029b9fc1167",
        "793bc4252d435beaf294588682187247",
    ),
    "polygons, default": (
        "dfc2c58f704c37fdbcac0e57d2371710",
        "6ee478aec74cb598211befed582bf006",
    ),
    "polygons, color": (
        "907abc16164841aa255e3d519cc3600a",
        "65681d7419cdcf3ac0a3e4dc74c8c68c",
    ),
    "polygons, crowded": (
        "656c81bd12f8bab4301bc5101e3fcbac",
        "859d38f451e586342ac9727eedaffa2b",
    ),
    "polygons, triangles": (
        "4b8df01b413dd3948b066354be70d675",
        "2ed79d6eefdc2a38a58b9a5f19b9a090",
    ),
    "polygons, rough": (
        "441daaf25291f0f07f9e907af824650c",
        "a3b42d9c66ee3c5fdd6cd130d238ea57",
    ),
    "polygons, large": (
        "52e466828fa92d182d87872d2cb4b5fd",
        "fd02ee214087ad539ce398b66b83bf70",
    ),
    "polygons, round": (
        "1dc79813a69da6792ce5e40b273d20a1",
        "9ac6cab4d044d5392faa1d4c648057b1",
    ),
    "spheres, default": (
        "64c43f1da70be44f803c9e18091c429e",
        "aaccfc2fbe2ba39d0f91be76cc545e0d",
    ),
    "spheres, sharp": (
        "9bf91ee8a0d2fe56622d0b3895ad0fc9",
        "0b0e88b1b1c001bedeb7b53756cc365a",
    ),
    "spheres, reflect": (
        "4fc4cd4812cb551ac7326b6fa3490b77",
        "e0f72f6ba362b08d32ca53fbbb13881c",
    ),
    "spheres, periodic": (
        "2cefee2890ac5d573f8e610715367c4e",
        "1fbbac1de3044265097e369bb7ebdff1",
    ),
}


def digest(name: str, dtype: Any) -> str:
    spec, size = SPECS[name]
    images = reggan.render(spec, 8, seed=5, size=size, dtype=dtype)
    return hashlib.sha256(images.astype(images.dtype.newbyteorder("<")).tobytes()).hexdigest()[:32]


@pytest.mark.parametrize("name", SPECS)
def test_golden_bytes(name: str) -> None:
    assert (digest(name, np.uint8), digest(name, np.float32)) == GOLDEN[name]


@pytest.mark.parametrize("level", reggan.simd_info()["available"])
def test_golden_bytes_of_every_instruction_set(level: str) -> None:
    code = """
        import json, numpy as np, test_renderers as t
        print(json.dumps({name: [t.digest(name, np.uint8), t.digest(name, np.float32)] for name in t.SPECS}))
    """
    environment = {**os.environ, "REGGAN_SIMD": level}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(
        command, env=environment, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {name: tuple(digests) for name, digests in json.loads(done.stdout).items()} == GOLDEN


# Refusals


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (BinaryBlobs, "count", (0, 3)),
        (BinaryBlobs, "count", (3, 257)),
        (BinaryBlobs, "threshold", -0.1),
        (BinaryBlobs, "threshold", math.nan),
        (BinaryBlobs, "threshold", math.inf),
        (BinaryBlobs, "threshold", 10**400),
        (BinaryBlobs, "blobs", "white"),
        (BinaryBlobs, "reduced", 0),
        (BinaryBlobs, "reduced", 65),
        (BinaryBlobs, "border", "none"),
        (Circles, "border", ""),
        (Polygons, "count", (0, 9)),
        (Polygons, "count", (1, 1025)),
        (Polygons, "irregularity", -1.0),
        (Polygons, "vertices", 2),
        (Polygons, "smoothing", 26.0),
        (Polygons, "boxes", 0.5),
        (Polygons, "distance", 8.0),
        (Polygons, "margin", 3.6),
        (Polygons, "margin", math.inf),
        (Spheres, "count", (2, 1)),
        (Spheres, "radius", (0.0, 1.0)),
        (Spheres, "radius", (1.0, 10**400)),
        (Spheres, "blur", (0.0, 65.0)),
        (Spheres, "border", "wrap"),
    ],
)
def test_values_that_are_not_allowed(kind: Any, field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        kind(**{field: value})


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (BinaryBlobs, "threshold", "0.6"),
        (BinaryBlobs, "reduced", 2.0),
        (BinaryBlobs, "reduced", True),
        (Circles, "antialias", 1),
        (Polygons, "vertices", 200.0),
        (Polygons, "color", "RGB"),
        (Polygons, "boxes", None),
        (Spheres, "radius", 5.0),
    ],
)
def test_values_of_a_wrong_type(kind: Any, field: str, value: Any) -> None:
    with pytest.raises(TypeError, match=field):
        kind(**{field: value})


def test_sizes_that_do_not_fit_the_spec() -> None:
    with pytest.raises(TypeError, match="depth, height, width"):
        reggan.render(Spheres(), 1, size=(8, 8))
    with pytest.raises(TypeError, match="height, width"):
        reggan.render(Polygons(), 1, size=(8, 8, 8))
    with pytest.raises(ValueError, match="32768; an image that is reduced by 8 is drawn at that size"):
        reggan.render(BinaryBlobs(reduced=8), 1, size=(1, 5000))
    with pytest.raises(ValueError, match=r"count is up to 256.* 4194304 random pixels in an image of 1 x 32768"):
        reggan.render(BinaryBlobs(count=(256, 256)), 1, size=(1, 32768))
    with pytest.raises(ValueError, match="pixels"):
        reggan.render(Spheres(), 1, size=2000)
