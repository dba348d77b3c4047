"""Networks: generators, discriminators, classifiers. They know sizes and widths, and no loss."""

from .classifier import ResidualClassifier, ScoreClassifier, StridedClassifier
from .dcgan import SIZES, DCGANDiscriminator, DCGANGenerator
from .sampling import sample

__all__ = [
    "SIZES",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "ResidualClassifier",
    "ScoreClassifier",
    "StridedClassifier",
    "sample",
]
