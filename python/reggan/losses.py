"""Losses: tensor in, tensor out, each as short as its formula.

Discriminator and generator: Goodfellow et al., arXiv 1406.2661. Rule losses: RegGAN, arXiv 2102.04593,
section 3.3, where the paper says "to maximize the value of the classifier" and leaves the formula open.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "RULE_LOSSES",
    "discriminator_bce",
    "expected_score",
    "generator_bce",
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
