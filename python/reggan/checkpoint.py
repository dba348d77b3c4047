"""Checkpoints: tensors in two safetensors files, everything else in JSON beside them. Nothing is ever unpickled.

The averaged generator has a file of its own, which is a small part of the whole and all that samples need. Every other
tensor is in the other file, none in both. A checkpoint exists once its JSON file does: that is written last, and holds
the SHA-256 of the tensor files. A crash or a full disk leaves what was there before.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim import Optimizer

from .files import atomic_write, remove_unfinished, write_json

__all__ = [
    "FORMAT",
    "Part",
    "check_format",
    "config_path",
    "first_not_finite",
    "flatten_state",
    "list_checkpoints",
    "load_checkpoint",
    "prune_checkpoints",
    "restore_matching",
    "restore_state",
    "save_checkpoint",
]

FORMAT = 2
"""Version of the run directory; a directory of another version is refused."""

Tensors = dict[str, Tensor]

Part = Literal["generator", "state"]
"""Tensors that share a file: those of the averaged generator, and all others."""

_FILES: dict[Part, str] = {"generator": ".generator.safetensors", "state": ".safetensors"}
"""Endings of the tensor files."""


def config_path(run: Path) -> Path:
    """Path of the config.json of a run directory.

    Raises:
        ValueError: there is none; says which directory to give where something inside of one was given.
    """
    path = run / "config.json"
    if path.is_file():
        return path
    wrong = "is a file" if run.is_file() else f"is not a run directory: there is no {path if run.exists() else run}"
    meant = next((f" {parent}" for parent in run.parents[:2] if (parent / "config.json").is_file()), "")
    raise ValueError(f"{run} {wrong}; give the run directory{meant}, which holds config.json")


def check_format(name: str, found: object) -> None:
    """Refuse a run directory, or a part of one, of another version.

    Raises:
        ValueError: `found` is not FORMAT; says what `name` can be used with.
    """
    if found != FORMAT:
        raise ValueError(
            f"{name} has format {found!r}, and this version of reggan reads format {FORMAT}; use the version that "
            "wrote it, or train anew"
        )


def save_checkpoint(directory: Path, name: str, tensors: Tensors, info: dict[str, Any]) -> Path:
    """Save tensors and JSON data as checkpoint `name`, and return the path of its JSON file.

    Raises:
        OSError: it cannot be written, for instance since the disk is full; what was written of it is removed.
    """
    path = directory / f"{name}.json"
    checksums = {}
    try:
        for part, ending in _FILES.items():
            content = safetensors.torch.save(_part_of(tensors, part))
            checksums[part] = hashlib.sha256(content).hexdigest()
            atomic_write(path.with_suffix(ending), content)
        write_json(path, {"format": FORMAT, **info, "sha256": checksums}, indent=2)
    except OSError:
        _remove_unnamed(directory)
        raise
    return path


def _part_of(tensors: Tensors, part: Part) -> Tensors:
    is_generator = part == "generator"
    return {
        key: tensor.detach().contiguous().cpu()
        for key, tensor in tensors.items()
        if key.startswith("network/averaged/") == is_generator
    }


def _remove_unnamed(directory: Path) -> None:
    """Remove the tensor files that no JSON file is beside."""
    named = {path.stem for path in directory.glob("*.json")}
    for path in directory.glob("*.safetensors"):
        if path.name.partition(".")[0] not in named:
            path.unlink()


def load_checkpoint(path: Path, parts: Iterable[Part] = tuple(_FILES)) -> tuple[Tensors, dict[str, Any]]:
    """Load tensors and JSON data of the checkpoint whose JSON file is `path`.

    Args:
        path: The JSON file.
        parts: Which tensors to load; the files of other parts are not opened.

    Raises:
        ValueError: the checkpoint is missing, truncated, changed since it was written, of another version, or of a
            training that had diverged.
    """
    broken = f"checkpoint {path} cannot be used"
    tensors: Tensors = {}
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        check_format(f"checkpoint {path}", info["format"])
        for part in parts:
            file = path.with_suffix(_FILES[part])
            content = file.read_bytes()
            if hashlib.sha256(content).hexdigest() != info["sha256"][part]:
                raise ValueError(f"{broken}: {file.name} does not have the checksum that was written with it")
            tensors |= safetensors.torch.load(content)
    except OSError as error:
        raise ValueError(f"{broken}: {error.strerror}: {error.filename}") from error
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError, SafetensorError) as error:
        raise ValueError(f"{broken}: it is truncated or not a checkpoint ({repr(error)[:100]})") from error
    if name := first_not_finite(tensors):
        raise ValueError(
            f"{broken}: {name} is not finite, since the training had diverged; remove it for the one before"
        )
    return tensors, info


def first_not_finite(tensors: Tensors) -> str | None:
    """Name of the first tensor that holds a NaN or an infinity, if any does."""
    return next((name for name, t in tensors.items() if t.is_floating_point() and not bool(t.isfinite().all())), None)


def list_checkpoints(directory: Path, kind: str = "step") -> list[Path]:
    """JSON files of the checkpoints named KIND-00001234, the earliest step first; kind is "step" or "best"."""
    found = (path for path in directory.glob(f"{kind}-*.json") if re.fullmatch(kind + r"-\d{8,}", path.stem))
    return sorted(found, key=lambda path: int(path.stem.removeprefix(f"{kind}-")))


def prune_checkpoints(directory: Path, kind: str, keep: int) -> None:
    """Remove all checkpoints of a kind but the last `keep`, and what an interrupted write left behind."""
    for path in list_checkpoints(directory, kind)[:-keep]:
        path.unlink()
    remove_unfinished(directory)
    _remove_unnamed(directory)


def flatten_state(networks: dict[str, nn.Module], optimizers: dict[str, Optimizer]) -> Tensors:
    """Every tensor of networks and optimizers under one name each: "network/...", "optimizer/..."."""
    tensors = {
        f"network/{name}/{key}": tensor
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }
    for name, optimizer in optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{name}/{index}/{key}": tensor for key, tensor in state.items()}
    return tensors


def restore_state(tensors: Tensors, networks: dict[str, nn.Module], optimizers: dict[str, Optimizer]) -> None:
    """Put tensors of `flatten_state` back into networks and optimizers of the same making.

    Raises:
        ValueError: tensors are missing, left over, or of another shape.
    """
    with _mismatch():
        for name, network in networks.items():
            network.load_state_dict(_below(tensors, f"network/{name}/"))
        for name, optimizer in optimizers.items():
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            state: dict[int, Tensors] = {}
            for key, tensor in _below(tensors, f"optimizer/{name}/").items():
                index, _, field = key.partition("/")
                state.setdefault(int(index), {})[field] = _like(parameters[int(index)], tensor)
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def restore_matching(tensors: Tensors, networks: dict[str, nn.Module]) -> tuple[list[str], list[str]]:
    """Put the weights of `flatten_state` into the networks that have the same names and shapes.

    What has no parameters, as what a recipe remembers, stays as it is.

    Returns:
        Names of the networks that have these weights now, and of those that would need others.
    """
    taken: list[str] = []
    left: list[str] = []
    for name, network in networks.items():
        if not list(network.parameters()):
            continue
        kept = _below(tensors, f"network/{name}/")
        matches = {key: t.shape for key, t in kept.items()} == {k: t.shape for k, t in network.state_dict().items()}
        if matches:
            network.load_state_dict(kept)
        (taken if matches else left).append(name)
    return taken, left


def _like(parameter: Tensor, kept: Tensor) -> Tensor:
    """What an optimizer keeps for each number of a parameter, in its order in memory: fused optimizers go by that."""
    if not kept.ndim:
        return kept
    if kept.shape != parameter.shape:
        raise ValueError(f"an optimizer kept {tuple(kept.shape)} numbers for a parameter of {tuple(parameter.shape)}")
    return torch.empty_like(parameter, dtype=kept.dtype, requires_grad=False).copy_(kept)


def _below(tensors: Tensors, prefix: str) -> Tensors:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


@contextmanager
def _mismatch() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, KeyError, IndexError, ValueError) as error:
        first = str(error).splitlines()
        raise ValueError(f"the checkpoint is not of these networks: {' '.join(first[:2])}") from error
