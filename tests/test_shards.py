"""Sets on disk: the bytes of an unbroken run after any kill and in any parts, and damage that is found."""

import hashlib
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from reggan import Circles, render
from reggan.data import make_shards, making, open_shards, verify_shards
from reggan.data.__main__ import main
from reggan.files import read_json
from reggan.source import Source

SPEC = Circles(count=(2, 6))
SET = {"spec": SPEC, "images": 95, "seed": 3, "size": (16, 20), "images_per_shard": 10}


def make(directory, **options):
    return make_shards(directory, **{**SET, **options})


def drawn(indices, **options):
    return render(SPEC, indices, **{"seed": 3, "size": (16, 20), **options})


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def made(tmp_path):
    make(tmp_path / "set")
    return tmp_path / "set"


def test_a_set_is_npy_files_and_a_manifest_that_says_what_they_hold(tmp_path):
    path = make(tmp_path / "set", scores=True)
    manifest = json.loads(path.read_text())
    assert path == tmp_path / "set" / "manifest.json"
    assert (manifest["format"], manifest["images"], manifest["images_per_shard"]) == (1, 95, 10)
    assert manifest["source"]["renderer"] == "circles"
    assert manifest["source"]["spec"]["count"] == [2, 6]
    assert [record["file"] for record in manifest["shards"]] == [f"images-{k:05d}-of-00010.npy" for k in range(10)]
    for record in manifest["shards"]:
        indices = range(record["first"], record["first"] + record["count"])
        images, exact = drawn(indices, with_scores=True)
        for name, hash_, expected in (("file", "sha256", images), ("scores_file", "scores_sha256", exact)):
            found = np.load(path.parent / record[name])
            assert found.dtype == expected.dtype
            assert np.array_equal(found, expected)
            assert hashlib.sha256((path.parent / record[name]).read_bytes()).hexdigest() == record[hash_]


@pytest.mark.parametrize(("options", "shards"), [({}, 10), ({"images_per_shard": 95}, 1), ({"images": 1}, 1)])
def test_shards_are_as_large_as_asked_for(options, shards, tmp_path):
    make(tmp_path, **options)
    assert len(list(tmp_path.glob("images-*.npy"))) == shards
    assert len(open_shards(tmp_path)) == options.get("images", 95)


def test_a_shard_is_about_64_mb_if_nothing_else_is_said(tmp_path):
    path = make_shards(tmp_path, SPEC, 3, size=64)
    assert json.loads(path.read_text())["images_per_shard"] * 64 * 64 == 2**26


@pytest.mark.parametrize("chunk", [1, 700, 2**22])
@pytest.mark.parametrize("threads", [1, 2])
def test_chunks_and_threads_do_not_matter(chunk, threads, made, tmp_path, monkeypatch):
    monkeypatch.setattr(making, "_CHUNK_BYTES", chunk)
    make(tmp_path / "other", threads=threads)
    assert contents(tmp_path / "other") == contents(made)


# Reading


def test_images_are_read_in_any_order(made):
    shards = open_shards(made)
    positions = np.array([94, 0, 9, 10, 42, 42])
    assert np.array_equal(shards.images(positions), drawn(positions))
    assert np.array_equal(shards.images(range(95)), drawn(95))
    assert shards.images([]).shape == (0, 16, 20)
    assert np.array_equal(pickle.loads(pickle.dumps(shards)).images([7]), drawn([7]))
    assert (shards.source.seed, shards.source.spec) == (3, SPEC)
    for wrong in ([95], [-1]):
        with pytest.raises(IndexError, match="the set has 95 images"):
            shards.images(wrong)
    for wrong in (np.ones(95, bool), [1.9]):
        for read in (shards.images, shards.indices):
            with pytest.raises(TypeError, match=r"positions have dtype (bool|float64), but must be integers"):
                read(wrong)


def test_scores_and_floats_are_read(tmp_path):
    make(tmp_path, scores=True, dtype=np.float32)
    shards = open_shards(tmp_path)
    images, exact = drawn([50, 3], with_scores=True, dtype=np.float32)
    assert np.array_equal(shards.images([50, 3]), images)
    assert np.array_equal(shards.scores([50, 3]), exact)


def test_a_set_without_scores_says_so(made):
    with pytest.raises(ValueError, match="made without scores"):
        open_shards(made).scores([0])


