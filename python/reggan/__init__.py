"""Train a generator on your images so that its samples obey your own rule.

This module is the array API, rendering and exact scoring of images, and does without torch.
"""

from reggan._arrays import PackedImages
from reggan._core import __version__
from reggan.rendering import (
    STREAM_VERSION,
    GroundTruth,
    gaussian_blur,
    ground_truth,
    image_shape,
    render,
    render_scores,
)
from reggan.rules import RULES, Connected, Ink, Rule, Solid, Symmetric
from reggan.scoring import (
    Components,
    analyze,
    ink_mask,
    label,
    largest_component,
    largest_components,
    remove_small,
    score,
)
from reggan.search import Found, find, oracle
from reggan.simd import simd_info
from reggan.specs import RENDERERS, BinaryBlobs, Circles, Polygons, Spheres

__all__ = [
    "RENDERERS",
    "RULES",
    "STREAM_VERSION",
    "BinaryBlobs",
    "Circles",
    "Components",
    "Connected",
    "Found",
    "GroundTruth",
    "Ink",
    "PackedImages",
    "Polygons",
    "Rule",
    "Solid",
    "Spheres",
    "Symmetric",
    "__version__",
    "analyze",
    "find",
    "gaussian_blur",
    "ground_truth",
    "image_shape",
    "ink_mask",
    "label",
    "largest_component",
    "largest_components",
    "oracle",
    "remove_small",
    "render",
    "render_scores",
    "score",
    "simd_info",
]
