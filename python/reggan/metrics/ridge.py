"""Ridge regression in closed form (Hoerl and Kennard 1970)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .comparison import MIN_SCALE

__all__ = ["Ridge"]

_STRENGTH = 0.03
"""The penalty, relative to the number of images: of 1e-4 to 1, the best for two-sample tests on masks and gray."""


@dataclass(frozen=True)
class Ridge:
    """A linear map from standardized features to targets."""

    mean: Tensor
    scale: Tensor
    weights: Tensor
    intercept: Tensor

    @classmethod
    def fit(cls, features: Tensor, targets: Tensor) -> Ridge:
        """The map that fits targets (N, T) best for features (N, D), both float64."""
        mean, scale = features.mean(dim=0), features.std(dim=0).clamp_min(MIN_SCALE)
        inputs, intercept = (features - mean) / scale, targets.mean(dim=0)
        normal = inputs.T @ inputs
        normal.diagonal().add_(_STRENGTH * len(inputs))
        weights = torch.cholesky_solve(inputs.T @ (targets - intercept), torch.linalg.cholesky(normal))
        return cls(mean, scale, weights, intercept)

    def __call__(self, features: Tensor) -> Tensor:
        """Predicted targets (N, T) of features (N, D)."""
        return (features - self.mean) / self.scale @ self.weights + self.intercept
