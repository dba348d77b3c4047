"""A run directory while it is trained: by one process at a time, and on the data that it began with.

The process that trains holds a lock of the operating system on `.training.lock`, which ends with the process, however
that ends. `.training.holder` says which process it is. Both are removed at the end.
"""

from __future__ import annotations

import errno
import json
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .config import TrainConfig, config_to_json
from .data import Fingerprint
from .distributed import Ranks
from .files import atomic_write, write_json
from .options import flatten
from .progress import note

__all__ = ["RunInUse", "changes", "check_data", "record_changes", "train_alone"]

_LOCK, _HOLDER = ".training.lock", ".training.holder"

_WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""What a file system without locks answers."""

_CHANGEABLE = ("steps", "device", "data.path", "data.first.path", "data.second.path")
"""What a run can be continued with otherwise, by its place in the configuration."""

Changes = dict[str, dict[str, Any]]
"""Values "from" and "to" of options, by their place in the configuration."""


class RunInUse(ValueError):
    """Another process trains this run."""


@contextmanager
def train_alone(run: Path, ranks: Ranks) -> Iterator[None]:
    """Keep other processes from training a run; the first rank does so for all. A thread may enter it twice.

    Raises:
        RunInUse: another process trains it; says which.
        OSError: the lock cannot be written.
    """
    with ExitStack() as held:
        refusal = None
        if ranks.is_first:
            try:
                held.enter_context(_locked(run))
            except RunInUse as error:
                refusal = str(error)
        if refusal := ranks.first(refusal):
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
                f"{run} may be trained by {_who(holder)}, and this process gets no lock: {error.strerror}; if the "
                f"other one has ended, remove {holder}"
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
            if os.name == "posix":  # Windows removes no open files: there filelock removes it, once it is closed.
                path.unlink(missing_ok=True)
        lock.release()


def _who(holder: Path) -> str:
    try:
        return holder.read_text(encoding="utf-8")
    except (FileNotFoundError, PermissionError):  # It has only just begun, or ends.
        return "another process"


def changes(before: TrainConfig, after: TrainConfig) -> Changes:
    """What differs between the configuration of a run and that which it is to be continued with.

    Raises:
        ValueError: something differs that a run cannot be continued with.
    """
    old, new = (flatten(config_to_json(config)) for config in (before, after))
    found = {
        key: {"from": old.get(key), "to": new.get(key)}
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    }
    if fixed := [key for key in found if key not in _CHANGEABLE]:
        raise ValueError(
            f"{', '.join(fixed)} cannot change in a run that goes on; start a new one from its weights with --init"
        )
    return found


def record_changes(run: Path, config: TrainConfig, changed: Changes, step: int) -> None:
    """Put a changed configuration into config.json, and below "resumed" what changed after which step."""
    path = run / "config.json"
    described = json.loads(path.read_text(encoding="utf-8"))
    described["config"] = config_to_json(config)
    described.setdefault("resumed", []).append({"step": step, "changed": changed})
    write_json(path, described, indent=2)


def check_data(run: Path, before: list[dict[str, Any]], now: Sequence[Fingerprint]) -> None:
    """Refuse data that are not those that a run was trained on before.

    Raises:
        ValueError: there are more or fewer images, or others; says which.
    """
    differs = [
        f"{then['count']} images then, {found.count} now"
        if then["count"] != found.count
        else f"{found.count} images then and now, but not the same ones"
        for then, found in zip(before, now, strict=True)
        if then != asdict(found)
    ]
    if differs:
        raise ValueError(
            f"the data are not those that {run} was trained on: {'; '.join(differs)}. Put them back, say with --data "
            f"where they are, or start a new run from its weights with --init {run}"
        )
