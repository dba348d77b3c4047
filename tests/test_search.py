"""Search: what a plain scan accepts, for any chunks and threads, and a state that goes on where it was stopped."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass

import numpy as np
import pytest

from reggan import Circles, Connected, Rule, analyze, oracle, render, score
from reggan import search as search_module
from reggan.data.__main__ import main
from reggan.rules import Product, Symmetric
from reggan.search import SEALED_SEED, Found, find

SPEC = Circles(count=(2, 6), radius=(4.0, 9.0))
"""One in twenty or so is in one piece."""


@dataclass(frozen=True)
class Inky(Rule):
    """At least a share of ink."""

    least: float = 0.15

    def __call__(self, images):
        return ((images < 128).mean(axis=(1, 2)) >= self.least).astype(np.float32)


def in_one_piece(images):
    return score(images) == 1


def scan(accepted, count, start=0, images=8000, seed=0, size=32):
    """The first indices that are accepted, found the plain way."""
    indices = start + np.arange(images, dtype=np.uint64)
    good = indices[accepted(render(SPEC, indices, seed=seed, size=size))]
    assert len(good) >= count
    return good[:count]


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(search_module, "_CHUNK", 64)


ACCEPT = {
    "connected": (Connected(), in_one_piece),
    "another threshold": (Connected(threshold=0.2), lambda images: score(images, threshold=0.2) == 1),
    "another rule": (Inky(), lambda images: (images < 128).mean(axis=(1, 2)) >= 0.15),
    "both": (Connected() & Inky(), lambda images: in_one_piece(images) & (Inky()(images) == 1)),
    "a function": (in_one_piece, in_one_piece),
}


@pytest.mark.parametrize("name", ACCEPT)
def test_finds_what_a_plain_scan_accepts(name):
    accept, accepted = ACCEPT[name]
    expected = scan(accepted, 8, start=300, seed=3)
    found = find(SPEC, accept, 8, seed=3, size=32, start=300)
    assert found.indices.dtype == np.uint64
    assert found.indices.tolist() == expected.tolist()
    assert found.searched == expected[-1] - 300 + 1
    assert found.rate == 8 / found.searched


@pytest.mark.parametrize("accept", [Connected(), in_one_piece])
@pytest.mark.parametrize(("chunk", "threads"), [(1, 1), (7, 2), (500, 1), (2**16, None)])
def test_chunks_and_threads_do_not_matter(accept, chunk, threads, monkeypatch):
    monkeypatch.setattr(search_module, "_CHUNK", chunk)
    found = find(SPEC, accept, 5, size=32, threads=threads)
    assert found.indices.tolist() == scan(in_one_piece, 5).tolist()
    assert found.searched == found.indices[-1] + 1


@pytest.mark.usefixtures("small_chunks")
def test_a_limit_ends_the_search_with_what_there_is():
    expected = scan(in_one_piece, 8)
    found = find(SPEC, Connected(), 1000, size=32, limit=int(expected[5]))
    assert (found.indices.tolist(), found.searched) == (expected[:5].tolist(), int(expected[5]))
    assert find(SPEC, Connected(), 6, size=32, limit=int(expected[5]) + 1).indices.tolist() == expected[:6].tolist()
    nothing = find(SPEC, Connected(), 1, size=32, limit=0)
    assert (len(nothing.indices), nothing.searched) == (0, 0)
    assert np.isnan(nothing.rate)


def test_the_last_indices_are_searched_and_then_there_are_no_more():
    start = 2**64 - 1000
    found = find(SPEC, Connected(), 10**6, size=32, start=start)
    assert found.searched == 1000
    indices = start + np.arange(1000, dtype=np.uint64)
    assert found.indices.tolist() == indices[in_one_piece(render(SPEC, indices, size=32))].tolist()
    everything = find(SPEC, lambda images: np.ones(len(images), bool), 10**6, size=32, start=start)
    assert everything.indices[-1] == 2**64 - 1


@pytest.mark.parametrize("start", [0, 77, 2**64 - 2000])
def test_what_was_found_is_saved_in_little_room_and_loaded(start, tmp_path):
    found = find(SPEC, Connected(), 20, size=(32, 40), seed=2**64 - 1, start=start)
    found.save(tmp_path / "found.json")
    assert (tmp_path / "found.json").stat().st_size < 500
    again = Found.load(tmp_path / "found.json")
    assert again.indices.tolist() == found.indices.tolist()
    assert (again.spec, again.seed, again.size, again.searched) == (SPEC, 2**64 - 1, (32, 40), found.searched)
    assert (again.rule, again.start, again.stream_version) == ("connected", start, found.stream_version)
    assert (score(render(again.spec, again.indices, seed=again.seed, size=again.size)) == 1).all()


DAMAGE = {
    "is damaged: Expecting value": lambda raw: "not JSON",
    "is not a saved search": lambda raw: "[]",
    "format 9": lambda raw: json.dumps({**raw, "format": 9}),
    "stream version": lambda raw: json.dumps({**raw, "source": {**raw["source"], "stream_version": 10**6}}),
    "unknown renderer 'squares'": lambda raw: json.dumps({**raw, "source": {**raw["source"], "renderer": "squares"}}),
    "contradict": lambda raw: json.dumps({**raw, "gaps": raw["gaps"][:-1]}),
    "indices contradict its other numbers": lambda raw: json.dumps({**raw, "gaps": [raw["gaps"][0], 2**64 - 1, 3]}),
    "contradict its other numbers": lambda raw: json.dumps({**raw, "searched": 2**70}),
    "contradict its other": lambda raw: json.dumps({**raw, "found": 0, "gaps": [], "searched": -5}),
    "indices contradict": lambda raw: json.dumps({**raw, "gaps": [*raw["gaps"][:-1], 0]}),
    "are not integers": lambda raw: json.dumps({**raw, "gaps": [*raw["gaps"][:-1], 0.5]}),
    "'rule'": lambda raw: json.dumps({key: value for key, value in raw.items() if key != "rule"}),
}


@pytest.mark.parametrize("message", DAMAGE)
def test_a_damaged_file_is_said(message, tmp_path):
    path = tmp_path / "found.json"
    find(SPEC, Connected(), 3, size=32).save(path)
    path.write_text(DAMAGE[message](json.loads(path.read_text())))
    with pytest.raises(ValueError, match=message) as raised:
        Found.load(path)
    assert str(path) in str(raised.value)
    with pytest.raises(ValueError, match=message):
        find(SPEC, Connected(), 3, size=32, state=path)


# Going on


seen: list[int] = []
"""How many images each call of `interrupting` looked at; it acts upon the fourth."""
act: list[object] = []


def interrupting(images):
    seen.append(len(images))
    if act and len(seen) == 4:
        act.pop()()
    return in_one_piece(images)


def fail():
    raise OSError("no more")


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("how", ["ctrl-c", "crash"])
def test_a_search_goes_on_where_it_was_stopped(how, tmp_path, monkeypatch):
    monkeypatch.setattr(search_module, "_SECONDS_BETWEEN_SAVES", 0.0)
    unbroken = find(SPEC, in_one_piece, 40, size=32)
    state = tmp_path / "state.json"
    seen.clear()
    act[:] = [(lambda: os.kill(os.getpid(), signal.SIGINT)) if how == "ctrl-c" else fail]
    error, message = (KeyboardInterrupt, "of 40 found; .*resumes from there") if how == "ctrl-c" else (OSError, "no")
    with pytest.raises(error, match=message):
        find(SPEC, interrupting, 40, size=32, state=state)
    searched = Found.load(state).searched
    assert searched == 64 * (4 if how == "ctrl-c" else 3)
    seen.clear()
    found = find(SPEC, interrupting, 40, size=32, state=state)
    assert (found.indices.tolist(), found.searched) == (unbroken.indices.tolist(), unbroken.searched)
    assert sum(seen) == 64 * -(-(unbroken.searched - searched) // 64)


@pytest.mark.usefixtures("small_chunks")
def test_a_state_serves_a_larger_and_a_smaller_search(tmp_path):
    state = tmp_path / "state.json"
    whole = find(SPEC, Connected(), 30, size=32)
    find(SPEC, Connected(), 10, size=32, state=state)
    more = find(SPEC, Connected(), 30, size=32, state=state)
    assert (more.indices.tolist(), more.searched) == (whole.indices.tolist(), whole.searched)
    before = state.read_bytes()
    for count, limit in ((4, None), (30, 50)):
        fewer, plain = (find(SPEC, Connected(), count, size=32, limit=limit, state=s) for s in (state, None))
        assert (fewer.indices.tolist(), fewer.searched) == (plain.indices.tolist(), plain.searched)
    assert state.read_bytes() == before


OTHER = {
    "seed is 0 there and 1 here": {"seed": 1},
    "size is 32 there and 33 here": {"size": 33},
    r"count is \[2, 6\] there and \[11, 18\] here": {"spec": Circles(radius=(4.0, 9.0))},
    'rule is "connected" there and .*test_search:in_one_piece" here': {"accept": in_one_piece},
    "threshold=0.2": {"accept": Connected(threshold=0.2)},
    "start is 0 there and 5 here": {"start": 5},
}


@pytest.mark.parametrize("message", OTHER)
def test_the_state_of_another_search_is_an_error_that_says_what_differs(message, tmp_path):
    state = tmp_path / "state.json"
    search = {"spec": SPEC, "accept": Connected(), "count": 2, "size": 32, "state": state}
    find(**search)
    before = state.read_bytes()
    with pytest.raises(ValueError, match=message):
        find(**{**search, **OTHER[message]})
    assert state.read_bytes() == before


def test_a_state_wants_a_rule_that_another_call_can_be_known_by(tmp_path):
    with pytest.raises(ValueError, match="cannot identify the search"):
        find(SPEC, lambda images: in_one_piece(images), 1, size=32, state=tmp_path / "state.json")
    assert not list(tmp_path.iterdir())


def test_rules_of_one_name_in_two_modules_are_two_rules(tmp_path):
    first, second = (dataclass(frozen=True)(type("Own", (Symmetric,), {"__module__": name})) for name in "ab")
    assert repr(first()) == repr(second())
    for whole in (lambda own: own, lambda own: Product(Connected(), own)):
        state = tmp_path / f"{whole(first())}.json"
        find(SPEC, whole(first()), 1, size=32, limit=10, state=state)
        find(SPEC, whole(first()), 1, size=32, limit=20, state=state)
        with pytest.raises(ValueError, match="holds another search: rule"):
            find(SPEC, whole(second()), 1, size=32, limit=20, state=state)


def test_a_state_that_cannot_be_written_is_said_before_the_search(tmp_path):
    seen.clear()
    with pytest.raises(OSError, match="No such file"):
        find(SPEC, interrupting, 1, size=32, state=tmp_path / "no" / "state.json")
    assert not seen


BAD = {
    "count is 0, but must be at least 1": {"count": 0},
    r"start is -1, but must be from 0 to 2\*\*64 - 1": {"start": -1},
    "limit is -1, but must be at least 0": {"limit": -1},
    "seed is -1": {"seed": -1},
    "accept is 'connected', but must be": {"accept": "connected"},
    r"shape \(1,\) for \d+ images": {"accept": lambda images: np.ones(1, bool)},
    "dtype float64, but must return bools": {"accept": lambda images: np.ones(len(images))},
    "spec is None": {"spec": None},
}


@pytest.mark.parametrize("message", BAD)
def test_arguments_that_are_not_served(message):
    with pytest.raises((ValueError, TypeError), match=message):
        find(**{"spec": SPEC, "accept": Connected(), "count": 1, "size": 32, **BAD[message]})


def test_progress_shows_what_was_found(capsys):
    find(SPEC, Connected(), 12, size=32, progress=True)
    assert "images/s" in (last := capsys.readouterr().err.splitlines()[-1])
    assert last.endswith("found 12 of 12")


@pytest.mark.parametrize("accept", ["reggan.Connected()", "lambda images: images[:, 0, 0] > 300"])
def test_memory_is_flat_and_torch_is_not_imported(accept):
    code = f"""
        import resource, sys
        import reggan
        from reggan.search import find

        def peak(limit):
            find(reggan.Circles(count=(60, 60), radius=(0.1, 0.2)), {accept}, 10**6, size=8, limit=limit)
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        before = peak(2**17)
        assert peak(2**19) < before + 20_000
        assert "torch" not in sys.modules
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# The command


