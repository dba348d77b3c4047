"""Files that are either the old one or the whole new one, also after a crash or with a full disk; text is UTF-8."""

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
from typing import BinaryIO

__all__ = ["atomic_file", "atomic_write", "check_folder", "remove_unfinished", "slug", "to_json", "write_json"]


def slug(text: str) -> str:
    """A text as part of a file's name: what is not a letter, a digit, a dot or an underscore becomes a dash."""
    return re.sub(r"[^\w.]+", "-", text).strip("-")


@contextmanager
def atomic_file(path: Path, *, sync: bool = True) -> Iterator[BinaryIO]:
    """Give a new file to write to, which takes the place of `path` at the end, and is removed if the writing fails.

    Of processes that write the same file at once, the last one to end wins. What a symbolic link leads to is replaced,
    and not the link; a device or a pipe is written to as it is. A process that is killed leaves a hidden file that
    nothing reads: see `remove_unfinished`.

    Args:
        path: the file.
        sync: make sure that it is on the disk before it takes its place; without, a crash of the system can lose it.

    Raises:
        OSError: the file cannot be written, for instance since the disk is full; the old one is untouched.
    """
    path = path.resolve() if path.is_symlink() else path
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
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
    if sync and hasattr(os, "O_DIRECTORY"):  # Windows opens no folders, and keeps the order of what is done in them.
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a whole file. Bytes of file names that are not UTF-8 are written as escapes.

    Raises:
        OSError: the file cannot be written, for instance since the disk is full; the old one is untouched.
    """
    with atomic_file(path) as file:
        file.write(content.encode(errors="backslashreplace") if isinstance(content, str) else content)


def write_json(path: Path, content: object, indent: int | None = None) -> None:
    """Write a whole file of JSON: see `to_json` and `atomic_write`."""
    atomic_write(path, to_json(content, indent))


def to_json(content: object, indent: int | None = None) -> str:
    """JSON in ASCII that ends its last line. A figure that is undefined, which is NaN, is null.

    Raises:
        ValueError: a number is infinite, which JSON does not have.
    """
    return json.dumps(_without_nan(content), indent=indent, allow_nan=False) + "\n"


def _without_nan(content: object) -> object:
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content


def remove_unfinished(folder: Path, names: Container[str] | None = None) -> None:
    """Remove what killed processes left of files that they were writing, where no other process writes them.

    Args:
        folder: Where they were to be.
        names: Their names; None is all.
    """
    for path in folder.glob(".*.*.tmp"):
        if names is None or path.name[1:].rsplit(".", 2)[0] in names:
            path.unlink(missing_ok=True)


def check_folder(path: Path, option: str) -> None:
    """Check before long work that there is a folder for the file that an option names.

    Raises:
        FileNotFoundError: there is none.
        IsADirectoryError: what it names is a folder itself.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, and {option} names a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent} does not exist, so that {option} cannot be written there")
