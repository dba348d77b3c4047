"""Images of your own as training data: a folder of pictures, an IDX file, an array, or a set of shards.

What is read is resized once, and kept as uint8 where memory allows. Crops and flips are drawn from (seed, epoch,
position) alone, so that they are the same for any number of workers.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
import tyro
from PIL import Image

from .._arrays import machine_memory
from ..progress import Progress
from ..rules import Rule, darkest
from ..scoring import analyze
from .folders import decode, find_pictures, is_run
from .loading import Fingerprint, Item
from .shards import manifests, open_shards

__all__ = ["FileSet", "Files", "UnreadableImages", "read_idx"]

Picture = npt.NDArray[np.uint8]

LISTED = 10
"""How many unreadable files an error names."""
MEMORY_SHARE = 0.25
"""A set that fits in this part of the machine's memory is kept there."""
MAX_ASPECT = 100
"""How many times as long as the other a side of a picture may be: resized, it is as much longer than what is kept."""
_READ_AHEAD = 256
_OF_PICKLES = ("Python objects", "Object arrays")
"""What errors say, NumPy's with and without a memory map and ours, of arrays that hold pickled objects."""


class UnreadableImages(ValueError):
    """Some files cannot be read; `reasons` says of each why."""

    def __init__(self, reasons: dict[str, str], total: int) -> None:
        named = "".join(f"\n  {path}: {reason}" for path, reason in list(reasons.items())[:LISTED])
        more = f"\n  and {len(reasons) - LISTED} more" if len(reasons) > LISTED else ""
        super().__init__(
            f"{len(reasons)} of {total} files cannot be read; remove them, or skip them with "
            f"--data.skip-unreadable:{named}{more}"
        )
        self.reasons = reasons


@dataclass(frozen=True)
class Files:
    """Images of your own: a folder of pictures, an IDX file (MNIST), a .npy or .npz array, or a set of shards."""

    kind: ClassVar[str] = "images"

    path: tyro.conf.Suppress[str]
    """The folder or the file."""
    color: bool = False
    """RGB images, whose ink is what their darkest channel shows; and not gray ones."""
    crop: Literal["center", "random", "pad"] = "center"
    """Which square of an image that is not square: its middle, another one each epoch, or all of it on white paper."""
    background: Literal["white", "black"] = "white"
    """What pictures are laid on where they are transparent; white drawings need black, and --data.invert."""
    flip_horizontal: bool = False
    """Mirror left to right, at random."""
    flip_vertical: bool = False
    """Mirror top to bottom, at random."""
    invert: bool = False
    """Turn light into dark: for light shapes on dark paper, such as MNIST's."""
    below: float | None = None
    """Only images with a score under this are data; the scores are those of the middle squares."""
    skip_unreadable: bool = False
    """Leave out files that cannot be read, and say how many, instead of stopping."""
    seed: int = 0
    """Seed of the crops and the flips."""

    def __post_init__(self) -> None:
        if self.below is not None and not 0 < self.below <= 1:
            raise ValueError(f"data.below is {self.below}, must be above 0 and at most 1")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"data.seed is {self.seed}, must be from 0 to 2**63 - 1")
        try:
            self.path.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{self.path!a} is no UTF-8, which config.json could not hold; rename it") from None

    @property
    def channels(self) -> int:
        """1 of gray images, 3 of RGB."""
        return 3 if self.color else 1

    def open(self, size: int, rule: Rule, *, log: bool = False) -> FileSet:
        """Read the images, for squares of this size.

        Raises:
            OSError: there is no such path, or it cannot be read.
            UnreadableImages: some files are not images, and are not to be skipped.
            ValueError: an array of another shape or type, no image at all, or none with a score that is asked for.
        """
        return FileSet(self, size, rule, log=log)


