"""Recipes: how networks are trained, one file each. A new one is a file here and a line in RECIPES."""

from .dcgan import DCGAN
from .harvest import Harvest
from .phases import Batch, Networks, Phase, Recipe, Stage, Stats
from .reggan import RegGAN

__all__ = ["DCGAN", "RECIPES", "Batch", "Harvest", "Networks", "Phase", "Recipe", "RegGAN", "Stage", "Stats"]

RECIPES: dict[str, type[Recipe]] = {
    "dcgan": DCGAN,
    "harvest": Harvest,
    "reggan": RegGAN,
}
