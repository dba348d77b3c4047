"""The arms of every study except `classifier`: a function for each, given a folder for generated data."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from reggan.config import TrainConfig
from reggan.data import MIXTURES, Files, Pairs, Points, RenderedImages, Traffic
from reggan.files import atomic_file
from reggan.modalities import Data
from reggan.morphology import closing, opening
from reggan.presets import preset
from reggan.recipes import DCGAN, WDCGAN, Penalty, Recipe, RegGAN, name_of
from reggan.rendering import render
from reggan.rules import Connected, Rule
from reggan.scoring import ink_mask, largest_component
from reggan.search import find
from reggan.specs import BinaryBlobs, Circles, Polygons

from .flow import RectifiedFlow
from .study import Arm

__all__ = [
    "FASHION_TEST",
    "ablation",
    "betti",
    "blob_count",
    "clear",
    "far",
    "fine",
    "heavy_mode",
    "latent_arithmetic",
    "mnist_like",
    "modes",
    "path",
    "reggan_paper",
    "repair",
    "solid",
    "symmetric",
    "targets",
    "tiles",
    "toy_1d",
    "translate",
]

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
_FASHION_TRAIN, FASHION_TEST = "train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz"


def _with(recipe: Recipe, config: TrainConfig = _HARVEST) -> TrainConfig:
    """Harvest's configuration with another recipe and its decay, but the same data, steps, batch and networks."""
    return replace(config, recipe=recipe, lr_decay=preset("quick", "dcgan").lr_decay)


def _harvest(config: TrainConfig = _HARVEST, /, **options: object) -> TrainConfig:
    return replace(config, recipe=replace(config.recipe, **options))


def _repair(config: TrainConfig) -> TrainConfig:
    """The default with the rule and the data of a configuration."""
    return replace(preset("quick", "repair"), rule=config.rule, data=config.data, log_every=1)


def _plain(recipe: type[DCGAN] = DCGAN, **options: object) -> DCGAN:
    """A recipe with the widths, labels and noise of Harvest."""
    return recipe(**({"width": 24, "real_label": 0.9, "instance_noise": 0.1} | options))  # type: ignore[arg-type]


def reggan_paper(work: Path) -> dict[str, Arm[TrainConfig]]:
    """The paper's comparison and strong baselines, all with the same budget."""
    learned = RegGAN(base=_plain(), classifier_steps=3000, classifier_width=16)
    best = replace(_HARVEST, data=RenderedImages(images=7540, classes=(9, 10)))
    obeying = work / "obeying-32.npy"
    return {
        "harvest": Arm("Harvest", _HARVEST),
        "dcgan": Arm("DCGAN", _with(_plain())),
        "reggan-first": Arm("RegGAN, first method", _with(learned)),
        "reggan-second": Arm("RegGAN, second method", _with(replace(learned, method="second"))),
        "wdcgan": Arm("WDCGAN", _with(_plain(WDCGAN))),
        "penalty": Arm("penalty", _with(_plain(Penalty))),
        "filtered": Arm("DCGAN on s ≥ 0.85", _with(_plain(), best)),
        "tilted": Arm("DCGAN on data ∝ exp(10 s)", _with(_plain(candidates=5, candidate_beta=10.0))),
        "oracle": Arm(
            "DCGAN on obeying images",
            _with(_plain(), replace(_HARVEST, data=Files(str(obeying)))),
            prepare=partial(_find_obeying, obeying),
        ),
    }


