"""A run is trained by one process at a time, on the data that it began with, and says what was changed since."""

import errno
import json
import os
import platform
import shutil
import signal
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import python
from PIL import Image
from test_cli import contents, ended
from test_training import (
    assert_same_results,
    command,
    flags,
    lines,
    tiny,
    tiny_pairs,
    train,
    train_on,
    wait_for_checkpoint,
    weights,
)

from reggan import evaluate, generate, locks
from reggan import train as train_command
from reggan.checkpoint import list_checkpoints, load_checkpoint
from reggan.data import Files, Pairs
from reggan.distributed import Ranks
from reggan.report.run import read_run
from reggan.runs import RunDirectory


def pictures(folder, count, seed=0):
    """A folder of pictures of noise, named by their numbers."""
    folder.mkdir()
    random = np.random.default_rng(seed)
    for k in range(count):
        Image.fromarray(random.integers(0, 256, (40, 40), np.uint8)).save(folder / f"{k:03}.png")
    return folder


def on(folder, **changes):
    return tiny("dcgan", data=Files(str(folder)), steps=8, **changes)


def resume(run, *options):
    """A call of the command line."""
    return lambda: train_command.main(["--resume", str(run), *map(str, options)])


def begun(run, config, until=4):
    train(run, config, until)
    return run


# One process at a time


@pytest.fixture
def training_now(tmp_path):
    """A process that trains, with a worker, and its run directory; it is killed at the end."""
    run, config = tmp_path / "run", tiny(steps=5000, checkpoint_every=3)
    process = subprocess.Popen(command("--run", run, *flags(config), "--workers=1"), stderr=subprocess.DEVNULL)
    try:
        wait_for_checkpoint(process, run, 6)
        yield run, process
    finally:
        process.kill()
        process.wait()


def test_a_run_that_is_trained_is_refused_until_its_process_is_dead(training_now, capsys):
    run, process = training_now
    code, out, err = ended(resume(run), capsys)
    assert (code, out, len(err)) == (1, "", 1)
    assert f"{run} is being trained by process {process.pid} on {platform.node()} since 2" in err[0]
    assert ended(lambda: generate.main([str(run), "-n", "1"]), capsys)[0] == 0
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = load_checkpoint(list_checkpoints(run / "checkpoints")[-1])[1]["step"]
    assert train_on(run, done + 4) == {}  # Its worker may still live.
    steps = [line["step"] for line in lines(run)]
    assert steps == sorted(set(steps))
    assert not list(run.glob(".*"))


def test_a_thread_holds_a_run_as_often_as_it_likes_and_another_one_does_not(tmp_path):
    def attempt():
        with pytest.raises(locks.RunInUse, match="being trained by process"), locks.train_alone(tmp_path, Ranks()):
            pass
        refused.append(True)

    refused = []
    with locks.train_alone(tmp_path, Ranks()):
        with locks.train_alone(tmp_path, Ranks()):
            pass
        other = threading.Thread(target=attempt)
        other.start()
        other.join()
    assert refused
    assert not list(tmp_path.iterdir())


def test_other_ranks_hear_of_a_run_in_use(tmp_path, monkeypatch):
    monkeypatch.setattr(Ranks, "broadcast", lambda self, value: "it is in use")
    with pytest.raises(locks.RunInUse, match="it is in use"), locks.train_alone(tmp_path, Ranks(1, 2)):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO])
def test_a_file_system_without_locks_is_trained_on_with_a_word(number, tmp_path, monkeypatch, capsys):
    def refuse(fd, operation):
        raise OSError(number, "no locks")

    fcntl = pytest.importorskip("fcntl")
    run = tmp_path / "run"
    RunDirectory.create(run, tiny("dcgan"))
    monkeypatch.setattr(fcntl, "flock", refuse)
    if number == errno.EIO:
        with pytest.raises(OSError, match="no locks"):
            train_on(run)
    else:
        assert train_on(run)
        assert "this file system has no locks" in capsys.readouterr().err
        assert not list(run.glob(".*"))


TRAINS_ALONE = """
import fcntl, sys
from pathlib import Path
from reggan import distributed, locks
def refuse(*_):
    raise OSError(int(sys.argv[2]), "no lock")
if int(sys.argv[2]):
    fcntl.flock = refuse
with locks.train_alone(Path(sys.argv[1]), distributed.Ranks()):
    pass
"""


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EIO])
def test_a_process_that_can_get_no_lock_leaves_that_of_another(number, tmp_path):
    pytest.importorskip("fcntl")

    (script := tmp_path / "trains_alone.py").write_text(TRAINS_ALONE)
    (run := tmp_path / "run").mkdir()

    def attempt(number):
        return python(script, run, number)

    with locks.train_alone(run, Ranks()):
        assert attempt(number).returncode == 1
        assert f"is being trained by process {os.getpid()}" in attempt(0).stderr
    assert attempt(0).returncode == 0


