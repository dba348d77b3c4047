"""Files written atomically: a crash or a full disk leaves either the old or the complete new file. Text is UTF-8."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import secrets
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

__all__ = [
    "atomic_file",
    "atomic_write",
    "check_folder",
    "read_json",
    "remove_unfinished",
    "slug",
    "to_json",
    "write_json",
]


def slug(text: str) -> str:
    """Turn a text into part of a file name: all but letters, digits, dots and underscores become dashes."""
    return re.sub(r"[^\w.]+", "-", text).strip("-")


@contextmanager
def atomic_file(path: Path, *, sync: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path` when the block ends, and is removed if the block fails.

    If several processes write the same file, the last one to finish wins. For a symbolic link, its target is replaced;
    devices and pipes are written directly. A killed process leaves a hidden file: see `remove_unfinished`.

    Args:
        path: The file.
        sync: Sync the file to disk before it replaces `path`; otherwise a system crash can lose it.

    Raises:
        OSError: The file cannot be written, for example because the disk is full; the old one is untouched.
    """
    path = path.resolve() if path.is_symlink() else path
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sync and hasattr(os, "O_DIRECTORY"):  # Windows cannot open folders, and keeps changes in them in order.
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a whole file as `atomic_file` does. Bytes of file names that are not UTF-8 are written as escapes."""
    with atomic_file(path) as file:
        file.write(content.encode(errors="backslashreplace") if isinstance(content, str) else content)


def read_json(path: Path) -> Any:
    """Read JSON in UTF-8.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is damaged: not UTF-8, or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def write_json(path: Path, content: object, indent: int | None = None) -> None:
    """Write a JSON file: see `to_json` and `atomic_write`."""
    atomic_write(path, to_json(content, indent))


def to_json(content: object, indent: int | None = None) -> str:
    """JSON in ASCII with a final newline. NaN becomes null; an infinite number raises a ValueError."""
    return json.dumps(_without_nan(content), indent=indent, allow_nan=False) + "\n"


def _without_nan(content: object) -> object:
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content


def remove_unfinished(folder: Path, names: Container[str] | None = None) -> None:
    """Remove the temporary files that killed processes left in a folder; no other process may be writing these files.

    `names` are the names of the files that were being written; None is all.
    """
    for path in folder.glob(".*.*.tmp"):
        if names is None or path.name[1:].rsplit(".", 2)[0] in names:
            path.unlink(missing_ok=True)


def check_folder(path: Path, option: str) -> None:
    """Check before long work that the folder of an option's file exists.

    Raises:
        FileNotFoundError: It does not exist.
        IsADirectoryError: The path is itself a folder.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, but {option} must name a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent} does not exist, so {option} cannot be written there")