class FileSet:
    """The images of `Files`, as squares of one size, with their scores and classes by a rule."""

    def __init__(self, files: Files, size: int, rule: Rule, *, log: bool = False) -> None:
        self.files, self.size, self.rule = files, size, rule
        self._source = _open(Path(files.path))
        kept, chosen, reasons, sha256 = _scan(self, int(MEMORY_SHARE * machine_memory()), log)
        if reasons and not files.skip_unreadable:
            raise UnreadableImages(reasons, len(self._source))
        if not chosen:
            limit = f" with a score under {files.below}" if files.below is not None and not reasons else ""
            raise ValueError(f"{files.path} has no image{limit}, out of {len(self._source)}")
        self.skipped = reasons
        """Why files were left out, by their paths."""
        self._chosen = np.array(chosen, np.int64)
        self._kept = kept
        self.fingerprints = (Fingerprint(len(chosen), sha256),)
        """Number and pixels of the images."""

    @property
    def length(self) -> int:
        """How many images there are."""
        return len(self._chosen)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, size, size)."""
        return (self.files.channels, self.size, self.size)

    @property
    def is_augmented(self) -> bool:
        """Whether an image looks different in another epoch."""
        return self.files.crop == "random" or self.files.flip_horizontal or self.files.flip_vertical

    def items(self, positions: npt.NDArray[np.int64]) -> Item:
        """Images (N, C, size, size), scores (N,), classes (N,); position length * e + k is image k in epoch e."""
        images = np.stack([self._image(*divmod(int(position), self.length)) for position in positions])
        scores = self.rule(darkest(images))
        classes = self.rule.classify(scores)
        return torch.from_numpy(images), torch.from_numpy(scores), torch.from_numpy(classes)

    def _image(self, epoch: int, position: int) -> Picture:
        number = int(self._chosen[position])
        picture = self._kept[position] if self._kept is not None else self._read(number)
        if not self.is_augmented:
            return _square(picture, self.size, 0.5)
        random = np.random.default_rng((self.files.seed, epoch, position))
        where, left_to_right, top_to_bottom = random.random(), random.random() < 0.5, random.random() < 0.5
        square = _square(picture, self.size, where if self.files.crop == "random" else 0.5)
        if self.files.flip_horizontal and left_to_right:
            square = square[:, :, ::-1]
        if self.files.flip_vertical and top_to_bottom:
            square = square[:, ::-1]
        return square

    def _read(self, number: int) -> Picture:
        """An image as it is kept."""
        return self._cut(self._whole(number))

    def _whole(self, number: int) -> Picture:
        return _resized(self._source.read(number), self.size, self.files)

    def _cut(self, picture: Picture) -> Picture:
        """(C, H, W) with the shorter side of the right size; its middle square if no other is asked for."""
        return picture if self.files.crop == "random" else _square(picture, self.size, 0.5).copy()


def _scan(images: FileSet, room: int, log: bool) -> tuple[list[Picture] | None, list[int], dict[str, str], str]:
    """Read all images once.

    Returns:
        Those that are data, if memory has room for them; their numbers; why others cannot be read; the data's SHA-256.
    """
    files, source = images.files, images._source
    kept: list[Picture] | None = []
    chosen: list[int] = []
    reasons: dict[str, str] = {}
    losses: Counter[str] = Counter()
    digest = hashlib.sha256()
    used = 0

    def read(number: int) -> tuple[Picture, list[str]] | str:
        try:
            whole = images._whole(number)
        except (OSError, ValueError) as error:
            return str(error) or repr(error)
        return images._cut(whole), _losses(whole, images.size)

    with (
        ThreadPoolExecutor(os.cpu_count()) as readers,
        closing(Progress(len(source), unit="image", enabled=log)) as shown,
    ):
        for first in range(0, len(source), _READ_AHEAD):
            numbers = range(first, min(first + _READ_AHEAD, len(source)))
            for number, outcome in zip(numbers, readers.map(read, numbers), strict=True):
                shown.advance()
                if isinstance(outcome, str):
                    reasons[source.name(number)] = outcome
                    continue
                picture, lost = outcome
                if files.below is not None:
                    square = _square(picture, images.size, 0.5).min(axis=0)
                    if images.rule(square[None])[0] >= files.below:
                        continue
                chosen.append(number)
                losses.update(lost)
                digest.update(f"{picture.shape}".encode())
                digest.update(picture.data)
                used += picture.nbytes
                if kept is not None and used <= room:
                    kept.append(picture)
                else:
                    kept = None
        if reasons and files.skip_unreadable:
            shown.note(f"{files.path}: {len(reasons)} of {len(source)} files cannot be read, and are left out")
        for note in source.notes():
            shown.note(note)
        if losses:
            shown.note(
                f"{files.path}: {losses['ink']:,} of {len(chosen):,} pictures have ink outside their middle square, "
                f"and in {losses['pieces']:,} the number of pieces changes; --data.crop pad keeps all of it"
            )
    return kept, chosen, reasons, digest.hexdigest()


def _losses(picture: Picture, size: int) -> list[str]:
    """What a picture (C, H, W) loses outside its middle square: "ink", or the number of its "pieces"."""
    if picture.shape[1:] == (size, size):
        return []
    whole, square = (
        analyze(part.min(axis=0), fields=("area", "count"), threads=1)
        for part in (picture, _square(picture, size, 0.5))
    )
    losses = {"ink": whole.area != square.area, "pieces": whole.count != square.count}
    return [name for name, is_lost in losses.items() if is_lost]


def _square(picture: Picture, size: int, where: float) -> Picture:
    """The square of a picture (C, H, W) at this part of the way along its longer side."""
    _, height, width = picture.shape
    top, left = round(where * (height - size)), round(where * (width - size))
    return picture[:, top : top + size, left : left + size]


def _resized(image: Image.Image, size: int, files: Files) -> Picture:
    """(C, H, W), resized with antialiasing: its shorter side has `size` pixels, or with padding both have."""
    width, height = image.size
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ValueError(f"it has {width} x {height} pixels; a side may be {MAX_ASPECT} times as long as the other")
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, files.background), clear)
    picture = image.convert("RGB" if files.color else "L")
    is_padded = files.crop == "pad"
    scale = size / (max(width, height) if is_padded else min(width, height))
    least = 1 if is_padded else size
    sides = max(least, round(width * scale)), max(least, round(height * scale))
    if sides != picture.size:
        picture = picture.resize(sides, Image.Resampling.BILINEAR)
    pixels = np.asarray(picture)
    pixels = np.moveaxis(pixels, -1, 0) if files.color else pixels[None]
    pixels = 255 - pixels if files.invert else pixels
    return _padded(pixels, size) if is_padded else np.ascontiguousarray(pixels)


def _padded(picture: Picture, size: int) -> Picture:
    """A picture (C, H, W) in the middle of a square of white paper (C, size, size)."""
    channels, height, width = picture.shape
    square = np.full((channels, size, size), 255, np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    square[:, top : top + height, left : left + width] = picture
    return square


class _Source(Protocol):
    """Images by their numbers."""

    def __len__(self) -> int: ...

    def name(self, number: int) -> str:
        """What an image is called in errors."""

    def read(self, number: int) -> Image.Image:
        """An image; ValueError or OSError if it cannot be read."""

    def notes(self) -> list[str]:
        """What to know of the images, after they were read: lines for people."""
        return []


class _Folder(_Source):
    """The pictures in a folder and all folders in it, also those that links lead to, by their paths."""

    def __init__(self, folder: Path) -> None:
        if is_run(folder):
            raise ValueError(
                f"{folder} is a run directory, not a folder of pictures; for images that it made, give their folder"
            )
        found = find_pictures(folder)
        if not found.paths:
            raise ValueError("; ".join([f"{folder} has no pictures that Pillow reads", *found.notes()]))
        self.folder, self.found = folder, found
        self.longer: set[int] = set()
        """Numbers of files that were read and have more pages or frames than the first."""

    def __len__(self) -> int:
        return len(self.found.paths)

    def name(self, number: int) -> str:
        return str(self.found.paths[number])

    def read(self, number: int) -> Image.Image:
        picture, has_more = decode(self.found.paths[number])
        if has_more:
            self.longer.add(number)
        return picture

    def notes(self) -> list[str]:
        notes = self.found.notes()
        if self.longer:
            notes.append(f"{len(self.longer):,} files have more than one page or frame, of which the first is read")
        return [f"{self.folder}: {note}" for note in notes]


class _Array(_Source):
    """The images of an array: (N, H, W), (N, H, W, 3), (N, 1, H, W) or (N, 3, H, W); uint8, or floats from 0 to 1."""

    def __init__(self, path: Path, array: npt.NDArray[Any]) -> None:
        shape = array.shape
        gray = array.ndim == 3 or (array.ndim == 4 and shape[1] == 1)
        first = array.ndim == 4 and shape[1] == 3
        last = array.ndim == 4 and shape[-1] in (1, 3)
        if not (gray or first or last) or 0 in shape[1:]:
            raise ValueError(
                f"{path} has the shape {shape}; served are (N, H, W), (N, 1, H, W), (N, 3, H, W) and (N, H, W, 3)"
            )
        if array.dtype != np.uint8 and array.dtype.kind != "f":
            raise ValueError(f"{path} is of dtype {array.dtype}; served are uint8, and floats from 0 to 1")
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
                raise ValueError("its floats are not all from 0 to 1")
            pixels = np.rint(255 * pixels).astype(np.uint8)
        pixels = np.moveaxis(pixels, 0, -1) if self.channels_first else pixels
        squeezed = pixels if pixels.ndim == 2 or pixels.shape[-1] == 3 else pixels.reshape(_plane(pixels.shape))
        return Image.fromarray(np.ascontiguousarray(squeezed))


class _Shards(_Source):
    """The images of a set of shards."""

    def __init__(self, path: Path) -> None:
        self.path, self.shards = path, open_shards(path)
        if self.shards.source.is_volume:
            raise ValueError(f"{path} holds volumes, which networks of images cannot be trained on")

    def __len__(self) -> int:
        return len(self.shards)

    def name(self, number: int) -> str:
        return f"{self.path}[{number}]"

    def read(self, number: int) -> Image.Image:
        return _Array(self.path, self.shards.images(np.array([number]))).read(0)


def _plane(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its channel axis of 1."""
    return shape[1:] if shape[0] == 1 else shape[:2]


