"""State that recipes keep between steps, in modules, so that checkpoints include it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["Memory", "ReplayBuffer"]


class Memory(nn.Module):
    """Harvested images, a replay buffer of generated images with exact scores, and the state of a controller.

    Images are uint8 of shape (C, H, W), as saved: white is 255.
    """

    harvested: Tensor
    """(kept, C, H, W): the discriminator's real images from the first harvest on."""
    harvest_score: Tensor
    """(): their mean exact score; -1 before the first harvest."""
    harvest_obeying: Tensor
    """(): the share of them that obeys the rule."""
    generated: Tensor
    """(replay, C, H, W): the latest generated images, in a ring."""
    generated_scores: Tensor
    """(replay,): their exact scores."""
    written: Tensor
    """(): the number of generated images added so far."""
    score: Tensor
    """(): running mean of the exact score of generated images."""
    obeying: Tensor
    """(): running share of generated images that obey the rule."""
    weight: Tensor
    """(): weight of the rule."""

    def __init__(self, shape: tuple[int, ...], kept: int, replay: int) -> None:
        super().__init__()
        self.register_buffer("harvested", torch.full((kept, *shape), 255, dtype=torch.uint8))
        self.register_buffer("harvest_score", torch.tensor(-1.0))
        self.register_buffer("harvest_obeying", torch.zeros(()))
        self.register_buffer("generated", torch.full((replay, *shape), 255, dtype=torch.uint8))
        self.register_buffer("generated_scores", torch.zeros(replay))
        self.register_buffer("written", torch.zeros((), dtype=torch.int64))
        for name in ("score", "obeying", "weight"):
            self.register_buffer(name, torch.zeros(()))

    def add(self, images: Tensor, scores: Tensor) -> None:
        """Replace the oldest generated images by (the last of) these uint8 images (N, C, H, W) with scores (N,)."""
        images, scores = images[-len(self.generated) :], scores[-len(self.generated) :]
        indices = self._indices(int(self.written), len(images))
        self.generated[indices] = images
        self.generated_scores[indices] = scores.to(self.generated_scores)
        self.written += len(images)

    def sample_replay(self, latest: int, others: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The latest uint8 images and others drawn with replacement, with their scores; the buffer must be full."""
        newest = self._indices(int(self.written) - latest, latest)
        drawn = torch.randint(len(self.generated), (others,), generator=generator).to(newest.device)
        indices = torch.cat([newest, drawn])
        return self.generated[indices], self.generated_scores[indices]

    def sample_harvest(self, count: int, generator: torch.Generator) -> Tensor:
        """Harvested images (count, C, H, W) uint8, drawn with replacement."""
        drawn = torch.randint(len(self.harvested), (count,), generator=generator)
        return self.harvested[drawn.to(self.harvested.device)]

    def _indices(self, start: int, count: int) -> Tensor:
        return (torch.arange(count, device=self.generated.device) + start) % len(self.generated)


class ReplayBuffer(nn.Module):
    """Generated samples of earlier steps, mixed into later ones (Shrivastava et al., arXiv 1612.07828)."""

    kept: Tensor
    """(size, D) float: flattened samples."""
    written: Tensor
    """(): the number of samples in the buffer."""

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("kept", torch.zeros(size, math.prod(shape)))
        self.register_buffer("written", torch.zeros((), dtype=torch.int64))

    def exchange(self, samples: Tensor, generator: torch.Generator) -> Tensor:
        """Samples (N, *shape): copies fill the buffer; once it is full, half are swapped with random entries."""
        shape = samples.shape
        samples, mixed = samples.flatten(1), samples.flatten(1).clone()
        swaps = torch.rand(len(samples), generator=generator) < 0.5
        indices = torch.randint(len(self.kept), (len(samples),), generator=generator)
        for k, (swap, index) in enumerate(zip(swaps.tolist(), indices.tolist(), strict=True)):
            if self.written < len(self.kept):
                self.kept[self.written] = samples[k].to(self.kept)
                self.written += 1
            elif swap:
                mixed[k] = self.kept[index]
                self.kept[index] = samples[k].to(self.kept)
        return mixed.view(shape)
