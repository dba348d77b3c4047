"""Folders of picture files: which files are pictures, what is left out, and how one is decoded."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

__all__ = ["Pictures", "decode", "endings", "find_pictures", "is_run"]

_NAMED = 10
"""Kinds of files that a line names."""
SYSTEM_FOLDERS = frozenset({"#recycle", "$RECYCLE.BIN", "@eaDir", "__MACOSX"})
"""Where file servers, Windows and macOS keep thumbnails, deleted files and resource forks."""
_OUTSIDE = frozenset({"EPS", "MPEG"})
"""Formats that Pillow names but does not decode by itself: EPS takes Ghostscript, MPEG is video."""
_ONE_PICTURE = frozenset({"MPO", "PSD"})
"""Formats whose frames are previews, depth maps or layers of the first one."""
_EXIF = ("exif", "Raw profile type exif")
"""Where Pillow keeps the EXIF data of a picture as bytes."""
_DEEP = ("I;16", "I;16B", "I;16L", "I")
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262
"""TIFF tags: the depth, and whether 0 is white (0) or black (1)."""


@cache
def endings() -> frozenset[str]:
    """Endings of the names of picture files that this Pillow decodes, such as ".png"."""
    by_ending = Image.registered_extensions()
    stubs = {
        name
        for name, (opener, _) in Image.OPEN.items()
        if isinstance(opener, type) and issubclass(opener, ImageFile.StubImageFile)
    }
    # The opener of JPEG opens MPO, too, which therefore has none.
    decoded = Image.OPEN.keys() - stubs - _OUTSIDE | {"MPO"}
    return frozenset(ending for ending, name in by_ending.items() if name in decoded)


@dataclass(frozen=True)
class Pictures:
    """The picture files of a folder by their paths, and what else it holds."""

    paths: list[Path]
    left_out: Counter[str]
    """Entries that are not looked into, by their kind."""
    left_alone: Counter[str]
    """Files that are no pictures, by the endings of their names."""

    def notes(self) -> list[str]:
        """A line for each of the two, if there are any."""
        found = {"left out": self.left_out, "left alone": self.left_alone}
        return [f"{name}: {_listed(kinds)}" for name, kinds in found.items() if kinds]


def _listed(kinds: Counter[str]) -> str:
    named = kinds.most_common(_NAMED)
    rest = kinds.total() - sum(count for _, count in named)
    return ", ".join(f"{count:,} {kind}" for kind, count in named) + (f" and {rest:,} of other kinds" if rest else "")


def is_run(folder: Path) -> bool:
    """Whether a folder is a run directory of a training."""
    return (folder / "config.json").is_file() and (folder / "checkpoints").is_dir()


def find_pictures(folder: Path) -> Pictures:
    """Find the pictures in a folder and in all folders below it, also those that links lead to, each folder once.

    Runs, hidden names and folders of the system are left out: what a training or a file server puts beside the
    pictures is not data. Links that lead nowhere are taken for files.

    Raises:
        OSError: a folder cannot be read.
    """
    found = Pictures([], Counter(), Counter())
    met = {folder.resolve()}

    def refuse(error: OSError) -> None:
        raise error

    def is_wanted(kind: str) -> bool:
        if kind:
            found.left_out[kind] += 1
        return not kind

    def is_new(folder: Path) -> bool:
        count = len(met)
        met.add(folder.resolve())
        return len(met) > count

    for name, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        here = Path(name)
        folders[:] = [part for part in folders if is_wanted(_kind_of_folder(here / part)) and is_new(here / part)]
        for path in (here / file for file in files if is_wanted(_kind_of_name(file))):
            ending = path.suffix.lower()
            if ending not in endings():
                found.left_alone[ending or "without an ending"] += 1
            elif path.is_file() or not path.exists():
                found.paths.append(path)
    found.paths.sort()
    return found


def _kind_of_name(name: str) -> str:
    """What kind of entries that are left out a file or a folder is of, by its name; empty if it may be data."""
    if name.startswith("."):
        return "with a leading dot"
    return name if name in SYSTEM_FOLDERS else ""


def _kind_of_folder(path: Path) -> str:
    """The same of a folder."""
    return _kind_of_name(path.name) or ("of reggan's runs" if is_run(path) else "")


def decode(path: Path) -> tuple[Image.Image, bool]:
    """Read the first picture of a file, upright and of 8 bits, and whether more pages or frames follow it.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is damaged, no picture, or one of a kind that is not served.
    """
    # Given the path, Pillow maps some files into memory, and takes the sides of a turned one for each other.
    with path.open("rb") as file:
        try:
            with Image.open(file) as image:
                has_more = image.format not in _ONE_PICTURE and bool(getattr(image, "is_animated", False))
                image.load()
                # Pillow keeps the EXIF data that it has read, and writes them anew where there are bytes of them: that
                # fails where they are damaged.
                image.getexif()
                for name in _EXIF:
                    image.info.pop(name, None)
                # In place, as a copy would lose the TIFF tags.
                ImageOps.exif_transpose(image, in_place=True)
        except UnidentifiedImageError:
            raise ValueError("it is not an image, or of a kind that is not known") from None
        except MemoryError:
            raise
        except Exception as error:  # On damaged bytes, decoders raise all kinds of errors.
            raise ValueError(str(error) or repr(error)) from error
    return _of_8_bits(image), has_more


def _of_8_bits(image: Image.Image) -> Image.Image:
    """A picture of any depth as one of 8 bits; where a deep gray is the transparent one, as gray and alpha."""
    if image.mode == "F":
        raise ValueError("its gray values are floats, whose range is not known")
    if image.mode not in _DEEP:
        return image
    tags = getattr(image, "tag_v2", {})
    (bits, *_) = tags.get(_BITS_PER_SAMPLE, (16,))
    white = 2 ** min(bits, 16) - 1
    deep = np.asarray(image).astype(np.int64)
    if deep.max(initial=0) > white or deep.min(initial=0) < 0:
        raise ValueError(f"its gray values are from {deep.min()} to {deep.max()}, must be from 0 to {white}")
    if tags.get(_PHOTOMETRIC) == 0:
        deep = white - deep
    gray = Image.fromarray(np.rint(deep / (white / 255)).astype(np.uint8))
    if (clear := image.info.get("transparency")) is None:
        return gray
    return Image.merge("LA", (gray, Image.fromarray(np.where(deep == clear, 0, 255).astype(np.uint8))))
