"""Losses against their formulas in float64."""

import numpy as np
import pytest
import torch

from reggan import losses

VALUES = torch.linspace(0, 1, 11, dtype=torch.float64)
LOGITS = torch.from_numpy(np.random.default_rng(1).normal(size=(7, 11)) * 3)


def softmax(logits):
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def test_adversarial_losses_are_goodfellows():
    real, fake = torch.randn(2, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    d = lambda x: 1 / (1 + np.exp(-x.numpy()))  # noqa: E731
    expected = -np.log(d(real)).mean() - np.log(1 - d(fake)).mean()
    assert losses.discriminator_bce(real, fake).item() == pytest.approx(expected)
    assert losses.generator_bce(fake).item() == pytest.approx(-np.log(d(fake)).mean())
    smoothed = -(0.9 * np.log(d(real)) + 0.1 * np.log(1 - d(real))).mean() - np.log(1 - d(fake)).mean()
    assert losses.discriminator_bce(real, fake, 0.9).item() == pytest.approx(smoothed)


def test_other_players_have_losses_of_the_same_game():
    logits = torch.randn(50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    d = 1 / (1 + np.exp(-logits.numpy()))
    assert losses.generator_minimax(logits).item() == pytest.approx(np.log(1 - d).mean())
    assert losses.encoder_bce(logits).item() == pytest.approx(-np.log(1 - d).mean())


@pytest.mark.parametrize("power", [1, 2])
def test_the_pairwise_penalty_is_on_the_way_from_a_twin_to_its_sample(power):
    generator = torch.Generator().manual_seed(2)
    x, twin = torch.randn(2, 20, 3, 2, generator=generator, dtype=torch.float64)
    twin[0] = x[0]
    between = torch.rand(20, 1, 1, generator=generator, dtype=torch.float64)
    a = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    # Of f(x) = sum(a x^2 / 2) the gradient is a x.
    penalty = losses.pairwise_penalty(lambda m: (a * m.square() / 2).sum(dim=(1, 2)), x, twin, between, power)
    rows, twins = x.numpy().reshape(20, 6), twin.numpy().reshape(20, 6)
    share = between.numpy()[:, 0]
    length = np.linalg.norm(rows - twins, axis=1, keepdims=True)
    way = np.divide(rows - twins, length, out=np.zeros_like(rows), where=length > 0)
    error = np.linalg.norm(0.7 * (share * rows + (1 - share) * twins) - way, axis=1)
    assert penalty.item() == pytest.approx((error**power).mean())
    penalty.backward()
    assert torch.isfinite(a.grad)


def test_critic_losses_are_a_distance_and_its_penalty():
    real, fake = torch.randn(2, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    distance = real.numpy().mean() - fake.numpy().mean()
    assert losses.critic_wasserstein(real, fake).item() == pytest.approx(-distance)
    assert losses.generator_wasserstein(fake).item() == pytest.approx(-fake.numpy().mean())
    # Of f(x) = sum(a x^2 / 2) the gradient is a x, and the penalty's own gradient by a is mean 2 (|ax| - 1) |x| sign.
    x = torch.randn(20, 3, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    a = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    penalty = losses.gradient_penalty(lambda x: (a * x.square() / 2).sum(dim=(1, 2)), x)
    length = np.linalg.norm(x.numpy().reshape(20, 6), axis=1)
    assert penalty.item() == pytest.approx(((0.7 * length - 1) ** 2).mean())
    (slope,) = torch.autograd.grad(penalty, a)
    assert slope.item() == pytest.approx((2 * (0.7 * length - 1) * length).mean())


def test_rule_losses_are_their_formulas():
    p, v = softmax(LOGITS.numpy()), VALUES.numpy()
    assert losses.rule_top(LOGITS, VALUES).numpy() == pytest.approx(-np.log(p[:, -1]))
    assert losses.rule_expected(LOGITS, VALUES).numpy() == pytest.approx(-(p @ v))
    assert losses.rule_soft(LOGITS, VALUES, 4.0).numpy() == pytest.approx(4 - np.log(p @ np.exp(4 * v)))
    assert losses.expected_score(LOGITS, VALUES).numpy() == pytest.approx(p @ v)


def test_the_soft_loss_contains_the_others_as_limits():
    top = losses.rule_top(LOGITS, VALUES)
    assert losses.rule_soft(LOGITS, VALUES, 1e4).numpy() == pytest.approx(top.numpy())
    beta = 1e-5
    slope = losses.rule_soft(LOGITS, VALUES, beta) / beta - 1
    assert slope.numpy() == pytest.approx(losses.rule_expected(LOGITS, VALUES).numpy(), rel=1e-4)


@pytest.mark.parametrize("name", losses.RULE_LOSSES)
def test_every_rule_loss_is_least_at_the_top_class(name):
    sure = torch.eye(11, dtype=torch.float64) * 20
    found = [losses.RULE_LOSSES[name](row[None], VALUES, 5.0).item() for row in sure]
    assert np.argmin(found) == 10