OPTIONS = ["--size", "32", "--renderer.count", "2", "6", "--renderer.radius", "4", "9"]


def test_the_command_saves_the_indices_and_names_the_file_last(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["find", "--count", "7", *OPTIONS]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "found-circles-connected-32px-seed0.json"
    assert "found 7 of 7 in" in out[0]
    assert Found.load(out[-1]).indices.tolist() == scan(in_one_piece, 7).tolist()
    assert main(["find", "--count", "9", *OPTIONS]) == 0
    assert len(Found.load(out[-1]).indices) == 9
    assert main(["find", "--count", "9", "--seed", "4", "--out", out[-1], *OPTIONS]) == 1
    assert "seed is 0 there and 4 here" in capsys.readouterr().err


RULES_OF_ONES_OWN = """
import numpy as np
import reggan

class Afloat(reggan.Rule):
    def __call__(self, images):
        ink = reggan.ink_mask(images)
        upper = ink[:, : images.shape[1] // 2].sum((1, 2))
        return (upper / np.maximum(ink.sum((1, 2)), 1) > 0.3).astype(np.float32)
"""


@pytest.mark.parametrize("rule", ["own_rules_to_find:Afloat", "own_rules_to_find:Afloat() & ink(0, 1)"])
def test_a_rule_of_ones_own_is_known_by_its_text(rule, tmp_path, capsys, monkeypatch):
    (tmp_path / "own_rules_to_find.py").write_text(RULES_OF_ONES_OWN)
    monkeypatch.syspath_prepend(tmp_path)
    call = ["find", "--rule", rule, "--out", str(tmp_path / "found.json"), *OPTIONS]
    assert main([*call, "--count", "1"]) == 0
    assert main([*call, "--count", "2"]) == 0
    assert json.loads((tmp_path / "found.json").read_text())["rule"] == rule
    assert main(["find", "--rule", f"{rule} & connected", "--out", str(tmp_path / "found.json"), *OPTIONS]) == 1
    assert "holds another search" in capsys.readouterr().err


def test_the_default_file_has_a_name_that_needs_no_quotes(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["find", "--count", "1", "--rule", "connected & ink(0.1, 0.4)", *OPTIONS]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "found-circles-connected-ink-0.1-0.4-32px-seed0.json"
    assert [path.name for path in tmp_path.iterdir()] == ["found-circles-connected-ink-0.1-0.4-32px-seed0.json"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--count", "0"],
        ["--start", "-1"],
        ["--limit", "-1"],
        ["--size", "0"],
        ["--threads", "0"],
        ["--rule", "tidy"],
        ["--renderer", "squares"],
        ["--renderer.count", "5", "3"],
        ["--dtype", "float32"],
    ],
)
def test_wrong_usage_ends_with_2(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["find", *arguments])
    except SystemExit as exit_:
        code = exit_.code
    assert code == 2
    assert capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_ctrl_c_ends_the_command_with_130_and_the_same_command_goes_on(tmp_path, capsys):
    out = tmp_path / "found.json"
    command = ["find", "--size", "32", "--count", "1000000", "--out", str(out), "--threads", "1"]
    process = subprocess.Popen([sys.executable, "-m", "reggan.data", *command], stderr=subprocess.PIPE, text=True)
    while not out.exists():
        time.sleep(0.01)
        assert process.poll() is None
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "resumes from there" in err
    searched = Found.load(out).searched
    assert searched > 0
    again = [*command[:-1], "2", "--limit", str(searched + 100)]
    assert main(again) == 0
    assert Found.load(out).searched == searched + 100


# The oracles


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize(("sealed", "seed"), [(False, 0), (True, SEALED_SEED)])
def test_the_oracles_are_the_first_images_in_one_piece(size, sealed, seed):
    found = oracle(size=size, sealed=sealed)
    assert (len(found.indices), found.seed, found.size, found.start) == (2000, seed, size, 0)
    assert found.spec == Circles()
    images, scores = render(found.spec, found.indices, seed=seed, size=size, with_scores=True)
    assert (scores == 1).all()
    assert (analyze(images).count == 1).all()
    again = find(found.spec, Connected(), 20, seed=seed, size=size)
    np.testing.assert_array_equal(again.indices, found.indices[:20])


@pytest.mark.parametrize("size", [32, 64])
def test_the_sealed_oracle_has_no_image_of_the_other_one(size):
    both = (oracle(size=size, sealed=sealed) for sealed in (False, True))
    images = [render(each.spec, each.indices, seed=each.seed, size=size, dtype=np.uint8) for each in both]
    assert len({image.tobytes() for image in np.concatenate(images)}) == 4000


def test_an_oracle_that_is_not_there():
    with pytest.raises(
        ValueError, match="there is no oracle for connected at 48, only for connected at 32, connected at 64"
    ):
        oracle(size=48)
