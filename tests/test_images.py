"""Your own images: folders, IDX files, arrays, shards; crops and flips; what cannot be read; training on them."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import os
import pickle
import re
import shutil
import struct
import zipfile
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, PngImagePlugin
from torch.utils.data import DataLoader

from reggan import BinaryBlobs, Circles, Connected, analyze, render, score
from reggan.config import config_from_json, config_to_json
from reggan.data import (
    Files,
    Fingerprint,
    ImageDataset,
    Pairs,
    Points,
    RenderedImages,
    Traffic,
    UnreadableImages,
    load_batches,
    make_shards,
    read_idx,
    to_numpy,
)
from reggan.modalities import ImageModality, PairModality, open_data
from reggan.presets import preset
from reggan.rules import min_channel
from reggan.runs import RunDirectory
from reggan.tables import describe
from reggan.train import main

RULE = Connected()
ROUND = Circles(count=(2, 6))


def write_folder(folder, count=12, size=32):
    """Pictures whose names are in the order of their indices, one of them in a folder of its own."""
    images = render(ROUND, count, size=size)
    (folder / "more").mkdir(parents=True)
    for number, image in enumerate(images):
        place = folder / "more" / "z.png" if number == count - 1 else folder / f"{number:03}.png"
        Image.fromarray(image).save(place)
    (folder / "notes.txt").write_text("not a picture")
    return images


def idx(images):
    return struct.pack(">4B", 0, 0, 8, images.ndim) + struct.pack(f">{images.ndim}I", *images.shape) + images.tobytes()


def npz(damaged=0, **arrays):
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    whole = bytearray(content.getvalue())
    if damaged:
        whole[damaged : damaged + 20] = bytes(20)
    return bytes(whole)


def npy(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def zipped(name):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(name, b"no array")
    return content.getvalue()


def images_of(path, size=32, **options):
    data = Files(str(path), **options).open(size, RULE, log=True)
    return data.fetch(np.arange(data.length))


def scores_of(images):
    return RULE(min_channel(to_numpy(images)))


# Where images come from


def test_a_folder(tmp_path, capsys):
    expected = write_folder(tmp_path / "pictures")
    images = images_of(tmp_path / "pictures")
    assert f"{tmp_path / 'pictures'}: left alone: 1 .txt\n" in capsys.readouterr().err
    assert images.dtype == torch.uint8
    np.testing.assert_array_equal(images[:, 0], expected)


@pytest.mark.parametrize(
    "name", ["images.npy", "IMAGES.NPY", "images.npz", "train-images-idx3-ubyte", "train-images.gz"]
)
def test_files_of_arrays(name, tmp_path):
    expected = render(ROUND, 7, size=32)
    path = tmp_path / name
    if name.lower().endswith("npy"):
        with path.open("wb") as file:
            np.save(file, expected)
    elif name.endswith("npz"):
        np.savez(path, images=expected, labels=np.arange(7))
    else:
        path.write_bytes(gzip.compress(idx(expected), mtime=0) if name.endswith("gz") else idx(expected))
    np.testing.assert_array_equal(images_of(path)[:, 0], expected)


@pytest.mark.parametrize("shape", ["NHW", "N1HW", "NHW1", "NHW3", "N3HW"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("color", [False, True])
def test_arrays_of_any_layout(shape, dtype, color, tmp_path):
    gray = render(ROUND, 3, size=32)
    images = {
        "NHW": gray,
        "N1HW": gray[:, None],
        "NHW1": gray[..., None],
        "NHW3": np.repeat(gray[..., None], 3, axis=3),
        "N3HW": np.repeat(gray[:, None], 3, axis=1),
    }[shape]
    np.save(tmp_path / "a.npy", images if dtype == np.uint8 else (images / 255).astype(dtype))
    found = images_of(tmp_path / "a.npy", color=color)
    np.testing.assert_array_equal(found, np.repeat(gray[:, None], 3 if color else 1, axis=1))


def test_a_set_of_shards(tmp_path):
    make_shards(tmp_path / "set", ROUND, 20, size=32, images_per_shard=7)
    np.testing.assert_array_equal(images_of(tmp_path / "set")[:, 0], render(ROUND, 20, size=32))


def test_a_run_is_no_folder_of_pictures(tmp_path):
    run = tmp_path / "run"
    RunDirectory.create(run, preset())
    write_folder(run / "generated-seed0", 3)
    with pytest.raises(ValueError, match="is a run directory, not a folder of pictures"):
        images_of(run)
    assert len(images_of(run / "generated-seed0")) == 3


def test_a_second_training_in_the_folder_of_the_pictures_reads_the_same_ones(tmp_path, monkeypatch, capsys):
    write_folder(tmp_path, 12)
    monkeypatch.chdir(tmp_path)
    for number in ("", "-2"):
        assert main([*TINY, "--data", "."]) == 0
        captured = capsys.readouterr()
        assert captured.out.splitlines()[-1] == f"runs/dcgan-connected-32px-seed0{number}"
        assert "image 12/12" in captured.err
    images = [Image.open(path).tobytes() for path in sorted(tmp_path.glob("runs/*/samples/data.png"))]
    assert len(images) == 2
    assert images[0] == images[1]


def test_only_the_first_page_or_frame_is_read_and_that_is_said(tmp_path, capsys):
    frames = [Image.fromarray(image) for image in render(ROUND, 3, size=32)]
    for name in ("a.gif", "b.tif", "c.png", "d.webp"):
        options = {"lossless": True} if name == "d.webp" else {}
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
    frames[0].save(tmp_path / "e.png")
    images = images_of(tmp_path)[:, 0].numpy()
    for image in images:
        np.testing.assert_array_equal(image, frames[0])
    assert "4 files have more than one page or frame; only the first is read" in capsys.readouterr().err


# What is done with them


def test_sizes_are_made_one(tmp_path):
    (tmp_path / "a").mkdir()
    wide = np.full((64, 128), 255, np.uint8)
    wide[:, 32:96] = 0
    Image.fromarray(wide).save(tmp_path / "a" / "wide.png")
    Image.fromarray(wide.T).save(tmp_path / "a" / "tall.png")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a" / "small.png")
    images = images_of(tmp_path / "a")
    assert images.shape == (3, 1, 32, 32)
    assert (images[..., 2:-2, 2:-2] == 0).all(), "the middle of both is black"


def arch():
    """Two pillars and what joins them, at the top of a picture twice as high as it is wide."""
    image = np.full((64, 32), 255, np.uint8)
    image[3:61, 4:9] = image[3:61, 23:28] = image[3:8, 4:28] = 0
    return image


@pytest.mark.parametrize("turned", [False, True])
def test_a_picture_that_is_padded_loses_nothing(turned, tmp_path):
    image = arch().T if turned else arch()
    Image.fromarray(image).save(tmp_path / "a.png")
    assert scores_of(images_of(tmp_path)).tolist() == [0.5]
    whole = np.full((64, 64), 255, np.uint8)
    whole[(slice(16, 48), slice(None)) if turned else (slice(None), slice(16, 48))] = image
    images = images_of(tmp_path, size=64, crop="pad")
    np.testing.assert_array_equal(images[0, 0], whole)
    assert scores_of(images).tolist() == [1]
    Image.fromarray(255 - image).save(tmp_path / "a.png")
    np.testing.assert_array_equal(images_of(tmp_path, size=64, crop="pad", invert=True)[0, 0], whole)
    assert images_of(tmp_path, crop="pad").shape == (1, 1, 32, 32)


def test_a_strip_is_padded_to_a_square(tmp_path):
    Image.fromarray(np.zeros((2, 200), np.uint8)).save(tmp_path / "a.png")
    images = images_of(tmp_path, crop="pad", color=True)
    assert images.shape == (1, 3, 32, 32)
    assert (images < 128).any(dim=3).sum(dim=2).tolist() == [[1, 1, 1]]


def test_what_a_crop_loses_is_said(tmp_path, capsys):
    Image.fromarray(arch()).save(tmp_path / "a.png")
    pillar = np.where(np.arange(32) < 20, arch(), 255).astype(np.uint8)
    pillar[:, 9:] = 255
    Image.fromarray(pillar).save(tmp_path / "b.png")
    within = np.full((64, 32), 255, np.uint8)
    within[20:40, 8:16] = 0
    Image.fromarray(within).save(tmp_path / "c.png")
    Image.fromarray(within[16:48]).save(tmp_path / "d.png")
    for crop in ("center", "random"):
        images_of(tmp_path, crop=crop)
        told = capsys.readouterr().err
        assert "2 of 4 pictures have ink outside their center square, and in 1 the number of pieces changes" in told
        assert "--data.crop pad" in told
    images_of(tmp_path, crop="pad")
    assert "center square" not in capsys.readouterr().err


def test_kinds_of_pictures(tmp_path):
    gray = render(ROUND, 1, size=32)[0]
    folder = tmp_path / "a"
    folder.mkdir()
    Image.fromarray(gray.astype(np.uint16) * 257).save(folder / "a16.png")
    clear = np.zeros((32, 32, 4), np.uint8)
    clear[..., 3] = 255 - gray
    Image.fromarray(clear).save(folder / "b-alpha.png")
    Image.fromarray(gray).convert("P").save(folder / "c-palette.gif")
    turned = Image.fromarray(np.rot90(gray))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "d-turned.png", exif=exif)
    images = images_of(folder)[:, 0].numpy().astype(int)
    np.testing.assert_array_equal(images[0], gray)
    for image in images[1:]:
        assert np.abs(image - gray).max() <= 1


def test_a_gray_picture_is_laid_over_the_background_where_it_is_transparent(tmp_path):
    gray_and_alpha = np.full((32, 32, 2), (7, 255), np.uint8)
    gray_and_alpha[:16] = 99, 0
    Image.fromarray(gray_and_alpha).save(tmp_path / "a.png")
    for background, seen in (("white", 255), ("black", 0)):
        images = images_of(tmp_path, background=background)
        assert np.unique(images[0, 0, :16]).tolist() == [seen]
        assert np.unique(images[0, 0, 16:]).tolist() == [7]


def test_transparent_pictures_are_laid_on_the_background_that_is_asked_for(tmp_path):
    gray = render(ROUND, 1, size=32)[0]
    white = np.full((32, 32, 4), 255, np.uint8)
    white[..., 3] = 255 - gray
    Image.fromarray(white).save(tmp_path / "a.png")
    assert (images_of(tmp_path) == 255).all()
    drawn = images_of(tmp_path, background="black", invert=True)[0, 0].numpy()
    assert np.abs(drawn.astype(int) - gray).max() <= 1


def test_a_broken_link_is_an_unreadable_picture(tmp_path):
    write_folder(tmp_path, count=2)
    (tmp_path / "lost.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(UnreadableImages, match=r"1 of 3 images(?s:.)*lost\.png: .*No such file"):
        images_of(tmp_path)


def test_colors_are_ink_where_any_channel_is_dark(tmp_path):
    yellow = np.full((2, 32, 32, 3), 255, np.uint8)
    yellow[:, 8:24, 8:24, 2] = 0
    np.save(tmp_path / "a.npy", yellow)
    images = images_of(tmp_path / "a.npy", color=True)
    assert images.shape == (2, 3, 32, 32)
    assert (scores_of(images) == 1).all()
    assert (scores_of(images_of(tmp_path / "a.npy")) == 0).all(), "in gray yellow is nearly white"


def test_light_on_dark_is_inverted(tmp_path):
    np.save(tmp_path / "a.npy", 255 - render(ROUND, 5, size=32))
    np.testing.assert_array_equal(images_of(tmp_path / "a.npy", invert=True)[:, 0], render(ROUND, 5, size=32))


def test_only_scores_under_a_limit(tmp_path):
    images = render(ROUND, 60, size=32)
    np.save(tmp_path / "a.npy", images)
    np.testing.assert_array_equal(images_of(tmp_path / "a.npy", below=0.6)[:, 0], images[score(images) < 0.6])


def test_crops_and_flips_depend_on_seed_epoch_and_position_alone(tmp_path):
    strip = np.tile(np.arange(96, dtype=np.uint8), (40, 32, 1))
    np.save(tmp_path / "a.npy", strip)
    files = Files(str(tmp_path / "a.npy"), crop="random", flip_horizontal=True, flip_vertical=True, seed=4)
    data = files.open(32, RULE)
    first, second = (data.fetch(np.arange(40) + 40 * epoch)[:, 0, 0].int() for epoch in (0, 1))
    steps = first.diff(dim=1)
    assert ((steps == 1) | (steps == -1)).all()
    assert 8 < (steps[:, 0] == 1).sum() < 32
    starts = torch.minimum(first[:, 0], first[:, -1])
    assert starts.min() < 10
    assert starts.max() > 54
    assert not torch.equal(first, second)
    assert torch.equal(files.open(32, RULE).fetch(np.array([47]))[0, 0, 0].int(), second[7])
    batches = [list(itertools.islice(load_batches(data, 16, seed=1, workers=workers), 6)) for workers in (0, 2)]
    for one, other in zip(*batches, strict=True):
        assert torch.equal(one, other)
    dataset = ImageDataset(data)
    dataset.set_epoch(1)
    loaded = torch.cat(list(DataLoader(dataset, batch_size=7)))
    assert torch.equal(loaded[:, 0, 0].int(), second)


def test_a_set_that_memory_has_no_room_for_is_read_again(tmp_path, monkeypatch):
    expected = write_folder(tmp_path / "a")
    monkeypatch.setattr("reggan.data.images.MEMORY_SHARE", 0)
    np.testing.assert_array_equal(images_of(tmp_path / "a")[:, 0], expected)


# What cannot be read


def test_equal_pictures_have_equal_fingerprints_wherever_they_are(tmp_path, monkeypatch):
    images = write_folder(tmp_path / "a", 5)
    (expected,) = Files(str(tmp_path / "a")).open(32, RULE).fingerprints
    digest = hashlib.sha256(b"".join(b"(1, 32, 32)" + image.tobytes() for image in images)).hexdigest()
    assert expected == Fingerprint(5, digest)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    np.save(tmp_path / "c.npy", images)
    with monkeypatch.context() as small:
        small.setattr("reggan.data.images.MEMORY_SHARE", 0)
        assert Files(str(tmp_path / "b")).open(32, RULE).fingerprints == (expected,)
    assert Files(str(tmp_path / "c.npy")).open(32, RULE).fingerprints == (expected,)
    others = [Files(str(tmp_path / "a"), invert=True), Files(str(tmp_path / "a"), color=True)]
    np.save(tmp_path / "d.npy", images[::-1])
    others.append(Files(str(tmp_path / "d.npy")))
    assert all(files.open(32, RULE).fingerprints != (expected,) for files in others)
    pairs = Pairs(Files(str(tmp_path / "a")), Files(str(tmp_path / "d.npy"))).open(32, RULE)
    assert pairs.fingerprints == (expected, *others[-1].open(32, RULE).fingerprints)
    for made in (RenderedImages(images=5), Pairs(), Points(), Traffic()):
        assert open_data(made, 32, RULE).fingerprints == ()


def test_unreadable_files_are_listed_and_skipped_only_on_request(tmp_path, capsys):
    expected = write_folder(tmp_path / "a", 20)
    (tmp_path / "a" / "000.png").write_text("no picture")
    whole = (tmp_path / "a" / "003.png").read_bytes()
    (tmp_path / "a" / "003.png").write_bytes(whole[:150])
    (tmp_path / "a" / "004.jpg").write_bytes(b"")
    with pytest.raises(UnreadableImages, match=r"3 of 21 images cannot be read; remove them, or skip") as raised:
        images_of(tmp_path / "a")
    assert sorted(path[-7:] for path in raised.value.reasons) == ["000.png", "003.png", "004.jpg"]
    assert "000.png" in str(raised.value)
    data = Files(str(tmp_path / "a"), skip_unreadable=True).open(32, RULE, log=True)
    np.testing.assert_array_equal(data.fetch(np.arange(18))[:, 0], np.delete(expected, (0, 3), axis=0))
    assert len(data.skipped) == 3
    assert "3 of 21 files cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("error", [IndexError, SyntaxError, struct.error, zlib.error, RuntimeError, KeyError])
def test_a_picture_on_which_a_decoder_fails_in_any_way_cannot_be_read(error, tmp_path, monkeypatch):
    write_folder(tmp_path, 2)

    def fails(image):
        raise error("damaged")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fails)
    with pytest.raises(UnreadableImages, match=r"2 of 2 images cannot be read:(?s:.)*damaged"):
        images_of(tmp_path)


def test_an_error_of_the_program_is_no_unreadable_file(tmp_path, monkeypatch):
    """As of a Pillow that lacks what is used of it, or where memory runs out: files are not to blame."""
    write_folder(tmp_path, 2)

    def runs_out(image):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(PngImagePlugin.PngImageFile, "load", runs_out)
        with pytest.raises(MemoryError):
            images_of(tmp_path, skip_unreadable=True)
    monkeypatch.delattr(Image.Image, "has_transparency_data")
    with pytest.raises(AttributeError, match="has_transparency_data"):
        images_of(tmp_path, skip_unreadable=True)


def test_many_unreadable_files_are_counted(tmp_path):
    for number in range(25):
        (tmp_path / f"{number}.png").write_text("no")
    with pytest.raises(UnreadableImages, match=r"and 15 more"):
        images_of(tmp_path)
    with pytest.raises(UnreadableImages, match=r"25 of 25 images cannot be read:"):
        images_of(tmp_path, skip_unreadable=True)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", b"", "cannot be read"),
        ("a.npy", b"nonsense", "cannot be read: it does not start"),
        ("a.npz", b"nonsense", "cannot be read: it does not start"),
        ("a.npy", npy(np.array([np.zeros(3), None], dtype=object)), "holds pickled Python objects, which are never"),
        ("a.npy", pickle.dumps([1, 2]), "holds pickled Python objects, which are never loaded"),
        ("a.npz", npz(images=np.array([np.zeros(3), None], dtype=object)), "one array of uint8, or of floats"),
        ("a.npz", npz(images=np.zeros((9, 32, 32), np.uint8))[:-9].replace(b"\0\0\0\0", b"\1\2\3\4"), "cannot be read"),
        ("a.npz", npz(images=np.zeros((9, 32, 32), np.uint8), damaged=60), "cannot be read"),
        ("a.npz", zipped("images"), "cannot be read: it holds no array"),
        ("a.npy", b"\x93NUMPY\1\0v\0{'descr': '|u1', 'fortran_order': False, 'shape': (-3, 8, 8), }", "cannot be read"),
        ("a.npy", b"\x93NUMPY\1\0\x10\0{'descr': (((((", "cannot be read"),
        ("a.bin", b"nonsense", "IDX"),
        ("a.idx", b"\0\0\x08\xc8" + bytes(800), "IDX"),
        ("a.bin", b"", "IDX"),
        ("a.idx", idx(np.zeros((3, 8, 8), np.uint8))[:-1], "requires 208"),
        ("a.idx", idx(np.zeros((3, 8, 8), np.uint8))[:7], "requires"),
        ("a.idx", idx(np.zeros(9, np.uint8)), r"shape \\(9,\\)"),
        ("a.gz", gzip.compress(idx(np.zeros((3, 8, 8), np.uint8)), mtime=0)[:-9], "gzip"),
    ],
    ids=itertools.count(),
)
def test_files_that_are_no_arrays(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message.replace("\\\\", "\\")):
        images_of(tmp_path / name)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 8, 8), np.int32), "dtype int32"),
        (np.zeros((3, 8, 8, 2), np.uint8), "shape"),
        (np.zeros((3, 0, 8), np.uint8), "shape"),
        (np.zeros((0, 8, 8), np.uint8), "no image"),
        (np.full((3, 8, 8), 1.5), "0 to 1"),
        (np.full((3, 8, 8), np.nan), "0 to 1"),
    ],
)
def test_arrays_that_are_not_served(array, message, tmp_path):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match=message):
        images_of(tmp_path / "a.npy")


def test_paths_and_options_that_are_not_served(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        images_of(tmp_path / "missing")
    (tmp_path / "a.txt").touch()
    with pytest.raises(ValueError, match=r"has no pictures that Pillow reads; left alone: 1 \.txt"):
        images_of(tmp_path)
    np.savez(tmp_path / "a.npz", one=np.zeros(3), other=np.zeros(3))
    with pytest.raises(ValueError, match="none is named images"):
        images_of(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="below is"):
        Files("x", below=0.0)
    with pytest.raises(ValueError, match=r"is not UTF-8"):
        Files(os.fsdecode(b"pictures-\xff"))
    write_folder(tmp_path / "app")
    (tmp_path / "app" / "manifest.json").write_text('{"name": "an app"}')
    with pytest.raises(ValueError, match=r"to use .*app as a folder of pictures, remove its manifest files"):
        images_of(tmp_path / "app")
    (tmp_path / "app" / "manifest.json").rename(tmp_path / "app" / "manifest-old.json")
    assert len(images_of(tmp_path / "app")) == 12
    Image.fromarray(np.zeros((2, 300), np.uint8)).save(tmp_path / "app" / "strip.png")
    with pytest.raises(UnreadableImages, match=r"300 x 2 pixels, must have an aspect ratio of at most 100"):
        images_of(tmp_path / "app")
    np.save(tmp_path / "one.npy", np.zeros((4, 32, 32), np.uint8))
    with pytest.raises(ValueError, match=r"no image with a score under 0\.5"):
        images_of(tmp_path / "one.npy", below=0.5)


def test_idx_files_of_other_types(tmp_path):
    for code, dtype in ((0x0B, ">i2"), (0x0E, ">f8")):
        array = np.arange(6).reshape(2, 3).astype(dtype)
        (tmp_path / "a").write_bytes(struct.pack(">4B2I", 0, 0, code, 2, 2, 3) + array.tobytes())
        np.testing.assert_array_equal(read_idx(tmp_path / "a"), array)


# Training on them


def test_the_configuration_keeps_them(tmp_path):
    config = replace(preset(), data=Files("here", crop="random", below=0.5))
    raw = json.loads(json.dumps(config_to_json(config)))
    assert config_from_json(raw) == config
    raw["data"]["crop"] = "somewhere"
    with pytest.raises(ValueError, match=r"data\.files\.crop is 'somewhere', must be 'center', 'random' or 'pad'"):
        config_from_json(raw)


TINY = [
    "--recipe",
    "dcgan",
    "--width",
    "4",
    "--batch-size",
    "8",
    "--device",
    "cpu",
    "--precision",
    "float32",
    "--steps",
    "4",
    "--eval-every",
    "2",
    "--eval-images",
    "8",
    "--sample-every",
    "4",
    "--checkpoint-every",
    "2",
]


@pytest.mark.parametrize("kind", ["folder", "idx"])
def test_training_on_them(kind, tmp_path, capsys):
    images = write_folder(tmp_path / "folder", 20, size=40)
    (tmp_path / "idx").write_bytes(idx(images))
    run, path = tmp_path / "run", tmp_path / kind
    augmented = ["--data", str(path), "--data.crop", "random", "--data.flip-horizontal"]
    assert main([*TINY, *augmented, "--run", str(run)]) == 0
    config = RunDirectory.open(run).config
    assert config.data == Files(str(path), crop="random", flip_horizontal=True)
    assert (run / "samples" / "data.png").exists()

    broken = tmp_path / "broken"
    shutil.copytree(run, broken)
    for file in (*(broken / "checkpoints").glob("*00000004*"), broken / "summary.json"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    assert main(["--resume", str(broken)]) == 0
    for name in ("metrics.jsonl", "summary.json"):
        assert (broken / name).read_bytes() == (run / name).read_bytes()


def test_figures_of_the_data_are_printed_before_the_first_step(tmp_path, capsys):
    images = write_folder(tmp_path / "pictures", 12)
    assert main([*TINY, "--data", str(tmp_path / "pictures"), "--run", str(tmp_path / "run")]) == 0
    lines = capsys.readouterr().err.splitlines()
    (told,) = (k for k, line in enumerate(lines) if line.startswith("data, 12 images, 8 of them: "))
    assert told < next(k for k, line in enumerate(lines) if "begins at step 1" in line)
    seen = images[np.linspace(0, 11, 8).astype(int)]
    parts = analyze(seen)
    for name, value in {
        "score": parts.score.mean(),
        "obeying": (parts.score == 1).mean(),
        "ink": (seen < 128).mean(),
        "one_piece": (parts.count == 1).mean(),
        "components": parts.count.mean(),
    }.items():
        assert f"{describe(name).label} {describe(name).cell(value)}" in lines[told]
    assert not any("warning" in line for line in lines)


def drawing(number):
    image = Image.new("L", (512, 512), 255)
    ImageDraw.Draw(image).ellipse([60 + number, 60, 440, 440 - number], outline=0, width=4)
    return np.asarray(image)


MASKS = render(ROUND, 6, size=32) < 128
ONE_PIECE = np.full((6, 32, 32), 255, np.uint8)
for _number in range(6):
    ONE_PIECE[_number, 4 : 8 + _number, 4:20] = 0
USELESS = {
    "6 of 6 images are all ink, because their lightest gray is 1 of 255": MASKS.astype(np.uint8),
    "6 of 6 images are all ink, because their lightest gray is 16 of 255": (255 - 255 * MASKS).astype(np.uint16) * 16,
    r"\d\d% of the pixels are ink.*: light shapes on dark need --data\.invert": np.where(MASKS, 255, 0).astype(
        np.uint8
    ),
    r"and 6 of 6 images are all ink: light shapes on dark need": np.full((6, 32, 32), 100, np.uint8),
    r"6 of 6 images have no ink.* at 32 x 32 pixels.* larger --size": np.stack([drawing(k) for k in range(6)]),
    r"4 of 6 images have no ink.*--data\.background black": np.where(np.arange(6) < 4, 255, ONE_PIECE.T).T.astype("u1"),
    "all images are the same": np.repeat(render(ROUND, 1, size=32), 6, axis=0),
    "all images already obey the rule": ONE_PIECE,
}


@pytest.mark.parametrize("warning", USELESS)
def test_data_that_nothing_can_be_learned_from_are_warned_of(warning, tmp_path):
    for number, image in enumerate(USELESS[warning]):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    modality = ImageModality((1, 32, 32), RULE)
    data = Files(str(tmp_path)).open(32, RULE)
    samples = modality.to_numpy(data.fetch(np.arange(6)))
    _, *warnings = modality.describe(samples, modality.summarize(samples), data)
    assert any(re.search(rf"^warning: data, 6 images: .*{warning}", line) for line in warnings), warnings


def test_sorted_folders_are_described_as_a_whole(tmp_path, capsys):
    write_folder(tmp_path / "pictures" / "a", 12)
    for number in range(12):
        (blank := tmp_path / "pictures" / "b").mkdir(exist_ok=True)
        Image.new("L", (32, 32), 255).save(blank / f"{number}.png")
    assert main([*TINY, "--data", str(tmp_path / "pictures"), "--run", str(tmp_path / "run")]) == 0
    assert "data, 24 images: 4 of 8 images have no ink" in capsys.readouterr().err.replace(", 8 of them", "")


@pytest.mark.parametrize(
    "data", [RenderedImages(classes=()), RenderedImages(spec=BinaryBlobs(threshold=0.9), classes=()), Traffic()]
)
def test_images_that_come_from_no_files_have_the_ink_that_was_asked_for(data):
    modality = ImageModality((1, 32, 32), RULE)
    opened = data.open(32, RULE)
    samples = modality.to_numpy(opened.fetch(np.arange(64)))
    assert len(modality.describe(samples, modality.summarize(samples), opened)) == 1


def test_pairs_are_described_by_kind(tmp_path):
    for name, images in (("a", render(ROUND, 12, size=32)), ("b", np.full((12, 32, 32), 100, np.uint8))):
        np.save(tmp_path / f"{name}.npy", images)
    pairs = Pairs(Files(str(tmp_path / "a.npy")), Files(str(tmp_path / "b.npy")))
    data = pairs.open(32, RULE)
    samples = PairModality(pairs, 32, RULE).to_numpy(data.fetch(np.arange(12)))
    first, second, *warnings = PairModality(pairs, 32, RULE).describe(samples, {}, data)
    assert first.startswith("first kind: ink ")
    assert second.startswith("second kind: ink 100.0%")
    assert any("100% of the pixels are ink" in line and "--data.second.invert" in line for line in warnings)


def test_a_path_that_is_missing_makes_no_run(tmp_path, capsys):
    assert main([*TINY, "--data", str(tmp_path / "missing"), "--run", str(tmp_path / "run")]) == 1
    assert "does not exist" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
