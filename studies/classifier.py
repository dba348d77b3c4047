"""The classifier of the score: its accuracy on held-out images, and what improves it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

from reggan.config import TrainConfig
from reggan.data import RenderedImages, normalize, to_numpy
from reggan.losses import expected_score
from reggan.modalities import Images
from reggan.networks import ScoreClassifier
from reggan.presets import preset
from reggan.progress import Progress
from reggan.randomness import private_generator
from reggan.recipes import DCGAN
from reggan.rendering import render
from reggan.rules import Connected
from reggan.runs import RunDirectory
from reggan.search import oracle
from reggan.specs import Circles

from .figures import Picture
from .records import MINUTES, Columns, Record, Records, run_directory
from .residual import ResidualClassifier
from .runs import latents, make, train
from .study import Arm, Arms

__all__ = ["ByClasses", "Pupil", "pupils"]

_SIZE = 32
_BATCH = 64
_SYMMETRIES = 8
_TESTED = 4000
"""Images of each kind that a classifier is tested on."""
_GENERATED = 20_000
"""Images of the generator for training classifiers."""

Scored = tuple[Tensor, Tensor]
"""Images (N, 1, H, W) uint8, and their exact scores (N,)."""


@dataclass(frozen=True)
class Pupil:
    """A classifier, and its training data and options."""

    label: str
    network: Literal["paper", "residual"] = "paper"
    images: int = 10_000
    """Rendered images."""
    turned: bool = False
    """Whether training uses the eight symmetries of the square, which do not change a score, and testing averages the
    logits over them."""
    generated: bool = False
    """Whether half of each batch are a generator's images with their exact scores."""
    steps: int = 15_000
    lr: float = 1e-3
    annealed: bool = False
    """Whether the learning rate rises and falls in one cycle; otherwise it is constant."""
    seed: int = 0


_RESIDUAL = Pupil("residual, 37,700 images, turned", "residual", 37_700, True, False, 9000, 2e-3, True)
_HALF = "the same, half of each batch generated"


def pupils(work: Path) -> dict[str, Arm[Pupil]]:
    """The paper's classifier and a residual one, with and without generated images."""
    known = {
        "paper": Pupil("the paper's, 10,000 images"),
        "paper-generated": Pupil(_HALF, generated=True),
        "paper-more": Pupil("the paper's, 37,700 images, turned", images=37_700, turned=True),
        "residual": _RESIDUAL,
        "residual-generated": replace(_RESIDUAL, label=_HALF, generated=True),
    }
    return {name: Arm(pupil.label, pupil) for name, pupil in known.items()}


_COLUMNS: Columns = {
    "accuracy": ("accuracy", lambda r: r["held_out"]["accuracy"], ".1%"),
    "error": ("mean error of the score", lambda r: r["held_out"]["error"], ".3f"),
    "generated_accuracy": ("accuracy, generated", lambda r: r["generated"]["accuracy"], ".1%"),
    "generated_error": ("error, generated", lambda r: r["generated"]["error"], ".3f"),
    "one_piece_accuracy": ("one piece known as such", lambda r: r["one_piece"]["accuracy"], ".1%"),
    "minutes": MINUTES,
}


@dataclass(frozen=True)
class ByClasses:
    """Trains every pupil, and tests it on rendered images, generated images and images in one piece."""

    columns = _COLUMNS
    lead = ()
    note = (
        f"{_TESTED:,} held-out images of the data, as many of a DCGAN that was trained on 10,000 images of the data, "
        "and 2,000 in one piece."
    )

    def plan(self, config: Pupil, seed: int, reduced: bool) -> Pupil:
        """The pupil with a seed; only a few steps if `reduced`."""
        config = replace(config, seed=seed)
        return replace(config, images=100, steps=4) if reduced else config

    def to_json(self, config: Pupil) -> Record:
        """The pupil as JSON data of a record."""
        return asdict(config)

    def measure(self, path: Path, config: Pupil, standard: Pupil, reduced: bool) -> Record:
        """Train and test a pupil; all pupils with the same seed share one generator."""
        generator = _generator(config.seed, reduced)
        run = run_directory(path).with_name(f"dcgan-seed{config.seed}")
        tested = 100 if reduced else _TESTED
        images, scores = _generate(run, generator, tested * 2 if reduced else _GENERATED + tested)
        lessons = [_rendered(RenderedImages(images=config.images))]
        if config.generated:
            lessons.append((images[tested:], scores[tested:]))
        tests = {
            "held_out": _rendered(RenderedImages(images=tested, seed=1)),
            "generated": (images[:tested], scores[:tested]),
            "one_piece": _one_piece(tested),
        }
        began = time.monotonic()
        network = _teach(config, generator, lessons)
        seconds = time.monotonic() - began
        figures = {kind: _test(config, network, generator, *scored) for kind, scored in tests.items()}
        return {"seconds": round(seconds, 1), **figures}

    def draw(self, out: Path, arms: Arms[Pupil], records: Records) -> Iterator[tuple[str, Picture]]:
        """The confusion matrices."""
        yield "confusion.png", _confusion(records, {name: arms[name].label for name in records})


def _generator(seed: int, reduced: bool) -> TrainConfig:
    """A DCGAN on the training images of the paper's classifier."""
    config = preset("quick", "dcgan")
    recipe = DCGAN(width=4 if reduced else 24, real_label=0.9, instance_noise=0.1)
    data = RenderedImages(images=100 if reduced else 10_000)
    return replace(config, recipe=recipe, data=data, seed=seed, steps=4 if reduced else 4000)


