"""The loop: phases, determinism, resuming, and the run directory."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reggan import RULES, score, training
from reggan.checkpoint import list_checkpoints, load_checkpoint
from reggan.config import preset
from reggan.data import normalize, quantize
from reggan.recipes import RECIPES, Batch
from reggan.recipes.harvest import tilt
from reggan.recipes.memory import Memory

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


def tiny(recipe="harvest", **changes):
    config = preset("quick", recipe)
    options = {"width": 4}
    if recipe in ("harvest", "reggan"):
        options |= {"classifier_steps": 5, "classifier_width": 4, "warmup": 2}
    if recipe == "harvest":
        options |= {"kept": 20, "replay": 40, "rounds": 2}
    data = replace(config.data, images=500)
    return replace(config, **(TINY | {"recipe": replace(config.recipe, **options), "data": data} | changes))


def train(run, config):
    training.create_run(run, config)
    return training.fit(run, log=False)


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


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_leaves_a_whole_run_directory(tmp_path, recipe):
    summary = train(tmp_path / "run", tiny(recipe))
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {
        "config.json",
        "metrics.jsonl",
        "timings.jsonl",
        "samples",
        "checkpoints",
        "summary.json",
        "report.html",
    }
    assert summary.keys() == {"data", "generator"}
    assert summary["data"]["score"] == pytest.approx(0.53, abs=0.05)
    assert summary["data"]["one_piece"] == 0
    assert training.open_run(tmp_path / "run") == tiny(recipe)


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
    training.fit(run, log=False)
    assert_same_results(run, finished)


def test_lines_after_the_checkpoint_are_written_again(finished, tmp_path):
    run = tmp_path / "run"
    train(run, tiny())
    last = list_checkpoints(run / "checkpoints")[-1]
    assert last.stem == "step-00000011"
    last.unlink()
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 12, "cut sho')
    training.fit(run, log=False)
    assert_same_results(run, finished)


def command(*arguments):
    return [sys.executable, "-m", "reggan.train", *map(str, arguments)]


def flags(config):
    options = [f"--{name.replace('_', '-')}={getattr(config, name)}" for name in TINY]
    recipe = config.recipe
    return [
        *options,
        f"--width={recipe.width}",
        f"--classifier-steps={recipe.classifier_steps}",
        f"--classifier-width={recipe.classifier_width}",
        f"--warmup={recipe.warmup}",
        f"--kept={recipe.kept}",
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


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_resumes_to_the_numbers_of_an_unbroken_one(tmp_path, number):
    config = tiny(steps=150, eval_every=50, sample_every=60, checkpoint_every=7)
    train(tmp_path / "unbroken", config)
    run = tmp_path / "broken"
    process = subprocess.Popen(command("--run", run, *flags(config)), stderr=subprocess.PIPE, text=True)
    wait_for_checkpoint(process, run, 30)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130
        assert said.splitlines()[-1].startswith("stopped: stopped at step")
        assert f"--resume {run}" in said
    assert not (run / "summary.json").exists()
    done = subprocess.run(command("--resume", run), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == str(run)
    assert_same_results(run, tmp_path / "unbroken")


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_phase_trains_its_network_and_no_other(recipe):
    trainer = training._Trainer.create(tiny(recipe))
    images = torch.rand(8, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 255
    item = (images.to(torch.uint8), torch.full((8,), 0.5), torch.full((8,), 5))
    for stage in trainer.stages:
        for phase in stage.phases:
            before = {name: [p.clone() for p in net.parameters()] for name, net in trainer.networks.items()}
            trainer.run_phase(phase, trainer.batch(item, 1))
            changed = {
                name
                for name, net in trainer.networks.items()
                if any(not torch.equal(p, q) for p, q in zip(net.parameters(), before[name], strict=True))
            }
            assert changed == {phase.updates}


def test_phases_run_as_often_as_they_say(tmp_path, monkeypatch):
    ran = []
    original = training._Trainer.run_phase

    def record(self, phase, batch):
        ran.append(phase.name)
        return original(self, replace(phase), batch)

    monkeypatch.setattr(training._Trainer, "run_phase", record)
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
    trainer = training._Trainer.create(tiny(ema=0.9))
    key = "layers.0.weight"
    start = trainer.averaged.state_dict()[key].clone()
    with torch.no_grad():
        trainer.networks["generator"].state_dict()[key].add_(1)
    trainer.average(1000)
    assert torch.allclose(trainer.averaged.state_dict()[key], start + 0.1, atol=1e-6)


def test_a_loaded_generator_makes_the_images_of_the_run(finished):
    config, generator = training.load_generator(finished)
    latents = torch.randn(64, config.recipe.latent_dim, generator=training.private_generator(0, "sheet"))
    images = training.generate(generator, latents)
    assert images.shape == (64, 32, 32)
    assert images.dtype == np.uint8
    trainer = training._Trainer.create(config)
    trainer.averaged.load_state_dict(generator.state_dict())
    assert (trainer.sample(64, "sheet") == images).all()
    assert ((score(images) >= 0) & (score(images) <= 1)).all()


def test_the_best_checkpoint_looks_like_the_data(tmp_path, monkeypatch):
    scores = iter([0.5, 0.9, 0.7, 0.8])
    inks = iter([0.2, 0.9, 0.2, 0.2])
    data = {"score": 0.5, "ink": 0.2, "diversity": 0.4, "one_piece": 0.0, "components": 5.0}

    def evaluate(self):
        figures = {**data, "score": next(scores), "ink": next(inks)}
        return {f"samples/{key}": value for key, value in figures.items()}

    monkeypatch.setattr(training._Trainer, "evaluate", evaluate)
    monkeypatch.setattr(training, "summarize", lambda images, rule: data)
    train(tmp_path / "run", tiny(eval_every=2, steps=8))
    (best,) = list_checkpoints(tmp_path / "run" / "checkpoints", "best")
    assert best.stem == "best-00000013"
    assert load_checkpoint(best)[1]["best"] == 0.8


def test_divergence_is_an_error_that_keeps_what_was_saved(tmp_path, monkeypatch):
    original = training._Trainer.run_phase

    def poisoned(self, phase, batch):
        stats = original(self, phase, batch)
        return {**stats, "generator/loss": torch.tensor(float("nan"))} if phase.name == "generator" else stats

    monkeypatch.setattr(training._Trainer, "run_phase", poisoned)
    with pytest.raises(ArithmeticError, match="diverged at step 6"):
        train(tmp_path / "run", tiny())
    assert list_checkpoints(tmp_path / "run" / "checkpoints")


def test_a_device_that_is_not_there_is_said():
    with pytest.raises(ValueError, match="device is 'nonsense'"):
        training.resolve(tiny(device="nonsense"))


def test_auto_is_resolved_to_something_that_works():
    config = training.resolve(tiny(device="auto", precision="auto"))
    assert config.device in ("cpu", "cuda", "mps", "xpu")
    assert config.precision in ("float32", "bfloat16")
    assert training.resolve(config) == config


def test_bfloat16_trains_too(tmp_path):
    summary = train(tmp_path / "run", tiny(precision="bfloat16"))
    assert np.isfinite(list(summary["generator"].values())).all()


def test_workers_change_nothing(finished, tmp_path):
    train(tmp_path / "run", tiny(workers=2))
    assert_same_results(tmp_path / "run", finished)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_cuda(tmp_path):
    summary = train(tmp_path / "run", training.resolve(tiny(device="cuda", precision="auto")))
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
        training.create_run(finished, tiny(seed=3))
    assert (finished / "config.json").read_bytes() == before
    with pytest.raises(FileExistsError):
        training.create_run(Path(__file__), tiny())


def test_a_log_that_was_changed_by_hand_is_said(finished, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    (run / "metrics.jsonl").write_text("no json\n" + (run / "metrics.jsonl").read_text())
    with pytest.raises(ValueError, match=r"metrics\.jsonl is damaged in line 1"):
        training.fit(run, log=False)


def test_the_pool_shows_the_discriminator_the_best_images():
    recipe = replace(tiny("dcgan").recipe, pool=3)
    scores = torch.tensor([0.1, 0.9, 0.3, 0.8, 0.2, 0.5])
    batch = Batch(torch.arange(6.0)[:, None, None, None], scores, torch.arange(6), torch.Generator())
    assert recipe.best(batch).classes.tolist() == [1, 3]
    assert recipe.any(batch).classes.tolist() == [0, 1]
    assert replace(recipe, pool=1).best(batch).classes.tolist() == list(range(6))


OBEYING, FAILING = torch.ones(1, 32, 32), torch.ones(1, 32, 32)
OBEYING[0, 4:8, 4:8] = -1
FAILING[0, 4:8, 4:8] = FAILING[0, 20:24, 20:24] = -1
CONNECTED = RULES["connected"]


class Fixed(torch.nn.Module):
    """A generator that makes these images, and keeps the gradients that come back."""

    def __init__(self, *images):
        super().__init__()
        self.images = torch.stack(images).requires_grad_()

    def forward(self, z):
        return self.images[torch.arange(len(z)) % len(self.images)]


class Chosen(Fixed):
    """A generator that makes one of these images of a latent, always the same of the same latent."""

    def forward(self, z):
        return self.images[(1000 * z[:, 0].abs()).long() % len(self.images)]


class Darkness(torch.nn.Module):
    """A discriminator that takes dark images for real, and keeps what it was asked about."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, images):
        self.seen.append(images.detach().clone())
        return -images.flatten(1).mean(1)


