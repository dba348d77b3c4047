"""Folders of picture files: find the pictures, and decode them."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

__all__ = ["Pictures", "decode", "endings", "find_pictures", "is_run", "on_paper"]

_NAMED = 10
"""Maximum number of kinds of files in a note."""
SYSTEM_FOLDERS = frozenset({"#recycle", "$RECYCLE.BIN", "@eaDir", "__MACOSX"})
"""Folders in which file servers, Windows and macOS keep thumbnails, deleted files and resource forks."""
_UNDECODED = frozenset({"EPS", "MPEG"})
"""Formats that Pillow lists but does not decode by itself: EPS needs Ghostscript, MPEG is video."""
_ONE_PICTURE = frozenset({"MPO", "PSD"})
"""Formats whose other frames are previews, depth maps or layers of the first one."""
_EXIF = ("exif", "Raw profile type exif")
"""Keys under which Pillow keeps a picture's EXIF data as bytes."""
_DEEP = ("I;16", "I;16B", "I;16L", "I")
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262
"""TIFF tags: the bit depth, and whether 0 is white (0) or black (1)."""


@cache
def endings() -> frozenset[str]:
    """The file name extensions of the formats that the installed Pillow decodes, such as ".png"."""
    by_ending = Image.registered_extensions()
    stubs = {
        name
        for name, (opener, _) in Image.OPEN.items()
        if isinstance(opener, type) and issubclass(opener, ImageFile.StubImageFile)
    }
    # MPO has no opener of its own; that of JPEG opens it.
    decoded = Image.OPEN.keys() - stubs - _UNDECODED | {"MPO"}
    return frozenset(ending for ending, name in by_ending.items() if name in decoded)


@dataclass(frozen=True)
class Pictures:
    """The paths of the picture files in a folder, and counts of the other entries."""

    paths: list[Path]
    left_out: Counter[str]
    """Skipped files and folders by kind."""
    left_alone: Counter[str]
    """Files that are not pictures by extension."""

    def notes(self) -> list[str]:
        """A line for each kind of other entries, if there are any."""
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
    """Find the pictures in a folder and, once each, in all folders below it and behind links.

    Runs, hidden names and system folders are left out, as files of a training or a file server are not data. Broken
    links count as files.

    Raises:
        OSError: A folder cannot be read.
    """
    found = Pictures([], Counter(), Counter())
    visited = {folder.resolve()}

    def refuse(error: OSError) -> None:
        raise error

    def is_wanted(kind: str) -> bool:
        if kind:
            found.left_out[kind] += 1
        return not kind

    def is_new(folder: Path) -> bool:
        count = len(visited)
        visited.add(folder.resolve())
        return len(visited) > count

    for name, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        parent = Path(name)
        folders[:] = [sub for sub in folders if is_wanted(_kind_of_folder(parent / sub)) and is_new(parent / sub)]
        for path in (parent / file for file in files if is_wanted(_kind_of_name(file))):
            ending = path.suffix.lower()
            if ending not in endings():
                found.left_alone[ending or "without an ending"] += 1
            elif path.is_file() or not path.exists():
                found.paths.append(path)
    found.paths.sort()
    return found


def _kind_of_name(name: str) -> str:
    """Why a file or a folder is left out, by its name; empty if it may be data."""
    if name.startswith("."):
        return "with a leading dot"
    return name if name in SYSTEM_FOLDERS else ""


def _kind_of_folder(path: Path) -> str:
    return _kind_of_name(path.name) or ("of reggan's runs" if is_run(path) else "")


def decode(path: Path) -> tuple[Image.Image, bool]:
    """Read the first picture of a file, upright and in 8 bits, and whether more pages or frames follow.

    Raises:
        OSError: The file cannot be opened.
        ValueError: The file is damaged, not a picture, or of an unsupported kind.
    """
    # Given a path, Pillow memory-maps some files, and confuses width and height of a rotated picture.
    with path.open("rb") as file:
        try:
            with Image.open(file) as image:
                has_more = image.format not in _ONE_PICTURE and bool(getattr(image, "is_animated", False))
                image.load()
                # Pillow caches the parsed EXIF data, and would rewrite their bytes, which fails if these are damaged.
                image.getexif()
                for name in _EXIF:
                    image.info.pop(name, None)
                # A copy would lose the TIFF tags.
                ImageOps.exif_transpose(image, in_place=True)
        except UnidentifiedImageError:
            raise ValueError("it is not an image, or of an unknown kind") from None
        except MemoryError:
            raise
        except Exception as error:  # Decoders raise all kinds of errors on damaged data.
            raise ValueError(str(error) or repr(error)) from error
    return _of_8_bits(image), has_more


def on_paper(image: Image.Image, background: str = "white") -> Image.Image:
    """A picture without transparency: on paper of this color, if it has any."""
    if not image.has_transparency_data:
        return image
    clear = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", clear.size, background), clear)


def _of_8_bits(image: Image.Image) -> Image.Image:
    """Convert a picture of any depth to 8 bits; if it has a transparent gray value, to gray with alpha."""
    if image.mode == "F":
        raise ValueError("its gray values are floats of unknown range")
    if image.mode not in _DEEP:
        return image
    tags = getattr(image, "tag_v2", {})
    (bits, *_) = tags.get(_BITS_PER_SAMPLE, (16,))
    white = 2 ** min(bits, 16) - 1
    deep = np.asarray(image).astype(np.int64)
    if deep.max(initial=0) > white or deep.min(initial=0) < 0:
        raise ValueError(f"its gray values are from {deep.min()} to {deep.max()}, but must be from 0 to {white}")
    if tags.get(_PHOTOMETRIC) == 0:
        deep = white - deep
    gray = Image.fromarray(np.rint(deep / (white / 255)).astype(np.uint8))
    if (transparent := image.info.get("transparency")) is None:
        return gray
    return Image.merge("LA", (gray, Image.fromarray(np.where(deep == transparent, 0, 255).astype(np.uint8))))
