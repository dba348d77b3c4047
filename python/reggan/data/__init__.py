"""Data sets: torch data sets of rendered images, how images are selected, and sets of shards on disk.

A module is imported when something of it is first used: shards and the command line do without torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .images import Files, FileSet, UnreadableImages, read_idx
    from .loading import DevicePool, Fingerprint, ImageDataset, ImageStream, Item, SampleSet, load_batches
    from .making import make_shards, verify_shards
    from .pairs import Pairs, PairSet
    from .pixels import arrays, normalize, quantize, tensor
    from .points import MIXTURES, Mixture, Points, PointSet
    from .rendered import Blobs, RenderedSet
    from .selection import BalancedSelection, CountSelection, RangeSelection, Selection
    from .shards import Shards, open_shards
    from .traffic import Traffic, TrafficSet

__all__ = [
    "MIXTURES",
    "BalancedSelection",
    "Blobs",
    "CountSelection",
    "DevicePool",
    "FileSet",
    "Files",
    "Fingerprint",
    "ImageDataset",
    "ImageStream",
    "Item",
    "Mixture",
    "PairSet",
    "Pairs",
    "PointSet",
    "Points",
    "RangeSelection",
    "RenderedSet",
    "SampleSet",
    "Selection",
    "Shards",
    "Traffic",
    "TrafficSet",
    "UnreadableImages",
    "arrays",
    "load_batches",
    "make_shards",
    "normalize",
    "open_shards",
    "quantize",
    "read_idx",
    "tensor",
    "verify_shards",
]

_MODULES = {
    "images": ("FileSet", "Files", "UnreadableImages", "read_idx"),
    "loading": ("DevicePool", "Fingerprint", "ImageDataset", "ImageStream", "Item", "SampleSet", "load_batches"),
    "making": ("make_shards", "verify_shards"),
    "points": ("MIXTURES", "Mixture", "PointSet", "Points"),
    "pairs": ("PairSet", "Pairs"),
    "pixels": ("arrays", "normalize", "quantize", "tensor"),
    "rendered": ("Blobs", "RenderedSet"),
    "selection": ("BalancedSelection", "CountSelection", "RangeSelection", "Selection"),
    "shards": ("Shards", "open_shards"),
    "traffic": ("Traffic", "TrafficSet"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
