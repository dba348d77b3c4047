"""Studies: claims about recipes, each shown with seeds, tables and figures. A new one is a function and a line.

`python -m studies NAME` runs one, from the root of the repository.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from . import arms, measures
from .arithmetic import with_arithmetic
from .classifier import ByClasses, pupils
from .measures import with_counts, with_figures, with_held_out
from .references import ByReferences
from .samples import BySamples
from .study import Arm, Study

__all__ = ["STUDIES", "Arm", "ByClasses", "ByReferences", "BySamples", "Study"]

STUDIES: dict[str, Study[Any]] = {
    "ablation": Study("the recommended recipe without one part at a time", arms.ablation, ByReferences()),
    "blob-count": Study(
        "whether a GAN makes 1 to 9 blobs equally often, as the data are",
        arms.blob_count,
        BySamples(measures.COUNTS, 5000, "components", with_counts, expected=(0.0, *[1 / 9] * 9)),
    ),
    "classifier": Study(
        "the classifier of the score by itself, and whether generated images improve it", pupils, ByClasses()
    ),
    "far": Study("the rule where no image of the data comes near to it", arms.far, ByReferences()),
    "fine": Study("the rule at 64 pixels", arms.fine, ByReferences()),
    "heavy-mode": Study(
        "who forgets what is on one frame in twenty",
        arms.heavy_mode,
        BySamples(measures.TRAFFIC, 5000, "components", with_counts, expected=(0.95,)),
    ),
    "latent-arithmetic": Study(
        "whether five blobs less three are two, in latents",
        arms.latent_arithmetic,
        BySamples(measures.LATENTS, 10_000, "components", with_arithmetic, expected=(0.0, 0.0, 1.0)),
    ),
    "mnist-like": Study(
        "GANs of Fashion-MNIST",
        arms.mnist_like,
        BySamples(measures.LOOKS, 5000, "diversity", partial(with_held_out, arms.FASHION_TEST)),
    ),
    "modes": Study(
        "which recipes find all modes of a mixture",
        arms.modes,
        BySamples(measures.POINTS, 2500, "modes", with_figures),
    ),
    "reggan-paper": Study(
        "the paper's comparison, with baselines that are hard to beat",
        arms.reggan_paper,
        ByReferences(shown=("dcgan", "reggan-first", "harvest")),
    ),
    "solid": Study("an easy rule, no holes, by the same recipe", arms.solid, ByReferences(pieces=False)),
    "symmetric": Study("another rule, symmetry, by the same recipe", arms.symmetric, ByReferences(pieces=False)),
    "targets": Study("mean scores as targets", arms.targets, ByReferences()),
    "toy-1d": Study(
        "Gaussians on a line, and how wide networks have to be",
        arms.toy_1d,
        BySamples(measures.POINTS, 2500, "wasserstein", with_figures, animated=True),
    ),
    "translate": Study(
        "two kinds of images turned into each other",
        arms.translate,
        BySamples(measures.PAIRS, 500, "score", with_figures),
    ),
}
