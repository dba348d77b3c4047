"""Recipes: how networks are trained, one file each. A new one is a file here and a line in RECIPES."""

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
from .phases import Batch, Networks, Phase, Recipe, Stage, Stats
from .reggan import RegGAN, RegWGANGP
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
    "RegWGANGP",
    "Stage",
    "Stats",
    "Toy1D",
]

RECIPES: dict[str, type[Recipe]] = {
    "bigan": BiGAN,
    "bigan-pgp": BiGANPGP,
    "cdcgan": CDCGAN,
    "cyclegan": CycleGAN,
    "cyclegan-fused": FusedCycleGAN,
    "dcgan": DCGAN,
    "gan": GAN,
    "harvest": Harvest,
    "lsgan": LSGAN,
    "penalty": Penalty,
    "reggan": RegGAN,
    "reggan-wgan-gp": RegWGANGP,
    "toy-1d": Toy1D,
    "wdcgan": WDCGAN,
    "wgan": WGAN,
    "wgan-gp": WGANGP,
}