def _open(path: Path) -> _Source:
    if path.is_dir():
        if not manifests(path):
            return _Folder(path)
        try:
            return _Shards(path)
        except ValueError as error:
            raise ValueError(f"{error}; for the pictures in {path}, move away what is no manifest of a set") from error
    if not path.exists():
        raise FileNotFoundError(
            f"{path} does not exist; give a folder of pictures, an IDX, .npy or .npz file. If the images of a run were"
            " moved, say where they are: python -m reggan.train --resume RUN --data PATH"
        )
    if path.suffix.lower() not in (".npy", ".npz"):
        return _Array(path, read_idx(path))
    try:
        array = _load(path)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # A damaged file can trip NumPy up in any way.
        if any(words in str(error) for words in _OF_PICKLES):
            raise ValueError(
                f"{path} holds pickled Python objects, which are never loaded, as they may run code; save its images "
                "as one plain array of uint8, or of floats from 0 to 1"
            ) from error
        raise ValueError(f"{path} cannot be read: {error or repr(error)}") from error
    return _Array(path, array)


def _load(path: Path) -> npt.NDArray[Any]:
    """The array of a .npy or .npz file, whichever it is."""
    with path.open("rb") as file:
        start = file.read(6)
        if start[:1] == b"\x80":
            raise ValueError("it starts as pickled Python objects do")
        if start == b"\x93NUMPY":
            array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
            return array
        if start[:2] != b"PK":
            raise ValueError("it does not start as a .npy or a .npz file does")
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            names = list(arrays)
            name = "images" if "images" in names else names[0] if len(names) == 1 else None
            if name is None:
                raise ValueError(f"it has the arrays {', '.join(names)}, and none is called images")
            array = arrays[name]
    if not isinstance(array, np.ndarray):
        raise ValueError("it holds no array")
    return array


IDX_TYPES: dict[int, str] = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """Read an IDX file, such as those of MNIST and Fashion-MNIST, which may be compressed by gzip.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not an IDX file, or not a whole one.
    """
    content = Path(path).read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{path} is not a whole gzip file: {error}") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES or not 1 <= content[3] <= 32:
        raise ValueError(f"{path} is not a folder, an IDX, a .npy or a .npz file; an IDX file starts otherwise")
    start = 4 + 4 * content[3]
    dtype = np.dtype(IDX_TYPES[content[2]])
    sides = np.frombuffer(content[4:start].ljust(start - 4, b"\0"), ">u4")
    expected = start + dtype.itemsize * math.prod(map(int, sides))
    if len(content) != expected:
        raise ValueError(f"{path} has {len(content)} bytes, and its header asks for {expected}")
    array = np.frombuffer(content, dtype, offset=start).reshape(sides)
    return array.astype(dtype.newbyteorder("="), copy=False)
