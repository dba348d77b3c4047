"""What a recipe remembers between steps: buffers of a module, so that they are saved and restored as networks are."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["Memory", "Pool"]


class Memory(nn.Module):
    """Harvested images, images that the generator made lately with their exact scores, and the state of a controller.

    All images are uint8, as they would be saved, white paper 255.
    """

    harvested: Tensor
    """(kept, channels, size, size): the discriminator's real images from the first harvest on."""
    harvest_score: Tensor
    """(): their mean exact score; -1 before the first harvest."""
    harvest_obeying: Tensor
    """(): share of them that obey the rule."""
    made: Tensor
    """(replay, channels, size, size): a ring of generated images."""
    made_scores: Tensor
    """(replay,): their exact scores."""
    written: Tensor
    """(): how many images were ever written to the ring."""
    score: Tensor
    """(): running mean of the exact score of generated images."""
    obeying: Tensor
    """(): running share of generated images that obey the rule."""
    weight: Tensor
    """(): weight of the rule."""

    def __init__(self, size: int, channels: int, kept: int, replay: int) -> None:
        super().__init__()
        self.register_buffer("harvested", torch.full((kept, channels, size, size), 255, dtype=torch.uint8))
        self.register_buffer("harvest_score", torch.tensor(-1.0))
        self.register_buffer("harvest_obeying", torch.zeros(()))
        self.register_buffer("made", torch.full((replay, channels, size, size), 255, dtype=torch.uint8))
        self.register_buffer("made_scores", torch.zeros(replay))
        self.register_buffer("written", torch.zeros((), dtype=torch.int64))
        self.register_buffer("score", torch.zeros(()))
        self.register_buffer("obeying", torch.zeros(()))
        self.register_buffer("weight", torch.zeros(()))

    def remember(self, images: Tensor, scores: Tensor) -> None:
        """Write images (N, ...) uint8 with their scores (N,) over the oldest of the ring; the last if too many."""
        images, scores = images[-len(self.made) :], scores[-len(self.made) :]
        places = self._places(int(self.written), len(images))
        self.made[places] = images
        self.made_scores[places] = scores.to(self.made_scores)
        self.written += len(images)

    def recall(self, latest: int, others: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The latest images of a full ring and some drawn from all of it: images uint8, scores."""
        last = self._places(int(self.written) - latest, latest)
        drawn = torch.randint(len(self.made), (others,), generator=generator).to(last.device)
        places = torch.cat([last, drawn])
        return self.made[places], self.made_scores[places]

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """So many of the harvested images, drawn with replacement, uint8."""
        drawn = torch.randint(len(self.harvested), (count,), generator=generator)
        return self.harvested[drawn.to(self.harvested.device)]

    def _places(self, start: int, count: int) -> Tensor:
        return (torch.arange(count, device=self.made.device) + start) % len(self.made)


class Pool(nn.Module):
    """Generated samples of earlier steps (Shrivastava et al., arXiv 1612.07828), from which some are handed out."""

    kept: Tensor
    """(size, numbers of a sample) float."""
    written: Tensor
    """(): how many places are filled."""

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("kept", torch.zeros(size, math.prod(shape)))
        self.register_buffer("written", torch.zeros((), dtype=torch.int64))

    def exchange(self, samples: Tensor, generator: torch.Generator) -> Tensor:
        """As many samples (N, *shape): each is kept while there is room, then half of them swap with an earlier one."""
        shape = samples.shape
        samples, given = samples.flatten(1), samples.flatten(1).clone()
        swaps = torch.rand(len(samples), generator=generator) < 0.5
        places = torch.randint(len(self.kept), (len(samples),), generator=generator)
        for k, (swap, place) in enumerate(zip(swaps.tolist(), places.tolist(), strict=True)):
            if self.written < len(self.kept):
                self.kept[self.written] = samples[k].to(self.kept)
                self.written += 1
            elif swap:
                given[k] = self.kept[place]
                self.kept[place] = samples[k].to(self.kept)
        return given.view(shape)