def harvest(**options):
    """A recipe, its networks around a fixed generator, and a batch of white paper."""
    recipe = replace(tiny().recipe, **({"instance_noise": 0.0, "pool": 1, "kept": 4, "replay": 8} | options))
    networks = recipe.build(32, 1, CONNECTED)
    networks["generator"] = Fixed(OBEYING, FAILING, OBEYING, FAILING)
    networks |= {"averaged": Chosen(OBEYING, FAILING), "discriminator": Darkness()}
    batch = Batch(torch.ones(4, 1, 32, 32), torch.zeros(4), torch.zeros(4), torch.Generator().manual_seed(0))
    return recipe, networks, batch


@torch.no_grad()
def begin(recipe, networks, batch):
    return recipe.harvest(CONNECTED, networks, batch)


def test_a_harvest_keeps_what_obeys_and_becomes_the_real_images():
    recipe, networks, batch = harvest(feedback=0.75)
    found = begin(recipe, networks, batch)
    assert found["score"] == found["obeying"] == 1
    assert (networks["memory"].harvested == quantize(OBEYING)).all()
    recipe.fed_discriminator_loss(networks, batch)
    real = networks["discriminator"].seen[0]
    assert [image.min().item() for image in real] == [-1, -1, -1, 1]


def test_a_harvest_keeps_the_best_where_nothing_obeys_and_makes_way_for_a_better_one():
    recipe, networks, batch = harvest(accept=0.1)
    worse = FAILING.clone()
    worse[0, 12:16, 12:16] = -1
    networks["averaged"] = Chosen(worse, FAILING)
    assert begin(recipe, networks, batch) == {"score": 0.5, "obeying": 0}
    assert (networks["memory"].harvested == quantize(FAILING)).all()
    networks["averaged"] = Chosen(OBEYING)
    assert begin(recipe, networks, batch) == {"score": 1, "obeying": 1}
    networks["averaged"] = Chosen(OBEYING.flip(1))
    assert begin(recipe, networks, batch) == {"score": 1}
    assert (networks["memory"].harvested == quantize(OBEYING)).all()


