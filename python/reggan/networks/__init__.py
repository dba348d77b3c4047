"""Networks: generators, discriminators, classifiers. They know sizes and widths, and no loss."""

from .classifier import ResidualClassifier, ScoreClassifier, StridedClassifier
from .dcgan import SIZES, DCGANDiscriminator, DCGANEncoder, DCGANGenerator
from .joint import JointDiscriminator
from .mlp import MLP, MLPDiscriminator, MLPGenerator
from .sampling import sample

__all__ = [
    "MLP",
    "SIZES",
    "DCGANDiscriminator",
    "DCGANEncoder",
    "DCGANGenerator",
    "JointDiscriminator",
    "MLPDiscriminator",
    "MLPGenerator",
    "ResidualClassifier",
    "ScoreClassifier",
    "StridedClassifier",
    "sample",
]