def test_what_is_not_a_run_gets_no_lock(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ValueError, match="not a run directory"):
            RunDirectory.open(path).train()
    assert not list(tmp_path.iterdir())


def test_of_two_that_make_one_run_the_second_fails(tmp_path, monkeypatch):
    def late(folder):
        (folder / "samples").mkdir()
        return iter(())

    monkeypatch.setattr(Path, "iterdir", late)
    with pytest.raises(FileExistsError, match="not an empty directory"):
        RunDirectory.create(tmp_path / "run", tiny())
    assert not (tmp_path / "run" / "config.json").exists()


def test_of_two_that_take_the_next_free_name_the_second_takes_another(tmp_path, monkeypatch, capsys):
    create = RunDirectory.create

    def late(run, config):
        if not (tmp_path / "runs").exists():
            create(run, tiny(seed=5))
        return create(run, config)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(RunDirectory, "create", late)
    code, out, _ = ended(lambda: train_command.main(["--recipe=dcgan", "--width=4", *map(str, SHORT)]), capsys)
    assert code == 0
    assert out.splitlines()[-1] == "runs/dcgan-connected-32px-seed0-2"
    assert RunDirectory.open(tmp_path / "runs" / "dcgan-connected-32px-seed0").config.seed == 5


SHORT = ["--steps=1", "--batch-size=4", "--eval-images=4", "--device=cpu", "--data.images=50"]

# The data of a run


def add(folder):
    shutil.copy(folder / "000.png", folder / "zzz.png")


def repaint(folder):
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(folder / "003.png")


CHANGED = {"20 images then, 21 now": add, "20 images then and now, but not the same ones": repaint}


@pytest.mark.parametrize("said", CHANGED)
def test_data_that_changed_are_refused_and_the_old_ones_go_on_unbroken(said, tmp_path, capsys):
    folder = pictures(tmp_path / "data", 20)
    train(tmp_path / "whole", on(folder))
    run = begun(tmp_path / "run", on(folder))
    kept = shutil.copytree(folder, tmp_path / "kept")
    CHANGED[said](folder)
    before = contents(run)
    code, out, err = ended(resume(run), capsys)
    assert (code, out) == (1, "")
    assert said in err[-1]
    assert f"--init {run}" in err[-1]
    assert contents(run) == before
    shutil.rmtree(folder)
    kept.rename(folder)
    assert ended(resume(run), capsys)[0] == 0
    assert_same_results(run, tmp_path / "whole")


@pytest.mark.usefixtures("in_short")
def test_each_kind_of_pairs_is_compared(tmp_path):
    data = Pairs(*(Files(str(pictures(tmp_path / name, 6, seed))) for seed, name in enumerate("ab")))
    run = begun(tmp_path / "run", tiny_pairs("cyclegan", data=data))
    add(tmp_path / "b")
    with pytest.raises(ValueError, match="6 images then, 7 now"):
        train_on(run)
    (tmp_path / "b" / "zzz.png").unlink()
    moved = [(tmp_path / name).rename(tmp_path / f"{name}-moved") for name in "ab"]
    assert train_command.main(["--resume", str(run), "--data", *map(str, moved)]) == 0
    assert RunDirectory.open(run).config.data == Pairs(*(Files(str(path)) for path in moved))


def test_data_that_were_moved_go_on_unbroken(tmp_path, capsys):
    folder = pictures(tmp_path / "data", 20)
    train(tmp_path / "whole", on(folder))
    run = begun(tmp_path / "run", on(folder))
    moved = folder.rename(tmp_path / "moved")
    code, _, err = ended(resume(run), capsys)
    assert code == 1
    assert f"{folder} does not exist" in err[-1]
    assert "--resume RUN --data PATH" in err[-1]
    code, _, err = ended(resume(run, "--data", moved), capsys)
    assert code == 0
    assert any(f"data.path is {moved} after step 4" in line and "the same data" in line for line in err)
    assert_same_results(run, tmp_path / "whole")
    assert RunDirectory.open(run).config == on(moved)
    described = json.loads((run / "config.json").read_text())
    changed = {"data.path": {"from": str(folder), "to": str(moved)}}
    assert described["resumed"] == [{"step": 4, "changed": changed}]
    assert ended(resume(run, "--data", pictures(tmp_path / "others", 20, seed=1)), capsys)[0] == 1
    assert json.loads((run / "config.json").read_text()) == described
    again = moved.rename(tmp_path / "again")  # Also of a finished run, which is evaluated with its data.
    code, _, err = ended(resume(run, "--data", again), capsys)
    assert code == 0
    assert any("already finished at step 8" in line for line in err)
    assert RunDirectory.open(run).config == on(again)
    assert_same_results(run, tmp_path / "whole")


