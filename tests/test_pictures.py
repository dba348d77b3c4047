"""Pictures of sets and of what renderers draw: overviews, and PNG files of the very images."""

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reggan import RENDERERS, Circles, Connected, render, score
from reggan.data import make_shards
from reggan.data.__main__ import main
from reggan.data.pictures import Rendered, export_images, overview
from reggan.source import Source

SPEC = Circles(count=(2, 6))


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def made(tmp_path):
    return make_shards(tmp_path / "set", SPEC, 95, seed=3, size=(16, 20)).parent


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_an_overview_shows_the_first_images_of_every_renderer(renderer, dtype):
    source = Source(RENDERERS[renderer](), 5, 16 if renderer == "spheres" else 32, dtype)
    picture = np.asarray(Image.open(io.BytesIO(overview(Rendered(source), 70))))
    images = render(source.spec, [0, 9], seed=5, size=source.size)
    if source.is_volume:
        images = images[:, 8]
    side = images.shape[-1]
    zoom = round(1000 / (8 * side))
    assert picture.shape[1] == 8 * (side * zoom + 4) + 4
    assert picture.shape[2] == 3
    for k, image in enumerate(images):  # images 0 and 9 are in the first row and column, and in the second
        at = 4 + k * (side * zoom + 4)
        tile = picture[at : at + side * zoom : zoom, at : at + side * zoom : zoom]
        assert np.array_equal(np.moveaxis(tile, -1, 0), np.broadcast_to(image, (3, side, side)))
    below = picture[8 * (side * zoom + 4) + 4 :]
    assert below.shape[0] > 200
    assert (below < 128).any()


