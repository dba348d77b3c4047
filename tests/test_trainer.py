"""The trainer as a library: own data, rule and networks, step by step, state, files, callbacks."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_training import tiny, train
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import reggan
from reggan import config, rules, training
from reggan import train as train_command
from reggan.data import MIXTURES, load_batches
from reggan.data.batches import Rebatched, stored
from reggan.modalities import PointModality
from reggan.options import options
from reggan.recipes import DCGAN, GAN, WGAN, WGANGP, CycleGAN, Harvest, RegGAN, Repair
from reggan.runs import RunDirectory
from reggan.training import Trainer, load


def blobs(count, height=48, width=40):
    """Images of discs (N, 1, H, W), uint8."""
    return torch.from_numpy(reggan.render(reggan.Circles(count=(2, 5)), count, size=(height, width), dtype=np.uint8))[
        :, None
    ]


@dataclass(frozen=True)
class Upper(reggan.Rule):
    """All ink is in the upper half."""

    def __call__(self, images):
        ink = reggan.ink_mask(images)
        upper = ink[:, : images.shape[1] // 2].sum((1, 2))
        return (upper / np.maximum(ink.sum((1, 2)), 1)).astype(np.float32)


class Doubled(Upper):
    """Its scores are not float32."""

    def __call__(self, images):
        return super().__call__(images).astype(np.float64)


class Critic(nn.Module):
    """A discriminator of any size."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 8, 5, 4), nn.LeakyReLU(0.2), nn.Conv2d(8, 8, 3, 2), nn.LeakyReLU(0.2))
        self.head = nn.Linear(8, 1)

    def forward(self, images):
        return self.head(self.layers(images).mean(dim=(2, 3))).flatten()


def small(**changes):
    options = {"width": 4, "classifier_width": 4, "classifier_steps": 4, "warmup": 0.5, "rounds": 2}
    return Harvest(**(options | {"harvest_size": 16, "replay": 32, "acceptance": 0.5} | changes))


def make(**changes):
    options = {"rule": "ink", "steps": 4, "batch_size": 8, "device": "cpu", "precision": "float32"}
    return Trainer(**({"recipe": DCGAN(width=4), "batches": blobs(32)} | options | changes))


def assert_same(trainer, other):
    ours, theirs = trainer.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_own_images_rule_and_critic_train_save_and_sample(tmp_path):
    critic, images, seen = Critic(), blobs(50), []
    untrained = [parameter.clone() for parameter in critic.parameters()]
    trainer = Trainer(
        small(),
        DataLoader(TensorDataset(images), batch_size=8, shuffle=True),
        rule=Upper(),
        networks={"discriminator": critic},
        steps=8,
        seed=0,
        device="auto",
    )
    trainer.fit(callbacks=[lambda trainer, step: seen.append((step.number, step.stage.name))], log=False)
    assert [number for number, _ in seen] == list(range(1, 13))
    assert list(dict(seen).values())[::4] == ["classifier", "warmup", "round 1"]
    assert any(not torch.equal(new, old) for new, old in zip(critic.parameters(), untrained, strict=True))
    assert trainer.schedule.batch_size == 8
    samples = trainer.sample(5)
    assert (samples.shape, samples.dtype) == ((5, 48, 40), np.uint8)
    assert {"score", "ink", "expected_score"} <= trainer.evaluate(32).keys()
    path = tmp_path / "model.safetensors"
    trainer.save(path)
    sampler = load(path)
    assert sampler.sample(5).shape == (5, 48, 40)
    np.testing.assert_array_equal(sampler.sample(300)[:5], sampler.sample(5))
    inputs = trainer.modality.inputs(trainer.recipe.prior, 5, training.private_generator(0, "samples"))
    if trainer.precision == "float32":
        np.testing.assert_array_equal(sampler.make(inputs.to(trainer.device)), samples)


