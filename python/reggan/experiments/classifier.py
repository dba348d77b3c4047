"""The classifier of the score by itself: how well it reads images that it never saw, and what makes it better."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

from ..config import TrainConfig, preset
from ..data import Blobs, normalize
from ..domains import Images
from ..files import atomic_write, write_json
from ..losses import expected_score
from ..networks import ResidualClassifier, ScoreClassifier
from ..progress import Progress
from ..recipes import DCGAN
from ..rendering import render
from ..rules import Connected
from ..search import oracle
from ..specs import Circles
from ..training import create_run, fit, generate, load_generator, private_generator, private_inputs, resolve
from .records import (
    MINUTES,
    Columns,
    Record,
    check_arms,
    is_done,
    read_records,
    record_path,
    save_picture,
    spread,
    table,
)

__all__ = ["ClassifierStudy", "Pupil"]

_SIZE = 32
_BATCH = 64
_SYMMETRIES = 8
_TESTED = 4000
"""Images of each kind that a classifier is tested on."""
_GENERATED = 20_000
"""Images of the generator that a classifier may be taught with."""

Scored = tuple[Tensor, Tensor]
"""Images (N, 1, H, W) uint8, and their exact scores (N,)."""


@dataclass(frozen=True)
class Pupil:
    """One line of the table: a classifier, and what it is taught with."""

    label: str
    network: Literal["paper", "residual"] = "paper"
    images: int = 10_000
    """Rendered images."""
    turned: bool = False
    """Whether all images are shown in the eight symmetries of the square, which no score depends on, and read in all of
    them: the mean of the eight logits."""
    generated: bool = False
    """Whether half of each batch are a generator's images with their exact scores."""
    steps: int = 15_000
    lr: float = 1e-3
    annealed: bool = False
    """Whether the rate rises and falls in one cycle; else it stays."""


_RESIDUAL = Pupil("residual, 37,700 images, turned", "residual", 37_700, True, False, 9000, 2e-3, True)

PUPILS = {
    "paper": Pupil("the paper's, 10,000 images"),
    "paper-generated": Pupil("the same, half of each batch generated", generated=True),
    "paper-more": Pupil("the paper's, 37,700 images, turned", images=37_700, turned=True),
    "residual": _RESIDUAL,
    "residual-generated": replace(_RESIDUAL, label="the same, half of each batch generated", generated=True),
}


@dataclass(frozen=True)
class ClassifierStudy:
    """Teaches every pupil with every seed, and tests it on rendered, generated and one-piece images."""

    about: str

    def run(self, out: Path, seeds: int, reduced: bool, only: tuple[str, ...] = ()) -> None:
        """Write records, results.json, results.md and confusion.png to `out`; what has a record is not done again.

        Raises:
            ValueError: `only` names a pupil that is not there, or a record is of another one.
        """
        check_arms(only, PUPILS)
        for seed in range(seeds):
            for name in only or PUPILS:
                _record(out, name, seed, reduced)
        records = read_records(out, PUPILS)
        described = {name: {"label": PUPILS[name].label, **spread(found, COLUMNS)} for name, found in records.items()}
        results = {"reduced": reduced, "arms": described}
        write_json(out / "results.json", results, indent=1)
        told = f"Mean ± standard deviation over seeds. {_TOLD}"
        if reduced:
            told += " The smallest form: the numbers mean nothing."
        atomic_write(out / "results.md", f"{told}\n\n{table(described, COLUMNS)}\n")
        save_picture(_confusion(records), out / "confusion.png")


def _record(out: Path, name: str, seed: int, reduced: bool) -> None:
    """Teach and test one pupil, unless its record says that this was done."""
    pupil = replace(PUPILS[name], images=100, steps=4) if reduced else PUPILS[name]
    path, asked = record_path(out, name, seed), asdict(pupil) | {"seed": seed}
    if is_done(path, asked):
        return
    config = _generator(seed, reduced)
    tested = 100 if reduced else _TESTED
    made = _made(out / "runs" / f"dcgan-seed{seed}", config, tested * 2 if reduced else _GENERATED + tested)
    lessons = [_rendered(Blobs(images=pupil.images))]
    if pupil.generated:
        lessons.append((made[0][tested:], made[1][tested:]))
    tests = {
        "held_out": _rendered(Blobs(images=tested, seed=1)),
        "generated": (made[0][:tested], made[1][:tested]),
        "one_piece": _one_piece(tested),
    }
    began = time.monotonic()
    network = _teach(pupil, config, lessons)
    seconds = time.monotonic() - began
    figures = {kind: _test(pupil, network, config, *images) for kind, images in tests.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"config": asked, "seconds": round(seconds, 1), **figures})


def _generator(seed: int, reduced: bool) -> TrainConfig:
    """A DCGAN on the very images that the paper's classifier is taught with."""
    config = preset("quick", "dcgan")
    recipe = DCGAN(width=4 if reduced else 24, real_label=0.9, instance_noise=0.1)
    data = Blobs(images=100 if reduced else 10_000)
    return resolve(replace(config, recipe=recipe, data=data, seed=seed, steps=4 if reduced else 4000))


def _made(run: Path, config: TrainConfig, count: int) -> Scored:
    """Generated images (N, 1, H, W) uint8 with their exact scores."""
    if not (run / "config.json").exists():
        create_run(run, config)
    if not (run / "summary.json").exists():
        fit(run)
    _, generator = load_generator(run)
    images = generate(generator, private_inputs(config, config.seed, "lessons", count), config.domain)
    return _scored(images)


