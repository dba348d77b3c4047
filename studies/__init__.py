"""Studies: claims about recipes, tested with seeds, tables and figures. A new one is a function and a line in STUDIES.

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
    "ablation": Study("Harvest without one part at a time", arms.ablation, ByReferences()),
    "betti": Study(
        "three pieces and a hole, of 12 pixels or more: a rule that hardly any render obeys",
        arms.betti,
        ByReferences(repairs=True),
    ),
    "blob-count": Study(
        "whether a GAN generates 1 to 9 blobs equally often, like the data",
        arms.blob_count,
        BySamples(measures.COUNTS, 5000, "components", with_counts, expected=(0.0, *[1 / 9] * 9)),
    ),
    "classifier": Study("the classifier of the score, and whether generated images improve it", pupils, ByClasses()),
    "clear": Study(
        "one piece, nowhere narrower than 5 pixels: a rule that no render obeys",
        arms.clear,
        ByReferences(pieces=False, repairs=True),
    ),
    "far": Study("a rule that no image of the data comes close to", arms.far, ByReferences(repairs=True)),
    "fine": Study("the rule at 64 pixels", arms.fine, ByReferences(repairs=True)),
    "heavy-mode": Study(
        "which recipes lose a mode of one frame in twenty",
        arms.heavy_mode,
        BySamples(measures.TRAFFIC, 5000, "components", with_counts, expected=(0.95,)),
    ),
    "latent-arithmetic": Study(
        "whether latents of five blobs minus those of three make two blobs",
        arms.latent_arithmetic,
        BySamples(measures.LATENTS, 10_000, "components", with_arithmetic, expected=(0.0, 0.0, 1.0)),
    ),
    "mnist-like": Study(
        "GANs on Fashion-MNIST",
        arms.mnist_like,
        BySamples(measures.LOOKS, 5000, "diversity", partial(with_held_out, arms.FASHION_TEST)),
    ),
    "modes": Study(
        "which recipes find all modes of a mixture",
        arms.modes,
        BySamples(measures.POINTS, 2500, "modes", with_figures),
    ),
    "path": Study("mazes with one long path, from noise", arms.path, ByReferences(pieces=False, repairs=True)),
    "reggan-paper": Study(
        "the paper's comparison, with strong baselines",
        arms.reggan_paper,
        ByReferences(shown=("dcgan", "reggan-first", "harvest")),
    ),
    "repair": Study(
        "the default recipe, and rivals",
        arms.repair,
        ByReferences(shown=("filtered", "harvest-noise", "repair"), repairs=True),
    ),
    "solid": Study("the same recipe with an easy rule: no holes", arms.solid, ByReferences(pieces=False, repairs=True)),
    "symmetric": Study(
        "the same recipe with another rule: symmetry", arms.symmetric, ByReferences(pieces=False, repairs=True)
    ),
    "targets": Study("mean scores as targets", arms.targets, ByReferences()),
    "tiles": Study(
        "seamless tiles that hang together and are nowhere narrow",
        arms.tiles,
        ByReferences(pieces=False, tiled=True, repairs=True),
    ),
    "toy-1d": Study(
        "Gaussians on a line, and the required width of networks",
        arms.toy_1d,
        BySamples(measures.POINTS, 2500, "wasserstein", with_figures, animated=True),
    ),
    "translate": Study(
        "translation between two kinds of images",
        arms.translate,
        BySamples(measures.PAIRS, 500, "score", with_figures),
    ),
}