def test_steps_by_hand_are_those_of_fit():
    trainer, other = make(), make()
    numbers = []
    for step in trainer:
        numbers.append(step.number)
        assert {"discriminator/loss", "generator/loss", "generator/accuracy"} & step.metrics().keys()
        if step.number == 2:
            break
    assert trainer.done == 2
    for step in trainer:
        numbers.append(step.number)
    assert numbers == [1, 2, 3, 4]
    other.fit(log=False)
    assert_same(trainer, other)
    with pytest.raises(ValueError, match="the training is finished: all 4 steps are done"):
        trainer.step()


def test_a_trainer_and_a_run_directory_make_the_same(tmp_path):
    tried = tiny("harvest")
    train(tmp_path / "run", tried)
    options = {name: getattr(tried, name) for name in ("rule", "steps", "batch_size", "seed", "device", "precision")}
    trainer = Trainer(tried.recipe, tried.open_data(), ema=tried.ema, lr_decay=tried.lr_decay, **options)
    trainer.fit(log=False)
    kept = RunDirectory.open(tmp_path / "run").load_sampler().generator.state_dict()
    assert all(torch.equal(kept[key], value) for key, value in trainer.averaged.state_dict().items())


def test_a_state_goes_on_bitwise():
    whole, first, second = make(), make(), make()
    whole.fit(log=False)
    first.fit([lambda trainer, step: trainer.stop() if step.number == 2 else None], log=False)
    assert first.done == 2
    second.step()  # Other weights, and other samples next.
    second.load_state_dict(first.state_dict())
    second.fit(log=False)
    assert_same(second, whole)
    with pytest.raises(ValueError, match="not of a Trainer"):
        second.load_state_dict({})


def test_global_random_numbers_neither_matter_nor_change():
    torch.manual_seed(1)
    before, trainer = torch.get_rng_state(), make(recipe=GAN(width=8))
    for _ in trainer:
        assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    other = make(recipe=GAN(width=8))
    other.fit(log=False)
    assert_same(trainer, other)


@pytest.mark.parametrize(
    "recipe", [DCGAN(width=4), WGAN(width=4), RegGAN(base=WGANGP(width=4), classifier_steps=2, classifier_width=4)]
)
def test_other_recipes_train_on_rectangles(recipe):
    trainer = make(recipe=recipe, batches=blobs(60), steps=2, rule="connected")
    trainer.fit(log=False)
    assert trainer.sample(3).shape == (3, 48, 40)


def test_points_and_networks_of_their_own():
    mixture = MIXTURES["ring-8"]
    points, _ = mixture.draw(np.random.default_rng(0), 500)
    trainer = make(recipe=GAN(width=8, latent_dim=2), batches=points, modality=PointModality(mixture), batch_size=None)
    trainer.fit(log=False)
    assert trainer.schedule.batch_size == 64
    assert trainer.sample(7).shape == (7, 2)


def test_what_does_not_fit_is_said(tmp_path):
    with pytest.raises(ValueError, match="networks has critic, and DCGAN has generator, discriminator"):
        make(networks={"critic": Critic()})
    with pytest.raises(ValueError, match="size is 6, must be from 8 to 128"):
        make(batches=blobs(16, 6, 6))
    with pytest.raises(ValueError, match="give modality=, for points PointModality"):
        make(batches=torch.randn(20, 2))
    with pytest.raises(TypeError, match=r"recipe is 'harvest', must be an object such as reggan\.recipes\.Repair"):
        make(recipe="harvest")
    with pytest.raises(ValueError, match="DCGAN makes images, not points"):
        make(batches=torch.randn(20, 2), modality=PointModality(MIXTURES["ring-8"]))
    with pytest.raises(TypeError, match=r"must be a reggan\.Rule, or a text such as"):
        make(rule=lambda images: images)
    with pytest.raises(ValueError, match="float64"):
        make(rule=Doubled())
    trainer = make(batches=iter([blobs(8), blobs(8, 32, 32)]), batch_size=8)
    with pytest.raises(ValueError, match=r"samples have the shape \(1, 32, 32\), and the networks were built for"):
        trainer.fit(log=False)
    with pytest.raises(ValueError, match="there are no more batches"):
        make(batches=iter([blobs(8)]), batch_size=8).fit(log=False)
    trainer = make(networks={"generator": nn.Sequential(nn.Linear(100, 1920), nn.Unflatten(1, (1, 48, 40)), nn.Tanh())})
    trainer.save(tmp_path / "own")
    with pytest.raises(ValueError, match=r"holds the weights of a torch\.nn.*:Sequential; give networks"):
        load(tmp_path / "own")
    given = {"generator": nn.Sequential(nn.Linear(100, 1920), nn.Unflatten(1, (1, 48, 40)), nn.Tanh())}
    assert load(tmp_path / "own", networks=given).sample(2).shape == (2, 48, 40)
    (tmp_path / "text").write_text("no tensors here")
    with pytest.raises(ValueError, match=r"text is not a generator that Trainer\.save wrote"):
        load(tmp_path / "text")