def repair(work: Path) -> dict[str, Arm[TrainConfig]]:
    """The default, and rivals with the same budget: a quarter of the steps of Harvest, which has its own."""
    config = replace(preset("quick", "repair"), log_every=1)
    plain = _plain(lr=6e-4, instance_noise=0.2)
    obeying = work / "obeying-32.npy"
    # A step of the flow takes six to seven times as long as one of a GAN.
    flow = replace(config, recipe=RectifiedFlow(candidates=8, lr=6e-4), steps=600)
    return {
        "repair": Arm("Repair", config),
        "filtered": Arm("DCGAN on the best eighth", replace(config, recipe=replace(plain, candidates=8))),
        "oracle": Arm(
            "DCGAN on obeying images",
            replace(config, recipe=plain, data=Files(str(obeying))),
            prepare=partial(_find_obeying, obeying),
        ),
        "flow": Arm("rectified flow, the same time", flow),
        "flow-long": Arm("rectified flow, four times as long", replace(flow, steps=2400)),
        "harvest": Arm("Harvest", _HARVEST),
        "harvest-noise": Arm("Harvest, as much noise as Repair", _harvest(instance_noise=0.2)),
        "harvest-gentle": Arm("– and two thirds of the pull", _harvest(instance_noise=0.2, rule_weight=6.0)),
    }


