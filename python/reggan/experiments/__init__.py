"""Experiments: claims about recipes, each shown with seeds, tables and figures. A new one is a function and a line."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from ..config import TrainConfig, preset
from ..data import MIXTURES, Blobs, Files, Pairs, Points, Traffic
from ..domains import Data
from ..files import atomic_file
from ..recipes import DCGAN, WDCGAN, Penalty, Recipe, RegGAN
from ..rendering import render
from ..rules import Connected
from ..search import find
from ..specs import Circles, Polygons
from .arithmetic import arithmetic
from .classifier import ClassifierStudy
from .measures import (
    OF_COUNTS,
    OF_LATENTS,
    OF_LOOKS,
    OF_PAIRS,
    OF_POINTS,
    OF_TRAFFIC,
    with_counts,
    with_figures,
    with_others,
)
from .plain import PlainArm, PlainStudy
from .study import Arm, Study

__all__ = ["EXPERIMENTS", "Arm", "ClassifierStudy", "Experiment", "PlainArm", "PlainStudy", "Study"]


class Experiment(Protocol):
    """What `python -m reggan.experiment NAME` runs."""

    @property
    def about(self) -> str:
        """What it shows, in a line."""

    def run(self, out: Path, seeds: int, reduced: bool, only: tuple[str, ...] = ()) -> None:
        """Write records, tables and figures to `out`."""


_HARVEST = replace(preset("quick", "harvest"), log_every=1)
_LABELS = {
    "gan": "GAN",
    "dcgan": "DCGAN",
    "wgan": "WGAN",
    "wgan-gp": "WGAN-GP",
    "bigan": "BiGAN",
    "bigan-pgp": "BiGAN-PGP",
}
_FAR_RULE = "connected & ink(0.07, 0.42)"
_DEBIAN = Path("/usr/share/datasets/fashion-mnist")
_TRAIN, _TEST = "train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz"


def _with(recipe: Recipe, config: TrainConfig = _HARVEST) -> TrainConfig:
    """The recommended configuration with another recipe and its decay: the same data, steps, batch, networks."""
    return replace(config, recipe=recipe, decay=preset("quick", "dcgan").decay)


def _harvest(config: TrainConfig = _HARVEST, /, **options: object) -> TrainConfig:
    return replace(config, recipe=replace(config.recipe, **options))


def _plain(recipe: type[DCGAN] = DCGAN, **options: object) -> DCGAN:
    """A recipe with the widths, labels and noise of the recommended one."""
    return recipe(width=24, real_label=0.9, instance_noise=0.1, **options)  # type: ignore[arg-type]


def _reggan_paper(work: Path) -> dict[str, Arm]:
    """The paper's comparison, and baselines that are hard to beat, all with the same budget."""
    learned = {"classifier_steps": 3000, "classifier_width": 16}
    best = replace(_HARVEST, data=Blobs(images=7540, classes=(9, 10)))
    obeying = work / "obeying-32.npy"
    return {
        "harvest": Arm("Harvest", _HARVEST),
        "dcgan": Arm("DCGAN", _with(_plain())),
        "reggan-first": Arm("RegGAN, first method", _with(_plain(RegGAN, **learned))),
        "reggan-second": Arm("RegGAN, second method", _with(_plain(RegGAN, method="second", **learned))),
        "wdcgan": Arm("WDCGAN", _with(_plain(WDCGAN))),
        "penalty": Arm("penalty", _with(_plain(Penalty))),
        "filtered": Arm("DCGAN on s ≥ 0.85", _with(_plain(), best)),
        "tilted": Arm("DCGAN on data ∝ exp(10 s)", _with(_plain(pool=5, pool_beta=10.0))),
        "oracle": Arm(
            "DCGAN on obeying images",
            _with(_plain(), replace(_HARVEST, data=Files(str(obeying)))),
            partial(_find_obeying, obeying),
        ),
    }


