"""Train a generator on your images so that its samples obey your own rule.

This module is the array API: rendering and exact scoring of images. It does not import torch.
"""

from reggan._arrays import PackedImages
from reggan._core import __version__
from reggan.edits import Edit, edits_between
from reggan.morphology import closing, minimum_spacing, minimum_width, narrow_pixels, opening, short_runs
from reggan.paths import geodesic_diameter, geodesic_distance, spans
from reggan.rendering import (
    STREAM_VERSION,
    GroundTruth,
    gaussian_blur,
    ground_truth,
    image_shape,
    render,
    render_scores,
)
from reggan.repairing import Repaired, repair_connected
from reggan.rules import (
    RULES,
    Betti,
    Bridge,
    Clean,
    Clear,
    Connected,
    Framed,
    Holes,
    Ink,
    Joins,
    Path,
    Reach,
    Rule,
    Runs,
    Slot,
    Solid,
    Symmetric,
    Wraps,
    repair,
)
from reggan.scoring import (
    Components,
    analyze,
    ink_mask,
    label,
    largest_component,
    largest_components,
    remove_small,
    score,
    winding_rank,
)
from reggan.search import Found, find, oracle
from reggan.searching import repair_by_search
from reggan.simd import simd_info
from reggan.specs import RENDERERS, BinaryBlobs, Circles, Polygons, Spheres

__all__ = [
    "RENDERERS",
    "RULES",
    "STREAM_VERSION",
    "Betti",
    "BinaryBlobs",
    "Bridge",
    "Circles",
    "Clean",
    "Clear",
    "Components",
    "Connected",
    "Edit",
    "Found",
    "Framed",
    "GroundTruth",
    "Holes",
    "Ink",
    "Joins",
    "PackedImages",
    "Path",
    "Polygons",
    "Reach",
    "Repaired",
    "Rule",
    "Runs",
    "Slot",
    "Solid",
    "Spheres",
    "Symmetric",
    "Wraps",
    "__version__",
    "analyze",
    "closing",
    "edits_between",
    "find",
    "gaussian_blur",
    "geodesic_diameter",
    "geodesic_distance",
    "ground_truth",
    "image_shape",
    "ink_mask",
    "label",
    "largest_component",
    "largest_components",
    "minimum_spacing",
    "minimum_width",
    "narrow_pixels",
    "opening",
    "oracle",
    "remove_small",
    "render",
    "render_scores",
    "repair",
    "repair_by_search",
    "repair_connected",
    "score",
    "short_runs",
    "simd_info",
    "spans",
    "winding_rank",
]