def _find_obeying(path: Path) -> None:
    """Write 2,000 images that obey the rule and are not references; no real data set has such images."""
    if not path.exists():
        found = find(Circles(), Connected(), 2000, seed=1, size=32, progress=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            np.save(file, render(Circles(), found.indices, seed=1, size=32))


def ablation(work: Path) -> dict[str, Arm[TrainConfig]]:
    """Harvest without one part at a time."""
    return {
        "harvest": Arm("Harvest", _HARVEST),
        "no-harvest": Arm("no harvest: best data stay the real images", _harvest(harvest_share=0.0)),
        "half-harvest": Arm("half of the real images harvested", _harvest(harvest_share=0.5)),
        "no-rule": Arm("no pull by the rule", _harvest(rule_weight=0.0)),
        "no-gate": Arm("pull on obeying samples, too", _harvest(gate=False)),
        "frozen": Arm("frozen classifier", _harvest(teach_classifier=False, classifier_steps=3000)),
        "no-warmup": Arm("warm-up of 500 steps", _harvest(warmup=500 / _HARVEST.steps)),
        "no-pool": Arm("all data in the warm-up", _harvest(candidates=1)),
        "no-decay": Arm("no decay of the rates", replace(_HARVEST, lr_decay=0.0)),
    }


def fine(work: Path) -> dict[str, Arm[TrainConfig]]:
    """Harvest at 64 pixels."""
    fine = replace(preset("fine", "harvest"), log_every=1)
    best = replace(fine, data=RenderedImages(images=7540, classes=(9, 10)))
    return {
        "harvest": Arm("Harvest", fine),
        "repair": Arm("Repair", replace(preset("fine", "repair"), log_every=1)),
        "no-leak": Arm("Harvest without a leak", _harvest(fine, leak=0.0)),
        "dcgan": Arm("DCGAN", _with(_plain(), fine)),
        "filtered": Arm("DCGAN on s ≥ 0.85", _with(_plain(), best)),
    }


def far(work: Path) -> dict[str, Arm[TrainConfig]]:
    """Data in which no image scores 0.6 or more, so that rejection keeps almost nothing."""
    far = replace(_HARVEST, rule=_FAR_RULE, data=RenderedImages(images=37_700, classes=(1, 2, 3, 4, 5, 6), below=0.6))
    return {
        "harvest": Arm("Harvest", far),
        "repair": Arm("Repair", _repair(far)),
        "harvest-best": Arm("Harvest of the best of all", _harvest(far, min_per_niche=24_000)),
        "dcgan": Arm("DCGAN", _with(_plain(), far)),
        "filtered": Arm("DCGAN on the best fifth", _with(_plain(candidates=5), far)),
        "wdcgan": Arm("WDCGAN", _with(_plain(WDCGAN), far)),
    }


def targets(work: Path) -> dict[str, Arm[TrainConfig]]:
    """Mean exact scores as targets."""
    return {
        f"target-{target}": Arm(f"target {target / 100:g}", _harvest(target_score=target / 100))
        for target in (80, 90, 95, 100)
    }


def clear(work: Path) -> dict[str, Arm[TrainConfig]]:
    """One piece of a bounded amount, nowhere narrower than 5 pixels: no render obeys, and a chain mends few."""
    arms = _unseen("connected & clear(5) & ink(0.07, 0.42)", RenderedImages(images=37_700, classes=()))
    config, mended = arms["dcgan"].config, work / "mended-32.npy"
    plain = replace(config, recipe=replace(config.recipe, candidates=1), data=Files(str(mended)))  # type: ignore[call-arg]
    prepare = partial(_mend, mended, config.resolved_rule)
    return arms | {"chain": Arm("DCGAN on what a chain mends", plain, prepare=prepare)}


def betti(work: Path) -> dict[str, Arm[TrainConfig]]:
    """Exactly three pieces with one hole in all, none of fewer than 12 pixels."""
    return _unseen("betti(3, 1, 12)", RenderedImages(images=37_700, classes=()))


def path(work: Path) -> dict[str, Arm[TrainConfig]]:
    """PCGRL's mazes of 14 x 14 pixels, which start as noise: one region, in which some shortest path is long."""
    noise = RenderedImages(spec=BinaryBlobs(count=(12, 12)), images=37_700, classes=())
    return _unseen("path(56)", noise, size=14)


def tiles(work: Path) -> dict[str, Arm[TrainConfig]]:
    """Seamless tiles: ink that hangs together over the whole plane, nowhere narrower than 3 pixels."""
    periodic = RenderedImages(spec=Circles(border="periodic"), images=37_700, classes=())
    return _unseen("wraps & clear(3, periodic=True)", periodic, tileable=True)


def _unseen(rule: str, data: RenderedImages, size: int = 32, **options: object) -> dict[str, Arm[TrainConfig]]:
    """The default on data of which hardly any image obeys, and a DCGAN on the best eighth."""
    config = replace(preset("quick", "repair"), rule=rule, data=data, size=size, log_every=1)
    plain = _plain(lr=6e-4, instance_noise=0.2, candidates=8)
    return {
        "repair": Arm("Repair", replace(config, recipe=replace(config.recipe, **options))),
        "dcgan": Arm("DCGAN on the best eighth", replace(config, recipe=plain)),
    }


def _mend(path: Path, rule: Rule) -> None:
    """Write what obeys of 60,000 circles after a chain: the largest piece, opened and closed by a disc of 5 pixels."""
    if path.exists():
        return
    images = render(Circles(), 60_000, seed=0, size=32)
    masks = closing(~opening(~largest_component(images), 5), 5)
    mended = np.where(masks, images, 255)
    # Pixels that the chain adds are ink as dark as the threshold asks.
    mended = np.where(masks & ~ink_mask(images), 127, mended).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        np.save(file, mended[rule(mended) >= 1])


def symmetric(work: Path) -> dict[str, Arm[TrainConfig]]:
    """Only the rule changes: no image of the data is nearly symmetric."""
    return _another("symmetric", RenderedImages(images=20_000, classes=(1, 2, 3, 4, 5)))


def solid(work: Path) -> dict[str, Arm[TrainConfig]]:
    """An easy rule: no holes, with data of which many have holes."""
    return _another("solid", RenderedImages(images=20_000, classes=()))


def _another(rule: str, data: RenderedImages) -> dict[str, Arm[TrainConfig]]:
    """Harvest with only the rule and its data changed, and two baselines."""
    config = replace(_HARVEST, rule=rule, data=data)
    return {
        "harvest": Arm("Harvest", config),
        "repair": Arm("Repair", _repair(config)),
        "dcgan": Arm("DCGAN", _with(_plain(), config)),
        "filtered": Arm("DCGAN on the best fifth", _with(_plain(candidates=5), config)),
    }


def modes(work: Path) -> dict[str, Arm[TrainConfig]]:
    """Every recipe of points on the mixtures of arXiv 1802.00771 and on PacGAN's grid, all with the same budget."""
    return {
        f"{recipe}-{mixture}": _points(_LABELS[recipe], preset("points", recipe), mixture)
        for mixture in ("ring-8", "rings-16", "grid-25", "line-5", "wide-grid-25")
        for recipe in ("gan", "wgan", "wgan-gp", "bigan", "bigan-pgp")
    }


def toy_1d(work: Path) -> dict[str, Arm[TrainConfig]]:
    """One, two and three Gaussians on a line, with 2, 4 or 8 units per Gaussian in every layer."""
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


def _points(label: str, config: TrainConfig, mixture: str) -> Arm[TrainConfig]:
    modes = len(MIXTURES[mixture].centers)
    group = f"{mixture}, {modes} mode{'s' * (modes > 1)}"
    return Arm(label, replace(config, data=Points(mixture)), group)  # type: ignore[arg-type]


def _shorter(recipe: str, data: Data, size: int = 32) -> TrainConfig:
    """The preset "quick" with 5,000 batches of 64 images instead of 14,000."""
    config = preset("quick", recipe)
    steps = 5000 // config.recipe.batches
    return replace(config, data=data, size=size, steps=steps, eval_every=steps // 20, sample_every=steps // 4)


def blob_count(work: Path) -> dict[str, Arm[TrainConfig]]:
    """1 to 9 blobs, equally often, gray and in color."""
    counts = tuple(range(1, 10))
    data = {
        name: RenderedImages(images=37_700, spec=Polygons(count=(1, 9), color=name == "color"), counts=counts)
        for name in ("gray", "color")
    }
    return {
        f"{recipe}-{name}": Arm(_LABELS[recipe], _shorter(recipe, blobs), name)
        for name, blobs in data.items()
        for recipe in ("dcgan", "wgan-gp")
    }


def latent_arithmetic(work: Path) -> dict[str, Arm[TrainConfig]]:
    """GANs of 1 to 9 gray blobs; one has an encoder."""
    counted = {arm.label: arm.config for arm in blob_count(work).values() if arm.group == "gray"}
    data = next(iter(counted.values())).data
    configs = counted | {"BiGAN": _shorter("bigan", data)}
    return {name_of(config.recipe): Arm(label, config, "gray") for label, config in configs.items()}


def mnist_like(work: Path) -> dict[str, Arm[TrainConfig]]:
    """GANs of Fashion-MNIST, or of another set whose IDX files are in the folder mnist-like."""
    folder = work / "mnist-like"
    return {
        recipe: Arm(
            _LABELS[recipe],
            _shorter(recipe, Files(str(folder / _FASHION_TRAIN), invert=True), size=28),
            "Fashion-MNIST",
            prepare=partial(_find_fashion, folder),
        )
        for recipe in ("dcgan", "wgan", "wgan-gp")
    }


def _find_fashion(folder: Path) -> None:
    """Link the files of Fashion-MNIST that Debian installs into a folder that lacks them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (_FASHION_TRAIN, FASHION_TEST):
        if not (folder / name).exists():
            if not (_DEBIAN / name).exists():
                raise FileNotFoundError(
                    f"neither {folder / name} nor {_DEBIAN / name} exists; install Debian's dataset-fashion-mnist, "
                    "or put IDX files with these names into that folder"
                )
            (folder / name).symlink_to(_DEBIAN / name)


def heavy_mode(work: Path) -> dict[str, Arm[TrainConfig]]:
    """Frames of a street; only one in twenty shows blobs."""
    return {recipe: Arm(label, _shorter(recipe, Traffic()), "a street") for recipe, label in _LABELS.items()}


def translate(work: Path) -> dict[str, Arm[TrainConfig]]:
    """Two translators, between shapes and between gray and color."""
    data = {
        "shapes": ("circles and polygons", Pairs()),
        "colors": (
            "gray and colored polygons",
            Pairs(RenderedImages(spec=Polygons(), classes=()), RenderedImages(spec=Polygons(color=True), classes=())),
        ),
    }
    recipes = {"cyclegan": "CycleGAN", "cyclegan-fused": "one encoder"}
    return {
        f"{recipe}-{name}": Arm(label, replace(preset("pairs", recipe), data=pairs), group)
        for name, (group, pairs) in data.items()
        for recipe, label in recipes.items()
    }
