"""Checkpoints: what is saved comes back, and damage is said and loses nothing."""

import json
import math
import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from reggan import checkpoint, files


def network_and_optimizer(seed=0):
    generator = torch.Generator().manual_seed(seed)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    optimizer = torch.optim.Adam(network.parameters())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return {"net": network}, {"phase": optimizer}


def train_a_step(networks, optimizers):
    optimizers["phase"].zero_grad()
    networks["net"](torch.arange(6.0).reshape(2, 3)).square().sum().backward()
    optimizers["phase"].step()


def test_networks_and_optimizers_come_back_exactly(tmp_path):
    first = network_and_optimizer(0)
    train_a_step(*first)
    path = checkpoint.save_checkpoint(tmp_path, "step-00000001", checkpoint.flatten_state(*first), {"step": 1})
    second = network_and_optimizer(1)
    tensors, info = checkpoint.load_checkpoint(path)
    checkpoint.restore_state(tensors, *second)
    assert info["step"] == 1
    for each in (first, second):
        train_a_step(*each)
    ours, theirs = (checkpoint.flatten_state(*each) for each in (first, second))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


TENSORS = {"a": torch.ones(100), "network/generator/a": torch.ones(3), "network/averaged/a": torch.zeros(3)}
ENDINGS = {"generator": ".generator.safetensors", "state": ".safetensors"}


def test_nothing_is_pickled(tmp_path):
    checkpoint.save_checkpoint(tmp_path, "step-00000001", TENSORS, {"step": 1})
    endings = sorted(path.name.removeprefix("step-00000001") for path in tmp_path.iterdir())
    assert endings == [".generator.safetensors", ".json", ".safetensors"]
    assert json.loads((tmp_path / "step-00000001.json").read_text())["format"] == checkpoint.FORMAT


def test_the_averaged_generator_has_a_file_of_its_own_and_no_tensor_is_in_both(saved):
    names = {part: safetensors.torch.load_file(saved.with_suffix(ending)).keys() for part, ending in ENDINGS.items()}
    assert names == {"generator": {"network/averaged/a"}, "state": {"a", "network/generator/a"}}
    for part in names:
        assert checkpoint.load_checkpoint(saved, [part])[0].keys() == names[part]
    assert checkpoint.load_checkpoint(saved)[0].keys() == TENSORS.keys()


@pytest.mark.parametrize("part", ENDINGS)
def test_the_files_of_other_parts_are_not_opened(saved, part):
    for other, ending in ENDINGS.items():
        if other != part:
            saved.with_suffix(ending).unlink()
    tensors, info = checkpoint.load_checkpoint(saved, [part])
    assert all(torch.equal(tensor, TENSORS[key]) for key, tensor in tensors.items())
    assert info["step"] == 1


def test_a_checkpoint_appears_once_all_its_tensors_are_on_the_disk(tmp_path, monkeypatch):
    written = []
    for name in ("atomic_write", "write_json"):
        write = getattr(checkpoint, name)
        monkeypatch.setattr(
            checkpoint,
            name,
            lambda path, *given, write=write, **kw: written.append(path.name) or write(path, *given, **kw),
        )
    checkpoint.save_checkpoint(tmp_path, "best-00000001", TENSORS, {})
    assert written[-1] == "best-00000001.json"
    assert len(set(written)) == 3


def test_the_last_ones_are_kept_by_kind(tmp_path):
    for step in (5, 10, 100_000, 20):
        checkpoint.save_checkpoint(tmp_path, f"step-{step:08d}", {"a": torch.ones(1)}, {"step": step})
    checkpoint.save_checkpoint(tmp_path, "best-00000007", {"a": torch.ones(1)}, {"step": 7})
    for ending in ENDINGS.values():
        (tmp_path / f"step-00000030{ending}").write_bytes(b"interrupted")
    checkpoint.prune_checkpoints(tmp_path, "step", 2)
    assert [path.stem for path in checkpoint.list_checkpoints(tmp_path)] == ["step-00000020", "step-00100000"]
    assert [path.stem for path in checkpoint.list_checkpoints(tmp_path, "best")] == ["best-00000007"]
    assert len(list(tmp_path.iterdir())) == 9


@pytest.fixture
def saved(tmp_path):
    return checkpoint.save_checkpoint(tmp_path, "step-00000001", TENSORS, {"step": 1})


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


