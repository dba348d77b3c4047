"""Sources of your own images: a folder of pictures, an IDX file, an array, or a set of shards."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from .folders import decode, find_pictures, is_run
from .shards import manifests, open_shards

__all__ = ["Source", "open_source", "read_idx"]

_OF_PICKLES = ("Python objects", "Object arrays")
"""Words in errors about arrays of pickled objects: ours, and NumPy's with and without a memory map."""


class Source(Protocol):
    """Images by number."""

    def __len__(self) -> int: ...

    def name(self, number: int) -> str:
        """The name of an image in errors."""

    def file_name(self, number: int) -> str:
        """A relative path of its own for a PNG file made from an image."""
        return f"{number:05d}.png"

    def read(self, number: int) -> Image.Image:
        """An image; ValueError or OSError if it cannot be read."""

    def notes(self) -> list[str]:
        """Messages about the images after they were read."""
        return []


class Folder(Source):
    """The pictures in a folder and its subfolders, including linked ones, in the order of their paths."""

    def __init__(self, folder: Path) -> None:
        if is_run(folder):
            raise ValueError(
                f"{folder} is a run directory, not a folder of pictures; give the folder with its generated images"
            )
        found = find_pictures(folder)
        if not found.paths:
            raise ValueError("; ".join([f"{folder} has no pictures that Pillow reads", *found.notes()]))
        self.folder, self.found, self._known = folder, found, frozenset(found.paths)
        self.longer: set[int] = set()
        """Numbers of read files with several pages or frames."""

    def __len__(self) -> int:
        return len(self.found.paths)

    def name(self, number: int) -> str:
        return str(self.found.paths[number])

    def file_name(self, number: int) -> str:
        path = self.found.paths[number]
        # No other picture may have the new name, or lead to it.
        while path.suffix != ".png" or (path != self.found.paths[number] and path in self._known):
            path = path.with_name(f"{path.name}.png")
        return str(path.relative_to(self.folder))

    def read(self, number: int) -> Image.Image:
        picture, has_more = decode(self.found.paths[number])
        if has_more:
            self.longer.add(number)
        return picture

    def notes(self) -> list[str]:
        notes = self.found.notes()
        if self.longer:
            notes.append(f"{len(self.longer):,} files have more than one page or frame; only the first is read")
        return [f"{self.folder}: {note}" for note in notes]


class Array(Source):
    """The images of an array: (N, H, W), (N, H, W, 3), (N, 1, H, W) or (N, 3, H, W); uint8, or floats from 0 to 1."""

    def __init__(self, path: Path, array: npt.NDArray[Any]) -> None:
        shape = array.shape
        gray = array.ndim == 3 or (array.ndim == 4 and shape[1] == 1)
        first = array.ndim == 4 and shape[1] == 3
        last = array.ndim == 4 and shape[-1] in (1, 3)
        if not (gray or first or last) or 0 in shape[1:]:
            raise ValueError(f"{path} has shape {shape}, must be (N, H, W), (N, 1, H, W), (N, 3, H, W) or (N, H, W, 3)")
        if array.dtype != np.uint8 and array.dtype.kind != "f":
            raise ValueError(f"{path} has dtype {array.dtype}, must be uint8, or floats from 0 to 1")
        self.path, self.array = path, array
        self.channels_first = first and not gray

    def __len__(self) -> int:
        return len(self.array)

    def name(self, number: int) -> str:
        return f"{self.path}[{number}]"

    def read(self, number: int) -> Image.Image:
        pixels = np.asarray(self.array[number])
        if pixels.dtype != np.uint8:
            if not (pixels.min() >= 0 and pixels.max() <= 1):
                raise ValueError("its floats are not all from 0 to 1; divide gray values of 0 to 255 by 255")
            pixels = np.rint(255 * pixels).astype(np.uint8)
        pixels = np.moveaxis(pixels, 0, -1) if self.channels_first else pixels
        if pixels.ndim == 3 and pixels.shape[-1] != 3:
            pixels = pixels.squeeze(0 if pixels.shape[0] == 1 else 2)
        return Image.fromarray(np.ascontiguousarray(pixels))


class ShardImages(Source):
    """The images of a set of shards."""

    def __init__(self, path: Path) -> None:
        self.path, self.shards = path, open_shards(path)
        if self.shards.source.is_volume:
            raise ValueError(f"{path} holds volumes; networks of images cannot be trained on them")

    def __len__(self) -> int:
        return len(self.shards)

    def name(self, number: int) -> str:
        return f"{self.path}[{number}]"

    def read(self, number: int) -> Image.Image:
        return Array(self.path, self.shards.images(np.array([number]))).read(0)


def open_source(path: Path) -> Source:
    """The images of a folder, a file or a set of shards; a ValueError if there are none, or of an unsupported kind."""
    if path.is_dir():
        if not manifests(path):
            return Folder(path)
        try:
            return ShardImages(path)
        except ValueError as error:
            raise ValueError(f"{error}; to use {path} as a folder of pictures, remove its manifest files") from error
    if not path.exists():
        raise FileNotFoundError(
            f"{path} does not exist; give a folder of pictures, an IDX, .npy or .npz file. If the images of a run were"
            " moved, give their new path: python -m reggan.train --resume RUN --data PATH"
        )
    if path.suffix.lower() not in (".npy", ".npz"):
        return Array(path, read_idx(path))
    try:
        array = _load(path)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # NumPy can raise anything for a damaged file.
        if any(words in str(error) for words in _OF_PICKLES):
            raise ValueError(
                f"{path} holds pickled Python objects, which are never loaded because they could run code; save its "
                "images as one array of uint8, or of floats from 0 to 1"
            ) from error
        raise ValueError(f"{path} cannot be read: {error or repr(error)}") from error
    return Array(path, array)


def _load(path: Path) -> npt.NDArray[Any]:
    """The array of a .npy or .npz file, by its content."""
    with path.open("rb") as file:
        start = file.read(6)
        if start[:1] == b"\x80":
            raise ValueError("it starts like pickled Python objects")
        if start == b"\x93NUMPY":
            array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
            return array
        if start[:2] != b"PK":
            raise ValueError("it does not start like a .npy or a .npz file")
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            names = list(arrays)
            name = "images" if "images" in names else names[0] if len(names) == 1 else None
            if name is None:
                raise ValueError(f"it has the arrays {', '.join(names)}, but none is named images")
            array = arrays[name]
    if not isinstance(array, np.ndarray):
        raise ValueError("it holds no array")
    return array


IDX_TYPES: dict[int, str] = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """Read an IDX file, such as those of MNIST and Fashion-MNIST, plain or compressed by gzip.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not IDX, or is truncated.
    """
    content = Path(path).read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{path} is a damaged gzip file: {error}") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES or not 1 <= content[3] <= 32:
        raise ValueError(f"{path} is not a folder, an IDX, a .npy or a .npz file")
    start = 4 + 4 * content[3]
    dtype = np.dtype(IDX_TYPES[content[2]])
    sides = np.frombuffer(content[4:start].ljust(start - 4, b"\0"), ">u4")
    expected = start + dtype.itemsize * math.prod(map(int, sides))
    if len(content) != expected:
        raise ValueError(f"{path} has {len(content)} bytes, but its header requires {expected}")
    array = np.frombuffer(content, dtype, offset=start).reshape(sides)
    return array.astype(dtype.newbyteorder("="), copy=False)
