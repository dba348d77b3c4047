"""What recipes do with a batch: losses, gradients, harvests, and what they remember."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_training import make_trainer, tiny

from reggan import RULES, Circles, Connected, Rule, render, repair_connected, score
from reggan.checkpoint import flatten_state
from reggan.data import normalize, quantize
from reggan.presets import preset
from reggan.recipes import RECIPES, Batch
from reggan.recipes.choice import best_of_each, neighborhoods, tilt
from reggan.recipes.classes import ScoreClasses
from reggan.recipes.memory import Memory
from reggan.recipes.phases import exact_scores


def batch_of(images, scores=None, seed=0):
    """A batch of images (N, ...) with these scores, by default 0."""
    scores = torch.zeros(len(images)) if scores is None else scores
    return Batch(images, lambda: scores, torch.Generator().manual_seed(seed))


def make_networks(recipe, shape=(1, 32, 32), rule=RULES["connected"]):
    return {name: make() for name, make in recipe.build(shape, rule).items()}


def test_the_discriminator_sees_the_best_candidates():
    recipe = replace(tiny("dcgan").recipe, candidates=3)
    batch = batch_of(torch.arange(6.0)[:, None, None, None], torch.tensor([0.1, 0.9, 0.3, 0.8, 0.2, 0.5]))
    assert recipe.best(batch).real.flatten().tolist() == [1, 3]
    assert recipe.best(batch).scores.tolist() == pytest.approx([0.9, 0.8])
    assert recipe.any(batch).real.flatten().tolist() == [0, 1]
    assert recipe.any(batch).scores.tolist() == pytest.approx([0.1, 0.9])
    assert replace(recipe, candidates=1).best(batch).real.flatten().tolist() == list(range(6))


@pytest.mark.parametrize("method", [None, "erase"])
def test_a_discriminator_of_repaired_images_sees_that_the_best_obey(method, monkeypatch):
    recipe = replace(tiny("repair").recipe, candidates=2, method=method)
    images = render(Circles(), 8, size=32, dtype=np.uint8)
    scores, seen = torch.from_numpy(score(images)), []
    batch = batch_of(normalize(torch.from_numpy(images)[:, None]), scores)
    monkeypatch.setattr(type(recipe), "adversarial_loss", lambda self, networks, batch: seen.append(batch.real))
    (stage,) = recipe.stages(10, RULES["connected"])
    stage.phases[0].loss({}, batch)
    best = images[scores.argsort(descending=True, stable=True)[:4].numpy()]
    expected = repair_connected(best, method=method or "slide").images
    np.testing.assert_array_equal(quantize(seen[0])[:, 0].numpy(), expected)
    assert (score(expected) == 1).all()
    assert (expected != best).any()


def test_a_scaled_tanh_reaches_white_and_keeps_its_gradient():
    generator = make_networks(tiny("repair").recipe)["generator"]
    with torch.no_grad():
        generator.layers[-1].weight.mul_(100)
    images = generator(torch.randn(4, 100, generator=torch.Generator().manual_seed(0)))
    assert images.min() >= -1
    assert images.max() == 1
    images[images == 1].sum().backward()
    assert any(parameter.grad.abs().max() > 0 for parameter in generator.parameters())


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_has_an_opinion_and_figures_of_samples_that_leave_no_trace(recipe):
    trainer = make_trainer(tiny(recipe))
    samples = trainer.modality.encode(tiny(recipe).open_data().fetch(np.arange(8)))
    before = {key: tensor.clone() for key, tensor in flatten_state(trainer.networks, {}).items()}
    opinion = trainer.discriminate(samples)
    assert (opinion.shape, opinion.dtype) == ((8,), torch.float32)
    # Each sample by itself: no statistics of the batch it is in.
    torch.testing.assert_close(trainer.discriminate(samples[:3]), opinion[:3], rtol=1e-4, atol=1e-5)
    figures = trainer.evaluate(16)
    assert ("expected_score" in figures) == ("classifier" in trainer.networks)
    assert np.isfinite(list(figures.values())).all()
    assert all(part.training for network in trainer.networks.values() for part in network.modules())
    assert all(torch.equal(tensor, before[key]) for key, tensor in flatten_state(trainer.networks, {}).items())


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
    recipe = replace(
        tiny().recipe, **({"instance_noise": 0.0, "candidates": 1, "harvest_size": 4, "replay": 8} | options)
    )
    networks = make_networks(recipe)
    networks["generator"] = Fixed(OBEYING, FAILING, OBEYING, FAILING)
    networks |= {"averaged": Chosen(OBEYING, FAILING), "discriminator": Darkness()}
    batch = batch_of(torch.ones(4, 1, 32, 32))
    return recipe, networks, batch


@torch.no_grad()
def begin(recipe, networks, batch):
    return recipe.harvest(CONNECTED, networks, batch)


def test_a_harvest_keeps_what_obeys_and_becomes_the_real_images():
    recipe, networks, batch = harvest(harvest_share=0.75)
    found = begin(recipe, networks, batch)
    assert found["score"] == found["obeying"] == 1
    assert (networks["memory"].harvested == quantize(OBEYING)).all()
    recipe.fed_discriminator_loss(networks, batch)
    real = networks["discriminator"].seen[0]
    assert [image.min().item() for image in real] == [-1, -1, -1, 1]


def test_a_harvest_keeps_the_best_where_nothing_obeys_and_makes_way_for_a_better_one():
    recipe, networks, batch = harvest(acceptance=0.1)
    worse = FAILING.clone()
    worse[0, 12:16, 12:16] = -1
    networks["averaged"] = Chosen(worse, FAILING)
    assert begin(recipe, networks, batch) == {"score": 0.5, "obeying": 0}
    assert (networks["memory"].harvested == quantize(FAILING)).all()
    networks["averaged"] = Chosen(OBEYING)
    networks["memory"].weight.fill_(5.0)
    assert begin(recipe, networks, batch) == {"score": 1, "obeying": 1}
    assert float(networks["memory"].weight) == pytest.approx(0.1)
    networks["averaged"] = Chosen(OBEYING.flip(1))
    networks["memory"].weight.fill_(5.0)
    assert begin(recipe, networks, batch) == {"score": 1}
    assert float(networks["memory"].weight) == 5
    assert (networks["memory"].harvested == quantize(OBEYING)).all()


def test_a_harvest_aims_higher_where_the_generator_falls_short_of_the_target():
    recipe, networks, batch = harvest(target_score=0.75, harvest_size=400, acceptance=0.1)
    memory = networks["memory"]
    assert float(begin(recipe, networks, batch)["score"]) == pytest.approx(0.75, abs=0.002)
    first = memory.harvested.clone()
    # Half of its images score 1 and half 0.5: the generator is at the target, and the harvest stays.
    begin(recipe, networks, batch)
    assert torch.equal(memory.harvested, first)
    # A quarter scores 1: it is 0.125 below.
    networks["averaged"] = Chosen(OBEYING, FAILING, FAILING, FAILING)
    assert float(begin(recipe, networks, batch)["score"]) == pytest.approx(0.875, abs=0.02)


class BehindTanh(Fixed):
    """The same with a tanh after it: it keeps the gradients from before the tanh."""

    def forward(self, z):
        return torch.tanh(super().forward(z))


def pulls(generator=None, harvested=1.0, **options):
    """Gradients that come back to a generator half of whose samples obey, and the classifier's log C of each sample."""
    recipe, networks, batch = harvest(**options)
    networks["generator"] = generator or networks["generator"]
    begin(recipe, networks, batch)
    networks["memory"].weight.fill_(0.5)
    networks["memory"].obeying.fill_(0.5)
    networks["memory"].harvest_obeying.fill_(harvested)
    # The running score is then at the target, and leaves the weight where it is.
    networks["memory"].score.fill_(1.0 + 0.02 / 0.98 * (1 - 0.75))
    before = networks["generator"].images
    recipe.pulled_generator_loss(CONNECTED, networks, batch)[0].backward()
    images = networks["generator"](torch.empty(4)).detach().requires_grad_()
    return before.grad, images, networks["classifier"](images).log_softmax(dim=1)[:, -1]