def test_only_data_of_files_can_be_moved(tmp_path, capsys):
    run = begun(tmp_path / "run", tiny("dcgan"))
    code, _, err = ended(resume(run, "--data", tmp_path), capsys)
    assert code == 1
    assert "the run has no data.path" in err[-1]


def test_a_finished_run_stays_as_it_is_and_needs_no_data(tmp_path, capsys):
    folder, run = pictures(tmp_path / "data", 20), tmp_path / "run"
    summary = train(run, on(folder))
    add(folder)
    before, table = contents(run), tmp_path / "table.json"
    for _ in range(2):
        code, out, err = ended(resume(run, "--json", table), capsys)
        assert code == 0
        assert any("already finished at step 8" in line for line in err)
        assert out.splitlines()[0].split() == ["data", "generator"]
        assert out.splitlines()[-1] == str(run)
        assert json.loads(table.read_text()) == summary
        assert {path: contents(run)[path] for path in before} == before
        shutil.rmtree(folder, ignore_errors=True)
    (run / "summary.json").write_text("{")
    code, _, err = ended(resume(run), capsys)
    assert code == 1
    assert f"{run / 'summary.json'} is damaged" in err[-1]


# Going on otherwise


def test_more_steps_go_on_where_fewer_ended(tmp_path, capsys):
    run, longer = tmp_path / "run", tmp_path / "longer"
    train(run, tiny("dcgan", lr_decay=0.0))
    train(longer, tiny("dcgan", lr_decay=0.0, steps=10))
    train_on(run, 8, steps=10)
    assert not (run / "summary.json").exists()
    assert "After step 6, steps changed from 6 to 10." in read_run(run).notes
    code, _, err = ended(resume(run), capsys)
    assert code == 0
    assert (run / "summary.json").read_bytes() == (longer / "summary.json").read_bytes()
    ours, theirs = weights(run), weights(longer)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    code, _, err = ended(resume(run, "--steps", 12), capsys)
    assert code == 0
    assert any("steps is 12 after step 10" in line and "differ from an unbroken run" in line for line in err)
    described = json.loads((run / "config.json").read_text())
    assert described["config"]["steps"] == 12
    assert [(entry["step"], entry["changed"]["steps"]) for entry in described["resumed"]] == [
        (6, {"from": 6, "to": 10}),
        (10, {"from": 10, "to": 12}),
    ]


def test_fewer_steps_than_were_done_are_refused(tmp_path, capsys):
    run = begun(tmp_path / "run", tiny("dcgan"))
    before = contents(run)
    for steps in (3, 4):
        code, _, err = ended(resume(run, "--steps", steps), capsys)
        assert code == 1
        assert f"{run} is at step 4, and with steps {steps} it would end at {steps}" in err[-1]
    assert contents(run) == before
    assert ended(resume(run, "--steps", 5), capsys)[0] == 0
    assert lines(run)[-1]["step"] == 5


def test_a_round_that_other_steps_lead_into_begins_there(tmp_path):
    config = tiny(steps=30)
    run = begun(tmp_path / "run", config, until=12)  # In the first round, of two.
    stages = config.recipe.stages(11, config.resolved_rule)
    assert sum(stage.steps for stage in stages[:-1]) < 12
    train_on(run, 13, steps=11)
    train_on(run)
    harvests = [(line["step"], line["stage"]) for line in lines(run) if "begin/score" in line]
    assert harvests == [(8, "round 1"), (13, "round 2")]


