"""Arithmetic with latents: whether five blobs minus three are two, and interpolation between images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from reggan.config import TrainConfig
from reggan.drawing import sheet
from reggan.modalities import Images
from reggan.randomness import private_generator
from reggan.recipes import Networks
from reggan.rules import min_channel
from reggan.scoring import analyze

from .records import Record
from .runs import make as make_samples

__all__ = ["with_arithmetic"]

_MORE, _FEWER = 5, 3
"""Pieces of the images whose mean latents are subtracted."""
_EACH = 10
"""Latents in a mean, about as many as a person would pick by hand."""
_FRAMES, _ROWS = 9, 4
_FURTHEST = 2.0
"""Paths along the difference of two means end at this multiple of it."""

Counts = npt.NDArray[np.integer]


def with_arithmetic(config: TrainConfig, networks: Networks, count: int) -> tuple[Record, Image.Image]:
    """Subtract latents of three blobs from those of five, and add the difference to latents of three.

    Metrics of `count` latents:

    - "counts": numbers of images by number of pieces, for differences between two means of ten latents each;
    - "two": the share of these with two pieces; "chance": that share for means of arbitrary latents;
    - "more": mean number of pieces that latents of three gain when the difference of all is added; "five": the share
      that then has five;
    - "linear": share of the variance of the number of pieces that a linear function of the latent explains on held-out
      latents.

    With an encoder, also the same metrics for codes of the data, "codes_two" and so on, and as "codes_kept" the share
    of the data whose reconstruction has the same number of pieces. Metrics with too few images are omitted.

    The rows of the picture are paths from one latent to another, then from latents of three along the difference.
    """
    modality, random = config.modality, private_generator(0, "evaluate")
    latents = modality.inputs(config.recipe.prior, count, random)

    def make(inputs: Tensor) -> Images:
        images: Images = make_samples(config, networks["averaged"], inputs)
        return images

    def pieces(inputs: Tensor) -> Counts:
        return _pieces(make(inputs))

    counts = pieces(latents)
    figures = _figures(pieces, latents, counts, random)
    if "encoder" in networks:
        stored = config.open_data().fetch(np.arange(count))
        true, codes = _pieces(modality.to_numpy(stored)), _encode(networks["encoder"], modality.encode(stored))
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
    """Mean latent (D,) of the images with more pieces, minus that of those with fewer, if there are enough."""
    more, fewer = latents[counts == _MORE], latents[counts == _FEWER]
    return more.mean(dim=0) - fewer.mean(dim=0) if min(len(more), len(fewer)) >= _EACH else None


def _linear(latents: npt.NDArray[np.float64], counts: Counts) -> float:
    """R² on the second half of a least-squares fit to the first; 0 if the second has one number of pieces only."""
    rows = np.column_stack([latents, np.ones(len(latents))])
    half = len(rows) // 2
    weights, *_ = np.linalg.lstsq(rows[:half], counts[:half], rcond=None)
    spread = float(counts[half:].var())
    return 1 - float(np.square(counts[half:] - rows[half:] @ weights).mean()) / spread if spread else 0.0


def _pieces(images: Images) -> Counts:
    """Numbers of pieces (N,)."""
    found: Counts = analyze(min_channel(images), fields=("count",)).count
    return found


@torch.no_grad()
def _encode(encoder: nn.Module, images: Tensor) -> Tensor:
    """Codes (N, D) of images (N, C, H, W) in [-1, 1]."""
    return torch.cat([encoder(images[first : first + 256]) for first in range(0, len(images), 256)])


def _between(first: Tensor, second: Tensor) -> Tensor:
    """Latents (frames, D) on the arc from one latent (D,) to another, with about the norm of latents of the prior."""
    way = torch.linspace(0, 1, _FRAMES)[:, None]
    angle = torch.cosine_similarity(first, second, dim=0).arccos()
    return (((1 - way) * angle).sin() * first + (way * angle).sin() * second) / angle.sin()
