"""Files that are either the old one or the whole new one, also after a crash or with a full disk."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["atomic_file", "atomic_write", "check_folder", "remove_unfinished"]


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
    """Write a whole file.

    Raises:
        OSError: the file cannot be written, for instance since the disk is full; the old one is untouched.
    """
    with atomic_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes left of files that they were writing, in a folder where no other process writes."""
    for path in folder.glob(".*.tmp"):
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
