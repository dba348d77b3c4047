"""Arithmetic with latents: whether five blobs less three are two, and what lies between two images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from reggan.config import TrainConfig
from reggan.domains import Images
from reggan.drawing import sheet
from reggan.recipes import Networks
from reggan.rules import darkest, resolve_rule
from reggan.scoring import analyze
from reggan.training import generate, private_generator

from .records import Record

__all__ = ["with_arithmetic"]

_MORE, _FEWER = 5, 3
"""Pieces of the images whose mean latents are subtracted."""
_EACH = 10
"""Latents in a mean, about as many as a person would pick by hand."""
_FRAMES, _ROWS = 9, 4
_FURTHEST = 2.0
"""Ways along the difference of two means end at this multiple of it."""

Counts = npt.NDArray[np.integer]


def with_arithmetic(config: TrainConfig, networks: Networks, count: int) -> tuple[Record, Image.Image]:
    """What the latents of five blobs less those of three make, and those of three plus that difference.

    Metrics of `count` latents:

    - "counts": images by number of pieces, of differences between two means of ten latents each;
    - "two": the share of these with two pieces; "chance": that share for means of any latents;
    - "more": mean number of pieces that latents of three gain when the difference of all is added; "five": the share
      that then has five;
    - "linear": part of the variance of the number of pieces that a linear function of the latent explains, on latents
      that it was not fitted to.

    With an encoder, the same of as many codes of the data, as "codes_two" and so on, and as "codes_kept" the share of
    the data whose reconstruction has the same number of pieces. Metrics with too few images are left out.

    The rows of the picture are ways from one latent to another, then from images of three along the difference.
    """
    domain, random = config.domain, private_generator(0, "evaluate")
    latents = domain.inputs(config.recipe.prior, count, random)

    def make(inputs: Tensor) -> Images:
        images: Images = generate(networks["averaged"], inputs, domain)
        return images

    def pieces(inputs: Tensor) -> Counts:
        return _pieces(make(inputs))

    counts = pieces(latents)
    figures = _figures(pieces, latents, counts, random)
    if "encoder" in networks:
        stored, _, _ = config.data.open(config.size, resolve_rule(config.rule)).items(np.arange(count))
        true, codes = _pieces(domain.array(stored)), _encode(networks["encoder"], domain.encode(stored))
        of_codes = _figures(pieces, codes, true, random) | {"kept": float((pieces(codes) == true).mean())}
        figures |= {f"codes_{key}": value for key, value in of_codes.items()}
    ways = [_between(*latents[2 * k : 2 * k + 2]) for k in range(_ROWS)]
    difference = _difference(latents, counts)
    if difference is not None:
        along = torch.linspace(0, _FURTHEST, _FRAMES)[:, None] * difference
        ways += [begin + along for begin in latents[counts == _FEWER][:_ROWS]]
    return figures, sheet(make(torch.cat(ways)), columns=_FRAMES)


def _figures(pieces: Callable[[Tensor], Counts], latents: Tensor, counts: Counts, random: torch.Generator) -> Record:
    """Metrics of latents (N, D) whose images have these numbers of pieces (N,)."""
    figures: Record = {"linear": _linear(latents.double().numpy(), counts)}
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
    """R² of the least-squares fit to the first half, on the second; 0 where all of that have one number of pieces."""
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
    """Latents (frames, D) on the arc from one latent (D,) to another: all about as long as latents of the prior."""
    way = torch.linspace(0, 1, _FRAMES)[:, None]
    angle = torch.cosine_similarity(first, second, dim=0).arccos()
    return (((1 - way) * angle).sin() * first + (way * angle).sin() * second) / angle.sin()
