"""The command line: what it prints, how it ends, and that bad input loses nothing."""

import errno
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_training import flags, tiny, train

from reggan import cli, report, score
from reggan import evaluate as evaluate_command
from reggan import generate as generate_command
from reggan import train as train_command
from reggan.checkpoint import list_checkpoints
from reggan.data import Files, RenderedImages
from reggan.report import write_report
from reggan.runs import RunDirectory
from reggan.sampler import Sampler
from reggan.specs import Polygons
from reggan.tables import describe
from reggan.training import Stopped


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "finished"
    train(run, tiny())
    return run


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def contents(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def ended(call, capsys):
    """Exit code, standard output and the lines of standard error of a command."""
    try:
        code = call()
    except SystemExit as exit_:
        code = exit_.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err.splitlines()


def test_train_prints_the_table_and_names_the_run_last(tmp_path, capsys):
    directory, table = tmp_path / "run", tmp_path / "table.json"
    arguments = ["--run", str(directory), "--json", str(table), *flags(tiny())]
    code, out, _ = ended(lambda: train_command.main(arguments), capsys)
    assert code == 0
    printed = out.splitlines()
    assert printed[-1] == str(directory)
    assert (directory / "report.html").exists()
    found = json.loads(table.read_text())
    assert found == json.loads((directory / "summary.json").read_text())["summary"]
    for key in ("score", "one_piece", "ink"):
        metric = describe(key)
        shown = next(text for text in printed if text.startswith(metric.label)).split()[-2:]
        assert shown == [metric.cell(found[column][key]) for column in ("data", "generator")]


def test_the_default_run_directory_is_the_next_free_one(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for expected in ("runs/harvest-connected-32px-seed0", "runs/harvest-connected-32px-seed0-2"):
        code, out, _ = ended(lambda: train_command.main(flags(tiny())), capsys)
        assert (code, out.splitlines()[-1]) == (0, expected)


def test_dry_run_prints_the_resolved_configuration_and_does_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = ended(
        lambda: train_command.main(["--dry-run", "--recipe=reggan", "--preset=paper", "--lr=1e-3"]), capsys
    )
    config = json.loads(out)
    assert code == 0
    assert (config["recipe"]["name"], config["recipe"]["base"]["lr"], config["size"]) == ("reggan", 1e-3, 64)
    assert config["device"] != "auto"
    assert config["precision"] != "auto"
    assert not list(tmp_path.iterdir())


def test_a_renderer_brings_its_own_options_and_trains(tmp_path, capsys):
    drawn = ["--renderer=polygons", "--data.spec.color", "--data.counts", "1", "2", "--data.spec.count", "1", "2"]
    run = tmp_path / "run"
    small = ["--recipe=dcgan", "--width=4", "--steps=2", "--batch-size=2", "--data.images=20", f"--run={run}"]
    assert ended(lambda: train_command.main([*drawn, *small]), capsys)[0] == 0
    data = RunDirectory.open(run).config.data
    assert data == RenderedImages(images=20, spec=Polygons(count=(1, 2), color=True), classes=(), counts=(1, 2))
    networks = RunDirectory.open(run).load_networks()
    assert networks["generator"](torch.zeros(1, 100)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize("recipe", ["dcgan", "harvest", "reggan"])
def test_help_lists_the_options_of_the_recipe(recipe, capsys):
    code, out, _ = ended(lambda: train_command.main(["--recipe", recipe, "--help"]), capsys)
    assert code == 0
    for option in (
        "--recipe",
        "--preset",
        "--rule",
        "--steps",
        "--size",
        "--seed",
        "--device",
        "--resume",
        "--dry-run",
    ):
        assert option in out
    assert ("--classifier-steps" in out) == (recipe != "dcgan")


USAGE = {
    "unknown recipe 'stylegan'; known: bigan, bigan-pgp, cdcgan, ": ["--recipe", "stylegan"],
    "unknown preset 'fast'; known: fine, pairs, paper, points, quick": ["--preset", "fast"],
    "unknown rule 'tidy'": ["--rule", "tidy"],
    "steps is -5, must be greater than or equal to 1": ["--steps", "-5"],
    "batch_size is 100000000000, must be less than or equal to 65536": ["--batch-size", "100000000000"],
    "width is 0, must be greater than or equal to 1": ["--width", "0"],
    "--decay has a new name: --lr-decay": ["--decay", "0.5"],
    "--no-honest has a new name: --no-teach-classifier": ["--no-honest"],
    "--kept has a new name: --harvest-size": ["--kept=100"],
    "unknown renderer 'spheres'; known: binary_blobs, circles, polygons": ["--renderer", "spheres"],
    "--renderer polygons applies only to rendered images": ["--renderer", "polygons", "--recipe", "toy-1d"],
    "--renderer circles applies only to rendered images": ["--renderer", "circles", "--data", "."],
    "--rule applies only to images, but recipe cyclegan makes pairs": ["--recipe", "cyclegan", "--rule", "solid"],
    "--size applies only to images and pairs": ["--recipe", "toy-1d", "--size", "64"],
    "accepts only --data, --device, --json, --steps": ["--resume", "somewhere", "--recipe", "harvest"],
    "start a new run from its weights with --init": ["--resume", "somewhere", "--init", "elsewhere"],
}


@pytest.mark.parametrize("message", USAGE)
def test_wrong_usage_is_one_line_and_ends_with_2(message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = ended(lambda: train_command.main(USAGE[message]), capsys)
    assert code == 2
    assert len(err) == 1
    assert message in err[0]
    assert not out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments", [["--no-such-option", "1"], ["--steps", "many"], ["--data.images", "-1"], ["--data.counts", "1", "1"]]
)
def test_what_the_parser_refuses_ends_with_2(arguments, capsys):
    code, _, err = ended(lambda: train_command.main(arguments), capsys)
    assert code == 2
    assert err


def test_a_device_that_is_not_there_is_a_failure(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = ended(lambda: train_command.main(["--device", "nonsense"]), capsys)
    assert code == 1
    assert err[0].startswith("error: device is 'nonsense'")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_size_that_the_networks_cannot_do_is_a_failure(more, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = ended(lambda: train_command.main(["--size", "133", *more]), capsys)
    assert (code, out) == (1, "")
    assert err[0].startswith("error: size is 133, must be from 8 to 128")
    assert not list(tmp_path.iterdir())


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def last_checkpoint(run):
    return list_checkpoints(run / "checkpoints")[-1]


def tensor_files(run):
    last = last_checkpoint(run)
    return [last.with_suffix(ending) for ending in (".safetensors", ".generator.safetensors")]


DAMAGE = {
    "is not a run directory": lambda run: (run / "config.json").unlink(),
    "damaged": lambda run: (run / "config.json").write_text("{"),
    "reads format 3; use the version that wrote it": lambda run: edit(
        run / "config.json", '"format": 3', '"format": 2'
    ),
    "'regan' is not a recipe": lambda run: edit(run / "config.json", '"name": "harvest"', '"name": "regan"'),
    "size is 131": lambda run: edit(run / "config.json", '"size": 32', '"size": 131'),
    "steps is '6', must be a valid integer": lambda run: edit(run / "config.json", '"steps": 6', '"steps": "6"'),
    "checksum": lambda run: [path.write_bytes(b"x" * 1000) for path in tensor_files(run)],
    "truncated": lambda run: last_checkpoint(run).write_text("{"),
    "No such file": lambda run: [path.unlink() for path in tensor_files(run)],
    "not of these networks": lambda run: edit(run / "config.json", '"width": 4', '"width": 8'),
}


@pytest.mark.parametrize("message", DAMAGE)
@pytest.mark.parametrize("command", ["resume", "generate", "evaluate"])
def test_a_damaged_run_is_one_clear_error_and_stays_as_it_is(message, command, run, capsys):
    DAMAGE[message](run)
    before = contents(run)
    calls = {
        "resume": lambda: train_command.main(["--resume", str(run)]),
        "generate": lambda: generate_command.main([str(run), "-n", "3"]),
        "evaluate": lambda: evaluate_command.main([str(run), "-n", "100"]),
    }
    code, out, err = ended(calls[command], capsys)
    assert code == 1
    assert len(err) == 1
    assert err[0].startswith("error: ")
    assert message in err[0]
    assert not out
    assert contents(run) == before


def test_generate_reads_of_the_tensors_only_those_of_the_generator(run, tmp_path, capsys):
    state, _ = tensor_files(run)
    images = []
    for name in ("all", "generator"):
        code, _, _ = ended(
            lambda name=name: generate_command.main([str(run), "-n", "3", "--out", str(tmp_path / name)]), capsys
        )
        assert code == 0
        images.append([path.read_bytes() for path in sorted((tmp_path / name).iterdir())])
        state.unlink(missing_ok=True)
    assert images[0] == images[1]
    for other in (
        lambda: train_command.main(["--resume", str(run)]),
        lambda: evaluate_command.main([str(run), "-n", "100"]),
    ):
        code, _, err = ended(other, capsys)
        assert code == 1
        assert err[-1].endswith(f"No such file or directory: {state}")


def test_a_run_that_is_not_there_is_said(tmp_path, capsys):
    for call in (
        lambda: train_command.main(["--resume", str(tmp_path / "none")]),
        lambda: generate_command.main([str(tmp_path / "none")]),
    ):
        code, _, err = ended(call, capsys)
        assert code == 1
        assert "is not a run directory" in err[0]


def test_a_directory_in_use_is_left_alone(run, capsys):
    before = contents(run)
    code, _, err = ended(lambda: train_command.main(["--run", str(run), *flags(tiny())]), capsys)
    assert code == 1
    assert "not an empty directory" in err[0]
    assert contents(run) == before


def test_a_run_that_could_not_begin_leaves_its_name_free(tmp_path, capsys):
    (tmp_path / "images").mkdir()
    arguments = ["--recipe", "dcgan", "--run", str(tmp_path / "run"), "--data", str(tmp_path / "images")]
    code, _, err = ended(lambda: train_command.main(arguments), capsys)
    assert code == 1
    assert str(tmp_path / "images") in err[-1]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("error", "expected"), [(KeyboardInterrupt, 130), (MemoryError, 1), (ZeroDivisionError, 1), (RuntimeError, None)]
)
def test_whatever_ends_a_run_before_it_began_leaves_its_name_free(error, expected, tmp_path, capsys, monkeypatch):
    def end(*arguments, **options):
        raise error

    monkeypatch.setattr(RenderedImages, "open", end)
    arguments = ["--run", str(tmp_path / "run"), *flags(tiny())]
    if expected is None:
        with pytest.raises(error):
            train_command.main(arguments)
    else:
        assert ended(lambda: train_command.main(arguments), capsys)[0] == expected
    assert not (tmp_path / "run").exists()


READS_FOR_LONG = """
import sys, time
from reggan import train
from reggan.data import RenderedImages
def read(*arguments, **options):
    print("reading", flush=True)
    time.sleep(60)
RenderedImages.open = read
sys.exit(train.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_while_data_are_read_leaves_nothing(number, tmp_path):
    code = [sys.executable, "-c", READS_FOR_LONG, "--run", tmp_path / "run", *flags(tiny())]
    with subprocess.Popen(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "reading\n"
        assert (tmp_path / "run").exists()
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1] == f"stopped: before anything was saved; {tmp_path / 'run'} was removed"
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_began_stays_and_says_how_to_go_on_after_a_second_ctrl_c(run, tmp_path, capsys, monkeypatch):
    def interrupted(given):
        shutil.copytree(run, given.path, dirs_exist_ok=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(RunDirectory, "train", interrupted)
    code, _, err = ended(lambda: train_command.main(["--run", str(tmp_path / "new"), *flags(tiny())]), capsys)
    assert code == 130
    assert err[-1].endswith(f"continue with: python -m reggan.train --resume {tmp_path / 'new'}")
    assert list_checkpoints(tmp_path / "new" / "checkpoints")


@pytest.mark.parametrize("inside", ["config.json", "checkpoints/step-00000011.json", "checkpoints", "samples/none.png"])
def test_what_lies_in_a_run_directory_is_not_taken_for_one(inside, run, capsys):
    given = run / inside
    is_file = "is a file" if given.is_file() else "is not a run directory"
    for call in (
        lambda: train_command.main(["--resume", str(given)]),
        lambda: generate_command.main([str(given)]),
        lambda: evaluate_command.main([str(given)]),
        lambda: cli.execute(partial(report.write_report, given)),
    ):
        code, _, err = ended(call, capsys)
        assert code == 1
        assert err[-1].startswith(f"error: {given} {is_file}")
        assert err[-1].endswith(f"; give the run directory {run}, which holds config.json")


def test_a_file_that_lies_anywhere_is_not_taken_for_a_run(tmp_path, capsys):
    (tmp_path / "step-00000010.safetensors").touch()
    code, _, err = ended(lambda: generate_command.main([str(tmp_path / "step-00000010.safetensors")]), capsys)
    assert code == 1
    assert err[-1].endswith("is a file; give the run directory, which holds config.json")


def test_a_configuration_that_cannot_be_read_is_not_called_damaged(run, capsys, monkeypatch):
    def refuse(path, encoding):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "read_text", refuse)
    code, _, err = ended(lambda: generate_command.main([str(run)]), capsys)
    assert code == 1
    assert err[-1].endswith("config.json cannot be read: Permission denied")


def test_a_table_that_could_not_be_written_is_said_before_a_training(run, tmp_path, capsys):
    before = contents(run)
    nowhere = ["--json", str(tmp_path / "nowhere" / "x.json")]
    for call in (
        lambda: train_command.main(["--run", str(tmp_path / "new"), *flags(tiny()), *nowhere]),
        lambda: generate_command.main([str(run), *nowhere]),
    ):
        code, _, err = ended(call, capsys)
        assert code == 1
        assert "--json cannot be written there" in err[0]
    code, _, err = ended(lambda: generate_command.main([str(run), "--json", str(tmp_path)]), capsys)
    assert code == 1
    assert "is a folder, but --json must name a file" in err[0]
    assert contents(run) == before
    assert not (tmp_path / "new").exists()


def test_steps_that_are_all_warmup_are_said(tmp_path, capsys):
    config = tiny()
    config = replace(config, recipe=replace(config.recipe, warmup=1.0))
    for arguments in (["--run", str(tmp_path / "run")], ["--dry-run"]):
        code, _, err = ended(lambda given=arguments: train_command.main([*given, *flags(config)]), capsys)
        assert code == 0
        assert any("all 6 steps are warm-up, and the rule is not used: --warmup is 1" in line for line in err)
    assert ended(lambda: train_command.main(["--steps=2000", "--dry-run"]), capsys)[2] == []


def test_a_second_ctrl_c_leaves_out_the_report_and_says_how_to_go_on(run, capsys, monkeypatch):
    def stopped(run, **options):
        raise Stopped("stopped at step 3 of 6")

    def interrupted(run):
        raise KeyboardInterrupt

    monkeypatch.setattr(RunDirectory, "train", stopped)
    monkeypatch.setattr("reggan.report.write_report", interrupted)
    code, _, err = ended(lambda: train_command.main(["--resume", str(run)]), capsys)
    assert code == 130
    assert err[-1].endswith(f"continue with: python -m reggan.train --resume {run}")


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
from reggan import train
sys.exit(train.main(sys.argv[1:]))
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on file sizes")
def test_a_full_disk_is_one_clear_error_and_the_run_can_go_on(finished, tmp_path, capsys):
    run = shutil.copytree(finished, tmp_path / "run")
    for path in (*tensor_files(run), last_checkpoint(run), run / "summary.json"):
        path.unlink()
    before = contents(run / "checkpoints")
    done = subprocess.run([sys.executable, "-c", LIMITED, "--resume", run], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    assert contents(run / "checkpoints") == before
    code, out, _ = ended(lambda: train_command.main(["--resume", str(run)]), capsys)
    assert code == 0
    assert out.splitlines()[-1] == str(run)
    assert (run / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_generate_writes_images_and_prints_their_exact_scores(run, capsys, tmp_path):
    out_dir, described = tmp_path / "images", tmp_path / "scores.json"
    arguments = [str(run), "-n", "5", "--out", str(out_dir), "--json", str(described)]
    code, out, _ = ended(lambda: generate_command.main(arguments), capsys)
    assert code == 0
    printed = re.findall(r"^(\S+\.png)\s+([\d.]+)$", out, re.M)
    assert [path for path, _ in printed] == [str(out_dir / f"{k:05d}.png") for k in range(5)]
    images = np.stack([read(path) for path, _ in printed])
    assert images.shape == (5, 32, 32)
    assert [f"{s:.6f}" for s in score(images)] == [value for _, value in printed]
    assert json.loads(described.read_text())["scores"] == [float(s) for s in score(images)]
    assert {path.name for path in out_dir.iterdir()} >= {"sheet.png", "sheet-pieces.png"}


def test_generate_is_a_function_of_the_seed(run, capsys, tmp_path):
    def images(seed, count, name):
        assert (
            ended(
                lambda: generate_command.main(
                    [str(run), "-n", str(count), "--seed", str(seed), "--out", str(tmp_path / name)]
                ),
                capsys,
            )[0]
            == 0
        )
        return {path.name: path.read_bytes() for path in (tmp_path / name).glob("0*.png")}

    first, longer = images(1, 3, "a"), images(1, 6, "b")
    assert all(longer[name] == content for name, content in first.items())
    assert images(2, 3, "c") != first


def test_generate_leaves_no_image_of_an_earlier_call_beside_the_new_ones(run, capsys, tmp_path):
    def made(count, *options):
        return ended(lambda: generate_command.main([str(run), "-n", str(count), *options]), capsys)

    assert made(5)[0] == made(3)[0] == 0
    assert len(list((run / "generated-seed0").glob("0*.png"))) == 3
    out = ["--out", str(tmp_path / "mine")]
    assert made(5, *out)[0] == made(5, *out)[0] == 0
    before = contents(tmp_path / "mine")
    code, _, err = made(3, *out)
    assert code == 1
    assert "00003.png is from an earlier call and would remain" in err[0]
    assert contents(tmp_path / "mine") == before


def test_generate_requires_a_score(run, capsys, tmp_path):
    level = 0.2
    arguments = [str(run), "-n", "4", "--out", str(tmp_path / "kept"), "--require", str(level)]
    code, out, _ = ended(lambda: generate_command.main(arguments), capsys)
    assert code == 0
    assert all(float(value) >= level for value in re.findall(r"\.png\s+([\d.]+)$", out, re.M))
    assert re.search(r"^kept [\d.]+% of \d+ samples", out, re.M)


def test_generate_repairs_what_fails(run, capsys, tmp_path):
    made = {}
    for name, options in (("as-made", []), ("repaired", ["--repair"]), ("erased", ["--repair", "--method", "erase"])):
        described = tmp_path / f"{name}.json"
        arguments = [str(run), "-n", "20", "--out", str(tmp_path / name), "--json", str(described), *options]
        code, out, _ = ended(lambda arguments=arguments: generate_command.main(arguments), capsys)
        assert code == 0
        images = np.stack([read(tmp_path / name / f"{k:05d}.png") for k in range(20)])
        made[name] = images, json.loads(described.read_text()), out
    images, described, _ = made["as-made"]
    assert "changed" not in described
    assert (score(images) < 1).any()
    for name in ("repaired", "erased"):
        repaired, described, out = made[name]
        changed = ((images <= 127) != (repaired <= 127)).sum((1, 2))
        assert described["changed"] == changed.tolist()
        assert (score(repaired)[changed > 0] == 1).all()
        assert (repaired[changed == 0] == images[changed == 0]).all()
        listed = json.loads((tmp_path / name / "repaired.json").read_text())
        assert listed == {f"{k:05d}.png": int(n) for k, n in enumerate(changed) if n}
        assert re.search(rf"00000\.png  [\d.]+  {changed[0]} pixels changed", out)
        assert re.search(rf"repaired {(changed > 0).sum()} of 20 images, [\d.]+% of pixels changed", out)
    code, _, err = ended(lambda: generate_command.main([str(run), "--repair", "--method", "fold"]), capsys)
    assert code == 1
    assert (
        "method is 'fold', must be one of search, slide, erase, bridge to repair Connected(threshold=0.5, con" in err[0]
    )
    assert ended(lambda: generate_command.main([str(run), "--method", "erase"]), capsys)[0] == 2


def test_generate_gives_up_with_a_reason(run, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(Sampler, "make", lambda sampler, z: np.full((len(z), 32, 32), 255, np.uint8))
    arguments = [
        str(run),
        "-n",
        "2",
        "--require",
        "1.0",
        "--max-tries",
        "10",
        "--out",
        str(tmp_path / "none"),
    ]
    code, out, err = ended(lambda: generate_command.main(arguments), capsys)
    assert code == 1
    assert "only 0 of 256 samples have a score of at least 1.0" in err[0]
    assert not out
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("arguments", [["-n", "0"], ["--require", "1.5"], ["--seed", "-1"], ["--max-tries", "0"]])
def test_generate_refuses_what_makes_no_sense(arguments, run, capsys):
    code, _, err = ended(lambda: generate_command.main([str(run), *arguments]), capsys)
    assert code == 2
    assert "must be" in err[0]


def test_reggan_is_the_same_commands(run, capsys, tmp_path):
    code, out, _ = ended(lambda: cli.main(["generate", str(run), "-n", "1", "--out", str(tmp_path / "o")]), capsys)
    assert code == 0
    assert "00000.png" in out
    assert ended(lambda: cli.main(["--help"]), capsys)[0] == 0
    code, _, err = ended(lambda: cli.main(["trian"]), capsys)
    assert code == 2
    assert any("train" in line for line in err)


PRINTS = "import sys; from reggan.cli import execute; sys.exit(execute(lambda: print('x')))"


@pytest.mark.parametrize(
    "command",
    [["-m", "reggan.train", "--help"], ["-c", PRINTS], ["-u", "-c", PRINTS]],
    ids=["help", "buffered", "unbuffered"],
)
def test_a_command_whose_output_nobody_reads_ends_silently(command, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_command_without_standard_streams_does_its_work(closed, tmp_path):
    code = f"import sys; sys.{closed} = None; from reggan.cli import main; sys.exit(main(sys.argv[1:]))"
    made = [sys.executable, "-c", code, "data", "make", str(tmp_path / "set"), "--images", "20", "--size", "16"]
    assert subprocess.run(made, capture_output=True).returncode == 0
    assert len(list(tmp_path.glob("set/*.npy"))) == 1


HELP = """
import sys
from reggan import cli
from reggan.data.__main__ import COMMANDS
asked = [[], ["data"], *([name] for name in cli.COMMANDS), *(["data", name] for name in COMMANDS)]
for words in [*asked, ["train", "--recipe", "cyclegan"]]:
    sys.stdout.reconfigure(errors="strict")
    try:
        code = cli.main([*words, "--help"])
    except SystemExit as ended:
        code = ended.code
    if code:
        sys.exit(f"{words}: {code}")
sys.exit(cli.main(["train", "--lr", "0", "--rule", "\\u221d"]))
"""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", None])
def test_whatever_the_encoding_everything_can_be_printed(encoding):
    encoded = {"PYTHONIOENCODING": encoding} if encoding else {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    environment = {**os.environ, "PYTHONUTF8": "0", **encoded}
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, env=environment)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith(b"error: ")
    assert b"\\u221d exp(candidate_beta * score)" in done.stdout


GENERATES_AND_FAILS = """
import sys
from reggan.cli import main
code = main(["generate", sys.argv[1], "-n", "1"])
sys.exit(f"generate: {code}" if code else main(["evaluate", sys.argv[1] + "-none"]))
"""


@pytest.mark.parametrize("locale", [{"PYTHONIOENCODING": "utf-8"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}])
def test_names_of_files_are_printed_as_the_bytes_that_they_are(locale, run):
    odd = os.fsencode(run) + b"-\xff-\xce\xa9"
    shutil.copytree(os.fsencode(run), odd)
    environment = {**os.environ, "PYTHONUTF8": "0", **locale}

    done = subprocess.run([sys.executable, "-c", GENERATES_AND_FAILS, odd], capture_output=True, env=environment)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[0].startswith(odd + b"/generated-seed0/00000.png  ")
    assert done.stderr.splitlines()[-1].startswith(b"error: " + odd + b"-none is not a run directory")
    assert write_report(Path(os.fsdecode(odd))).read_text(encoding="utf-8").count(r"-\udcff-Ω") > 0


def test_files_are_utf_8_whatever_the_locale(tmp_path):
    RunDirectory.create(tmp_path / "run", tiny("dcgan", data=Files("/Ω")))
    path = tmp_path / "run" / "config.json"
    path.write_text(path.read_text(encoding="utf-8").replace("\\u03a9", "Ω"), encoding="utf-8")
    code = "import sys; from pathlib import Path; from reggan.runs import RunDirectory"
    code += "; print(ascii(RunDirectory.open(Path(sys.argv[1])).config.data.path))"
    environment = {**os.environ, "PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "-c", code, path.parent], capture_output=True, text=True, env=environment)
    assert done.stdout == "'/\\u03a9'\n", done.stderr


def test_modules_run_without_a_warning():
    # `python -m` warns of a module that importing its package has imported already.
    run = {"data": "data.__main__", "rules": "rules.__main__"}
    code = "import sys, reggan.data; print(*(set(sys.argv) & sys.modules.keys()))"
    modules = [f"reggan.{run.get(name, name)}" for name in cli.COMMANDS]
    done = subprocess.run([sys.executable, "-c", code, *modules], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_runs_are_named_after_what_they_make(tmp_path):
    names = {
        "repair": "repair-connected-32px-seed0",
        "harvest": "harvest-connected-32px-seed0",
        "gan": "gan-connected-32px-seed0",
    }
    names |= {"toy-1d": "toy-1d-normal-3-seed0", "cyclegan": "cyclegan-32px-seed0"}
    for recipe, name in names.items():
        config = train_command._parse(["--recipe", recipe]).config
        assert train_command._next_free(tmp_path, config) == tmp_path / name
