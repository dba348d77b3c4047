"""The loop: phases, determinism, resuming, and the run directory."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reggan import Polygons, evaluate, generate, runs, score, training
from reggan.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint
from reggan.data import Pairs, Points, RenderedImages
from reggan.metrics import Comparison, bootstrap, fidelity
from reggan.modalities import ImageModality
from reggan.presets import preset
from reggan.randomness import private_generator
from reggan.recipes import RECIPES, RegGAN
from reggan.recording import seconds_trained
from reggan.runs import RunDirectory

TINY = {
    "steps": 6,
    "batch_size": 8,
    "device": "cpu",
    "precision": "float32",
    "log_every": 2,
    "eval_every": 3,
    "eval_images": 16,
    "sample_every": 4,
    "checkpoint_every": 4,
}


IMAGE_RECIPES = [name for name, recipe in RECIPES.items() if "images" in recipe.makes]
POINT_RECIPES = [name for name, recipe in RECIPES.items() if "points" in recipe.makes]


def tiny_points(recipe, mixture="ring-8", **changes):
    config = preset("points", recipe)
    return replace(config, **(TINY | {"recipe": replace(config.recipe, width=8), "data": Points(mixture)} | changes))


def tiny_pairs(recipe, **changes):
    config = preset("pairs", recipe)
    options = {"width": 4, "blocks": 2, "patch_layers": 1, "history": 6}
    data = Pairs(RenderedImages(images=100, classes=()), RenderedImages(images=100, spec=Polygons(), classes=()))
    return replace(config, **(TINY | {"recipe": replace(config.recipe, **options), "data": data} | changes))


def tiny(recipe="harvest", **changes):
    if recipe not in IMAGE_RECIPES:
        return (tiny_points if recipe in POINT_RECIPES else tiny_pairs)(recipe, **changes)
    config = preset("quick", recipe)
    options = {"width": 4}
    if recipe == "harvest" or recipe.startswith("reggan"):
        options |= {"classifier_steps": 5, "classifier_width": 4, "warmup": 2 / changes.get("steps", TINY["steps"])}
    if recipe == "harvest":
        options |= {"harvest_size": 20, "replay": 40, "rounds": 2}
    if isinstance(config.recipe, RegGAN):
        options["base"] = replace(config.recipe.base, width=options.pop("width"))
    data = replace(config.data, images=500)
    return replace(config, **(TINY | {"recipe": replace(config.recipe, **options), "data": data} | changes))


def train(run, config, until=None):
    """Train a new run, to its end or to a step."""
    RunDirectory.create(run, config)
    return train_on(run, until)


def train_on(run, until=None, **changes):
    """Go on with a run; changes are options by their path, with two underscores for a dot."""
    changes = {name.replace("__", "."): value for name, value in changes.items()}
    return RunDirectory.open(run, changes).train(stop_at(until), log=False)


def stop_at(step):
    return [lambda trainer, done: trainer.stop() if done.number == step else None]


def make_trainer(config):
    """The trainer of a configuration, with its data."""
    trainer = runs.make_trainer(config)
    trainer.use(config.open_data())
    return trainer


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "finished"
    train(run, tiny())
    return run


def lines(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def weights(run):
    return load_checkpoint(list_checkpoints(run / "checkpoints")[-1])[0]


def assert_same_results(run, other):
    assert (run / "metrics.jsonl").read_bytes() == (other / "metrics.jsonl").read_bytes()
    assert (run / "summary.json").read_bytes() == (other / "summary.json").read_bytes()
    for path in (run / "samples").iterdir():
        assert path.read_bytes() == (other / "samples" / path.name).read_bytes()
    ours, theirs = weights(run), weights(other)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.usefixtures("in_short")
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_leaves_a_whole_run_directory_and_resumes_to_the_same(tmp_path, recipe):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    summary = train(whole, tiny(recipe))
    names = {path.name for path in whole.iterdir()}
    assert names == {
        "config.json",
        "metrics.jsonl",
        "timings.jsonl",
        "samples",
        "checkpoints",
        "summary.json",
    }
    assert summary.keys() == {"data", "generator"}
    if recipe in IMAGE_RECIPES:
        assert summary["data"]["score"] == pytest.approx(0.53, abs=0.05)
        assert summary["data"]["one_piece"] == 0
    assert RunDirectory.open(whole).config == tiny(recipe)
    assert train(broken, tiny(recipe), 3) == {}
    train_on(broken)
    assert_same_results(whole, broken)


def test_the_clock_of_a_run_goes_on_where_it_was_left(tmp_path):
    run = tmp_path / "run"
    train(run, tiny(), 4)
    (run / "timings.jsonl").write_text('{"step": 4, "seconds": 1000.0, "images_per_second": 1.0}\n')
    train_on(run)
    first, *others = (json.loads(line)["seconds"] for line in (run / "timings.jsonl").read_text().splitlines())
    assert first == 1000
    assert others == sorted(others)
    assert 1000 < seconds_trained(run) == others[-1]


@pytest.mark.usefixtures("in_short")
@pytest.mark.parametrize("recipe", IMAGE_RECIPES)
def test_every_recipe_makes_images_in_color_and_of_28_pixels(tmp_path, monkeypatch, recipe):
    monkeypatch.setattr(bootstrap, "_RESAMPLES", 3)
    data = RenderedImages(images=300, spec=Polygons(color=True), classes=())
    run = tmp_path / "run"
    train(run, tiny(recipe, data=data, size=28))
    with Image.open(run / "samples" / "data.png") as sheet:
        red, green, blue = np.moveaxis(np.asarray(sheet), -1, 0)
        assert (red != green).any()
        assert (green != blue).any()
    if recipe == "harvest":
        assert evaluate.main([str(run), "--n", "100"]) == 0
    assert generate.main([str(run), "-n", "3", "--out", str(tmp_path / "made")]) == 0
    for path in tmp_path.glob("made/0*.png"):
        with Image.open(path) as image:
            assert (image.mode, image.size) == ("RGB", (28, 28))


@pytest.mark.parametrize("recipe", IMAGE_RECIPES)
def test_a_short_training_brings_every_recipe_nearer_to_the_data(tmp_path, recipe):
    config = tiny(recipe, ema=0.95, batch_size=16, eval_every=100, sample_every=100, checkpoint_every=100)
    base = config.recipe.base if isinstance(config.recipe, RegGAN) else config.recipe
    # Fully connected layers see less in as many numbers.
    base = replace(base, width=128, lr=1e-3) if recipe == "gan" else replace(base, width=8, lr=4e-3)
    # A rule is more than can be learned in so few steps: those that have one do what comes before it.
    before_the_rule = {"warmup": 1.0} if hasattr(config.recipe, "warmup") else {}
    wanted = replace(config.recipe, base=base) if isinstance(config.recipe, RegGAN) else base
    steps = 40 if hasattr(base, "critic_steps") else 100
    config = replace(config, recipe=replace(wanted, **before_the_rule), steps=steps)
    trainer = make_trainer(config)
    untrained = trainer.sample(100, "test")
    train(tmp_path / "run", config)
    sampler = RunDirectory.open(tmp_path / "run").load_sampler()
    trained = sampler.make(config.modality.inputs(config.recipe.prior, 100, private_generator(0, "test")))
    data = config.modality.to_numpy(config.open_data().fetch(np.arange(200)))
    before, after = (fidelity.kernel(Comparison.of(images, data)) for images in (untrained, trained))
    assert after < 0.75 * before


def test_metrics_hold_losses_and_exact_scores(finished):
    found = lines(finished)
    assert [(line["step"], line["stage"], line["generator_step"]) for line in found] == [
        (2, "classifier", 0),
        (4, "classifier", 0),
        (6, "warmup", 1),
        (8, "round 1", 3),
        (10, "round 2", 5),
        (11, "round 2", 6),
    ]
    assert {line["step"] for line in found if "samples/score" in line} == {8, 11}
    assert {"classifier/loss", "classifier/accuracy"} < found[0].keys()
    assert {"discriminator/loss", "generator/loss"} < found[2].keys()
    assert "teach/loss" not in found[2]
    assert {"teach/loss", "begin/score", "begin/obeying", "generator/rule_weight"} < found[3].keys()
    assert "begin/score" in found[4]
    last = found[-1]
    assert 0 <= last["samples/score"] <= 1
    assert 0 <= last["samples/expected_score"] <= 1
    assert {"samples/one_piece", "samples/components", "samples/ink", "samples/diversity"} < last.keys()
    timings = [json.loads(line) for line in (finished / "timings.jsonl").read_text().splitlines()]
    assert [line["step"] for line in timings] == [line["step"] for line in found]
    assert all(line["images_per_second"] > 0 for line in timings)


def test_the_same_configuration_gives_the_same_results(finished, tmp_path):
    train(tmp_path / "run", tiny())
    assert_same_results(tmp_path / "run", finished)


def test_another_seed_gives_other_results(finished, tmp_path):
    train(tmp_path / "run", tiny(seed=1))
    assert lines(tmp_path / "run") != lines(finished)


def test_the_global_generators_are_left_alone(tmp_path):
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    train(tmp_path / "run", tiny())
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


def test_a_finished_run_resumes_to_itself(finished, tmp_path):
    run = tmp_path / "run"
    train(run, tiny())
    train_on(run)
    assert_same_results(run, finished)


def test_lines_after_the_checkpoint_are_written_again(finished, tmp_path):
    run = tmp_path / "run"
    train(run, tiny())
    last = list_checkpoints(run / "checkpoints")[-1]
    assert last.stem == "step-00000011"
    last.unlink()
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 12, "cut sho')
    train_on(run)
    assert_same_results(run, finished)


def command(*arguments):
    return [sys.executable, "-m", "reggan.train", *map(str, arguments)]


def flags(config):
    options = [f"--{name.replace('_', '-')}={getattr(config, name)}" for name in TINY]
    recipe = config.recipe
    return [
        "--recipe=harvest",
        *options,
        f"--width={recipe.width}",
        f"--classifier-steps={recipe.classifier_steps}",
        f"--classifier-width={recipe.classifier_width}",
        f"--warmup={recipe.warmup}",
        f"--harvest-size={recipe.harvest_size}",
        f"--replay={recipe.replay}",
        f"--rounds={recipe.rounds}",
        f"--data.images={config.data.images}",
    ]


def wait_for_checkpoint(process, run, step):
    deadline = time.monotonic() + 120
    while not any(int(path.stem[5:]) >= step for path in list_checkpoints(run / "checkpoints")):
        assert process.poll() is None, "training ended before it could be stopped"
        assert time.monotonic() < deadline, "no checkpoint in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "unbroken"
    train(run, tiny(steps=60, eval_every=20, sample_every=24, checkpoint_every=7))
    return run


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_resumes_to_the_numbers_of_an_unbroken_one(tmp_path, unbroken, number):
    config, run = RunDirectory.open(unbroken).config, tmp_path / "broken"
    process = subprocess.Popen(command("--run", run, *flags(config)), stderr=subprocess.PIPE, text=True)
    wait_for_checkpoint(process, run, 14)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130
        assert said.splitlines()[-1].startswith("stopped: stopped at step")
        assert f"--resume {run}" in said
    assert not (run / "summary.json").exists()
    assert (run / "report.html").exists() == (number != signal.SIGKILL)
    train_on(run)
    assert_same_results(run, unbroken)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_phase_trains_its_network_and_no_other(recipe):
    trainer = make_trainer(tiny(recipe))
    samples = tiny(recipe).open_data().fetch(np.arange(8 * trainer.recipe.draws))
    for stage in trainer.stages:
        for phase in stage.phases:
            before = {name: [p.clone() for p in net.parameters()] for name, net in trainer.networks.items()}
            trainer._run(phase, trainer._batch(samples, 1))
            changed = {
                name
                for name, net in trainer.networks.items()
                if any(not torch.equal(p, q) for p, q in zip(net.parameters(), before[name], strict=True))
            }
            assert changed == {phase.updates}


def test_phases_run_as_often_as_they_say(tmp_path, monkeypatch):
    ran = []
    original = training.Trainer._run

    def record(self, phase, batch):
        ran.append(phase.name)
        return original(self, replace(phase), batch)

    monkeypatch.setattr(training.Trainer, "_run", record)
    config = tiny("reggan")
    recipe = type(config.recipe)
    stages = recipe.stages

    def every_second(self, steps, rule):
        *first, last = stages(self, steps, rule)
        return *first, replace(last, phases=(*last.phases[:-1], replace(last.phases[-1], every=2)))

    monkeypatch.setattr(recipe, "stages", every_second)
    train(tmp_path / "run", config)
    assert ran.count("classifier") == 5
    assert (ran.count("discriminator"), ran.count("generator"), ran.count("rule")) == (6, 6, 2)
    one = ["teach", "discriminator", "generator"]
    assert ran[-7:] == [*one, "rule", *one]


def test_the_average_is_an_exponential_moving_one():
    trainer = make_trainer(tiny(ema=0.9))
    key = "layers.0.weight"
    start = trainer.averaged.state_dict()[key].clone()
    with torch.no_grad():
        trainer.networks["generator"].state_dict()[key].add_(1)
    trainer._average(1000)
    assert torch.allclose(trainer.averaged.state_dict()[key], start + 0.1, atol=1e-6)


def test_a_loaded_generator_makes_the_images_of_the_run(finished):
    run = RunDirectory.open(finished)
    config, sampler = run.config, run.load_sampler()
    images = sampler.make(torch.randn(64, config.recipe.latent_dim, generator=private_generator(0, "sheet")))
    assert images.shape == (64, 32, 32)
    assert images.dtype == np.uint8
    trainer = make_trainer(config)
    trainer.averaged.load_state_dict(sampler.generator.state_dict())
    assert (trainer.sample(64, "sheet") == images).all()
    assert ((score(images) >= 0) & (score(images) <= 1)).all()


def test_the_best_checkpoint_looks_like_the_data(tmp_path, monkeypatch):
    scores = iter([0.5, 0.9, 0.7, 0.8])
    inks = iter([0.2, 0.9, 0.2, 0.2])
    data = {"score": 0.5, "ink": 0.2, "diversity": 0.4, "one_piece": 0.0, "components": 5.0}

    def evaluate(self, count):
        return {**data, "score": next(scores), "ink": next(inks)}

    monkeypatch.setattr(training.Trainer, "evaluate", evaluate)
    monkeypatch.setattr(ImageModality, "summarize", lambda modality, images: data)
    train(tmp_path / "run", tiny(eval_every=2, steps=8))
    (best,) = list_checkpoints(tmp_path / "run" / "checkpoints", "best")
    assert best.stem == "best-00000013"
    assert load_checkpoint(best)[1]["best"] == 0.8


def test_divergence_is_an_error_that_keeps_what_was_saved(tmp_path, monkeypatch):
    original = training.Trainer._run

    def poisoned(self, phase, batch):
        stats = original(self, phase, batch)
        return {**stats, "generator/loss": torch.tensor(float("nan"))} if phase.name == "generator" else stats

    monkeypatch.setattr(training.Trainer, "_run", poisoned)
    with pytest.raises(ArithmeticError, match="diverged at step 6"):
        train(tmp_path / "run", tiny())
    assert list_checkpoints(tmp_path / "run" / "checkpoints")


def poison_weights(trainer):
    trainer.networks["generator"].state_dict()["layers.1.weight"][0] = torch.nan


def poison_buffers(trainer):
    trainer.networks["discriminator"].state_dict()["layers.3.running_var"][0] = torch.inf


def poison_average(trainer):
    trainer.averaged.state_dict()["layers.1.bias"][0] = -torch.inf


def poison_optimizer(trainer):
    next(iter(trainer.optimizers["generator"].state.values()))["exp_avg"][0] = torch.nan


@pytest.fixture
def poisoned(monkeypatch):
    """Let something spoil a trainer when a step is done."""
    average = training.Trainer._average

    def spoil(what, at):
        def poisoned_average(self, steps_done):
            average(self, steps_done)
            if steps_done == at:
                what(self)

        monkeypatch.setattr(training.Trainer, "_average", poisoned_average)

    return spoil


SPOILT = {
    "network/generator/layers.1.weight": poison_weights,
    "network/discriminator/layers.3.running_var": poison_buffers,
    "network/averaged/layers.1.bias": poison_average,
    "optimizer/generator/0/exp_avg": poison_optimizer,
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_not_finite_is_never_saved_and_the_last_good_checkpoint_is_named(name, tmp_path, poisoned):
    config = tiny("dcgan", steps=8, log_every=100, eval_every=7, sample_every=100, checkpoint_every=2)
    poisoned(SPOILT[name], at=6)
    run = tmp_path / "run"
    with pytest.raises(ArithmeticError, match=rf"diverged by step 6: {name} is not finite; .*step-00000004.json"):
        train(run, config)
    kept = list_checkpoints(run / "checkpoints")
    assert [path.stem for path in kept] == ["step-00000002", "step-00000004"]
    assert all(tensor.isfinite().all() for path in kept for tensor in load_checkpoint(path)[0].values())


@pytest.mark.parametrize("recipe", ["dcgan", "toy-1d"])
def test_samples_of_a_generator_that_diverged_are_neither_drawn_nor_measured(recipe, tmp_path, poisoned):
    def poison(trainer):
        for tensor in trainer.averaged.parameters():
            tensor.data[:] = torch.nan

    poisoned(poison, at=6)
    every = {"eval_every": 6, "sample_every": 6, "log_every": 100, "checkpoint_every": 100}
    run = tmp_path / "run"
    with pytest.raises(ArithmeticError, match=r"diverged by step 6: .*; no checkpoint was saved"):
        train(run, tiny(recipe, steps=6, **every))
    assert {path.stem for path in (run / "samples").iterdir()} <= {"data", "data-pieces"}
    assert lines(run) == []
    assert not (run / "summary.json").exists()


def test_a_run_that_diverged_goes_on_from_its_last_good_checkpoint(tmp_path, monkeypatch, poisoned):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    config = tiny("dcgan", checkpoint_every=2)
    train(whole, config)
    poisoned(poison_weights, at=5)
    with pytest.raises(ArithmeticError):
        train(broken, config)
    monkeypatch.undo()
    train_on(broken)
    assert_same_results(whole, broken)


def test_a_checkpoint_that_is_not_finite_is_refused(tmp_path):
    run = tmp_path / "run"
    train(run, tiny("dcgan"))
    last = list_checkpoints(run / "checkpoints")[-1]
    tensors, info = load_checkpoint(last)
    tensors["network/averaged/layers.1.bias"][0] = torch.nan
    save_checkpoint(last.parent, last.stem, tensors, info)
    for use in (train_on, lambda run: RunDirectory.open(run).load_sampler()):
        with pytest.raises(ValueError, match=r"layers\.1\.bias is not finite because training diverged; remove it"):
            use(run)


def test_a_device_that_is_not_there_is_said():
    with pytest.raises(ValueError, match="device is 'nonsense'"):
        make_trainer(tiny(device="nonsense"))


def test_auto_is_resolved_to_something_that_works():
    config = tiny(device="auto", precision="auto")
    assert config.device in ("cpu", "cuda", "mps", "xpu")
    assert config.precision in ("float32", "bfloat16")
    assert replace(config, device="auto", precision="auto") == config


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": True}, "bfloat16"),
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": False}, "float32"),
        ({"cpu_name": "AMD EPYC", "avx512_bf16": True}, "bfloat16"),
        ({"cpu_name": "AMD EPYC"}, "float32"),
        ({}, "float32"),
    ],
)
def test_bfloat16_is_taken_where_a_cpu_is_quicker_at_it(capabilities, precision, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert tiny(device="cpu", precision="auto").precision == precision


def test_bfloat16_trains_too(tmp_path):
    summary = train(tmp_path / "run", tiny(precision="bfloat16"))
    assert np.isfinite(list(summary["generator"].values())).all()


def test_workers_change_nothing(finished, tmp_path):
    train(tmp_path / "run", tiny(workers=2))
    assert_same_results(tmp_path / "run", finished)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_cuda(tmp_path):
    summary = train(tmp_path / "run", tiny(device="cuda", precision="auto"))
    assert np.isfinite(list(summary["generator"].values())).all()


def test_children_of_a_killed_run_do_not_linger(tmp_path):
    run = tmp_path / "run"
    config = tiny(steps=500, checkpoint_every=3)
    process = subprocess.Popen(command("--run", run, *flags(config), "--workers=1"), start_new_session=True)
    wait_for_checkpoint(process, run, 6)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    time.sleep(0.2)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_run_directories_are_not_overwritten(finished):
    before = (finished / "config.json").read_bytes()
    with pytest.raises(FileExistsError, match="not an empty directory"):
        RunDirectory.create(finished, tiny(seed=3))
    assert (finished / "config.json").read_bytes() == before
    with pytest.raises(FileExistsError):
        RunDirectory.create(Path(__file__), tiny())


def test_a_log_that_was_changed_by_hand_is_said(finished, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    (run / "summary.json").unlink()
    (run / "metrics.jsonl").write_text("no json\n" + (run / "metrics.jsonl").read_text())
    with pytest.raises(ValueError, match=r"metrics\.jsonl is damaged in line 1"):
        train_on(run)


@pytest.fixture
def changed_stages(monkeypatch):
    """A trainer of a recipe whose phases are changed by a function of (stage, phase)."""

    def create(recipe, change):
        kind = type(tiny(recipe).recipe)
        original = kind.stages

        def stages(self, steps, rule):
            return tuple(
                replace(stage, phases=tuple(change(stage, phase) for phase in stage.phases))
                for stage in original(self, steps, rule)
            )

        monkeypatch.setattr(kind, "stages", stages)
        return make_trainer(tiny(recipe))

    return create


def test_phases_of_one_name_have_one_network_and_one_optimizer(changed_stages):
    def renamed(stage, phase):
        return replace(phase, name="adversary") if phase.name in ("discriminator", "generator") else phase

    with pytest.raises(ValueError, match="two phases named 'adversary' have different networks"):
        changed_stages("dcgan", renamed)


def test_phases_of_one_name_in_two_stages_have_one_optimizer(changed_stages):
    def slower(stage, phase):
        rate = 1e-3 if stage.name == "warmup" else 1e-4
        return replace(phase, optimizer=partial(torch.optim.SGD, lr=rate)) if phase.updates == "generator" else phase

    with pytest.raises(ValueError, match="two phases named 'generator' have different optimizers"):
        changed_stages("harvest", slower)


def test_phases_of_one_name_share_an_optimizer_of_the_same_making(changed_stages):
    trainer = changed_stages("wgan", lambda stage, phase: replace(phase, optimizer=partial(torch.optim.SGD, lr=0.1)))
    assert [phase.name for phase in trainer.stages[0].phases].count("discriminator") == 5
    assert trainer.optimizers.keys() == {"discriminator", "generator"}


def test_a_phase_of_a_network_that_is_not_there_is_said(changed_stages):
    with pytest.raises(ValueError, match="phase 'discriminator' updates 'painter', must be one of generator, discrim"):
        changed_stages("dcgan", lambda stage, phase: replace(phase, updates="painter"))


def in_groups(parameters):
    """An optimizer with a rate of its own for the first parameter."""
    first, *others = parameters
    return torch.optim.Adam([{"params": [first], "lr": 0.01}, {"params": others}], lr=0.001)


def test_each_group_keeps_its_own_rate(changed_stages, tmp_path):
    def grouped(stage, phase):
        return replace(phase, optimizer=in_groups)

    trainer = changed_stages("dcgan", grouped)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(whole, tiny("dcgan", lr_decay=1.0))
    train(broken, tiny("dcgan", lr_decay=1.0), 4)
    train_on(broken)
    assert_same_results(whole, broken)
    for decay, expected in ((0.0, [0.01, 0.001]), (0.5, [0.01 / 3, 0.001 / 3])):
        trainer.schedule = replace(trainer.schedule, lr_decay=decay)
        trainer._set_rates(6)
        assert [group["lr"] for group in trainer.optimizers["generator"].param_groups] == pytest.approx(expected)


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")),
    ],
)
def test_dropout_is_a_function_of_the_seed_and_the_step(tmp_path, monkeypatch, device):
    config = tiny("reggan", device=device)
    build = type(config.recipe).build

    def with_dropout(self, shape, rule):
        return {
            name: make if name == "classes" else lambda make=make: torch.nn.Sequential(torch.nn.Dropout(0.5), make())
            for name, make in build(self, shape, rule).items()
        }

    monkeypatch.setattr(type(config.recipe), "build", with_dropout)
    one, two, broken = tmp_path / "one", tmp_path / "two", tmp_path / "broken"
    for seed, run in enumerate((one, two)):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        train(run, config)
        assert torch.equal(torch.get_rng_state(), before)
    assert_same_results(one, two)
    train(broken, config, 8)
    train_on(broken)
    assert_same_results(one, broken)


def test_rates_fall_at_the_end():
    trainer = make_trainer(tiny(steps=10, lr_decay=0.5))
    rates = []
    for step in (0, 1, 5, 6, 7, 10):
        trainer._set_rates(step)
        rates.append(trainer.optimizers["generator"].param_groups[0]["lr"] / trainer.recipe.lr)
    assert rates == pytest.approx([1, 1, 1, 1, 0.8, 0.2])


@pytest.mark.parametrize(("options", "last"), [({}, 0.05), ({"lr_floor": 0.3}, 0.3), ({"lr_floor": 1.0}, 1.0)])
def test_rates_do_not_fall_below_the_last_one(options, last):
    trainer = make_trainer(tiny(steps=1000, lr_decay=0.5, **options))
    trainer._set_rates(1000)
    assert trainer.optimizers["generator"].param_groups[0]["lr"] == pytest.approx(last * trainer.recipe.lr)