def test_the_rule_pulls_failing_samples_alone_and_as_hard_as_its_weight_says():
    def gradients(**options):
        recipe, networks, batch = harvest(**options)
        begin(recipe, networks, batch)
        networks["memory"].weight.fill_(0.5)
        networks["memory"].obeying.fill_(0.5)
        # The running score is then at the target, and leaves the weight where it is.
        networks["memory"].score.fill_(1.0 + 0.02 / 0.98 * (1 - 0.75))
        recipe.pulled_generator_loss(CONNECTED, networks, batch)[0].backward()
        return networks["generator"].images.grad

    alone = gradients(rule_weight=0.0)
    pulled = gradients(rule_weight=2.0) - alone
    assert (alone.flatten(1).norm(dim=1) > 0).all()
    assert (pulled[[0, 2]] == 0).all()
    # Half of the samples obey.
    length = 0.5 * 0.5 * float(alone.flatten(1).norm(dim=1).mean())
    assert pulled[[1, 3]].flatten(1).norm(dim=1).tolist() == pytest.approx([length] * 2, rel=1e-3)
    ungated = gradients(rule_weight=2.0, gate=False) - alone
    assert ungated.flatten(1).norm(dim=1).tolist() == pytest.approx([length] * 4, rel=1e-3)


def test_the_weight_rises_below_the_target_and_falls_above_it():
    for target, rises in ((1.0, True), (0.5, False)):
        recipe, networks, batch = harvest(target_score=target)
        begin(recipe, networks, batch)
        memory = networks["memory"]
        weights = [float(memory.weight)]
        for _ in range(300):
            recipe.pulled_generator_loss(CONNECTED, networks, batch)
            weights.append(float(memory.weight))
        assert weights == sorted(weights, reverse=not rises)
        assert weights[-1] == pytest.approx(recipe.rule_weight if rises else 0.01)


def weighed(recipe, scores):
    """The losses of a recipe on white paper with these scores, and the gradients on its generated images."""
    recipe = replace(tiny(recipe).recipe, instance_noise=0.0)
    networks = {"generator": Fixed(OBEYING, FAILING, torch.ones(1, 32, 32)), "discriminator": Darkness()}
    batch = Batch(torch.ones(3, 1, 32, 32), torch.tensor(scores), torch.zeros(3), torch.Generator())
    discriminator, generator = recipe.stages(1, CONNECTED)[0].phases
    on_data = discriminator.loss(networks, batch)[0]
    generator.loss(networks, batch)[0].backward()
    return on_data, networks["generator"].images.grad.flatten(1).norm(dim=1)