def test_the_rule_pulls_failing_samples_alone_and_as_hard_as_its_weight_says():
    alone, *_ = pulls(rule_weight=0.0)
    assert (alone.flatten(1).norm(dim=1) > 0).all()
    # Half of the samples obey.
    length = 0.5 * 0.5 * float(alone.flatten(1).norm(dim=1).mean())
    for share in (1.0, 0.25):
        pulled, _, belief = pulls(harvested=share, rule_weight=2.0)
        pulled -= alone
        assert (pulled[[0, 2]] == 0).all()
        found, asked = pulled[[1, 3]].flatten(1).norm(dim=1), share * length * (1 - belief.exp())[[1, 3]]
        assert found.tolist() == pytest.approx(asked.tolist(), rel=1e-3)
    ungated, _, belief = pulls(rule_weight=2.0, gate=False)
    found, asked = (ungated - alone).flatten(1).norm(dim=1), length * (1 - belief.exp())
    assert found.tolist() == pytest.approx(asked.tolist(), rel=1e-3)


def test_with_a_leak_the_rule_reaches_white_paper():
    # White as of 1 - 1e-5, where hardly a gradient passes tanh, and ink that is gray.
    paper, ink, leak = 6.0, 0.5, 0.1
    before = [torch.where(image > 0, paper * image, ink * image) for image in (OBEYING, FAILING)] * 2
    alone, *_ = pulls(BehindTanh(*before), rule_weight=0.0, leak=leak)
    pulled, images, belief = pulls(BehindTanh(*before), rule_weight=2.0, leak=leak)
    pulled -= alone
    assert (pulled[[0, 2]] == 0).all()

    slope = 1 - images.detach().square()
    assert slope.min() < 1e-4 < leak < slope.max()
    (upward,) = torch.autograd.grad(belief.sum(), images)
    directions = (-slope.clamp(min=leak) * upward).flatten(1)
    lengths = 0.5 * 0.5 * alone.flatten(1).norm(dim=1).mean() * (1 - belief.exp())
    asked = lengths[:, None] * directions / directions.norm(dim=1, keepdim=True)
    difference = (pulled.flatten(1) - asked)[[1, 3]].norm(dim=1)
    assert (difference < 0.01 * lengths[[1, 3]]).all()

    dry, *_ = pulls(BehindTanh(*before), rule_weight=2.0)
    white = images.detach() > 0
    assert (dry - alone)[1][white[1]].norm() < 1e-3 * pulled[1][white[1]].norm()


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
    batch = batch_of(torch.ones(3, 1, 32, 32), torch.tensor(scores))
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
    batch = batch_of(torch.ones(2, 1, 32, 32), torch.ones(2))
    penalized = recipe.penalized_generator_loss(CONNECTED, networks, batch)[0].detach()
    plain = recipe.generator_loss(networks, batch)[0].detach()
    assert float(penalized) == pytest.approx(float(plain) - 10 * 0.75)


