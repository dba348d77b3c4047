"""Networks: generators, discriminators, encoders, translators and classifiers. They contain no losses."""

from .classifier import ScoreClassifier, StridedClassifier
from .dcgan import SIZES, DCGANDiscriminator, DCGANEncoder, DCGANGenerator
from .joint import JointDiscriminator
from .mlp import MLP, FourierFeatures, MLPDiscriminator, MLPGenerator
from .morphology import Clear
from .sampling import evaluation_mode, sample
from .translator import FusedTranslator, PairDiscriminator, SeparateTranslator, Translator

__all__ = [
    "MLP",
    "SIZES",
    "Clear",
    "DCGANDiscriminator",
    "DCGANEncoder",
    "DCGANGenerator",
    "FourierFeatures",
    "FusedTranslator",
    "JointDiscriminator",
    "MLPDiscriminator",
    "MLPGenerator",
    "PairDiscriminator",
    "ScoreClassifier",
    "SeparateTranslator",
    "StridedClassifier",
    "Translator",
    "evaluation_mode",
    "sample",
]
