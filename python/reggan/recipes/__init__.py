"""Recipes: how networks are trained, one file each. A new one is a file here and a line in RECIPES."""

from .adversarial import Adversarial
from .dcgan import DCGAN
from .harvest import Harvest
from .penalty import Penalty
from .phases import Batch, Networks, Phase, Recipe, Stage, Stats
from .reggan import RegGAN, RegWGANGP
from .wdcgan import WDCGAN
from .wgan import WGAN
from .wgan_gp import WGANGP

__all__ = [
    "DCGAN",
    "RECIPES",
    "WDCGAN",
    "WGAN",
    "WGANGP",
    "Adversarial",
    "Batch",
    "Harvest",
    "Networks",
    "Penalty",
    "Phase",
    "Recipe",
    "RegGAN",
    "RegWGANGP",
    "Stage",
    "Stats",
]

RECIPES: dict[str, type[Recipe]] = {
    "dcgan": DCGAN,
    "harvest": Harvest,
    "penalty": Penalty,
    "reggan": RegGAN,
    "reggan-wgan-gp": RegWGANGP,
    "wdcgan": WDCGAN,
    "wgan": WGAN,
    "wgan-gp": WGANGP,
}