def test_a_tilted_pool_is_drawn_in_proportion():
    recipe = replace(tiny("dcgan").recipe, candidates=2, candidate_beta=2.0)
    batch = batch_of(torch.arange(2.0)[:, None, None, None], torch.tensor([0.0, 1.0]))
    chosen = [int(recipe.best(batch).real) for _ in range(4000)]
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


def test_a_harvest_holds_what_obeys_alone_unless_it_is_too_little():
    recipe, generator = replace(tiny().recipe, harvest_size=7), torch.Generator()
    few, enough = torch.tensor([0.9, 1, 0.8, 0, 0.7, 0.6, 0.5]), torch.tensor([0.9, 1, 0.8, 1, 0.7, 0.6, 0.5])
    layouts = torch.zeros(7, 16)
    assert sorted(recipe.choose(few, layouts, 1.0, generator).tolist()) == list(range(7))
    assert recipe.choose(enough, layouts, 1.0, generator).tolist() == [1, 3, 1, 3, 1, 3, 1]
    assert replace(recipe, harvest_size=2).choose(enough, layouts, 1.0, generator).tolist() == [1, 3]
    assert replace(recipe, harvest_size=3).choose(few, layouts, 1.0, generator).tolist() == [1, 1, 1]


def test_a_harvest_of_the_best_takes_some_of_every_layout():
    # Dark to the left or to the right, and all that is dark to the left scores higher.
    left, right = torch.ones(16), torch.zeros(16)
    layouts = torch.stack([left, right]).repeat_interleave(500, dim=0)
    scores = torch.cat([torch.linspace(0.5, 0.9, 500), torch.linspace(0.0, 0.4, 500)])
    recipe = replace(tiny().recipe, harvest_size=64, min_per_niche=32)
    chosen = recipe.choose(scores, layouts, 1.0, torch.Generator())
    assert sorted(chosen.tolist()) == [*range(468, 500), *range(968, 1000)]
    best = replace(recipe, min_per_niche=64).choose(scores, layouts, 1.0, torch.Generator())
    assert sorted(best.tolist()) == list(range(436, 500))