@pytest.mark.parametrize("kind", ["tensor", "array", "float", "plain", "labels", "loader"])
def test_batches_come_in_any_form(kind):
    images = blobs(16)
    forms = {
        "tensor": images,
        "array": images[:, 0].numpy(),
        "float": images.float() / 255,
        "plain": [images[:8], images[8:]],
        "labels": [(images[:8], torch.zeros(8)), (images[8:], torch.ones(8))],
        "loader": DataLoader(images, batch_size=5),
    }
    trainer = make(batches=forms[kind], batch_size=8, steps=2)
    trainer.fit(log=False)
    assert trainer.modality.shape == (1, 48, 40)
    if kind in ("array", "float"):
        other = make(batches=images, batch_size=8, steps=2)
        other.fit(log=False)
        assert_same(trainer, other)


def test_bad_batches_are_said():
    for batch, message in (
        (torch.zeros(2, 5, 8, 8, dtype=torch.uint8), "must be images"),
        (torch.full((2, 1, 8, 8), 1.5), "from 1.5 to 1.5, must be from 0"),
        (torch.full((2, 1, 8, 8), torch.nan), "must be from 0"),
    ):
        with pytest.raises(ValueError, match=message):
            stored(batch)
    with pytest.raises(TypeError, match="a batch is a dict, must be a tensor or an array"):
        stored({"image": torch.zeros(2, 1, 8, 8)})
    with pytest.raises(TypeError, match=r"is of torch\.int32"):
        stored(torch.zeros(2, 1, 8, 8, dtype=torch.int32))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.integers(1, 12))