def _rendered(data: Blobs) -> Scored:
    images, scores, _ = data.open(_SIZE, Connected(), log=True).items(np.arange(data.images))
    return images, scores


def _scored(images: Images) -> Scored:
    return torch.from_numpy(images)[:, None], torch.from_numpy(Connected()(images))


def _one_piece(count: int) -> Scored:
    """Images in one piece, as no data show them."""
    known = oracle(size=_SIZE)
    return _scored(render(Circles(), known.indices[:count], seed=known.seed, size=_SIZE))


def _teach(pupil: Pupil, config: TrainConfig, lessons: list[Scored]) -> nn.Module:
    """Train a fresh classifier by cross-entropy to the exact classes, on equal parts of all lessons in each batch."""
    rule, random = Connected(), private_generator(config.seed, "lessons")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(random.initial_seed())
        network = (
            ScoreClassifier(_SIZE, 1, rule.classes) if pupil.network == "paper" else ResidualClassifier(1, rule.classes)
        )
    network.to(config.device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=pupil.lr, weight_decay=0.01 if pupil.annealed else 0.0)
    # Where it is made, it sets the optimizer's rate.
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
    """Some of a lesson's images, if `turned` an eighth of them in each symmetry, and their scores."""
    drawn = torch.randint(len(lesson[1]), (count,), generator=random)
    images = lesson[0][drawn]
    if turned:
        images = torch.cat([_turn(part, k) for k, part in enumerate(images.chunk(_SYMMETRIES))])
    return images, lesson[1][drawn]


def _read(network: nn.Module, config: TrainConfig, images: Tensor) -> Tensor:
    """Logits of images uint8."""
    seen = normalize(images.to(config.device)).contiguous(memory_format=torch.channels_last)
    with torch.autocast(torch.device(config.device).type, torch.bfloat16, enabled=config.precision == "bfloat16"):
        return network(seen).float()  # type: ignore[no-any-return]


def _classes(scores: Tensor) -> Tensor:
    return torch.from_numpy(Connected().classify(scores.numpy()))


def _turn(images: Tensor, symmetry: int) -> Tensor:
    """One of the eight symmetries of the square; 0 leaves images as they are."""
    axes: tuple[list[int], ...] = ([], [2], [3], [2, 3])
    return (images.mT if symmetry >= 4 else images).flip(axes[symmetry % 4])


@torch.no_grad()
def _test(pupil: Pupil, network: nn.Module, config: TrainConfig, images: Tensor, scores: Tensor) -> dict[str, Any]:
    """Accuracy over the classes, mean absolute error of the expected score, and the confusion matrix."""

    def logits_of(part: Tensor) -> Tensor:
        symmetries = range(_SYMMETRIES if pupil.turned else 1)
        return torch.stack([_read(network, config, _turn(part, k)).cpu() for k in symmetries]).mean(dim=0)

    logits = torch.cat([logits_of(part) for part in torch.split(images, 500)])
    found, exact = logits.argmax(dim=1), _classes(scores)
    values = torch.from_numpy(Connected().values).float()
    confusion = torch.zeros(len(values), len(values), dtype=torch.int64)
    confusion.index_put_((exact, found), torch.ones_like(exact), accumulate=True)
    return {
        "accuracy": float((found == exact).float().mean()),
        "error": float((expected_score(logits, values) - scores).abs().mean()),
        "confusion": confusion.tolist(),
    }


COLUMNS: Columns = {
    "accuracy": ("accuracy", lambda r: r["held_out"]["accuracy"], ".1%"),
    "error": ("mean error of the score", lambda r: r["held_out"]["error"], ".3f"),
    "generated_accuracy": ("accuracy, generated", lambda r: r["generated"]["accuracy"], ".1%"),
    "generated_error": ("error, generated", lambda r: r["generated"]["error"], ".3f"),
    "one_piece_accuracy": ("one piece known as such", lambda r: r["one_piece"]["accuracy"], ".1%"),
    "minutes": MINUTES,
}

_TOLD = (
    f"{_TESTED:,} held-out images of the data, as many of a DCGAN that was trained on 10,000 images of the data, and"
    " 2,000 in one piece."
)


def _confusion(records: dict[str, list[Record]]) -> Figure:
    """Exact classes in rows, the classifier's in columns, in percent of the row, over all seeds."""
    figure = Figure(figsize=(4.6 * len(records), 4.9), layout="constrained")
    for axes, (name, found) in zip(np.atleast_1d(figure.subplots(1, len(records))), records.items(), strict=True):
        counts = np.sum([record["held_out"]["confusion"] for record in found], axis=0)
        shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
        for (exact, read), share in np.ndenumerate(shares):
            if round(share) > 0:
                axes.text(read, exact, f"{share:.0f}", ha="center", va="center", fontsize=8, color=_ink(share))
        right = np.trace(counts) / counts.sum()
        axes.set_title(f"{PUPILS[name].label}\n{right:.1%} right", fontsize=9)
        axes.set(
            xlabel="class that is read", ylabel="exact class", xticks=range(len(counts)), yticks=range(len(counts))
        )
    return figure


def _ink(share: float) -> str:
    return "white" if share > 50 else "black"