def test_a_run_of_another_device_goes_on_here(tmp_path, capsys):
    train(tmp_path / "whole", tiny("dcgan"))
    run = begun(tmp_path / "run", tiny("dcgan"))
    path = run / "config.json"
    path.write_text(path.read_text().replace('"device": "cpu"', '"device": "cuda:63"'))
    code, _, err = ended(resume(run), capsys)
    assert code == 1
    assert err[-1].startswith("error: device is 'cuda:63', which cannot be used here")
    assert err[-1].endswith("choose another device")
    code, _, err = ended(resume(run, "--device", "cpu"), capsys)
    assert code == 0
    assert any("device is cpu after step 4, and was cuda:63" in line for line in err)
    assert_same_results(run, tmp_path / "whole")
    assert RunDirectory.open(run).config.device == "cpu"
    assert json.loads(path.read_text())["resumed"][0]["changed"] == {"device": {"from": "cuda:63", "to": "cpu"}}


@pytest.mark.usefixtures("in_short")
@pytest.mark.parametrize("main", [generate.main, evaluate.main])
def test_what_uses_a_run_chooses_its_own_device(main, tmp_path, capsys, monkeypatch):
    run = tmp_path / "run"
    train(run, tiny())
    path = run / "config.json"
    path.write_text(path.read_text().replace('"device": "cpu"', '"device": "cuda:63"'))
    code, _, err = ended(lambda: main([str(run), "-n", "100", "--device", "nonsense"]), capsys)
    assert code == 1
    assert err[-1].startswith("error: device is 'nonsense'")
    asked = []
    for name in ("load_sampler", "load_networks"):
        load = getattr(RunDirectory, name)
        monkeypatch.setattr(RunDirectory, name, lambda *given, load=load: asked.append(given[2]) or load(*given))
    for options, device in ((["--device", "cpu:0"], "cpu:0"), ([], "cpu")):
        assert ended(lambda options=options: main([str(run), "-n", "100", *options]), capsys)[0] == 0
        assert asked.pop() == device


@pytest.mark.parametrize("change", [{"seed": 1}, {"size": 28}, {"data__invert": True}])
def test_what_cannot_change_in_a_run_is_said(change, tmp_path):
    run = begun(tmp_path / "run", on(pictures(tmp_path / "data", 20)))
    before = contents(run)
    with pytest.raises(ValueError, match="cannot change in a run that goes on"):
        train_on(run, **change)
    assert contents(run) == before


# Starting from another run


def first_state(run):
    return load_checkpoint(run / "checkpoints" / "step-00000000.json")[0]


def test_a_run_starts_from_the_weights_of_another_and_needs_it_no_more(tmp_path, capsys, monkeypatch):
    source, whole, run = tmp_path / "source", tmp_path / "whole", tmp_path / "run"
    train(source, tiny())
    monkeypatch.chdir(tmp_path)
    wider = replace(tiny(), recipe=replace(tiny().recipe, classifier_width=8))
    options = ["--init=source", "--seed=7", "--rule=ink(0.1, 0.4)", *flags(wider), "--data.classes"]
    code, _, err = ended(lambda: train_command.main(["--run", str(whole), *options]), capsys)
    assert code == 0
    said = next(line for line in err if "starts from step" in line)
    assert f"step 11 of {source}: generator, discriminator, averaged; " in said
    assert said.endswith("not in it, or of other shapes, and therefore new: classifier")
    config = RunDirectory.open(whole).config
    assert config.init == str(source)
    train(run, config, 1)
    kept, ours = weights(source), first_state(run)
    for name in ("generator", "discriminator", "averaged"):
        for key in (key for key in ours if key.startswith(f"network/{name}/")):
            assert torch.equal(ours[key], kept[key])
    assert not any(key.startswith("optimizer/") for key in ours)
    assert ours["network/memory/written"] == 0 < kept["network/memory/written"]
    shutil.rmtree(source)
    list_checkpoints(run / "checkpoints")[-1].unlink()  # As if it was killed before it had one of its own.
    train_on(run)
    assert_same_results(run, whole)


def test_a_run_that_nothing_can_start_from_is_said(tmp_path, capsys):
    source, run = tmp_path / "source", tmp_path / "run"
    tiny_options = ["--recipe=dcgan", *SHORT, "--run", str(run), "--init"]
    train(source, tiny("dcgan", steps=1))
    for options, said in (
        ([str(source), "--width=8"], "has a generator of another shape; give the same recipe, size and width"),
        ([str(tmp_path / "none")], "is not a run directory"),
    ):
        code, _, err = ended(lambda options=options: train_command.main([*tiny_options, *options]), capsys)
        assert code == 1
        assert said in err[-1]
        assert not run.exists()
    for path in (source / "checkpoints").iterdir():
        path.unlink()
    code, _, err = ended(lambda: train_command.main([*tiny_options, str(source), "--width=4"]), capsys)
    assert code == 1
    assert "has no checkpoint yet" in err[-1]
