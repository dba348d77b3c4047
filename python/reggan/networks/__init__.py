"""Networks: generators, discriminators, classifiers. They know sizes and widths, and no loss."""

from .classifier import ScoreClassifier
from .dcgan import SIZES, DCGANDiscriminator, DCGANGenerator
from .sampling import sample

__all__ = ["SIZES", "DCGANDiscriminator", "DCGANGenerator", "ScoreClassifier", "sample"]
