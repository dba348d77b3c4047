"""Your own images as training data: a folder of pictures, an IDX file, an array, or a set of shards.

Images are resized once, and kept in memory as uint8 if they fit. Crops and flips depend only on (seed, epoch,
position), so they are the same for any number of workers.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
import tyro
from PIL import Image
from pydantic import Field
from torch import Tensor

from .._arrays import machine_memory
from ..options import options
from ..progress import Progress
from ..rules import Rule
from ..scoring import analyze
from .folders import on_paper
from .loading import Fingerprint, Indices
from .sources import open_source

__all__ = ["FileSet", "Files", "UnreadableImages"]

Picture = npt.NDArray[np.uint8]

LISTED = 10
"""The most unreadable files that an error names."""
MEMORY_SHARE = 0.25
"""Largest share of the machine's memory for a set; larger sets are read again for each batch."""
MAX_ASPECT = 100
"""Largest aspect ratio of a picture, which limits its size after resizing its shorter side."""
_READ_AHEAD = 256


class UnreadableImages(ValueError):
    """Some files cannot be read; `reasons` holds the errors by path."""

    def __init__(self, reasons: dict[str, str], total: int) -> None:
        named = "".join(f"\n  {path}: {reason}" for path, reason in list(reasons.items())[:LISTED])
        more = f"\n  and {len(reasons) - LISTED} more" if len(reasons) > LISTED else ""
        advice = "; remove them, or skip them with --data.skip-unreadable" if len(reasons) < total else ""
        super().__init__(f"{len(reasons)} of {total} images cannot be read{advice}:{named}{more}")
        self.reasons = reasons


@options
class Files:
    """Your own images: a folder of pictures, an IDX file (MNIST), a .npy or .npz array, or a set of shards."""

    modality: ClassVar[str] = "images"

    path: tyro.conf.Suppress[str]
    """The folder or the file."""
    color: bool = False
    """RGB images instead of gray ones; their darkest channel determines the ink."""
    crop: Literal["center", "random", "pad"] = "center"
    """How to make images square: crop the center, crop at random in each epoch, or pad with white paper."""
    background: Literal["white", "black"] = "white"
    """Background of transparent pictures; white drawings need black and --data.invert."""
    flip_horizontal: bool = False
    """Mirror left to right, at random."""
    flip_vertical: bool = False
    """Mirror top to bottom, at random."""
    invert: bool = False
    """Swap light and dark, for light shapes on dark paper such as MNIST's."""
    below: Annotated[float, Field(gt=0, le=1)] | None = None
    """Use only images whose center square has a lower score."""
    skip_unreadable: bool = False
    """Skip files that cannot be read and report their number, instead of stopping."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of crops and flips."""
    kind: tyro.conf.Suppress[Literal["files"]] = "files"

    def __post_init__(self) -> None:
        try:
            self.path.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{self.path!a} is not UTF-8, so config.json cannot hold it; rename it") from None

    @property
    def channels(self) -> int:
        return 3 if self.color else 1

    def open(self, size: int, rule: Rule, *, log: bool = False) -> FileSet:
        """Read the images as squares of this size; the rule is only used for `below`.

        Raises:
            OSError: The path does not exist or cannot be read.
            UnreadableImages: Some files are not images, and `skip_unreadable` is not set.
            ValueError: An array has another shape or type, or no image is left.
        """
        return FileSet(self, size, rule, log=log)


class FileSet:
    """The images of `Files`, as squares of one size."""

    def __init__(self, files: Files, size: int, rule: Rule, *, log: bool = False) -> None:
        self.files, self.size = files, size
        self._source = open_source(Path(files.path))
        kept, chosen, reasons, sha256 = _scan(self, rule, int(MEMORY_SHARE * machine_memory()), log)
        if reasons and (not files.skip_unreadable or len(reasons) == len(self._source)):
            raise UnreadableImages(reasons, len(self._source))
        if not chosen:
            limit = f" with a score under {files.below}" if files.below is not None and not reasons else ""
            raise ValueError(f"{files.path} has no image{limit}, out of {len(self._source)}")
        self.skipped = reasons
        """Errors of the skipped files, by path."""
        self._chosen = np.array(chosen, np.int64)
        self._kept = kept
        self.fingerprints = (Fingerprint(len(chosen), sha256),)

    @property
    def length(self) -> int:
        return len(self._chosen)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return (self.files.channels, self.size, self.size)

    @property
    def is_augmented(self) -> bool:
        return self.files.crop == "random" or self.files.flip_horizontal or self.files.flip_vertical

    def fetch(self, indices: Indices) -> Tensor:
        """Images (N, C, size, size) uint8."""
        return torch.from_numpy(np.stack([self._image(*divmod(int(index), self.length)) for index in indices]))

    def _image(self, epoch: int, position: int) -> Picture:
        number = int(self._chosen[position])
        picture = self._kept[position] if self._kept is not None else self._cut(self._whole(number))
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

    def _whole(self, number: int) -> Picture:
        return _resized(self._source.read(number), self.size, self.files)

    def _cut(self, picture: Picture) -> Picture:
        """The part (C, H, W) of a resized picture that is kept in memory: all for random crops, else the center."""
        return picture if self.files.crop == "random" else _square(picture, self.size, 0.5).copy()


def _scan(
    images: FileSet, rule: Rule, room: int, log: bool
) -> tuple[list[Picture] | None, list[int], dict[str, str], str]:
    """Read all images once; returns the data if they fit into memory, their numbers, errors, and their SHA-256."""
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
                    if rule(square[None])[0] >= files.below:
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
            shown.note(f"{files.path}: {len(reasons)} of {len(source)} files cannot be read and are skipped")
        for note in source.notes():
            shown.note(note)
        if losses:
            shown.note(
                f"{files.path}: {losses['ink']:,} of {len(chosen):,} pictures have ink outside their center square, "
                f"and in {losses['pieces']:,} the number of pieces changes; --data.crop pad keeps all ink"
            )
    return kept, chosen, reasons, digest.hexdigest()


def _losses(picture: Picture, size: int) -> list[str]:
    """Whether cropping a picture (C, H, W) to its center square loses "ink" or changes the number of "pieces"."""
    if picture.shape[1:] == (size, size):
        return []
    whole, square = (
        analyze(part.min(axis=0), fields=("area", "count"), threads=1)
        for part in (picture, _square(picture, size, 0.5))
    )
    losses = {"ink": whole.area != square.area, "pieces": whole.count != square.count}
    return [name for name, is_lost in losses.items() if is_lost]


def _square(picture: Picture, size: int, where: float) -> Picture:
    """The square of a picture (C, H, W) at a position from 0 to 1 along its longer side."""
    _, height, width = picture.shape
    top, left = round(where * (height - size)), round(where * (width - size))
    return picture[:, top : top + size, left : left + size]


def _resized(image: Image.Image, size: int, files: Files) -> Picture:
    """(C, H, W), resized with antialiasing: the shorter side has `size` pixels, or both if the image is padded."""
    width, height = image.size
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ValueError(f"it has {width} x {height} pixels, must have an aspect ratio of at most {MAX_ASPECT}")
    picture = on_paper(image, files.background).convert("RGB" if files.color else "L")
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
    """A picture (C, H, W) centered on white paper (C, size, size)."""
    channels, height, width = picture.shape
    square = np.full((channels, size, size), 255, np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    square[:, top : top + height, left : left + width] = picture
    return square