def test_rebatching_keeps_every_sample_in_order(sizes, count):
    images = torch.arange(sum(sizes) + 1, dtype=torch.uint8).view(-1, 1, 1, 1)
    batches = Rebatched(torch.split(images, [1, *sizes]))
    found = torch.cat([batches.take(count) for _ in range(2 * len(images) // count + 1)])
    assert torch.equal(found, images.repeat(3 + count, 1, 1, 1)[: len(found)])


class Broken:
    """Batches of which the second one fails once."""

    def __init__(self, images, wrong):
        self.images, self.wrong = images, [wrong]

    def __iter__(self):
        yield self.images
        yield from (self.wrong.pop() for _ in self.wrong[:1])


def test_after_a_bad_batch_the_training_can_continue():
    for wrong, error in ((torch.zeros(8, 7), ValueError), ({"image": 1}, TypeError), (blobs(8, 32, 32), ValueError)):
        trainer = make(batches=Broken(blobs(8), wrong), batch_size=8)
        trainer.step()
        with pytest.raises(error):
            trainer.step()
        trainer.fit(log=False)
        assert trainer.done == 4


def test_without_samples_there_is_an_error():
    for empty in ([], [blobs(8)[:0]], blobs(8)[:0], DataLoader(TensorDataset(blobs(4)), batch_size=8, drop_last=True)):
        with pytest.raises(ValueError, match=r"there are no more batches|must hold at least one sample"):
            make(batches=empty, batch_size=None)
    trainer = make(batches=iter([blobs(8)]), batch_size=8)
    trainer.step()
    for _ in range(2):
        with pytest.raises(ValueError, match="there are no more batches"):
            trainer.step()
    for wrong in (None, "images/", 3):
        with pytest.raises(TypeError, match="must be a tensor, an array, a SampleSet or an iterable of batches"):
            make(batches=wrong)


def test_a_state_is_a_copy():
    trainer, other = make(), make()
    trainer.step()
    state = trainer.state_dict()
    before = {name: tensor.clone() for name, tensor in state.items()}
    other.load_state_dict(state)
    trainer.step()
    other.fit(log=False)
    assert all(torch.equal(state[name], tensor) for name, tensor in before.items())
    trainer.fit(log=False)
    assert_same(trainer, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("optimizer/generator/0/exp_avg"), "optimizer/generator/0/exp_avg is missing"),
        (lambda state: state.pop(next(name for name in state if "averaged" in name)), "network/averaged/.* is missing"),
        (lambda state: state.update({"network/painter/weight": torch.zeros(1)}), "painter/weight is left over"),
        (lambda state: state.update({"optimizer/generator/99/step": torch.zeros(())}), "99/step is left over"),
        (
            lambda state: state.update(step=torch.tensor(5)),
            "is at step 5, but this training ends at 4; give more steps",
        ),
        (lambda state: state.update({"optimizer/generator/0/exp_avg": torch.zeros(3)}), r"has the shape \(3,\), must"),
    ],
)
def test_a_wrong_state_is_refused_and_changes_nothing(change, message):
    trainer, other = make(), make(seed=1)
    trainer.step()
    state = trainer.state_dict()
    change(state)
    before = other.state_dict()
    with pytest.raises(ValueError, match=message):
        other.load_state_dict(state)
    after = other.state_dict()
    assert all(torch.equal(before[name], tensor) for name, tensor in after.items())


def test_frozen_layers_stay_frozen():
    critic = Critic()
    frozen, trained = critic.layers[0].weight, critic.head.weight
    frozen.requires_grad_(False)
    before, start = frozen.clone(), trained.clone().detach()
    trainer = make(networks={"discriminator": critic})
    trainer.fit(log=False)
    assert torch.equal(frozen, before)
    assert not torch.equal(trained, start)
    assert not frozen.requires_grad
    assert all(parameter.requires_grad for parameter in critic.parameters() if parameter is not frozen)
    for parameter in critic.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(ValueError, match="network discriminator has no parameters to train"):
        make(networks={"discriminator": critic})


def test_networks_of_ones_own_must_fit():
    wide = nn.Sequential(nn.Flatten(), nn.Linear(48 * 40, 2))
    with pytest.raises(ValueError, match=r"the discriminator returns the shape \(2, 2\) for 2 samples, must be \(2,\)"):
        make(networks={"discriminator": wide})
    small_images = nn.Sequential(nn.Linear(100, 64), nn.Unflatten(1, (1, 8, 8)))
    with pytest.raises(ValueError, match=r"the generator returns the shape \(2, 1, 8, 8\) for 2 inputs"):
        make(networks={"generator": small_images})
    with pytest.raises(
        TypeError, match=r"networks\['discriminator'\] is .*Critic.*, must be a torch\.nn\.Module object"
    ):
        make(networks={"discriminator": Critic})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0, must be greater than or equal to 1"),
        ({"steps": 1.5}, "steps is 1.5, must be a valid integer"),
        ({"batch_size": 0}, "batch_size is 0, must be greater than or equal to 2"),
        ({"seed": -1}, "seed is -1, must be greater than or equal to 0"),
        ({"seed": None}, "seed is None, must be a valid integer"),
        ({"precision": "bf16"}, "precision is 'bf16', must be 'auto', 'float32' or 'bfloat16'"),
        ({"ema": 1.0}, "ema is 1.0, must be less than 1"),
        ({"recipe": RegGAN(base=Harvest())}, "base is Harvest, which has a classifier already"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_numbers_of_numpy_are_numbers():
    trainer = make(steps=np.int64(2), seed=np.int64(3), batch_size=np.int32(8))
    trainer.fit(log=False)
    assert trainer.sample(np.int64(3)).shape == (3, 48, 40)
    for count in (0, -5):
        with pytest.raises(ValueError, match=f"count is {count}, must be at least 1"):
            trainer.sample(count)
        with pytest.raises(ValueError, match=f"count is {count}, must be at least 1"):
            trainer.evaluate(count)


def test_callbacks_may_be_an_iterator():
    steps = []
    make().fit(iter([lambda trainer, step: steps.append(step.number)]), log=False)
    assert steps == [1, 2, 3, 4]


def test_loading_leaves_global_random_numbers(tmp_path):
    trainer = make(rule=Upper())
    trainer.save(tmp_path / "model")
    torch.manual_seed(1)
    before = torch.get_rng_state()
    sampler = load(tmp_path / "model", rule=Upper())
    assert torch.equal(torch.get_rng_state(), before)
    assert sampler.modality.rule == Upper()


def test_files_that_cannot_be_restored_are_refused(tmp_path):
    @options
    class Local(DCGAN):
        """A recipe inside a function."""

    trainer = make(recipe=Local(width=4))
    with pytest.raises(ValueError, match=r"Local cannot be restored from a file.*define it in a module"):
        trainer.save(tmp_path / "model")
    with pytest.raises(ValueError, match="cannot be restored from a file"):
        RunDirectory.create(tmp_path / "run", config.TrainConfig(recipe=Local(width=4)))
    assert not (tmp_path / "run").exists()
    with pytest.raises(FileNotFoundError, match=r"No such file.*absent'"):
        make().save(tmp_path / "absent" / "model")


class Tied(nn.Module):
    """A generator with one tensor under two names."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(100, 1920)
        self.second = self.first

    def forward(self, latents):
        return torch.tanh(self.second(latents)).view(-1, 1, 48, 40)


def test_tied_weights_are_saved(tmp_path):
    trainer = make(networks={"generator": Tied()}, steps=2)
    trainer.fit(log=False)
    trainer.save(tmp_path / "model")
    sampler = load(tmp_path / "model", networks={"generator": Tied()})
    assert torch.equal(sampler.generator.first.weight, trainer.averaged.first.weight)


@dataclass(frozen=True)
class Late(Upper):
    """Scores above 1 once images are not white, black or noise."""

    def __call__(self, images):
        scores = super().__call__(images)
        return scores if len(images) == 3 else scores + np.float32(1)


def test_a_rule_is_checked_on_every_batch():
    trainer = make(rule=Late(), recipe=DCGAN(width=4, candidates=2))
    with pytest.raises(ValueError, match=r"Late\(\) scores an image [\d.]+, but must score from 0 to 1"):
        trainer.fit(log=False)


def test_nobody_scores_what_no_loss_asks_for(monkeypatch):
    def refuse(self, images):
        raise AssertionError("scored")

    trainer, choosing = make(rule=Upper()), make(rule=Upper(), recipe=DCGAN(width=4, candidates=2))
    monkeypatch.setattr(Upper, "__call__", refuse)
    trainer.fit(log=False)
    with pytest.raises(AssertionError, match="scored"):
        choosing.fit(log=False)


def test_from_the_command_line_to_the_first_step_one_configuration_and_one_rule(tmp_path, monkeypatch):
    counts, first = {"configurations": 0, "rules": 0}, []
    resolve = rules.resolve_rule

    def counted(name, function):
        def call(*given, **named):
            counts[name] += 1
            return function(*given, **named)

        return call

    def stop(trainer):
        first.append(dict(counts))
        raise ValueError("the first step")

    # It is called as a configuration is built: pydantic keeps the __post_init__ that the class had when it was made.
    monkeypatch.setattr(config, "auto_device", counted("configurations", config.auto_device))
    for module in (rules, config, training):
        monkeypatch.setattr(module, "resolve_rule", counted("rules", resolve))
    monkeypatch.setattr(Trainer, "step", stop)
    options = ["--recipe=dcgan", "--width=4", "--steps=4", "--data.images=50", "--device=cpu", "--eval-images=8"]
    assert train_command.main([*options, "--run", str(tmp_path / "run")]) == 1
    assert first == [{"configurations": 1, "rules": 1}]


def test_tensorboard_gets_losses_evaluations_and_sheets(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from reggan.callbacks import TensorBoard

    trainer = make()
    trainer.fit([TensorBoard(tmp_path, log_every=2, eval_every=4, eval_images=16)], log=False)
    events = EventAccumulator(str(tmp_path)).Reload()
    tags = events.Tags()
    assert {"generator/loss", "samples/score"} <= set(tags["scalars"])
    assert [event.step for event in events.Scalars("generator/loss")] == [2, 4]
    assert "samples" in tags["images"]


def test_pairs_are_translated(tmp_path):
    tried = tiny("cyclegan")
    trainer = Trainer(
        CycleGAN(width=4, blocks=2, patch_layers=1, history=6),
        tried.open_data(),
        modality=tried.modality,
        steps=2,
        batch_size=4,
        device="cpu",
        precision="float32",
    )
    trainer.fit(log=False)
    samples = trainer.sample(3)
    assert samples.shape == (3, 3, 2, 1, 32, 32)
    trainer.save(tmp_path / "pairs")
    with pytest.raises(ValueError, match="translates pairs, which are data; give a modality"):
        load(tmp_path / "pairs")
    assert load(tmp_path / "pairs", modality=tried.modality).sample(2).shape == (2, 3, 2, 1, 32, 32)


def test_a_batch_has_the_exact_scores_of_its_samples():
    trainer = make(batches=blobs(32), rule="connected")
    samples = trainer._source.draw(12, 0)
    batch = trainer._batch(samples, 1)
    exact = torch.from_numpy(reggan.score(samples[:, 0].numpy()))
    assert torch.equal(batch.scores, exact)
    assert torch.equal(batch.take(slice(2, 5)).scores, exact[2:5])
    assert torch.equal(batch.part(1, 3).take(torch.tensor([3, 0])).scores, exact[[7, 4]])


def test_a_set_is_fetched_as_a_run_fetches_it():
    data = tiny("dcgan").open_data()
    trainer = make(batches=data, recipe=DCGAN(width=4, candidates=2))
    expected = list(itertools.islice(load_batches(data, 16, seed=0), 2))
    assert torch.equal(trainer._source.draw(16, 0), expected[0])
    assert torch.equal(trainer._source.draw(16, 0), expected[1])


@dataclass(frozen=True)
class Rows(reggan.Rule):
    """A rule of one's own: each of the upper rows has ink. The share of them, in a range of scores from `low` to 1."""

    low: float

    def __call__(self, images):
        share = reggan.ink_mask(images)[:, :16].any(axis=2).mean(axis=1)
        return np.where(share < 1, self.low + (1 - self.low) * share, 1).astype(np.float32)


def test_the_scale_of_scores_does_not_matter():
    """A training under a rule with scores from 0.95 to 1 is the same as under the rule with scores from 0 to 1."""
    wide, narrow = (make(recipe=Repair(width=4, candidates=2), batches=blobs(64), rule=Rows(low)) for low in (0, 0.95))
    for trainer in (wide, narrow):
        trainer.fit(log=False)
    assert_same(wide, narrow)
    samples = wide.sample(20)
    ours, theirs = (reggan.repair(samples, Rows(low)) for low in (0, 0.95))
    assert np.array_equal(ours.images, theirs.images)
    assert (ours.changed > 0).any()
    assert (theirs.scores == 1).all()