DAMAGE = {
    "generator changed": (lambda p: flip_a_bit(p.with_suffix(".generator.safetensors")), r"1\.generator.* checksum"),
    "generator cut short": (lambda p: p.with_suffix(".generator.safetensors").write_bytes(b"abc"), "checksum"),
    "generator missing": (
        lambda p: p.with_suffix(".generator.safetensors").unlink(),
        r"No such file or directory: .*1\.generator",
    ),
    "state changed": (lambda p: flip_a_bit(p.with_suffix(".safetensors")), r"1\.safetensors .*checksum"),
    "state cut short": (lambda p: p.with_suffix(".safetensors").write_bytes(b"abc"), "checksum"),
    "state missing": (lambda p: p.with_suffix(".safetensors").unlink(), r"No such file or directory: .*1\.safetensors"),
    "one part as the other": (
        lambda p: p.with_suffix(".safetensors").replace(p.with_suffix(".generator.safetensors")),
        r"generator\.safetensors .*checksum",
    ),
    "description missing": (lambda p: p.unlink(), "No such file"),
    "description cut short": (lambda p: p.write_text(p.read_text()[:20]), "truncated"),
    "description not text": (lambda p: p.write_bytes(b"\xff\xfe\x00"), "truncated"),
    "description of another kind": (lambda p: p.write_text("[1, 2]"), "truncated"),
    "checksum missing": (lambda p: p.write_text(p.read_text().replace('"state"', '"rest"')), "truncated"),
    "checksums of another kind": (lambda p: edit(p, sha256="0"), "truncated"),
    "the version before": (lambda p: edit(p, format=2), "format 2, .* reads format 3; use the version that wrote it"),
    "another version": (lambda p: edit(p, format=99), "format 99"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_said(saved, kind):
    damage, message = DAMAGE[kind]
    damage(saved)
    with pytest.raises(ValueError, match=message):
        checkpoint.load_checkpoint(saved)


def test_weights_are_restored_where_names_and_shapes_are_the_same():
    kept, _ = network_and_optimizer(0)
    tensors = checkpoint.flatten_state(kept | {"memory": nn.BatchNorm1d(3, affine=False), "wide": nn.Linear(3, 9)}, {})
    other, _ = network_and_optimizer(1)
    memory, narrow, new = nn.BatchNorm1d(3, affine=False), nn.Linear(3, 8), nn.Linear(1, 1)
    memory.running_mean.fill_(5)
    networks = {**other, "memory": memory, "wide": narrow, "new": new}
    untouched = {key: tensor.clone() for key, tensor in checkpoint.flatten_state(networks, {}).items()}
    assert checkpoint.restore_matching(tensors, networks) == (["net"], ["wide", "new"])
    for key, tensor in checkpoint.flatten_state(networks, {}).items():
        assert torch.equal(tensor, (tensors if key.startswith("network/net/") else untouched)[key])


def test_tensors_of_other_networks_are_said():
    networks, optimizers = network_and_optimizer()
    tensors = checkpoint.flatten_state(networks, optimizers)
    with pytest.raises(ValueError, match="not of these networks"):
        checkpoint.restore_state(tensors, {"net": nn.Linear(5, 5)}, {})


def test_what_an_optimizer_kept_comes_back_in_the_layout_of_its_parameters():
    network = nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    network(torch.ones(1, 3, 2, 2)).sum().backward()
    optimizer.step()
    tensors = {key: t.contiguous() for key, t in checkpoint.flatten_state({}, {"phase": optimizer}).items()}
    checkpoint.restore_state(tensors, {}, {"phase": optimizer})
    kept = optimizer.state[network.weight]["exp_avg"]
    assert kept.stride() == network.weight.stride() != kept.contiguous().stride()
    assert torch.equal(kept, tensors["optimizer/phase/0/exp_avg"])


def test_what_an_optimizer_kept_for_other_parameters_is_said():
    networks, optimizers = network_and_optimizer()
    train_a_step(networks, optimizers)
    tensors = checkpoint.flatten_state(networks, optimizers)
    tensors["optimizer/phase/0/exp_avg"] = torch.zeros(2, 2)
    with pytest.raises(ValueError, match=r"exp_avg has the shape \(2, 2\), must have \(4, 3\)"):
        checkpoint.restore_state(tensors, networks, optimizers)


FULL_DISK = """
import resource, signal, sys, torch
from pathlib import Path
from reggan.checkpoint import save_checkpoint
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    tensors = {"a": torch.ones(10), "network/averaged/a": torch.ones(10), sys.argv[2]: torch.ones(100_000)}
    save_checkpoint(Path(sys.argv[1]), "step-00000002", tensors, {"step": 2})
except OSError as error:
    print("refused:", error.strerror)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on file sizes")
@pytest.mark.parametrize("large", ["a", "network/averaged/a"])
def test_a_write_that_does_not_fit_leaves_what_was_there(saved, large):
    before = {path.name: path.read_bytes() for path in saved.parent.iterdir()}
    command = [sys.executable, "-c", FULL_DISK, saved.parent, large]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("refused:")
    assert {path.name: path.read_bytes() for path in saved.parent.iterdir()} == before
    assert checkpoint.load_checkpoint(saved)[0]["a"].sum() == 100


def test_an_atomic_write_replaces_whole_files(tmp_path):
    path = tmp_path / "file"
    files.atomic_write(path, "one")
    files.atomic_write(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match="No such file"):
        files.atomic_write(tmp_path / "no" / "file", "x")
    with pytest.raises(IsADirectoryError):
        files.atomic_write(tmp_path, "x")


def test_json_has_null_for_what_is_undefined_and_nothing_infinite(tmp_path):
    path = tmp_path / "figures.json"
    files.write_json(path, {"a": math.nan, "b": [1.5, (np.float64("nan"), True, "ü\udcff")], "c": {}}, indent=1)
    content = path.read_text(encoding="ascii")
    assert content.endswith("\n}\n")
    assert json.loads(content) == {"a": None, "b": [1.5, [None, True, "ü\udcff"]], "c": {}}
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(path, {"a": [math.inf]})
    assert path.read_text(encoding="ascii") == content
    assert files.to_json({"step": 1}) == '{"step": 1}\n'


def test_text_is_utf_8_whatever_names_are_in_it(tmp_path):
    files.atomic_write(tmp_path / "page", "Ω \udcff")
    assert (tmp_path / "page").read_text(encoding="utf-8") == "Ω \\udcff"


def test_links_pipes_and_devices_stay_what_they_are(tmp_path):
    real, link, pipe = tmp_path / "real", tmp_path / "link", tmp_path / "pipe"
    real.write_text("old")
    link.symlink_to("real")
    files.atomic_write(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as reader:
        read = reader.submit(pipe.read_text)
        files.atomic_write(pipe, "through")
        assert read.result(timeout=60) == "through"
    assert pipe.is_fifo()
    files.atomic_write(Path(os.devnull), "nothing")
    assert Path(os.devnull).is_char_device()


WRITE = """
import sys
from pathlib import Path
from reggan.files import atomic_file
for k in range(40):
    with atomic_file(Path(sys.argv[1])) as file:
        for _ in range(20):
            file.write(sys.argv[2].encode() * 5000)
"""


def test_of_processes_that_write_one_file_the_last_one_wins_whole(tmp_path):
    path = tmp_path / "file"
    writers = [subprocess.Popen([sys.executable, "-c", WRITE, path, letter]) for letter in "abc"]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
    assert path.read_bytes() in [letter * 100_000 for letter in (b"a", b"b", b"c")]
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_waits_for_no_other_one(tmp_path):
    path = tmp_path / "file"
    with files.atomic_file(path) as slow:
        slow.write(b"slow")
        files.atomic_write(path, "quick")
        assert path.read_text() == "quick"
    assert path.read_text() == "slow"
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import os, sys
from pathlib import Path
from reggan.files import atomic_file
with atomic_file(Path(sys.argv[1])) as file:
    os._exit(9)
"""


def test_what_a_killed_process_was_writing_goes_with_the_next_checkpoint(saved):
    killed = subprocess.run([sys.executable, "-c", KILLED, saved.parent / "step-00000002.safetensors"])
    assert killed.returncode == 9
    assert len(list(saved.parent.iterdir())) == 4
    checkpoint.prune_checkpoints(saved.parent, "step", 2)
    assert sorted(path.name for path in saved.parent.iterdir()) == [
        "step-00000001.generator.safetensors",
        "step-00000001.json",
        "step-00000001.safetensors",
    ]


def test_checkpoints_of_more_than_eight_digits_are_the_last_ones(tmp_path):
    for step in (99_999_999, 100_000_000, 999_999_999, 5):
        checkpoint.save_checkpoint(tmp_path, f"step-{step:08d}", {"a": torch.zeros(1)}, {"step": step})
    found = [path.stem for path in checkpoint.list_checkpoints(tmp_path)]
    assert found == ["step-00000005", "step-99999999", "step-100000000", "step-999999999"]
    checkpoint.prune_checkpoints(tmp_path, "step", 1)
    assert [path.stem for path in checkpoint.list_checkpoints(tmp_path)] == found[-1:]
