"""Losses: functions from tensors to tensors.

Discriminator and generator: Goodfellow et al., arXiv 1406.2661. Critic: Arjovsky, Chintala and Bottou, arXiv
1701.07875, with the penalty of Gulrajani et al., arXiv 1704.00028. BiGAN: Donahue et al., arXiv 1605.09782, with the
pairwise penalty of "No modes left behind", arXiv 1802.00771. Rule losses: RegGAN, arXiv 2102.04593, section 3.3, which
gives no formula, only "to maximize the value of the classifier".
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "RULE_LOSSES",
    "critic_wasserstein",
    "discriminator_bce",
    "encoder_bce",
    "expected_score",
    "generator_bce",
    "generator_minimax",
    "generator_wasserstein",
    "gradient_penalty",
    "least_squares",
    "pairwise_penalty",
    "rule_expected",
    "rule_soft",
    "rule_top",
]


def discriminator_bce(real: Tensor, fake: Tensor, real_label: float = 1.0) -> Tensor:
    """-E[log D(x)] - E[log(1 - D(G(z)))] on logits (N,); real_label below 1 smooths the first term."""
    on_real = F.binary_cross_entropy_with_logits(real, torch.full_like(real, real_label))
    return on_real + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))


def generator_bce(fake: Tensor) -> Tensor:
    """-E[log D(G(z))] on logits (N,): the non-saturating loss."""
    return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


def generator_minimax(fake: Tensor) -> Tensor:
    """E[log(1 - D(G(z)))] on logits (N,): the minimax loss."""
    return -F.softplus(fake).mean()


def encoder_bce(real: Tensor) -> Tensor:
    """-E[log(1 - D(x, E(x)))] on logits (N,): the non-saturating loss of BiGAN's encoder."""
    return F.binary_cross_entropy_with_logits(real, torch.zeros_like(real))


def least_squares(values: Tensor, label: float) -> Tensor:
    """E[(D - label)^2] on values of any shape (LSGAN, Mao et al., arXiv 1611.04076)."""
    return (values - label).square().mean()


def critic_wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """E[D(G(z))] - E[D(x)] on values (N,): minus the critic's estimate of the distance."""
    return fake.mean() - real.mean()


def generator_wasserstein(fake: Tensor) -> Tensor:
    """-E[D(G(z))] on values (N,)."""
    return -fake.mean()


def gradient_penalty(critic: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """E[(|grad D(x)| - 1)^2] at points x (N, ...), which receive no gradient."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    penalty: Tensor = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return penalty


def pairwise_penalty(
    critic: Callable[[Tensor], Tensor], x: Tensor, twin: Tensor, between: Tensor, power: int
) -> Tensor:
    """E[|grad D(m) - u|^power] at m = between * x + (1 - between) * twin, with u = (x - twin) / |x - twin|.

    x and twin are samples (N, ...), `between` is (N, 1, ...); none receives a gradient. u is 0 where x equals twin.
    """
    points = (between * x + (1 - between) * twin).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    direction = F.normalize((x - twin).detach().flatten(1), dim=1)
    penalty: Tensor = (gradient.flatten(1) - direction).norm(dim=1).pow(power).mean()
    return penalty


def expected_score(logits: Tensor, values: Tensor) -> Tensor:
    """Sum_k p_k v_k, (N,): the expected score, from logits (N, K) and class values (K,)."""
    return logits.softmax(dim=1) @ values


def rule_top(logits: Tensor, values: Tensor, beta: float = 0.0) -> Tensor:
    """-log p_top, (N,): cross-entropy of logits (N, K) with the top class; values and beta are unused."""
    return -logits.log_softmax(dim=1)[:, -1]


def rule_expected(logits: Tensor, values: Tensor, beta: float = 0.0) -> Tensor:
    """-Sum_k p_k v_k, (N,): minus the expected score; beta is unused."""
    return -expected_score(logits, values)


def rule_soft(logits: Tensor, values: Tensor, beta: float = 10.0) -> Tensor:
    """Beta - log Sum_k p_k exp(beta v_k), (N,): near rule_top for large beta, beta * (1 + rule_expected) for small."""
    return beta - torch.logsumexp(logits.log_softmax(dim=1) + beta * values, dim=1)


RULE_LOSSES = {"expected": rule_expected, "soft": rule_soft, "top": rule_top}
