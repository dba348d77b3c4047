"""Torch data sets of rendered images, and how they are selected."""

from .blobs import BlobDataset, Blobs, BlobStream, Item, load_batches
from .pixels import normalize, quantize
from .selection import BalancedSelection

__all__ = [
    "BalancedSelection",
    "BlobDataset",
    "BlobStream",
    "Blobs",
    "Item",
    "load_batches",
    "normalize",
    "quantize",
]