def test_wdcgan_weighs_images_by_their_scores():
    _, gradients = weighed("wdcgan", [0.2, 0.3, 0.5])
    plain = weighed("dcgan", [0.2, 0.3, 0.5])[1]
    # Scores of 1, 0.5 and 0, for an empty image, are weights of 2/3, 1/3 and 0 instead of thirds.
    assert (gradients / plain).tolist() == pytest.approx([2, 1, 0], rel=1e-5)
    assert float(weighed("wdcgan", [0.0, 0.0, 0.0])[0]) == pytest.approx(float(weighed("dcgan", [1.0, 1.0, 1.0])[0]))


def test_a_penalty_changes_the_loss_and_no_gradient():
    assert weighed("penalty", [1.0] * 3)[1].tolist() == weighed("dcgan", [1.0] * 3)[1].tolist()
    recipe = replace(tiny("penalty").recipe, instance_noise=0.0, penalty=10.0)
    networks = {"generator": Fixed(OBEYING, FAILING), "discriminator": Darkness()}
    batch = Batch(torch.ones(2, 1, 32, 32), torch.ones(2), torch.zeros(2), torch.Generator())
    penalized = recipe.penalized_generator_loss(CONNECTED, networks, batch)[0].detach()
    plain = recipe.generator_loss(networks, batch)[0].detach()
    assert float(penalized) == pytest.approx(float(plain) - 10 * 0.75)


def test_a_tilted_pool_is_drawn_in_proportion():
    recipe = replace(tiny("dcgan").recipe, pool=2, pool_beta=2.0)
    scores = torch.tensor([0.0, 1.0])
    batch = Batch(torch.zeros(2, 1, 1, 1), scores, torch.arange(2), torch.Generator().manual_seed(0))
    chosen = [int(recipe.best(batch).classes[0]) for _ in range(4000)]
    assert np.mean(chosen) == pytest.approx(np.exp(2) / (1 + np.exp(2)), abs=0.02)


@settings(deadline=None)
@given(st.floats(0.2, 1.0), st.integers(0, 2**32))
def test_tilted_scores_have_the_mean_that_was_asked_for(target, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(4000, generator=generator)
    places = tilt(scores, 400, target, generator)
    assert len(set(places.tolist())) == 400
    best = float(scores.sort(descending=True).values[:400].mean())
    assert float(scores[places].mean()) == pytest.approx(min(target, best), abs=0.005)


def test_the_memory_is_a_ring():
    memory = Memory(2, 1, 1, 4)
    images = torch.arange(6, dtype=torch.uint8)[:, None, None, None].expand(6, 1, 2, 2)
    memory.remember(images[:3], torch.arange(3.0))
    memory.remember(images[3:], torch.arange(3.0, 6.0))
    assert memory.made_scores.tolist() == [4, 5, 2, 3]
    found, scores = memory.recall(2, 50, torch.Generator())
    assert scores[:2].tolist() == [4, 5]
    assert set(scores.tolist()) == {2, 3, 4, 5}
    assert found[:, 0, 0, 0].tolist() == scores.tolist()
    memory.remember(images, torch.arange(6.0))
    assert sorted(memory.made_scores.tolist()) == [2, 3, 4, 5]


def test_lessons_have_exact_scores():
    recipe, _, _ = harvest()
    images, scores, classes = tiny().data.open(32, CONNECTED).items(np.arange(16))
    batch = Batch(normalize(images), scores, classes, torch.Generator())
    taught, told = recipe.lesson(CONNECTED, batch)
    assert taught.shape == batch.images.shape
    assert told.tolist() == CONNECTED(quantize(taught)[:, 0].numpy()).tolist()
    assert (taught[:4] >= batch.images[:4]).all()
    assert (taught[4:8] <= batch.images[4:8]).all()
    assert torch.equal(taught[8:], batch.images[8:])


def test_rates_fall_at_the_end():
    trainer = training._Trainer.create(tiny(steps=10, decay=0.5))
    rates = []
    for step in (0, 1, 5, 6, 7, 10):
        trainer.set_rates(step)
        rates.append(trainer.optimizers["generator"].param_groups[0]["lr"] / trainer.config.recipe.lr)
    assert rates == pytest.approx([1, 1, 1, 1, 0.8, 0.2])
    trainer.set_rates(10**6)
    assert trainer.optimizers["generator"].param_groups[0]["lr"] == pytest.approx(0.05 * trainer.config.recipe.lr)


@pytest.mark.parametrize("edges", [(0.25, 0.75), (0.5, 1.0)])
def test_what_the_classifier_expects_has_a_value_for_each_class(edges):
    class Edged(type(CONNECTED)):
        pass

    Edged.edges = edges
    recipe = tiny().recipe
    networks = recipe.build(32, 1, Edged())
    expected = recipe.monitor(networks, torch.stack([OBEYING, FAILING]), Edged())["expected_score"]
    assert 0 <= float(expected) <= 1