def _generate(run: Path, config: TrainConfig, count: int) -> Scored:
    """Images of a generator, which is trained first if needed."""
    train(run, config)
    generator = RunDirectory.open(run).load_sampler().generator
    return _scored(make(config, generator, latents(config, config.seed, "lessons", count)))


def _rendered(data: RenderedImages) -> Scored:
    return _scored(to_numpy(data.open(_SIZE, Connected(), log=True).fetch(np.arange(data.images))))


def _scored(images: Images) -> Scored:
    return torch.from_numpy(images)[:, None], torch.from_numpy(Connected()(images))


def _one_piece(count: int) -> Scored:
    """Images in one piece, which are not in the data."""
    known = oracle(size=_SIZE)
    return _scored(render(Circles(), known.indices[:count], seed=known.seed, size=_SIZE))


def _teach(pupil: Pupil, config: TrainConfig, lessons: list[Scored]) -> nn.Module:
    """Train a new classifier by cross-entropy with the exact classes, with equal parts of all lessons in each batch."""
    rule, random = Connected(), private_generator(config.seed, "lessons")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(random.initial_seed())
        network = (
            ScoreClassifier(_SIZE, 1, rule.classes) if pupil.network == "paper" else ResidualClassifier(1, rule.classes)
        )
    network.to(config.device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=pupil.lr, weight_decay=0.01 if pupil.annealed else 0.0)
    # Created only if used, since it immediately sets the optimizer's rate.
    cycle = (
        torch.optim.lr_scheduler.OneCycleLR(optimizer, pupil.lr, pupil.steps, pct_start=0.05)
        if pupil.annealed
        else None
    )
    with closing(Progress(pupil.steps)) as progress:
        for step in range(pupil.steps):
            drawn = [_draw(lesson, _BATCH // len(lessons), random, pupil.turned) for lesson in lessons]
            images, scores = (torch.cat(parts) for parts in zip(*drawn, strict=True))
            logits = _read(network, config, images)
            loss = F.cross_entropy(logits, _classes(scores).to(logits.device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if cycle:
                cycle.step()
            if step % 100 == 0:
                progress.show({"loss": float(loss.detach())})
            progress.advance()
    return network.eval()


def _draw(lesson: Scored, count: int, random: torch.Generator, turned: bool) -> Scored:
    """Random images of a lesson with their scores; if `turned`, an eighth of them in each symmetry."""
    drawn = torch.randint(len(lesson[1]), (count,), generator=random)
    images = lesson[0][drawn]
    if turned:
        images = torch.cat([_turn(part, k) for k, part in enumerate(images.chunk(_SYMMETRIES))])
    return images, lesson[1][drawn]


def _read(network: nn.Module, config: TrainConfig, images: Tensor) -> Tensor:
    """Logits of images uint8."""
    inputs = normalize(images.to(config.device)).contiguous(memory_format=torch.channels_last)
    with torch.autocast(torch.device(config.device).type, torch.bfloat16, enabled=config.precision == "bfloat16"):
        return network(inputs).float()  # type: ignore[no-any-return]


def _classes(scores: Tensor) -> Tensor:
    return torch.from_numpy(Connected().classify(scores.numpy()))


def _turn(images: Tensor, symmetry: int) -> Tensor:
    """One of the eight symmetries of the square; 0 leaves images as they are."""
    axes: tuple[list[int], ...] = ([], [2], [3], [2, 3])
    return (images.mT if symmetry >= 4 else images).flip(axes[symmetry % 4])


@torch.no_grad()
def _test(pupil: Pupil, network: nn.Module, config: TrainConfig, images: Tensor, scores: Tensor) -> Record:
    """Accuracy over the classes, mean absolute error of the expected score, and the confusion matrix."""

    def read(part: Tensor) -> Tensor:
        symmetries = range(_SYMMETRIES if pupil.turned else 1)
        return torch.stack([_read(network, config, _turn(part, k)).cpu() for k in symmetries]).mean(dim=0)

    logits = torch.cat([read(part) for part in torch.split(images, 500)])
    found, exact = logits.argmax(dim=1), _classes(scores)
    values = torch.from_numpy(Connected().values).float()
    confusion = torch.zeros(len(values), len(values), dtype=torch.int64)
    confusion.index_put_((exact, found), torch.ones_like(exact), accumulate=True)
    return {
        "accuracy": float((found == exact).float().mean()),
        "error": float((expected_score(logits, values) - scores).abs().mean()),
        "confusion": confusion.tolist(),
    }


def _confusion(records: Records, labels: Mapping[str, str]) -> Figure:
    """Exact classes in rows, predicted ones in columns, in percent of the row, over all seeds."""
    figure = Figure(figsize=(4.6 * len(records), 4.9), layout="constrained")
    for axes, (name, found) in zip(np.atleast_1d(figure.subplots(1, len(records))), records.items(), strict=True):
        counts = np.sum([record["held_out"]["confusion"] for record in found], axis=0)
        shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
        for (exact, read), share in np.ndenumerate(shares):
            if round(share) > 0:
                color = "white" if share > 50 else "black"
                axes.text(read, exact, f"{share:.0f}", ha="center", va="center", fontsize=8, color=color)
        right = np.trace(counts) / counts.sum()
        axes.set_title(f"{labels[name]}\n{right:.1%} right", fontsize=9)
        ticks = range(len(counts))
        axes.set(xlabel="class that is read", ylabel="exact class", xticks=ticks, yticks=ticks)
    return figure
