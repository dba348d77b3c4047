"""Points of a mixture of Gaussians, measured by the modes that they reach."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from ..data import Mixture, SampleSet
from ..metrics.modes import QUALITY, high_quality, modes, reverse_kl, wasserstein
from ..recipes.phases import Prior

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PointModality"]

Rows = npt.NDArray[np.float32]

MODES_KEPT = 0.70
"""The best checkpoint has the most points near a mode among those that reach at least this share of the modes."""
_SIDE, _DPI, _FINE = 4.4, 80, 121
_OTHERS = 1_000_000_007
"""Seed of the reference points on a line, which no training uses."""
_MARGIN = 0.25
"""Margin of a picture, as a share of the width of the data."""


@dataclass(frozen=True)
class PointModality:
    """Points (N, D) float32; the score of a point is 1 within three standard deviations of a mode, else 0."""

    mixture: Mixture

    num_drawn: ClassVar[int] = 1000
    num_summary: ClassVar[int] = 1024

    @property
    def shape(self) -> tuple[int, ...]:
        return self.mixture.centers.shape[1:]

    @property
    def progress_metrics(self) -> tuple[str, ...]:
        return ("score", "modes", *self._on_a_line)

    def given(self, data: SampleSet) -> PointModality:
        return self

    def inputs(self, prior: Prior, count: int, generator: torch.Generator) -> Tensor:
        return prior(count, generator)

    def encode(self, stored: Tensor) -> Tensor:
        return stored

    def make(self, generator: nn.Module, inputs: Tensor) -> Tensor:
        points: Tensor = generator(inputs).float()
        return points

    def to_numpy(self, stored: Tensor) -> Rows:
        rows: Rows = stored.cpu().numpy()
        return rows

    def to_tensor(self, samples: Rows) -> Tensor:
        return torch.from_numpy(samples)

    def summarize(self, samples: Rows) -> dict[str, float]:
        """Share of high-quality points as "score", number of modes, reverse KL divergence.

        On a line also the Wasserstein distance to the data, in their standard deviations; NaN for a single point.
        """
        figures = {
            "score": high_quality(samples, self.mixture),
            "modes": float(modes(samples, self.mixture)),
            "reverse_kl": reverse_kl(samples, self.mixture),
        }
        if self._on_a_line:
            data, _ = self.mixture.draw(np.random.default_rng(_OTHERS), len(samples))
            spread = float(data.std())
            figures["wasserstein"] = wasserstein(samples, data) / spread if spread else math.nan
        return figures

    def scores(self, samples: Rows) -> npt.NDArray[Any]:
        return (self.mixture.nearest(samples)[1] <= QUALITY).astype(np.float32)

    def warn(self) -> str:
        return ""

    def describe(self, samples: Rows, figures: Mapping[str, float], data: SampleSet) -> list[str]:
        return []

    def looks_like(self, figures: Mapping[str, float], data: Mapping[str, float]) -> bool:
        return figures["modes"] >= MODES_KEPT * data["modes"]

    def draw(self, samples: Rows, discriminate: Callable[[Tensor], Tensor] | None = None) -> dict[str, Image.Image]:
        """The points, the modes, and the discriminator's output."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(_SIDE, _SIDE), dpi=_DPI, layout="constrained")
        draw = self._draw_line if self._on_a_line else self._draw_plane
        draw(figure.subplots(), samples, discriminate)
        content = io.BytesIO()
        figure.savefig(content, format="png", metadata={"Software": None})
        return {"": Image.open(content).convert("RGB")}

    def save(self, samples: Rows, folder: Path) -> list[Path]:
        path = folder / "points.npy"
        np.save(path, samples)
        return [path]

    @property
    def _on_a_line(self) -> tuple[str, ...]:
        return ("wasserstein",) if self.mixture.centers.shape[1] == 1 else ()

    @property
    def _limits(self) -> tuple[float, float]:
        low, high = float(self.mixture.centers.min()), float(self.mixture.centers.max())
        margin = _MARGIN * (high - low) + 4 * self.mixture.std
        return low - margin, high + margin

    def _draw_line(self, axes: Axes, samples: Rows, discriminate: Callable[[Tensor], Tensor] | None) -> None:
        low, high = self._limits
        x = np.linspace(low, high, 400)
        each = np.exp(-0.5 * ((x - self.mixture.centers) / self.mixture.std) ** 2)
        density = each.mean(axis=0) / (self.mixture.std * np.sqrt(2 * np.pi))
        axes.plot(x, density, color="#66655f", label="data")
        counts, edges = np.histogram(samples[:, 0], bins=60, range=(low, high))
        found = counts / (len(samples) * np.diff(edges))
        axes.stairs(found, edges, fill=True, alpha=0.5, color="#1d5fb4", label="samples")
        if discriminate is not None:
            shown = discriminate(torch.from_numpy(x[:, None].astype(np.float32))).sigmoid().numpy()
            axes.plot(x, shown, color="#c8501e", label="D(x)")
        # The same limits for all pictures of a run, so that they can be animated; higher bars are cut off.
        top = 1.1 * max(1.0, float(density.max()))
        axes.set(xlim=(low, high), ylim=(0, top), xlabel="x", ylabel="density, or D(x)")
        axes.figure.legend(loc="outside upper right", ncols=3, fontsize=8, frameon=False)

    def _draw_plane(self, axes: Axes, samples: Rows, discriminate: Callable[[Tensor], Tensor] | None) -> None:
        low, high = self._limits
        if discriminate is not None:
            places = np.linspace(low, high, _FINE, dtype=np.float32)
            grid = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)
            found = discriminate(torch.from_numpy(grid)).numpy().reshape(_FINE, _FINE)
            axes.contourf(places, places, found, levels=16, cmap="Greys", alpha=0.55)
        x, y = self.mixture.centers.T
        axes.scatter(x, y, s=120, facecolors="none", edgecolors="#c8501e", linewidths=1.2)
        axes.scatter(samples[:, 0], samples[:, 1], s=5, color="#1d5fb4", alpha=0.6, linewidths=0)
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
