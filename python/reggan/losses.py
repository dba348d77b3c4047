"""Losses: tensor in, tensor out, each as short as its formula.

Discriminator and generator: Goodfellow et al., arXiv 1406.2661; critic: Arjovsky, Chintala and Bottou, arXiv
1701.07875, with the penalty of Gulrajani et al., arXiv 1704.00028. BiGAN: Donahue et al., arXiv 1605.09782, with the
pair-wise penalty of "No modes left behind", arXiv 1802.00771. Rule losses: RegGAN, arXiv 2102.04593, section 3.3,
where the paper says "to maximize the value of the classifier" and leaves the formula open.
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
    on_fake = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    return on_real + on_fake


def generator_bce(fake: Tensor) -> Tensor:
    """-E[log D(G(z))] on logits (N,): the non-saturating loss, in place of E[log(1 - D(G(z)))]."""
    return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


def generator_minimax(fake: Tensor) -> Tensor:
    """E[log(1 - D(G(z)))] on logits (N,)."""
    return -F.softplus(fake).mean()


def encoder_bce(real: Tensor) -> Tensor:
    """-E[log(1 - D(x, E(x)))] on logits (N,): the non-saturating loss of BiGAN's encoder."""
    return F.binary_cross_entropy_with_logits(real, torch.zeros_like(real))


def least_squares(values: Tensor, label: float) -> Tensor:
    """E[(D - label)^2] on values of any shape (LSGAN, Mao et al., arXiv 1611.04076)."""
    return (values - label).square().mean()


def critic_wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """E[D(G(z))] - E[D(x)] on values (N,): minus the distance that the critic sees."""
    return fake.mean() - real.mean()


def generator_wasserstein(fake: Tensor) -> Tensor:
    """-E[D(G(z))] on values (N,)."""
    return -fake.mean()


def gradient_penalty(critic: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """E[(|grad D(x)| - 1)^2] at points x (N, ...), which are not differentiated."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    penalty: Tensor = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return penalty


def pairwise_penalty(
    critic: Callable[[Tensor], Tensor], x: Tensor, twin: Tensor, between: Tensor, power: int
) -> Tensor:
    """E[|grad D(m) - u|^power] at m between samples x (N, ...) and their twins, with u = (x - twin) / |x - twin|.

    `between` (N, 1, ...) is 1 at x and 0 at the twin; no input is differentiated. Where x is its twin, u is 0.
    """
    points = (between * x + (1 - between) * twin).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    way = F.normalize((x - twin).detach().flatten(1), dim=1)
    penalty: Tensor = (gradient.flatten(1) - way).norm(dim=1).pow(power).mean()
    return penalty


def expected_score(logits: Tensor, values: Tensor) -> Tensor:
    """Sum_k p_k v_k, (N,): the score that a classifier expects, from logits (N, K) and class values (K,)."""
    return logits.softmax(dim=1) @ values


def rule_top(logits: Tensor, values: Tensor, beta: float = 0.0) -> Tensor:
    """-log p_top, (N,): cross-entropy of logits (N, K) to the top class; values and beta are not used."""
    return -logits.log_softmax(dim=1)[:, -1]


def rule_expected(logits: Tensor, values: Tensor, beta: float = 0.0) -> Tensor:
    """-Sum_k p_k v_k, (N,): minus the expected score; beta is not used."""
    return -expected_score(logits, values)


def rule_soft(logits: Tensor, values: Tensor, beta: float = 10.0) -> Tensor:
    """Beta - log Sum_k p_k exp(beta v_k), (N,): rule_top as beta grows, beta * (1 + rule_expected) as it falls to 0."""
    return beta - torch.logsumexp(logits.log_softmax(dim=1) + beta * values, dim=1)


RULE_LOSSES = {
    "expected": rule_expected,
    "soft": rule_soft,
    "top": rule_top,
}
