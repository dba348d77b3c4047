"""Images of one's own: folders, IDX files, arrays, shards; crops and flips; what cannot be read; training on them."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import os
import shutil
import struct
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from reggan import Circles, Connected, render, score
from reggan.config import config_from_json, config_to_json, preset
from reggan.data import (
    Blobs,
    Files,
    Fingerprint,
    ImageDataset,
    Pairs,
    Points,
    Traffic,
    UnreadableImages,
    load_batches,
    make_shards,
    read_idx,
)
from reggan.train import main
from reggan.training import open_run

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


def zipped(name):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(name, b"no array")
    return content.getvalue()


def images_of(path, size=32, **options):
    data = Files(str(path), **options).open(size, RULE)
    return data.items(np.arange(data.length))


# Where images come from


def test_a_folder(tmp_path):
    expected = write_folder(tmp_path / "pictures")
    images, scores, classes = images_of(tmp_path / "pictures")
    assert images.dtype == torch.uint8
    np.testing.assert_array_equal(images[:, 0], expected)
    np.testing.assert_array_equal(scores, score(expected))
    np.testing.assert_array_equal(classes, RULE.classify(score(expected)))


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
    np.testing.assert_array_equal(images_of(path)[0][:, 0], expected)


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
    found = images_of(tmp_path / "a.npy", color=color)[0]
    np.testing.assert_array_equal(found, np.repeat(gray[:, None], 3 if color else 1, axis=1))


def test_a_set_of_shards(tmp_path):
    make_shards(tmp_path / "set", ROUND, 20, size=32, images_per_shard=7)
    np.testing.assert_array_equal(images_of(tmp_path / "set")[0][:, 0], render(ROUND, 20, size=32))


# What is done with them


def test_sizes_are_made_one(tmp_path):
    (tmp_path / "a").mkdir()
    wide = np.full((64, 128), 255, np.uint8)
    wide[:, 32:96] = 0
    Image.fromarray(wide).save(tmp_path / "a" / "wide.png")
    Image.fromarray(wide.T).save(tmp_path / "a" / "tall.png")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a" / "small.png")
    images = images_of(tmp_path / "a")[0]
    assert images.shape == (3, 1, 32, 32)
    assert (images[..., 2:-2, 2:-2] == 0).all(), "the middle of both is black"


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
    images = images_of(folder)[0][:, 0].numpy().astype(int)
    np.testing.assert_array_equal(images[0], gray)
    for image in images[1:]:
        assert np.abs(image - gray).max() <= 1


@pytest.mark.parametrize("name", ["raw.tif", "lzw.tif", "deep.tif", "deep.png", "deep-lzw.tif", "8.png", "8.jpg"])
def test_turned_pictures_are_upright(name, tmp_path):
    """Mapped into memory, as Pillow does with raw TIFF files, a turned picture has its sides taken for each other."""
    upright = render(ROUND, 1, size=(32, 48))[0]
    turned = np.rot90(upright)
    image = Image.fromarray(turned.astype(np.uint16) * 257 if "deep" in name else turned)
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"compression": "tiff_lzw"} if "lzw" in name else {"quality": 95} if "jpg" in name else {}
    image.save(tmp_path / name, exif=exif, **options)
    images, _, _ = images_of(tmp_path)
    assert np.abs(images[0, 0].numpy().astype(int) - upright[:, 8:40]).max() <= (24 if "jpg" in name else 0)


def test_a_deep_picture_is_laid_over_white_where_it_is_transparent(tmp_path):
    deep = np.full((32, 32), 7 * 257, np.uint16)
    deep[:16] = 0
    Image.fromarray(deep).save(tmp_path / "a.png", transparency=0)
    images, _, _ = images_of(tmp_path)
    assert np.unique(images[0, 0, :16]).tolist() == [255]
    assert np.unique(images[0, 0, 16:]).tolist() == [7]


def test_a_picture_whose_exif_is_damaged_is_read_all_the_same(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x0131] = 6, "xxxxxx"
    content = io.BytesIO()
    Image.fromarray(np.full((64, 32), 200, np.uint8)).save(content, "JPEG", exif=exif)
    damaged = bytearray(content.getvalue())
    damaged[damaged.index(b"\x01\x31\x00\x02") + 1] = 0
    (tmp_path / "a.jpg").write_bytes(damaged)
    images, _, _ = images_of(tmp_path)
    assert np.abs(images[0].numpy().astype(int) - 200).max() <= 2


def test_folders_are_read_also_where_links_lead_and_once(tmp_path):
    write_folder(tmp_path / "elsewhere", count=3)
    pictures = tmp_path / "pictures"
    write_folder(pictures, count=2)
    (pictures / "link").symlink_to(tmp_path / "elsewhere")
    (pictures / "more" / "round").symlink_to(pictures)
    assert len(images_of(pictures)[0]) == 5
    (pictures / "lost.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(UnreadableImages, match=r"1 of 6 files(?s:.)*lost\.png: .*No such file"):
        images_of(pictures)


def test_colors_are_ink_where_any_channel_is_dark(tmp_path):
    yellow = np.full((2, 32, 32, 3), 255, np.uint8)
    yellow[:, 8:24, 8:24, 2] = 0
    np.save(tmp_path / "a.npy", yellow)
    images, scores, _ = images_of(tmp_path / "a.npy", color=True)
    assert images.shape == (2, 3, 32, 32)
    assert (scores == 1).all()
    assert (images_of(tmp_path / "a.npy")[1] == 0).all(), "in gray yellow is nearly white"


def test_light_on_dark_is_inverted(tmp_path):
    np.save(tmp_path / "a.npy", 255 - render(ROUND, 5, size=32))
    np.testing.assert_array_equal(images_of(tmp_path / "a.npy", invert=True)[0][:, 0], render(ROUND, 5, size=32))


def test_only_scores_under_a_limit(tmp_path):
    images = render(ROUND, 60, size=32)
    np.save(tmp_path / "a.npy", images)
    np.testing.assert_array_equal(images_of(tmp_path / "a.npy", below=0.6)[0][:, 0], images[score(images) < 0.6])


def test_crops_and_flips_depend_on_seed_epoch_and_position_alone(tmp_path):
    strip = np.tile(np.arange(96, dtype=np.uint8), (40, 32, 1))
    np.save(tmp_path / "a.npy", strip)
    files = Files(str(tmp_path / "a.npy"), crop="random", flip_horizontal=True, flip_vertical=True, seed=4)
    data = files.open(32, RULE)
    first, second = (data.items(np.arange(40) + 40 * epoch)[0][:, 0, 0].int() for epoch in (0, 1))
    steps = first.diff(dim=1)
    assert ((steps == 1) | (steps == -1)).all()
    assert 8 < (steps[:, 0] == 1).sum() < 32
    starts = torch.minimum(first[:, 0], first[:, -1])
    assert starts.min() < 10
    assert starts.max() > 54
    assert not torch.equal(first, second)
    assert torch.equal(files.open(32, RULE).items(np.array([47]))[0][0, 0, 0].int(), second[7])
    batches = [list(itertools.islice(load_batches(data, 16, seed=1, workers=workers), 6)) for workers in (0, 2)]
    for one, other in zip(*batches, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    dataset = ImageDataset(data)
    dataset.set_epoch(1)
    loaded = torch.cat([batch[0] for batch in DataLoader(dataset, batch_size=7)])
    assert torch.equal(loaded[:, 0, 0].int(), second)


def test_a_set_that_memory_has_no_room_for_is_read_again(tmp_path, monkeypatch):
    expected = write_folder(tmp_path / "a")
    monkeypatch.setattr("reggan.data.images.MEMORY_SHARE", 0)
    np.testing.assert_array_equal(images_of(tmp_path / "a")[0][:, 0], expected)


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
    for made in (Blobs(images=5), Pairs(), Points(), Traffic()):
        assert made.open(32, RULE).fingerprints == ()


def test_unreadable_files_are_listed_and_skipped_only_on_request(tmp_path, capsys):
    expected = write_folder(tmp_path / "a", 20)
    (tmp_path / "a" / "000.png").write_text("no picture")
    whole = (tmp_path / "a" / "003.png").read_bytes()
    (tmp_path / "a" / "003.png").write_bytes(whole[:150])
    (tmp_path / "a" / "004.jpg").write_bytes(b"")
    with pytest.raises(UnreadableImages, match=r"3 of 21 files cannot be read") as raised:
        images_of(tmp_path / "a")
    assert sorted(path[-7:] for path in raised.value.reasons) == ["000.png", "003.png", "004.jpg"]
    assert "000.png" in str(raised.value)
    data = Files(str(tmp_path / "a"), skip_unreadable=True).open(32, RULE, log=True)
    np.testing.assert_array_equal(data.items(np.arange(18))[0][:, 0], np.delete(expected, (0, 3), axis=0))
    assert len(data.skipped) == 3
    assert "3 of 21 files cannot be read" in capsys.readouterr().err


def test_many_unreadable_files_are_counted(tmp_path):
    for number in range(25):
        (tmp_path / f"{number}.png").write_text("no")
    with pytest.raises(UnreadableImages, match=r"and 15 more"):
        images_of(tmp_path)
    with pytest.raises(ValueError, match="no image"):
        images_of(tmp_path, skip_unreadable=True)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", b"", "cannot be read"),
        ("a.npy", b"nonsense", "cannot be read"),
        ("a.npz", b"nonsense", "cannot be read"),
        ("a.npz", npz(images=np.zeros((9, 32, 32), np.uint8))[:-9].replace(b"\0\0\0\0", b"\1\2\3\4"), "cannot be read"),
        ("a.npz", npz(images=np.zeros((9, 32, 32), np.uint8), damaged=60), "cannot be read"),
        ("a.npz", zipped("images"), "cannot be read: it holds no array"),
        ("a.npy", b"\x93NUMPY\1\0v\0{'descr': '|u1', 'fortran_order': False, 'shape': (-3, 8, 8), }", "cannot be read"),
        ("a.npy", b"\x93NUMPY\1\0\x10\0{'descr': (((((", "cannot be read"),
        ("a.bin", b"nonsense", "IDX"),
        ("a.idx", b"\0\0\x08\xc8" + bytes(800), "IDX"),
        ("a.bin", b"", "IDX"),
        ("a.idx", idx(np.zeros((3, 8, 8), np.uint8))[:-1], "asks for 208"),
        ("a.idx", idx(np.zeros((3, 8, 8), np.uint8))[:7], "asks for"),
        ("a.idx", idx(np.zeros(9, np.uint8)), r"shape \\(9,\\)"),
        ("a.gz", gzip.compress(idx(np.zeros((3, 8, 8), np.uint8)), mtime=0)[:-9], "gzip"),
    ],
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
    with pytest.raises(ValueError, match="has no pictures"):
        images_of(tmp_path)
    np.savez(tmp_path / "a.npz", one=np.zeros(3), other=np.zeros(3))
    with pytest.raises(ValueError, match="none is called images"):
        images_of(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"data\.below"):
        Files("x", below=0.0)
    with pytest.raises(ValueError, match=r"is no UTF-8"):
        Files(os.fsdecode(b"pictures-\xff"))
    write_folder(tmp_path / "app")
    (tmp_path / "app" / "manifest.json").write_text('{"name": "an app"}')
    with pytest.raises(ValueError, match=r"for the pictures in .*app, move away what is no manifest"):
        images_of(tmp_path / "app")
    (tmp_path / "app" / "manifest.json").rename(tmp_path / "app" / "manifest-old.json")
    assert len(images_of(tmp_path / "app")[0]) == 12
    Image.fromarray(np.zeros((2, 300), np.uint8)).save(tmp_path / "app" / "strip.png")
    with pytest.raises(UnreadableImages, match=r"300 x 2 pixels; a side may be 100 times as long as the other"):
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
    with pytest.raises(ValueError, match=r"field data\.crop"):
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
    config = open_run(run)
    assert config.data == Files(str(path), crop="random", flip_horizontal=True)
    assert (run / "samples" / "data.png").exists()

    broken = tmp_path / "broken"
    shutil.copytree(run, broken)
    for file in (*(broken / "checkpoints").glob("*00000004*"), broken / "summary.json"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    assert main(["--resume", str(broken)]) == 0
    for name in ("metrics.jsonl", "summary.json"):
        assert (broken / name).read_bytes() == (run / name).read_bytes()


def test_a_path_that_is_missing_makes_no_run(tmp_path, capsys):
    assert main([*TINY, "--data", str(tmp_path / "missing"), "--run", str(tmp_path / "run")]) == 1
    assert "does not exist" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