def _find_obeying(path: Path) -> None:
    """Write 2,000 images that obey the rule, none of them a reference: what no real data set has."""
    if not path.exists():
        found = find(Circles(), Connected(), 2000, seed=1, size=32, progress=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            np.save(file, render(Circles(), found.indices, seed=1, size=32))


def _ablation(work: Path) -> dict[str, Arm]:
    """The recommended recipe without one part at a time."""
    return {
        "harvest": Arm("Harvest", _HARVEST),
        "no-harvest": Arm("no harvest: best data stay the real images", _harvest(feedback=0.0)),
        "half-harvest": Arm("half of the real images harvested", _harvest(feedback=0.5)),
        "no-rule": Arm("no pull by the rule", _harvest(rule_weight=0.0)),
        "no-gate": Arm("pull on obeying samples, too", _harvest(gate=False)),
        "frozen": Arm("frozen classifier", _harvest(honest=False, classifier_steps=3000)),
        "no-warmup": Arm("warm-up of 500 steps", _harvest(warmup=500 / _HARVEST.steps)),
        "no-pool": Arm("all data in the warm-up", _harvest(pool=1)),
        "no-decay": Arm("no decay of the rates", replace(_HARVEST, decay=0.0)),
    }


def _fine(work: Path) -> dict[str, Arm]:
    """The same at 64 pixels."""
    fine = replace(preset("fine", "harvest"), log_every=1)
    best = replace(fine, data=Blobs(images=7540, classes=(9, 10)))
    return {
        "harvest": Arm("Harvest", fine),
        "no-leak": Arm("Harvest without a leak", _harvest(fine, leak=0.0)),
        "dcgan": Arm("DCGAN", _with(_plain(), fine)),
        "filtered": Arm("DCGAN on s ≥ 0.85", _with(_plain(), best)),
    }


def _far(work: Path) -> dict[str, Arm]:
    """Every image with a score of 0.6 and more is taken from the data: rejection has next to nothing to keep."""
    far = replace(_HARVEST, rule=_FAR_RULE, data=Blobs(images=37_700, classes=(1, 2, 3, 4, 5, 6), below=0.6))
    return {
        "harvest": Arm("Harvest", far),
        "harvest-best": Arm("Harvest of the best of all", _harvest(far, from_each=24_000)),
        "dcgan": Arm("DCGAN", _with(_plain(), far)),
        "filtered": Arm("DCGAN on the best fifth", _with(_plain(pool=5), far)),
        "wdcgan": Arm("WDCGAN", _with(_plain(WDCGAN), far)),
    }


def _targets(work: Path) -> dict[str, Arm]:
    """Mean exact scores that are asked for."""
    return {
        f"target-{target}": Arm(f"target {target / 100:g}", _harvest(target_score=target / 100))
        for target in (80, 90, 95, 100)
    }


def _symmetric(work: Path) -> dict[str, Arm]:
    """Another rule with no change but the rule: no image of the data comes near to its own mirror image."""
    return _another("symmetric", Blobs(images=20_000, classes=(1, 2, 3, 4, 5)))


def _solid(work: Path) -> dict[str, Arm]:
    """Another rule, an easy one: no holes, with data that all have holes."""
    return _another("solid", Blobs(images=20_000, classes=()))


def _another(rule: str, data: Blobs) -> dict[str, Arm]:
    """The recommended recipe with nothing changed but the rule and its data, and two baselines."""
    config = replace(_HARVEST, rule=rule, data=data)
    return {
        "harvest": Arm("Harvest", config),
        "dcgan": Arm("DCGAN", _with(_plain(), config)),
        "filtered": Arm("DCGAN on the best fifth", _with(_plain(pool=5), config)),
    }


def _modes(work: Path) -> dict[str, PlainArm]:
    """Every recipe of points on the mixtures of arXiv 1802.00771 and on PacGAN's grid, all with the same budget."""
    return {
        f"{recipe}-{mixture}": _points(_LABELS[recipe], preset("points", recipe), mixture)
        for mixture in ("ring-8", "rings-16", "grid-25", "line-5", "wide-grid-25")
        for recipe in ("gan", "wgan", "wgan-gp", "bigan", "bigan-pgp")
    }


def _toy_1d(work: Path) -> dict[str, PlainArm]:
    """One, two and three Gaussians on a line, with networks that have 2, 4 and 8 numbers a layer for each."""
    config = preset("points", "toy-1d")
    return {
        f"{modes}-width-{each * modes}": _points(
            f"{each * modes} wide",
            replace(config, recipe=replace(config.recipe, width=each * modes)),  # type: ignore[call-arg]
            f"normal-{modes}",
        )
        for modes in (1, 2, 3)
        for each in (2, 4, 8)
    }


def _points(label: str, config: TrainConfig, mixture: str) -> PlainArm:
    modes = len(MIXTURES[mixture].centres)
    group = f"{mixture}, {modes} mode{'s' * (modes > 1)}"
    return PlainArm(label, group, replace(config, data=Points(mixture)))  # type: ignore[arg-type]


def _shorter(recipe: str, data: Data, size: int = 32) -> TrainConfig:
    """The preset "quick" with 5,000 batches of 64 images in the place of 14,000."""
    config = preset("quick", recipe)
    steps = 5000 // config.recipe.batches
    return replace(config, data=data, size=size, steps=steps, eval_every=steps // 20, sample_every=steps // 4)


def _blob_count(work: Path) -> dict[str, PlainArm]:
    """1 to 9 blobs, equally often, gray and in color: which GAN makes as many of each."""
    counts = tuple(range(1, 10))
    data = {
        name: Blobs(images=37_700, spec=Polygons(count=(1, 9), color=name == "color"), counts=counts)
        for name in ("gray", "color")
    }
    return {
        f"{recipe}-{name}": PlainArm(_LABELS[recipe], name, _shorter(recipe, blobs))
        for name, blobs in data.items()
        for recipe in ("dcgan", "wgan-gp")
    }


def _latent_arithmetic(work: Path) -> dict[str, PlainArm]:
    """GANs of 1 to 9 gray blobs, of which one has an encoder."""
    counted = {arm.label: arm.config for arm in _blob_count(work).values() if arm.group == "gray"}
    data = next(iter(counted.values())).data
    configs = counted | {"BiGAN": _shorter("bigan", data)}
    return {config.recipe.name: PlainArm(label, "gray", config) for label, config in configs.items()}


def _mnist_like(work: Path) -> dict[str, PlainArm]:
    """GANs of a set in the files of MNIST: Fashion-MNIST, or what lies in the folder that they are looked for in."""
    folder = work / "mnist-like"
    return {
        recipe: PlainArm(
            _LABELS[recipe],
            "Fashion-MNIST",
            _shorter(recipe, Files(str(folder / _TRAIN), invert=True), size=28),
            partial(_find_fashion, folder),
        )
        for recipe in ("dcgan", "wgan", "wgan-gp")
    }


def _find_fashion(folder: Path) -> None:
    """Let a folder have the images of Fashion-MNIST, if it has none yet, from where Debian puts them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (_TRAIN, _TEST):
        if not (folder / name).exists():
            if not (_DEBIAN / name).exists():
                raise FileNotFoundError(
                    f"there is neither {folder / name} nor {_DEBIAN / name}; install Debian's dataset-fashion-mnist, "
                    "or put the files of a set like MNIST into that folder"
                )
            (folder / name).symlink_to(_DEBIAN / name)


def _heavy_mode(work: Path) -> dict[str, PlainArm]:
    """Frames of a street, of which one in twenty has anything on it."""
    return {recipe: PlainArm(label, "a street", _shorter(recipe, Traffic())) for recipe, label in _LABELS.items()}


def _translate(work: Path) -> dict[str, PlainArm]:
    """Two translators, between shapes and between gray and color."""
    data = {
        "shapes": ("circles and polygons", Pairs()),
        "colors": (
            "gray and colored polygons",
            Pairs(Blobs(spec=Polygons(), classes=()), Blobs(spec=Polygons(color=True), classes=())),
        ),
    }
    recipes = {"cyclegan": "CycleGAN", "cyclegan-fused": "one encoder"}
    return {
        f"{recipe}-{name}": PlainArm(label, group, replace(preset("pairs", recipe), data=pairs))
        for name, (group, pairs) in data.items()
        for recipe, label in recipes.items()
    }


EXPERIMENTS: dict[str, Experiment] = {
    "ablation": Study("the recommended recipe without one part at a time", _ablation),
    "blob-count": PlainStudy(
        "whether a GAN makes 1 to 9 blobs equally often, as the data are",
        _blob_count,
        OF_COUNTS,
        5000,
        "components",
        with_counts,
        expected=(0.0, *[1 / 9] * 9),
    ),
    "classifier": ClassifierStudy("the classifier of the score by itself, and whether generated images improve it"),
    "far": Study("the rule where no image of the data comes near to it", _far),
    "fine": Study("the rule at 64 pixels", _fine),
    "heavy-mode": PlainStudy(
        "who forgets what is on one frame in twenty",
        _heavy_mode,
        OF_TRAFFIC,
        5000,
        "components",
        with_counts,
        expected=(0.95,),
    ),
    "latent-arithmetic": PlainStudy(
        "whether five blobs less three are two, in latents",
        _latent_arithmetic,
        OF_LATENTS,
        10_000,
        "components",
        arithmetic,
        expected=(0.0, 0.0, 1.0),
    ),
    "mnist-like": PlainStudy(
        "GANs of Fashion-MNIST",
        _mnist_like,
        OF_LOOKS,
        5000,
        "diversity",
        partial(with_others, _TEST),
    ),
    "modes": PlainStudy("which recipes find all modes of a mixture", _modes, OF_POINTS, 2500, "modes", with_figures),
    "reggan-paper": Study(
        "the paper's comparison, with baselines that are hard to beat",
        _reggan_paper,
        shown=("dcgan", "reggan-first", "harvest"),
    ),
    "solid": Study("an easy rule, no holes, by the same recipe", _solid, pieces=False),
    "symmetric": Study("another rule, symmetry, by the same recipe", _symmetric, pieces=False),
    "targets": Study("mean scores that are asked for", _targets),
    "toy-1d": PlainStudy(
        "Gaussians on a line, and how wide networks have to be",
        _toy_1d,
        OF_POINTS,
        2500,
        "wasserstein",
        with_figures,
        animated=True,
    ),
    "translate": PlainStudy(
        "two kinds of images turned into each other", _translate, OF_PAIRS, 500, "score", with_figures
    ),
}
