"""Folders of pictures: which files are pictures, and decoding at any depth and orientation."""

from __future__ import annotations

import io
import struct
import zlib
from collections import Counter

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from reggan import Circles, render
from reggan.data.folders import decode, endings, find_pictures
from reggan.presets import preset
from reggan.runs import RunDirectory

ROUND = Circles(count=(2, 6))


def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def deep_png(pixels, transparent):
    """A PNG file of 16-bit gray pixels (H, W) with a transparent gray value, as Pillow writes since version 11."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    head, rest = content.getvalue()[:33], content.getvalue()[33:]
    return head + png_chunk(b"tRNS", struct.pack(">H", transparent)) + rest


def tiff_of_12_bits(pixels):
    """A little-endian TIFF file of pixels (H, W) from 0 to 4095; two pixels share three bytes."""
    first, second = pixels[:, ::2].astype(int), pixels[:, 1::2].astype(int)
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1).astype(np.uint8).tobytes()
    height, width = pixels.shape
    tags = {256: width, 257: height, 258: 12, 259: 1, 262: 1, 273: 8 + 2 + 9 * 12 + 4, 277: 1, 278: height}
    tags[279] = len(packed)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + packed


def decoded(path):
    return np.asarray(decode(path)[0]).astype(int)


# Finding pictures


def test_runs_hidden_names_and_system_folders_are_left_out(tmp_path):
    folder = tmp_path / ".hidden" / "pictures"
    RunDirectory.create(folder / "runs" / "first", preset())
    pictures = ["000.png", "more/z.png"]
    others = ["runs/first/samples/s.png", ".ipynb_checkpoints/a.png", ".thumbnails/deep/a.png", "@eaDir/a.png/s.png"]
    for name in [*pictures, *others, "more/__MACOSX/a.png", "more/.a.png", "._a.png"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    found = find_pictures(folder)
    assert found.paths == [folder / name for name in pictures]
    assert found.left_out == {"with a leading dot": 4, "of reggan's runs": 1, "@eaDir": 1, "__MACOSX": 1}
    (note,) = found.notes()
    assert note.startswith("left out: 4 with a leading dot, ")


def test_folders_behind_links_are_read_once_and_broken_links_are_files(tmp_path):
    pictures, elsewhere = tmp_path / "pictures", tmp_path / "elsewhere"
    for folder in (pictures / "more", elsewhere):
        folder.mkdir(parents=True)
        (folder / "a.png").touch()
    (pictures / "link").symlink_to(elsewhere)
    (pictures / "more" / "round").symlink_to(pictures)
    (pictures / "lost.png").symlink_to(tmp_path / "nowhere.png")
    expected = [pictures / name for name in ("link/a.png", "lost.png", "more/a.png")]
    assert find_pictures(pictures).paths == expected


def test_all_formats_of_pillow_are_decoded_and_other_files_are_counted(tmp_path):
    gray = render(ROUND, 1, size=32)[0]
    kinds = {"a.png": "PNG", "b.JFIF": "JPEG", "c.jpe": "JPEG", "d.jp2": "JPEG2000", "e.pnm": "PPM", "f.tga": "TGA"}
    kinds |= {"g.mpo": "JPEG", "h.ico": "ICO"} | ({"i.avif": "AVIF"} if ".avif" in endings() else {})
    for name, kind in kinds.items():
        Image.fromarray(gray).convert("RGB").save(tmp_path / name, kind)
    for name in ("1.txt", "2.txt", "3.TXT", "drawing.svg", "README", "data.h5", "film.mpg", "page.eps"):
        (tmp_path / name).write_text("no picture")
    found = find_pictures(tmp_path)
    assert [path.name for path in found.paths] == list(kinds)
    for path in found.paths:
        assert np.abs(np.asarray(decode(path)[0].convert("L")).astype(int) - gray).mean() < 8
    others = {".txt": 3, ".svg": 1, "without an ending": 1, ".h5": 1, ".mpg": 1, ".eps": 1}
    assert found.left_alone == others
    (note,) = found.notes()
    assert note.startswith("left alone: 3 .txt, 1 ")


def test_a_note_names_ten_kinds_at_most(tmp_path):
    for number in range(12):
        (tmp_path / f"a.{number}").touch()
    found = find_pictures(tmp_path)
    assert found.left_alone == Counter(f".{number}" for number in range(12))
    assert found.notes()[0].endswith(" and 2 of other kinds")


# Decoding


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_by_their_exif_orientation(orientation, tmp_path):
    """By the table of the EXIF standard: where row 0 and column 0 of the stored picture are in the upright one."""
    stored = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32)
    rows_first = {1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1]}
    columns_first = {5: stored.T, 6: stored.T[:, ::-1], 7: stored.T[::-1, ::-1], 8: stored.T[::-1]}
    upright = (rows_first | columns_first)[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name, pixels, expected in (("8.png", stored // 4, upright // 4), ("16.png", stored * 64, upright * 64 / 257)):
        Image.fromarray(pixels.astype(np.uint8) if name == "8.png" else pixels).save(tmp_path / name, exif=exif)
        np.testing.assert_array_equal(decoded(tmp_path / name), np.rint(expected))


@pytest.mark.parametrize("name", ["raw.tif", "lzw.tif", "deep.tif", "deep.png", "deep-lzw.tif", "8.png", "8.jpg"])
def test_turned_pictures_are_upright(name, tmp_path):
    """If Pillow maps a raw TIFF file into memory, it confuses width and height of a turned picture."""
    upright = render(ROUND, 1, size=(32, 48))[0]
    turned = np.rot90(upright)
    image = Image.fromarray(turned.astype(np.uint16) * 257 if "deep" in name else turned)
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"compression": "tiff_lzw"} if "lzw" in name else {"quality": 95} if "jpg" in name else {}
    image.save(tmp_path / name, exif=exif, **options)
    assert np.abs(decoded(tmp_path / name) - upright).max() <= (24 if "jpg" in name else 0)


def test_a_turned_deep_picture_keeps_its_transparent_pixels(tmp_path):
    deep = np.full((32, 32), 7 * 257, np.uint16)
    deep[:, :16] = 999
    content = deep_png(deep, 999)
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a.png").write_bytes(content[:33] + png_chunk(b"eXIf", exif.tobytes()[6:]) + content[33:])
    image, _ = decode(tmp_path / "a.png")
    assert image.mode == "LA"
    gray, alpha = np.moveaxis(np.asarray(image), -1, 0)
    assert (gray[16:] == 7).all()
    np.testing.assert_array_equal(alpha, np.repeat(np.uint8([0, 255]), 16)[:, None].repeat(32, 1))


def test_depth_and_white_are_read_from_the_file(tmp_path):
    """A ramp from black to white is the same at any depth, and if 0 is white, which Pillow leaves to its callers."""
    ramp = np.tile(np.arange(32), (32, 1))
    (tmp_path / "12-bits.tif").write_bytes(tiff_of_12_bits(ramp * 4095 // 31))
    Image.fromarray((ramp * 65_535 // 31).astype(np.uint16)).save(tmp_path / "16-bits.tif")
    inverted = Image.fromarray((65_535 - ramp * 65_535 // 31).astype(np.uint16))
    inverted.save(tmp_path / "white-is-zero.tif", tiffinfo={262: 0})
    turned = Image.fromarray((65_535 - np.rot90(ramp) * 65_535 // 31).astype(np.uint16))
    turned.save(tmp_path / "white-is-zero-turned.tif", tiffinfo={262: 0, 274: 6})
    paths = find_pictures(tmp_path).paths
    assert len(paths) == 4
    for path in paths:
        assert np.abs(decoded(path) - ramp * 255 / 31).max() <= 1


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "raw-profile.png"])
def test_a_picture_with_damaged_exif_data_is_upright(name, tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x0131] = 6, "xxxxxx"
    damaged = bytearray(exif.tobytes())
    damaged[damaged.index(b"\x01\x31\x00\x02") + 1] = 0  # Now the tag is the width of the picture, as a text.
    halves = np.full((64, 32), 200, np.uint8)
    halves[32:] = 100
    options = {"exif": bytes(damaged)}
    if name == "raw-profile.png":  # As ImageMagick writes it.
        options = {"pnginfo": PngImagePlugin.PngInfo()}
        options["pnginfo"].add_text("Raw profile type exif", f"\nexif\n{len(damaged):8}\n{damaged.hex()}\n", zip=True)
    Image.fromarray(halves).save(tmp_path / name, **options)
    assert np.abs(decoded(tmp_path / name) - np.rot90(halves, -1)).max() <= 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is not an image"),
        (b"no picture", "it is not an image"),
        (b"\x89PNG\r\n\x1a\n", "not an image|truncated"),
    ],
)
def test_damaged_files_are_value_errors(content, message, tmp_path):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        decode(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((4, 4), np.float32), "floats of unknown range"),
        (np.full((4, 4), 70_000, np.int32), "from 70000 to 70000, but must be from 0 to 65535"),
    ],
)
def test_gray_values_of_unknown_range_are_refused(pixels, message, tmp_path):
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=message):
        decode(tmp_path / "a.tif")
