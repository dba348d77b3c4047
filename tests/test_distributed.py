"""Two ranks under torchrun arrive where one process with the joined batch does."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_training import make_trainer, tiny, train_on

from reggan.checkpoint import list_checkpoints, load_checkpoint
from reggan.distributed import Ranks
from reggan.locks import train_alone
from reggan.recipes import RegGAN
from reggan.runs import RunDirectory

RECIPES = ("harvest", "penalty", "reggan", "reggan-wgan-gp", "wdcgan", "wgan")

SCRIPT = """
import sys
from pathlib import Path
import torch
from torch import nn
from reggan.distributed import start
from reggan.runs import RunDirectory

with start() as ranks:
    assert ranks.count == 2
    for run in sys.argv[2:]:
        RunDirectory.open(Path(run)).train(log=False)

    # Batch norm on stripes: its values, its statistics and both its gradients are those on the joined batch.
    joined = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    weights = torch.randn(joined.shape, generator=torch.Generator().manual_seed(1))
    whole, parts = nn.BatchNorm2d(3), nn.Sequential(nn.BatchNorm2d(3))
    ranks.synchronize(parts)
    one, two = joined.clone().requires_grad_(), ranks.shard(joined).clone().requires_grad_()
    (whole(one) * weights).mean().backward()
    (parts(two) * ranks.shard(weights)).mean().backward()
    ranks.average_gradients(parts.parameters())
    for mine, other in (
        (ranks.all_gather(parts(two)), whole(one)),
        (ranks.all_gather(two.grad) / 2, one.grad),
        (parts[0].weight.grad, whole.weight.grad),
        (parts[0].bias.grad, whole.bias.grad),
        (parts[0].running_mean, whole.running_mean),
        (parts[0].running_var, whole.running_var),
        (parts[0].num_batches_tracked, whole.num_batches_tracked),
    ):
        torch.testing.assert_close(mine, other)
    assert ranks.any(ranks.rank == 1) and not ranks.any(False)
    assert ranks.broadcast(ranks.rank) == 0
    Path(sys.argv[1]).with_suffix(f".{ranks.rank}").touch()
"""


def started(*arguments):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)


def torchrun(*arguments):
    done = started(*arguments)
    if "terminate called without an active exception" in done.stderr:
        # Seen on a crowded machine, cause not found yet. What a rank raises is not excused.
        pytest.skip("a rank was ended by a thread of torch's")
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def config(recipe):
    # Float64 sums are not at hand everywhere: in so few steps float32 still tells rounding from a wrong formula.
    tried = tiny(recipe, precision="float32", log_every=1, batch_size=16)
    # A sign that is a matter of luck moves a weight by the rate: one rate for all, that of the tolerances below.
    of_base = {"base": replace(tried.recipe.base, lr=2e-4)} if isinstance(tried.recipe, RegGAN) else {"lr": 2e-4}
    tried = replace(tried, recipe=replace(tried.recipe, **of_base))
    if recipe == "harvest":
        # Two ranks look at an even number of images.
        tried = replace(tried, recipe=replace(tried.recipe, acceptance=0.05))
    return tried


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Run directories (one process, two ranks) by recipe."""
    folder = tmp_path_factory.mktemp("ranks")
    made = {recipe: (folder / f"{recipe}-one", folder / f"{recipe}-two") for recipe in RECIPES}
    for recipe, (one, two) in made.items():
        RunDirectory.create(one, config(recipe))
        RunDirectory.create(two, config(recipe))
        train_on(one)
    script = folder / "fit.py"
    script.write_text(SCRIPT)
    torchrun(script, script, *(two for _, two in made.values()))
    assert (folder / "fit.0").exists()
    assert (folder / "fit.1").exists()
    return made


@pytest.mark.parametrize("recipe", RECIPES)
def test_two_ranks_arrive_where_one_process_does(runs, recipe):
    lines = [[json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in runs[recipe]]
    assert len(lines[0]) > 3
    for one, two in zip(*lines, strict=True):
        assert one.keys() == two.keys()
        for key in one:
            assert two[key] == pytest.approx(one[key], rel=0.02, abs=0.02) if key != "stage" else one[key] == two[key]
    one, two = (load_checkpoint(list_checkpoints(run / "checkpoints")[-1])[0] for run in runs[recipe])
    assert one.keys() == two.keys()
    for key, tensor in one.items():
        if tensor.is_floating_point() and "optimizer" not in key:
            # Adam's first steps are the rate, whatever the size of the gradient: where that is 0 but for rounding, the
            # sign is a matter of luck.
            close = torch.isclose(tensor, two[key], rtol=0.01, atol=1e-4).float().mean()
            assert close > 0.97, f"{key}: only {close:.1%} are equal"


def test_torchrun_trains_by_the_command(tmp_path):
    described = tmp_path / "config.json"
    # Translators are measured by the first rank alone.
    options = ["--recipe", "cyclegan-fused", "--width", 4, "--blocks", 1, "--steps", 3, "--batch-size", 4]
    options += ["--eval-images", 16, "--run", tmp_path / "run", "--json", described, "--device", "cpu"]
    # Without the two dashes torchrun takes --run for an option of its own, cut short.
    said = torchrun("-m", "--", "reggan.train", *options)
    assert said.splitlines()[-1] == str(tmp_path / "run")
    assert said.count("exact score") == 1
    assert set(json.loads(described.read_text())) == {"data", "generator"}
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert steps[-1] == 3


FAILS_ALONE = """
import sys, time
from reggan import train
from reggan.data import RenderedImages
from reggan.distributed import Ranks
def read(*arguments, **options):
    if Ranks.current().rank == 1:
        raise ValueError("the pictures are gone")
    time.sleep(60)
RenderedImages.open = read
sys.exit(train.main(sys.argv[1:]))
"""


def test_a_rank_that_fails_before_the_first_step_leaves_no_run(tmp_path):
    (script := tmp_path / "fail.py").write_text(FAILS_ALONE)
    ended = started("--", script, "--run", tmp_path / "run", "--device", "cpu", "--batch-size", 8)
    assert ended.returncode != 0
    assert "error: the pictures are gone" in ended.stderr
    assert not (tmp_path / "run").exists()


def test_all_ranks_say_that_a_run_is_in_use(tmp_path):
    run = tmp_path / "run"
    RunDirectory.create(run, config("dcgan"))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--"]
    with train_alone(run, Ranks()):
        done = subprocess.run([*command, "reggan.train", "--resume", run], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert 1 <= done.stderr.count(f"error: {run} is being trained by process {os.getpid()}") <= 2
    assert not (run / "metrics.jsonl").exists()


def test_a_batch_that_ranks_cannot_share_is_an_error(monkeypatch):
    monkeypatch.setattr(Ranks, "current", classmethod(lambda cls: cls(0, 3)))
    with pytest.raises(ValueError, match="batch_size is 16, must be a multiple of the 3 ranks"):
        make_trainer(config("dcgan"))


def test_stripes_make_up_the_whole():
    whole = torch.arange(12).view(6, 2)
    stripes = [Ranks(rank, 3).shard(whole) for rank in range(3)]
    np.testing.assert_array_equal(torch.stack(stripes, dim=1).flatten(0, 1), whole)
    assert torch.equal(Ranks().all_gather(whole), whole)
    assert Ranks().broadcast(Path()) == Path()
