"""Files that are either the old one or the whole new one, also after a crash or with a full disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["atomic_file", "atomic_write", "check_folder"]


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Give a new file to write to, which takes the place of `path` at the end, and is removed if the writing fails.

    Raises:
        OSError: the file cannot be written, for instance since the disk is full; the old one is untouched.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a whole file.

    Raises:
        OSError: the file cannot be written, for instance since the disk is full; the old one is untouched.
    """
    with atomic_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def check_folder(path: Path, option: str) -> None:
    """Check before long work that there is a folder for the file that an option names.

    Raises:
        FileNotFoundError: there is none.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent} does not exist, so that {option} cannot be written there")
