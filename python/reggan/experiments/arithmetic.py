"""Arithmetic with latents: whether five blobs less three are two, and what lies between two images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from ..config import TrainConfig
from ..domains import Images
from ..drawing import sheet
from ..recipes import Networks
from ..rules import darkest, resolve_rule
from ..scoring import analyze
from ..training import generate, private_generator

__all__ = ["arithmetic"]

_MORE, _FEWER = 5, 3
"""Pieces of the images whose mean latents are subtracted."""
_EACH = 10
"""Latents in a mean, about as many as one would pick by hand."""
_FRAMES, _ROWS = 9, 4
_FURTHEST = 2.0
"""The ways along the difference of two means end at so many times it."""

Counts = npt.NDArray[np.integer]


def arithmetic(config: TrainConfig, networks: Networks, count: int) -> tuple[dict[str, Any], Image.Image]:
    """What is left of five blobs less three, and what becomes of three with that difference.

    Of `count` latents: "counts", the numbers of pieces that differences of two means have, each of ten latents;
    "two", the share with two pieces; "chance", that share where the means are of any latents; "more", the pieces that
    latents of three gain when the difference of all is added; "five", the share that has five then; "linear", the part
    of the variance of the pieces that a linear function of the latent explains, on latents that it was not fitted to.

    Where the recipe has an encoder, the same of as many codes of the data, as "codes_two" and so on, and
    "codes_kept", the share of the data whose reconstruction has as many pieces. What there are too few images for is
    left out.

    The rows of the picture are ways from one latent to another, then from images of three along the difference.
    """
    domain, random = config.domain, private_generator(0, "evaluate")
    latents = domain.inputs(config.recipe.prior, count, random)

    def made(inputs: Tensor) -> Images:
        images: Images = generate(networks["averaged"], inputs, domain)
        return images

    def pieces(inputs: Tensor) -> Counts:
        return _pieces(made(inputs))

    counts = pieces(latents)
    figures = _figures(pieces, latents, counts, random)
    if "encoder" in networks:
        stored, _, _ = config.data.open(config.size, resolve_rule(config.rule)).items(np.arange(count))
        seen, codes = _pieces(domain.array(stored)), _encode(networks["encoder"], domain.encode(stored))
        told = _figures(pieces, codes, seen, random) | {"kept": float((pieces(codes) == seen).mean())}
        figures |= {f"codes_{key}": value for key, value in told.items()}
    ways = [_between(*latents[2 * k : 2 * k + 2]) for k in range(_ROWS)]
    difference = _difference(latents, counts)
    if difference is not None:
        along = torch.linspace(0, _FURTHEST, _FRAMES)[:, None] * difference
        ways += [begin + along for begin in latents[counts == _FEWER][:_ROWS]]
    return figures, sheet(made(torch.cat(ways)), columns=_FRAMES)


def _figures(
    pieces: Callable[[Tensor], Counts], latents: Tensor, counts: Counts, random: torch.Generator
) -> dict[str, Any]:
    """The figures of latents (N, D) whose images have these numbers of pieces (N,)."""
    figures: dict[str, Any] = {"linear": _linear(latents.double().numpy(), counts)}
    difference = _difference(latents, counts)
    if difference is None:
        return figures

    def means(chosen: Tensor) -> Tensor:
        picked = torch.randint(len(chosen), (len(latents), _EACH), generator=random)
        return chosen[picked].mean(dim=1)

    more, fewer = latents[counts == _MORE], latents[counts == _FEWER]
    left, by_chance = pieces(means(more) - means(fewer)), pieces(means(latents) - means(latents))
    moved = pieces(fewer + difference)
    return figures | {
        "counts": np.bincount(left).tolist(),
        "two": float((left == _MORE - _FEWER).mean()),
        "chance": float((by_chance == _MORE - _FEWER).mean()),
        "more": float(moved.mean() - _FEWER),
        "five": float((moved == _MORE).mean()),
    }


def _difference(latents: Tensor, counts: Counts) -> Tensor | None:
    """Mean latent (D,) of the images with more pieces, less that of those with fewer, if there are enough."""
    more, fewer = latents[counts == _MORE], latents[counts == _FEWER]
    return more.mean(dim=0) - fewer.mean(dim=0) if min(len(more), len(fewer)) >= _EACH else None


def _linear(latents: npt.NDArray[np.float64], counts: Counts) -> float:
    """R^2 of the least-squares fit to the first half, on the second; 0 where that has one number only."""
    rows = np.column_stack([latents, np.ones(len(latents))])
    half = len(rows) // 2
    weights, *_ = np.linalg.lstsq(rows[:half], counts[:half], rcond=None)
    spread = float(counts[half:].var())
    return 1 - float(np.square(counts[half:] - rows[half:] @ weights).mean()) / spread if spread else 0.0


def _pieces(images: Images) -> Counts:
    """Numbers of pieces (N,)."""
    found: Counts = analyze(darkest(images), fields=("count",)).count
    return found


@torch.no_grad()
def _encode(encoder: nn.Module, images: Tensor) -> Tensor:
    """Codes (N, D) of images (N, C, H, W) in [-1, 1]."""
    return torch.cat([encoder(images[first : first + 256]) for first in range(0, len(images), 256)])


def _between(first: Tensor, second: Tensor) -> Tensor:
    """Latents (frames, D) on the arc from one latent (D,) to another: as long as those of the prior all the way."""
    way = torch.linspace(0, 1, _FRAMES)[:, None]
    angle = torch.cosine_similarity(first, second, dim=0).arccos()
    return (((1 - way) * angle).sin() * first + (way * angle).sin() * second) / angle.sin()