def test_layouts_tell_where_the_ink_is():
    image = torch.full((1, 1, 32, 32), 255, dtype=torch.uint8)
    image[0, 0, :8, 8:12] = 0
    scores, layouts = tiny().recipe.look(CONNECTED, image)
    assert scores.tolist() == [1]
    assert layouts.tolist() == [[255, 127.5, *[255] * 14]]


@settings(deadline=None)
@given(st.integers(0, 3), st.integers(16, 200), st.integers(0, 2**32))
def test_neighborhoods_are_equal_parts_of_what_is_near(doublings, length, seed):
    random = torch.Generator().manual_seed(seed)
    points = torch.randn(length, 3, generator=random)
    groups = neighborhoods(points, 2**doublings, random)
    assert groups.shape == (2**doublings, length // 2**doublings)
    assert len(set(groups.flatten().tolist())) == groups.numel()
    if doublings and length > 100:
        assert points[groups].var(dim=1).mean() < points.var(dim=0).mean()
    scores = torch.rand(length, generator=random)
    best = best_of_each(scores, groups, 2 * len(groups))
    for group in groups:
        kept = [place for place in best.tolist() if place in set(group.tolist())]
        assert kept == group[scores[group].argsort(descending=True)][:2].tolist()
    assert best_of_each(scores, groups, 2 * length).shape == (2 * length,)


def test_the_memory_is_a_ring():
    memory = Memory((1, 2, 2), 1, 4)
    images = torch.arange(6, dtype=torch.uint8)[:, None, None, None].expand(6, 1, 2, 2)
    memory.add(images[:3], torch.arange(3.0))
    memory.add(images[3:], torch.arange(3.0, 6.0))
    assert memory.generated_scores.tolist() == [4, 5, 2, 3]
    found, scores = memory.sample_replay(2, 50, torch.Generator())
    assert scores[:2].tolist() == [4, 5]
    assert set(scores.tolist()) == {2, 3, 4, 5}
    assert found[:, 0, 0, 0].tolist() == scores.tolist()
    memory.add(images, torch.arange(6.0))
    assert sorted(memory.generated_scores.tolist()) == [2, 3, 4, 5]


@pytest.mark.parametrize("size", [28, 32, 64])
def test_batches_of_the_classifier_have_exact_scores(size):
    recipe, _, _ = harvest()
    images = tiny().data.open(size, CONNECTED).fetch(np.arange(16))
    batch = batch_of(normalize(images), exact_scores(CONNECTED, images))
    taught, scores = recipe.classifier_batch(CONNECTED, batch)
    assert taught.shape == batch.real.shape
    assert scores.tolist() == CONNECTED(quantize(taught)[:, 0].numpy()).tolist()
    assert (taught[:4] >= batch.real[:4]).all()
    assert (taught[4:8] <= batch.real[4:8]).all()
    assert torch.equal(taught[8:], batch.real[8:])
    assert all((one != other).any() for one, other in zip(taught[:8], batch.real[:8], strict=True))


@pytest.mark.parametrize("edges", [(0.25, 0.75), (0.5, 1.0)])
def test_what_the_classifier_expects_has_a_value_for_each_class(edges):
    class Edged(type(CONNECTED)):
        pass

    Edged.edges = edges
    recipe = tiny().recipe
    networks = make_networks(recipe, rule=Edged())
    expected = recipe.extra_metrics(networks, torch.stack([OBEYING, FAILING]), Edged())["expected_score"]
    assert 0 <= float(expected.detach()) <= 1


# WGAN


def critics(name, **options):
    recipe = replace(tiny(name).recipe, **options)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(4 * recipe.draws, 1, 32, 32, generator=generator) * 2 - 1
    return recipe, make_networks(recipe), batch_of(images)


@pytest.mark.parametrize("name", ["wgan", "wgan-gp"])
def test_each_step_of_the_critic_has_real_images_of_its_own(name):
    recipe, networks, batch = critics(name, critic_steps=3)
    networks["discriminator"] = critic = Darkness()
    *steps, last = recipe.adversarial_phases()
    assert [phase.updates for phase in steps] == ["discriminator"] * 3
    assert last.updates == "generator"
    for phase in steps:
        phase.loss(networks, batch)
    real = [seen for seen in critic.seen if any(torch.equal(seen, part) for part in batch.real.split(4))]
    assert torch.equal(torch.cat(real), batch.real)


def test_the_critics_weights_are_clipped_after_each_of_its_steps():
    recipe, networks, batch = critics("wgan", clip=0.015)
    phase = recipe.adversarial_phases()[0]
    critic = networks["discriminator"]
    optimizer = phase.optimizer(critic.parameters())
    assert max(float(p.detach().abs().max()) for p in critic.parameters()) > 0.5
    phase.loss(networks, batch)[0].backward()
    optimizer.step()
    assert max(float(p.detach().abs().max()) for p in critic.parameters()) == pytest.approx(0.015)


def test_the_penalty_is_on_the_way_between_real_and_generated_images():
    recipe, networks, batch = critics("wgan-gp", gradient_penalty=3.0)

    class Squares(Darkness):
        """A critic whose gradient is the image itself."""

        def forward(self, images):
            super().forward(images)
            return images.square().flatten(1).sum(dim=1) / 2

    networks["discriminator"] = critic = Squares()
    real, fake = batch.real[:4], -batch.real[:4]
    penalty = recipe.penalty(networks, batch, real, fake)
    (mixed,) = critic.seen
    share = mixed / real
    for each in share:
        torch.testing.assert_close(each, each[0, 0, 0].expand_as(each))
    assert len({round(float(each[0, 0, 0]), 4) for each in share}) == 4
    assert -1 <= share.min() < share.max() <= 1
    expected = 3 * (mixed.flatten(1).norm(dim=1) - 1).square().mean()
    assert penalty.item() == pytest.approx(expected.item())


def test_the_rule_step_is_of_the_generators_kind_at_its_own_rate():
    recipe, networks, _ = critics("reggan-wgan-gp", rule_ratio=0.25)
    *_, rule = recipe.stages(10, CONNECTED)[-1].phases
    optimizer = rule.optimizer(networks["generator"].parameters())
    assert rule.name == "rule"
    assert optimizer.defaults["betas"] == (0.0, 0.9)
    assert optimizer.defaults["lr"] == optimizer.param_groups[0]["lr"] == 0.25 * recipe.base.lr


# What is conditioned, and pairs


def test_a_conditional_gan_is_told_the_exact_number_of_pieces():
    recipe = replace(tiny("cdcgan").recipe, counts=3, latent_dim=5)
    many = torch.ones(1, 32, 32)
    many[0, 2::6, 2::6] = -1
    images = torch.stack([OBEYING, FAILING, many, torch.ones(1, 32, 32)])
    assert recipe.count(quantize(images)).tolist() == [1, 2, 25, 0]
    assert recipe.one_hot(recipe.count(quantize(images))).argmax(dim=1).tolist() == [0, 1, 2, 0]
    latents = recipe.prior(30_000, torch.Generator().manual_seed(0))
    assert latents.shape == (30_000, 8)
    assert latents[:, 5:].mean(dim=0).tolist() == pytest.approx([1 / 3] * 3, abs=0.01)
    assert (latents[:, 5:].sum(dim=1) == 1).all()
    assert latents[:, :5].std().item() == pytest.approx(1, abs=0.01)
    assert torch.equal(recipe.prior(7, torch.Generator().manual_seed(0)), latents[:7])


def test_the_conditional_generator_is_rewarded_for_what_was_asked_for():
    recipe = replace(tiny("cdcgan").recipe, counts=2, instance_noise=0.0)
    networks = make_networks(recipe)
    networks["generator"] = Fixed(OBEYING, FAILING)
    batch = batch_of(torch.ones(64, 1, 32, 32), seed=1)
    _, stats = recipe.generator_loss(networks, batch)
    made = torch.arange(64) % 2
    assert float(stats["as_asked"]) == pytest.approx(
        (batch.shared["requested"].argmax(dim=1) == made).float().mean().item()
    )


def test_the_pairwise_penalty_of_a_recipe_is_on_samples_and_their_reconstructions():
    recipe = replace(tiny("bigan-pgp").recipe, pair_penalty=2.0, pair_norm="squared", instance_noise=0.0)
    networks = make_networks(recipe)
    batch = batch_of(torch.ones(4, 1, 32, 32))

    class Flat(torch.nn.Module):
        def forward(self, samples, latents):
            return 0.0 * samples.flatten(1).sum(1)

    networks["discriminator"] = Flat()
    # Without a slope the error is a unit vector; where a sample is its reconstruction there is no way to go.
    networks["generator"] = Fixed(OBEYING)
    codes = torch.zeros(4, recipe.latent_dim)
    assert float(recipe.penalty(networks, batch, codes)) == pytest.approx(2.0)
    networks["generator"] = Fixed(torch.ones(1, 32, 32))
    assert float(recipe.penalty(networks, batch, codes)) == 0


def test_reconstructions_leave_the_generators_statistics_alone():
    recipe = tiny("bigan-pgp").recipe
    networks = make_networks(recipe)
    batch = batch_of(torch.rand(4, 1, 32, 32), torch.ones(4))
    generator = networks["generator"].train()
    before = {key: value.clone() for key, value in generator.state_dict().items() if "running" in key}
    codes = torch.randn(4, recipe.latent_dim)
    recipe.penalty(networks, batch, codes).backward()
    assert before
    assert all(torch.equal(generator.state_dict()[key], value) for key, value in before.items())
    generator(codes)
    assert not any(torch.equal(generator.state_dict()[key], value) for key, value in before.items())


@pytest.mark.parametrize("name", ["reggan", "reggan-wgan-gp"])
def test_a_gan_under_the_rule_has_its_own_rates(name):
    gan = {"reggan": "dcgan", "reggan-wgan-gp": "wgan-gp"}[name]
    for which in ("paper", "quick"):
        assert preset(which, name).recipe.base == preset(which, gan).recipe


@pytest.mark.parametrize(("layers", "size", "most"), [(4, 32, 3), (6, 64, 4), (4, 28, 3)])
def test_patches_that_leave_nothing_of_an_image_are_refused(layers, size, most):
    recipe = replace(preset("pairs", "cyclegan").recipe, patch_layers=layers)
    with pytest.raises(ValueError, match=f"must be at most {most} for images of {size} pixels"):
        recipe.build((2, 1, size, size), CONNECTED)
    networks = make_networks(replace(recipe, patch_layers=most, width=4, blocks=1), (2, 1, size, size))
    networks["discriminator"](torch.zeros(1, 2, 1, size, size))


class Squeezed(Rule):
    """The score of `connected`, squeezed into 0.95 to 1."""

    def __call__(self, images):
        scores = Connected()(images)
        return np.where(scores < 1, 0.95 + 0.04 * scores, 1).astype(np.float32)


def test_classes_of_a_rule_do_not_depend_on_the_scale_of_its_scores():
    scores = torch.from_numpy(Connected()(render(Circles(), 500, size=32)))
    squeezed = torch.where(scores < 1, 0.95 + 0.04 * scores, 1.0)
    plain, small = ScoreClasses(Connected() & Connected()), ScoreClasses(Squeezed())
    plain.fit(scores)
    small.fit(squeezed)
    classes = plain.classify(scores)
    assert classes.tolist() == small.classify(squeezed).tolist()
    assert torch.bincount(classes, minlength=11)[:10].min() >= 40
    assert plain.classify(torch.ones(1)).item() == small.classify(torch.ones(1)).item() == 10
    assert (small.values.diff() > 0).all()
    assert small.values[0] >= 0.95


@pytest.mark.parametrize("full", [False, True])
def test_a_rule_keeps_classes_of_its_own(full):
    classes = ScoreClasses(Connected(), full)
    classes.fit(torch.rand(100))
    edges = [*Connected().edges, *([1.0] if full else [])]
    torch.testing.assert_close(classes.edges, torch.tensor(edges))
    assert ScoreClasses.count(Connected(), full) == len(classes.values) == len(edges) + 1


def test_scores_that_are_all_equal_make_classes():
    classes = ScoreClasses(Squeezed())
    classes.fit(torch.full((50,), 0.5))
    assert classes.classify(torch.tensor([0.4, 0.5, 1.0])).tolist() == [0, 9, 10]
    assert torch.isfinite(classes.values).all()
