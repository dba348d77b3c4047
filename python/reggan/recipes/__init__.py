"""Recipes: how to train networks, one file each. A new one is a file here and a line in RECIPES."""

from .adversarial import Adversarial
from .bigan import BiGAN
from .bigan_pgp import BiGANPGP
from .cdcgan import CDCGAN
from .cyclegan import CycleGAN
from .cyclegan_fused import FusedCycleGAN
from .dcgan import DCGAN
from .gan import GAN
from .harvest import Harvest
from .lsgan import LSGAN
from .penalty import Penalty
from .phases import (
    AnyRecipe,
    Batch,
    Networks,
    Phase,
    Recipe,
    Stage,
    Stats,
    check_restorable,
    name_of,
    restore,
    to_json,
)
from .reggan import RegGAN
from .repair import Repair
from .toy_1d import Toy1D
from .wdcgan import WDCGAN
from .wgan import WGAN
from .wgan_gp import WGANGP

__all__ = [
    "CDCGAN",
    "DCGAN",
    "GAN",
    "LSGAN",
    "RECIPES",
    "WDCGAN",
    "WGAN",
    "WGANGP",
    "Adversarial",
    "AnyRecipe",
    "Batch",
    "BiGAN",
    "BiGANPGP",
    "CycleGAN",
    "FusedCycleGAN",
    "Harvest",
    "Networks",
    "Penalty",
    "Phase",
    "Recipe",
    "RegGAN",
    "Repair",
    "Stage",
    "Stats",
    "Toy1D",
    "check_restorable",
    "name_of",
    "restore",
    "to_json",
]

RECIPES: dict[str, Recipe] = {
    "bigan": BiGAN(),
    "bigan-pgp": BiGANPGP(),
    "cdcgan": CDCGAN(),
    "cyclegan": CycleGAN(),
    "cyclegan-fused": FusedCycleGAN(),
    "dcgan": DCGAN(),
    "gan": GAN(),
    "harvest": Harvest(),
    "lsgan": LSGAN(),
    "penalty": Penalty(),
    "reggan": RegGAN(),
    "reggan-wgan-gp": RegGAN(base=WGANGP()),
    "repair": Repair(),
    "toy-1d": Toy1D(),
    "wdcgan": WDCGAN(),
    "wgan": WGAN(),
    "wgan-gp": WGANGP(),
}
"""Recipes by their name on the command line; in Python they are chosen as objects."""
