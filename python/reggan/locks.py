"""The lock of a run directory: one process at a time trains it.

The operating system locks `.training.lock`, and releases it when the process ends or crashes. `.training.holder` names
the process. Both files are removed at the end.
"""

from __future__ import annotations

import errno
import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from .distributed import Ranks
from .files import atomic_write
from .progress import note

__all__ = ["RunInUse", "train_alone"]

_LOCK, _HOLDER = ".training.lock", ".training.holder"

_WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""Errors of a file system without locks."""


class RunInUse(ValueError):
    """Another process is training this run."""


@contextmanager
def train_alone(run: Path, ranks: Ranks) -> Iterator[None]:
    """Lock a run for this process, or raise RunInUse. The first rank locks for all; a thread may enter twice."""
    with ExitStack() as held:
        refusal = None
        if ranks.is_first:
            try:
                held.enter_context(_locked(run))
            except RunInUse as error:
                refusal = str(error)
        if refusal := ranks.broadcast(refusal):
            raise RunInUse(refusal)
        yield


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    path, holder = run.resolve() / _LOCK, run.resolve() / _HOLDER
    lock = FileLock(path, blocking=False, is_singleton=True, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise RunInUse(f"{run} is being trained by {_who(holder)}; wait until it ends, or stop it first") from None
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
        if holder.exists():
            raise RunInUse(
                f"{run} may be in training by {_who(holder)}, and cannot be locked: {error.strerror}; if that process "
                f"has ended, remove {holder}"
            ) from error
        path.unlink(missing_ok=True)
        note(f"{run}: this file system has no locks; make sure that no other process trains this run")
        yield
        return
    try:
        if lock.lock_counter == 1:
            since = datetime.now().astimezone().isoformat(" ", "seconds")
            atomic_write(holder, f"process {os.getpid()} on {platform.node()} since {since}")
        yield
    finally:
        if lock.lock_counter == 1:
            with suppress(PermissionError):  # On Windows, while another process reads it.
                holder.unlink(missing_ok=True)
            if os.name == "posix":  # Windows cannot remove open files; there filelock removes it after closing it.
                path.unlink(missing_ok=True)
        lock.release()


def _who(holder: Path) -> str:
    try:
        return holder.read_text(encoding="utf-8")
    except (FileNotFoundError, PermissionError):  # It is just starting or ending.
        return "another process"
