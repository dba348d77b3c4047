"""Data sets: rendered images, your own images, points and pairs, and sets of shards on disk.

A module is imported when one of its names is first used: making and reading shards needs no torch.
"""
# ruff: noqa: F403, F405

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .images import *
    from .loading import *
    from .making import *
    from .pairs import *
    from .pixels import *
    from .points import *
    from .rendered import *
    from .selection import *
    from .shards import *
    from .sources import *
    from .traffic import *

__all__ = ["MIXTURES", "BalancedSelection", "CountSelection", "DeviceCache", "FileSet", "Files", "Fingerprint"]
__all__ += ["ImageDataset", "ImageStream", "Mixture", "PairSet", "Pairs", "PointSet", "Points", "RangeSelection"]
__all__ += ["RenderedImages", "RenderedSet", "SampleSet", "Selection", "Shards", "TensorSet", "Traffic", "TrafficSet"]
__all__ += ["UnreadableImages", "load_batches", "make_shards", "normalize", "open_shards", "quantize", "read_idx"]
__all__ += ["to_numpy", "to_tensor", "verify_shards"]

_WITHOUT_TORCH = ("making", "selection", "shards", "sources")
_WITH_TORCH = ("images", "loading", "pairs", "pixels", "points", "rendered", "traffic")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    modules = (importlib.import_module(f".{module}", __name__) for module in (*_WITHOUT_TORCH, *_WITH_TORCH))
    return getattr(next(module for module in modules if name in module.__all__), name)