def test_what_cannot_be_opened_is_said(made, tmp_path):
    with pytest.raises(ValueError, match=r"has no manifest\.json"):
        open_shards(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        open_shards(tmp_path / "nowhere")
    make(tmp_path / "part", part=(1, 4))
    with pytest.raises(ValueError, match=r"has 3 of its 10 shards and lacks images-00000-of-00010\.npy"):
        open_shards(tmp_path / "part")
    shards = open_shards(made)
    (made / "images-00003-of-00010.npy").unlink()
    (made / "images-00004-of-00010.npy").write_bytes(b"\x93NUMPY")
    np.save(made / "images-00005-of-00010.npy", np.zeros(3))
    (made / "images-00006-of-00010.npy").write_bytes(b"")
    (made / "images-00007-of-00010.npy").write_bytes(b"PK\x03\x04")
    with pytest.raises(FileNotFoundError, match="images-00003"):
        shards.images([30])
    wrong = ["images-00004.* is damaged", r"images-00005.*float64 \(3,\)", "06.* damaged", "07.* damaged"]
    for position, message in zip((40, 50, 60, 70), wrong, strict=True):
        with pytest.raises(ValueError, match=message):
            shards.images([position])


MANIFESTS = {
    "Expecting value": lambda raw: "not JSON",
    "format 9": lambda raw: json.dumps({**raw, "format": 9}),
    "'images'": lambda raw: json.dumps({key: value for key, value in raw.items() if key != "images"}),
    "images is 1.5": lambda raw: json.dumps({**raw, "images": 1.5}),
    "stream version": lambda raw: json.dumps({**raw, "source": {**raw["source"], "stream_version": 10**6}}),
    "record of shard 0": lambda raw: json.dumps({**raw, "shards": [{**raw["shards"][0], "count": 11}]}),
    "record of shard 99": lambda raw: json.dumps({**raw, "shards": [{**raw["shards"][0], "first": 990}]}),
}


@pytest.mark.parametrize("message", MANIFESTS)
def test_a_damaged_manifest_is_said(message, made):
    path = made / "manifest.json"
    path.write_text(MANIFESTS[message](json.loads(path.read_text())))
    for use in (open_shards, verify_shards, make):
        with pytest.raises(ValueError, match=message) as raised:
            use(made)
        assert str(path) in str(raised.value)


@pytest.mark.parametrize("content", [b"\xff", b"", b"{", b"[" * 100_000])
def test_a_file_that_is_not_json_is_damaged(content, tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.json is damaged: "):
        read_json(path)
    path.write_text('{"a": "\u00fc"}', encoding="utf-8")
    assert read_json(path) == {"a": "ü"}
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "missing.json")


# Making the rest


def test_the_parts_of_several_machines_are_the_whole_set(made, tmp_path):
    together = tmp_path / "together"
    for number in (2, 0, 1):
        assert make(together, part=(number, 3)).name == f"manifest-{number}-of-3.json"
    files = {name: content for name, content in contents(together).items() if name.endswith(".npy")}
    assert files == {name: content for name, content in contents(made).items() if name.endswith(".npy")}
    assert np.array_equal(open_shards(together).images(range(95)), drawn(95))
    assert verify_shards(together, sample=1) == []


def test_a_part_without_a_shard_is_an_empty_manifest(tmp_path):
    path = make(tmp_path, images=10, part=(3, 4))
    assert json.loads(path.read_text())["shards"] == []


def test_what_a_kill_leaves_becomes_the_set_of_an_unbroken_run(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    options = ["--images", "20000", "--images-per-shard", "500", "--scores"]
    assert main(["make", str(whole), *options]) == 0
    command = [sys.executable, "-m", "reggan.data", "make", str(killed), *options, "--threads", "1"]
    for _ in range(2):
        have = len(list(killed.glob("scores-*")))
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        while len(list(killed.glob("scores-*"))) < have + 3:
            time.sleep(0.002)
            assert process.poll() is None
        process.kill()
        process.communicate()
    kept = {path: path.stat().st_mtime_ns for path in killed.glob("images-*.npy")}
    recorded = [record["file"] for record in json.loads((killed / "manifest.json").read_text())["shards"]]
    assert 4 <= len(recorded) < 40
    assert main(["make", str(killed), *options]) == 0
    assert contents(killed) == contents(whole)
    for name in recorded:
        assert (killed / name).stat().st_mtime_ns == kept[killed / name]


def test_what_a_kill_left_of_other_parts_stays(tmp_path):
    options = ["make", str(tmp_path), "--images", "40", "--images-per-shard", "10"]
    own, other = (tmp_path / f".images-0000{number}-of-00004.npy.0123abcd.tmp" for number in (0, 1))
    for left in (own, other):
        left.touch()
    assert main([*options, "--shard", "0/2"]) == 0
    assert other.exists()
    assert not own.exists()


def test_ctrl_c_ends_with_130_and_the_same_command_makes_the_rest(tmp_path):
    command = [sys.executable, "-m", "reggan.data", "make", str(tmp_path), "--images", "1000000", "--threads", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "manifest.json").exists():
        time.sleep(0.01)
        assert process.poll() is None
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "of 62 shards" in err
    assert "run the same command to resume" in err
    records = json.loads((tmp_path / "manifest.json").read_text())["shards"]
    assert sorted(contents(tmp_path)) == sorted(["manifest.json", *(record["file"] for record in records)])


def test_only_shards_that_are_missing_or_cut_short_are_made_again(made):
    before = contents(made)
    times = {path: path.stat().st_mtime_ns for path in made.glob("images-*.npy")}
    missing, short = made / "images-00002-of-00010.npy", made / "images-00009-of-00010.npy"
    missing.unlink()
    os.truncate(short, 200)
    make(made)
    assert contents(made) == before
    for path, written in times.items():
        assert (path.stat().st_mtime_ns == written) == (path not in (missing, short))


OTHER = {
    "seed is 3 there and 4 here": {"seed": 4},
    r"size is \[16, 20\] there and 16 here": {"size": 16},
    'dtype is "uint8" there and "float32" here': {"dtype": np.float32},
    r"count is \[2, 6\] there and \[11, 18\] here": {"spec": Circles()},
    "images is 95 there and 96 here": {"images": 96},
    "images_per_shard is 10 there and 11 here": {"images_per_shard": 11},
    "scores is false there and true here": {"scores": True},
}


@pytest.mark.parametrize("message", OTHER)
def test_a_directory_with_another_set_is_left_alone(message, made):
    before = contents(made)
    for part in ((0, 1), (0, 2)):
        with pytest.raises(ValueError, match=message):
            make(made, part=part, **OTHER[message])
    assert contents(made) == before


def test_a_set_that_does_not_fit_on_the_disk_is_said_first(tmp_path):
    with pytest.raises(OSError, match=r"the shards need .* GB in .*, but its disk has"):
        make(tmp_path, images=10**12, images_per_shard=10**9)
    with pytest.raises(OSError, match=r"the shards need .* GB in .*, but its disk has"):
        make(tmp_path, images=10**15)  # Nobody waits for a list of all shards.
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": 0}, "images is 0, but must be from 1"),
        ({"images_per_shard": 0}, "images_per_shard is 0, but must be from 1"),
        ({"part": (2, 2)}, "part is 2/2, but must be i/n"),
        ({"seed": -1}, "seed is -1"),
        ({"spec": "circles"}, "spec is 'circles'"),
        ({"dtype": np.int16}, "dtype is 'int16'"),
    ],
)
def test_arguments_that_are_not_served(options, message, tmp_path):
    with pytest.raises((ValueError, TypeError), match=message):
        make(tmp_path / "set", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("failing", ["render", "write"])
def test_a_failure_leaves_whole_shards_only(failing, tmp_path, monkeypatch):
    calls = []

    def fail_at_last(*arguments, **options):
        calls.append(arguments)
        if len(calls) > 4:
            raise OSError("no more")
        return true(*arguments, **options)

    owner, name = (Source, "render") if failing == "render" else (making, "_write")
    true = getattr(owner, name)
    monkeypatch.setattr(owner, name, fail_at_last)
    with pytest.raises(OSError, match="no more"):
        make(tmp_path)
    monkeypatch.undo()
    records = json.loads((tmp_path / "manifest.json").read_text())["shards"]
    assert len(records) < 10
    assert sorted(contents(tmp_path)) == sorted(["manifest.json", *(record["file"] for record in records)])
    make(tmp_path)
    assert verify_shards(tmp_path, sample=1) == []


def test_memory_does_not_grow_with_the_set_and_torch_is_not_imported(tmp_path):
    code = """
        import sys
        import reggan
        from reggan.data import make_shards

        def peak(images):
            make_shards(f"{sys.argv[1]}/{images}", reggan.Circles(count=(1, 1)), images, images_per_shard=10_000)
            # What getrusage tells includes the process that started this one.
            status = open("/proc/self/status").read().splitlines()
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

        before = peak(20_000)
        assert before < 500_000
        assert peak(50_000) < before + 20_000
        assert "torch" not in sys.modules
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# Verifying


def flip(directory):
    path = directory / "images-00002-of-00010.npy"
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)


def rewrite(directory, **changes):
    manifest = json.loads((directory / "manifest.json").read_text())
    (directory / "manifest.json").write_text(json.dumps({**manifest, **changes}))


def forge(directory):
    """Another image, with a hash that fits."""
    flip(directory)
    records = json.loads((directory / "manifest.json").read_text())["shards"]
    records[2]["sha256"] = hashlib.sha256((directory / records[2]["file"]).read_bytes()).hexdigest()
    rewrite(directory, shards=records)


def foreign_manifest(directory):
    make(directory.parent / "foreign", seed=9, part=(0, 2))
    (directory.parent / "foreign" / "manifest-0-of-2.json").rename(directory / "manifest-0-of-2.json")


DAMAGE = {
    "images-00002-of-00010.npy: damaged, its SHA-256 is not": flip,
    "images-00004-of-00010.npy: missing": lambda directory: (directory / "images-00004-of-00010.npy").unlink(),
    "images-00009-of-00010.npy: damaged": lambda directory: os.truncate(directory / "images-00009-of-00010.npy", 300),
    "images-00002-of-00010.npy: 1 of 10 images differ from what the source draws, first at 9": forge,
    "manifest-0-of-2.json: describes another set .*seed is": foreign_manifest,
    "notes.txt: not part of this set": lambda directory: (directory / "notes.txt").write_text("hello"),
    "images-00000-of-00010.npy: not made": lambda directory: rewrite(
        directory, shards=json.loads((directory / "manifest.json").read_text())["shards"][1:]
    ),
}


@pytest.mark.parametrize("message", DAMAGE)
def test_verify_says_what_is_wrong(message, made, capsys):
    assert main(["verify", str(made)]) == 0
    assert capsys.readouterr().out == f"{made}\n"
    DAMAGE[message](made)
    assert main(["verify", str(made), "--all"]) == 1
    captured = capsys.readouterr()
    assert re.search(message, captured.out)
    assert captured.err.splitlines()[-1].startswith("error: ")
    (line,) = [line for line in verify_shards(made, sample=1) if re.search(message, line)]
    assert str(made) in line


def test_verify_compares_scores_with_new_ones(tmp_path):
    make(tmp_path, scores=True)
    assert verify_shards(tmp_path) == []
    path = tmp_path / "scores-00001-of-00010.npy"
    scores = np.load(path)
    scores[3] += 0.5
    np.save(path, scores)
    records = json.loads((tmp_path / "manifest.json").read_text())["shards"]
    records[1]["scores_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    rewrite(tmp_path, shards=records)
    (line,) = verify_shards(tmp_path, sample=1)
    assert "images-00001" in line
    assert "first at 3" in line


# The command


USAGE = {
    "the size is 0 x 0 pixels": ["make", "x", "--size", "0"],
    "images is 0": ["make", "x", "--images", "0"],
    "images_per_shard is 0": ["make", "x", "--images-per-shard", "0"],
    "shard is '4/4', but must be i/n": ["make", "x", "--shard", "4/4"],
    "threads": ["make", "x", "--threads", "0"],
    "unknown renderer 'squares'; known:": ["make", "x", "--renderer", "squares"],
    "sample is 1.5": ["verify", "x", "--sample", "1.5"],
    "pass either the path x or a renderer's options, not both": ["show", "x", "--seed", "4"],
    "images is 0, but must be from 1": ["show", "--images", "0"],
    "got 0 paths": ["export"],
    "usage: python -m reggan.data COMMAND": ["mkae"],
}


@pytest.mark.parametrize("message", USAGE)
def test_wrong_usage_ends_with_2(message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(USAGE[message]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["make"], ["verify"], ["make", "x", "--renderer.count", "5", "3"]])
def test_options_that_do_not_parse_end_with_2(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert not list(tmp_path.iterdir())


def test_what_is_missing_ends_with_1(tmp_path, capsys):
    for command in (["verify", str(tmp_path)], ["show", str(tmp_path / "no")], ["export", str(tmp_path), "out"]):
        assert main(command) == 1
        assert capsys.readouterr().err.startswith("error: ")


def test_the_listing_names_every_command(capsys):
    assert main(["--help"]) == 0
    listing = capsys.readouterr().out
    assert all(f"\n  {name} " in listing for name in ("export", "find", "make", "show", "verify"))
