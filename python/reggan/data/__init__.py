"""Data sets: torch data sets of rendered images, how images are selected, and sets of shards on disk.

A module is imported when something of it is first used: shards and the command line do without torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .blobs import BlobDataset, Blobs, BlobStream, Item, load_batches
    from .making import make_shards, verify_shards
    from .pixels import normalize, quantize
    from .selection import BalancedSelection
    from .shards import Shards, open_shards

__all__ = [
    "BalancedSelection",
    "BlobDataset",
    "BlobStream",
    "Blobs",
    "Item",
    "Shards",
    "load_batches",
    "make_shards",
    "normalize",
    "open_shards",
    "quantize",
    "verify_shards",
]

_MODULES = {
    "blobs": ("BlobDataset", "BlobStream", "Blobs", "Item", "load_batches"),
    "making": ("make_shards", "verify_shards"),
    "pixels": ("normalize", "quantize"),
    "selection": ("BalancedSelection",),
    "shards": ("Shards", "open_shards"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
