"""Recipes: how networks are trained, one file each. A new one is a file here and a line in RECIPES."""

from .dcgan import DCGAN
from .harvest import Harvest
from .penalty import Penalty
from .phases import Batch, Networks, Phase, Recipe, Stage, Stats
from .reggan import RegGAN
from .wdcgan import WDCGAN

__all__ = [
    "DCGAN",
    "RECIPES",
    "WDCGAN",
    "Batch",
    "Harvest",
    "Networks",
    "Penalty",
    "Phase",
    "Recipe",
    "RegGAN",
    "Stage",
    "Stats",
]

RECIPES: dict[str, type[Recipe]] = {
    "dcgan": DCGAN,
    "harvest": Harvest,
    "penalty": Penalty,
    "reggan": RegGAN,
    "wdcgan": WDCGAN,
}