def test_large_images_are_thinned_out():
    picture = Image.open(io.BytesIO(overview(Rendered(Source(SPEC, 0, 512)), 3)))
    assert picture.width == 8 * (512 // 4 + 4) + 4


def test_show_draws_a_set_or_a_renderer(made, tmp_path, capsys):
    for arguments, out in (([str(made)], "a.png"), (["--seed", "3", "--size", "16", "20", "--images", "95"], "b.png")):
        options = ["--renderer.count", "2", "6"] if out == "b.png" else []
        assert main(["show", *arguments, *options, "--out", str(tmp_path / out)]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / out)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("kind", ["folder", "images.npy", "images.idx"])
def test_show_draws_pictures_and_files_of_arrays(kind, tmp_path, capsys):
    images = render(SPEC, 70, size=32)
    path, out = tmp_path / kind, tmp_path / "out.png"
    if kind == "folder":
        path.mkdir()
        (path / "damaged.png").write_text("no picture")
        for k, image in enumerate(images):
            Image.fromarray(image).save(path / f"{k:02}.png")
    elif kind == "images.npy":
        np.save(path, images)
    else:
        path.write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, *images.shape) + images.tobytes())
    assert main(["show", str(path), "--size", "32", "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == str(out)
    assert ("1 of 71 files cannot be read and are skipped" in captured.err) == (kind == "folder")
    picture = np.asarray(Image.open(out))
    for k, image in enumerate(images[[0, 9]]):
        at = 4 + k * (32 * 4 + 4)
        assert np.array_equal(picture[at : at + 128 : 4, at : at + 128 : 4, 0], image)
    assert (picture[8 * (32 * 4 + 4) + 4 :] < 128).any()


def test_what_show_cannot_draw_is_said(made, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(render(SPEC, 1, size=16)[0]).save(folder / "a.png")
    usage = {
        "or a renderer's options, not both": ["--renderer", "polygons"],
        "size is (16, 20), but must be one number": ["--size", "16", "20"],
        "size is 0, but must be from 1": ["--size", "0"],
    }
    for message, options in usage.items():
        assert main(["show", str(folder), *options, "--out", str(tmp_path / "out.png")]) == 2
        assert message in capsys.readouterr().err
    monkeypatch.chdir(folder)
    assert main(["show", "."]) == 2
    assert "overview.png would be written among the pictures in ." in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["a.png"]
    monkeypatch.chdir(tmp_path)
    assert main(["show", "missing"]) == 1
    assert "missing does not exist; give a folder of pictures" in capsys.readouterr().err
    for command in (["export", "a.npy", "out"], ["verify", "a.npy"]):
        np.save("a.npy", np.zeros((1, 16, 16), np.uint8))
        assert main(command) == 1
        assert "a.npy is a file, must be a folder" in capsys.readouterr().err


@pytest.mark.parametrize("renderer", RENDERERS)
def test_png_files_hold_the_images(renderer, tmp_path):
    source = Source(RENDERERS[renderer](), 2, 16, "float32")
    export_images(Rendered(source), 12, tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [f"{k:08d}.png" for k in range(12)]
    for k, image in enumerate(source.render(np.arange(12, dtype=np.uint64))):
        expected = np.rint(255 * image).astype(np.uint8)
        expected = np.moveaxis(expected, 0, -1) if source.is_color else expected.reshape(-1, expected.shape[-1])
        assert np.array_equal(np.asarray(Image.open(tmp_path / f"{k:08d}.png")), expected)


def test_an_export_goes_on_and_keeps_to_its_source(made, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["export", str(made), str(out), "--images", "20"]) == 0
    before = contents(out)
    assert main(["export", str(made), str(out), "--images", "20"]) == 0
    (out / "00000007.png").unlink()
    (out / "00000008.png").write_bytes(b"")
    kept = (out / "00000006.png").stat().st_mtime_ns
    assert main(["export", str(made), str(out), "--images", "20"]) == 0
    assert contents(out) == before
    assert (out / "00000006.png").stat().st_mtime_ns == kept
    assert main(["export", str(made), str(out)]) == 0
    assert len(list(out.glob("*.png"))) == 95
    assert capsys.readouterr().out.splitlines()[-1] == str(out)
    assert main(["export", str(out), "--seed", "8"]) == 1
    assert "holds images of another source" in capsys.readouterr().err
    (out / "export.json").write_text("5")
    assert main(["export", str(made), str(out)]) == 1
    assert "export.json is damaged" in capsys.readouterr().err
    (out / "export.json").unlink()
    assert main(["export", str(made), str(out)]) == 1
    assert "exists without export.json" in capsys.readouterr().err
    assert {name: content for name, content in before.items() if name != "export.json"}.items() <= contents(out).items()


@pytest.fixture
def pictures(tmp_path):
    """A folder with a gray, a transparent, a nested and a damaged picture, of different sizes."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    two = np.full((20, 30), 255, np.uint8)
    two[2:6, 3:9] = two[12:15, 20:22] = 0
    Image.fromarray(two).save(folder / "two.png")
    Image.fromarray(np.dstack([np.zeros((16, 16, 3), np.uint8), np.uint8(255) * (two.T[:16, :16] < 128)])).save(
        folder / "clear.png"
    )
    Image.fromarray(two[:10]).save(folder / "more" / "one.bmp")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def test_pictures_are_scored_at_their_own_size_and_repaired(pictures, tmp_path, capsys):
    out, described = tmp_path / "repaired", tmp_path / "scores.json"
    assert main(["score", str(pictures), "--json", str(described)]) == 1
    printed, error = capsys.readouterr()
    assert "1 of 4 pictures cannot be judged" in error
    assert printed.splitlines()[-1] == "2 of 3 obey 'connected', mean score 0.9333"
    found = {Path(each["name"]).name: each for each in json.loads(described.read_text())["images"]}
    assert found["two.png"]["score"] == pytest.approx(24 / 30)
    assert (found["clear.png"]["score"], found["one.bmp"]["score"]) == (1, 1)
    assert "it is not an image" in found["broken.png"]["error"]
    for method, changed in (("erase", 6), ("search", None)):
        folder = out / method
        assert main(["score", str(pictures), "--repair", str(folder), "--method", method]) == 1
        printed, _ = capsys.readouterr()
        assert printed.splitlines()[-1] == "3 of 3 obey 'connected' after repair, mean score 1.0000"
        assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png")) == [
            "clear.png",
            "more/one.bmp.png",
            "two.png",
        ]
        with Image.open(folder / "two.png") as image:
            repaired = np.asarray(image)
        assert repaired.shape == (20, 30)
        assert score(repaired) == 1
        assert changed is None or f"two.png  1.0000  {changed} pixels changed" in printed


def test_wrong_options_of_scores(pictures, tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for arguments, text in (
        (["--rule", "connectd"], "unknown rule 'connectd'"),
        (["--method", "erase"], "--method applies only to --repair"),
        (["--repair", str(pictures / "new")], "would be among the pictures"),
        (["--repair", str(tmp_path / "new"), "--method", "fold"], "method is 'fold', must be one of"),
        (["--repair", str(tmp_path / "full")], "exists and is not an empty folder; name a new one"),
    ):
        assert main(["score", str(pictures), *arguments]) == 2
        assert text in capsys.readouterr().err


def test_copies_have_names_of_their_own_and_keep_colors(tmp_path, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    colored = np.full((20, 20, 3), 255, np.uint8)
    colored[2:8, 2:8], colored[12:16, 12:16] = 0, (255, 230, 0)
    for name in ("x.bmp", "x.bmp.png", "x.bmp.png.png"):
        Image.fromarray(colored).save(folder / name)
    assert main(["score", str(folder)]) == 0
    assert "3 of 3 obey" in capsys.readouterr().out
    out = tmp_path / "out"
    assert main(["score", str(folder), "--color", "--repair", str(out), "--method", "erase"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("x.bmp  1.0000  16 pixels changed")
    assert sorted(path.name for path in out.iterdir()) == ["x.bmp.png", "x.bmp.png.png", "x.bmp.png.png.png"]
    for path in out.iterdir():
        with Image.open(path) as image:
            assert (np.asarray(image)[2:8, 2:8] == 0).all()
            assert image.mode == "RGB"


class Fussy(Connected):
    """Fails on small images."""

    def __call__(self, images):
        if images.shape[1] < 15:
            raise IndexError("too small")
        return super().__call__(images)


def test_a_rule_that_fails_on_a_picture_does_not_end_the_command(pictures, tmp_path, capsys, monkeypatch):
    described = tmp_path / "scores.json"
    monkeypatch.setattr("reggan.data.__main__.resolve_rule", lambda name: Fussy())
    assert main(["score", str(pictures), "--json", str(described)]) == 1
    assert "2 of 4 pictures cannot be judged" in capsys.readouterr().err
    errors = [each["error"] for each in json.loads(described.read_text())["images"]]
    assert [error for error in errors if error and "small" in error] == ["IndexError('too small')"]


def test_a_score_that_is_nearly_1_is_not_printed_as_1(tmp_path, capsys):
    picture = np.zeros((1, 300, 300), np.uint8)
    picture[0, 0, 1] = picture[0, 1, 0] = 255
    np.save(tmp_path / "one.npy", picture)
    assert main(["score", str(tmp_path / "one.npy")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0 of 1 obey 'connected', mean score 0.9999"
