"""Checkpoints: tensors in two safetensors files, everything else in JSON beside them. Nothing is ever unpickled.

One file holds the averaged generator, which is small and all that sampling needs; the other holds all other tensors.
The JSON file is written last and holds the SHA-256 of the tensor files: a checkpoint exists once its JSON file does. A
crash or a full disk leaves earlier checkpoints intact.
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
    "read_info",
    "restore_matching",
    "restore_state",
    "save_checkpoint",
]

FORMAT = 3
"""Version of run directories; other versions are refused."""

Tensors = dict[str, Tensor]

Part = Literal["generator", "state"]
"""The tensors of one file: the averaged generator's, or all others."""

_FILES: dict[Part, str] = {"generator": ".generator.safetensors", "state": ".safetensors"}


def config_path(run: Path) -> Path:
    """Path of a run directory's config.json; a ValueError if there is none, with the right path if it is near."""
    path = run / "config.json"
    if path.is_file():
        return path
    wrong = "is a file" if run.is_file() else f"is not a run directory: {path if run.exists() else run} does not exist"
    meant = next((f" {parent}" for parent in run.parents[:2] if (parent / "config.json").is_file()), "")
    raise ValueError(f"{run} {wrong}; give the run directory{meant}, which holds config.json")


def check_format(name: str, found: object) -> None:
    """Raise a ValueError if a run directory, or a part of one, has another version."""
    if found != FORMAT:
        raise ValueError(
            f"{name} has format {found!r}, but this version of reggan reads format {FORMAT}; use the version that "
            "wrote it, or train again"
        )


def save_checkpoint(directory: Path, name: str, tensors: Tensors, info: dict[str, Any]) -> Path:
    """Save tensors and JSON data as checkpoint `name`, and return the path of its JSON file; an OSError leaves none."""
    path = directory / f"{name}.json"
    checksums = {}
    try:
        for part, ending in _FILES.items():
            saved = {
                key: tensor.detach().contiguous().cpu()
                for key, tensor in tensors.items()
                if key.startswith("network/averaged/") == (part == "generator")
            }
            content = safetensors.torch.save(saved)
            checksums[part] = hashlib.sha256(content).hexdigest()
            atomic_write(path.with_suffix(ending), content)
        write_json(path, {"format": FORMAT, **info, "sha256": checksums}, indent=2)
    except OSError:
        _remove_unnamed(directory)
        raise
    return path


def _remove_unnamed(directory: Path) -> None:
    """Remove tensor files without a JSON file."""
    named = {path.stem for path in directory.glob("*.json")}
    for path in directory.glob("*.safetensors"):
        if path.name.partition(".")[0] not in named:
            path.unlink()


def load_checkpoint(path: Path, parts: Iterable[Part] = tuple(_FILES)) -> tuple[Tensors, dict[str, Any]]:
    """Load the tensors of these parts, and the JSON data, of the checkpoint whose JSON file is `path`.

    Raises:
        ValueError: it is missing, truncated, modified, of another version, or holds numbers that are not finite.
    """
    tensors: Tensors = {}
    info = read_info(path)
    with _readable(path) as broken:
        for part in parts:
            file = path.with_suffix(_FILES[part])
            content = file.read_bytes()
            if hashlib.sha256(content).hexdigest() != info["sha256"][part]:
                raise ValueError(f"{broken}: {file.name} does not have the checksum that was written with it")
            tensors |= safetensors.torch.load(content)
    if name := first_not_finite(tensors):
        raise ValueError(
            f"{broken}: {name} is not finite because training diverged; remove it to use the checkpoint before it"
        )
    return tensors, info


def read_info(path: Path) -> dict[str, Any]:
    """The JSON data of a checkpoint; a ValueError if the file is missing, truncated or of another version."""
    with _readable(path):
        info: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        check_format(f"checkpoint {path}", info["format"])
        return info


@contextmanager
def _readable(path: Path) -> Iterator[str]:
    """Turn errors of reading a checkpoint into a ValueError that begins with the yielded text."""
    broken = f"checkpoint {path} cannot be used"
    try:
        yield broken
    except OSError as error:
        raise ValueError(f"{broken}: {error.strerror}: {error.filename}") from error
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError, SafetensorError) as error:
        raise ValueError(f"{broken}: it is truncated or not a checkpoint ({repr(error)[:100]})") from error


def first_not_finite(tensors: Tensors) -> str | None:
    """Name of the first tensor that holds a NaN or an infinity, if any does."""
    return next((name for name, t in tensors.items() if t.is_floating_point() and not bool(t.isfinite().all())), None)


def list_checkpoints(directory: Path, kind: str = "step") -> list[Path]:
    """JSON files of the checkpoints named KIND-00001234, the earliest step first; kind is "step" or "best"."""
    found = (path for path in directory.glob(f"{kind}-*.json") if re.fullmatch(kind + r"-\d{8,}", path.stem))
    return sorted(found, key=lambda path: int(path.stem.removeprefix(f"{kind}-")))


def prune_checkpoints(directory: Path, kind: str, keep: int) -> None:
    """Remove all checkpoints of a kind except the last `keep`, and the leftovers of interrupted writes."""
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


def restore_state(
    tensors: Tensors, networks: dict[str, nn.Module], optimizers: dict[str, Optimizer], *, whole: bool = False
) -> None:
    """Load tensors of `flatten_state` into the same networks and optimizers.

    Raises:
        ValueError: tensors are missing or of another shape, or, if these should be the `whole` state, left over.
            Nothing was changed.
    """
    expected = {key: tuple(tensor.shape) for key, tensor in flatten_state(networks, {}).items()}
    for name, optimizer in optimizers.items():
        found = _below(tensors, f"optimizer/{name}/")
        fields = {key.rpartition("/")[2] for key in found}
        for index, parameter in enumerate(_parameters(optimizer)):
            if any(f"{index}/{field}" in found for field in fields):  # Parameters without gradients have no state.
                expected |= {f"optimizer/{name}/{index}/{field}": tuple(parameter.shape) for field in fields}
    for key, shape in expected.items():
        has = tuple(tensors[key].shape) if key in tensors else None
        if has != shape and not (has == () and key.startswith("optimizer/")):
            given = "is missing" if has is None else f"has the shape {has}, must have {shape}"
            raise ValueError(f"the checkpoint is not of these networks: {key} {given}")
    if whole and (left := sorted(tensors.keys() - expected.keys())):
        raise ValueError(f"the checkpoint is not of these networks: {left[0]} is left over")
    for name, network in networks.items():
        network.load_state_dict(_below(tensors, f"network/{name}/"))
    for name, optimizer in optimizers.items():
        state: dict[int, Tensors] = {}
        for index, parameter in enumerate(_parameters(optimizer)):
            if kept := _below(tensors, f"optimizer/{name}/{index}/"):
                state[index] = {field: _like(parameter, tensor) for field, tensor in kept.items()}
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def restore_matching(tensors: Tensors, networks: dict[str, nn.Module]) -> tuple[list[str], list[str]]:
    """Load weights of `flatten_state` into the networks with the same names and shapes.

    Returns:
        Names of the networks that were loaded, and of those that differ. Modules without parameters are in neither.
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


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _like(parameter: Tensor, kept: Tensor) -> Tensor:
    """A copy of an optimizer's state, in the memory format of its parameter, which fused optimizers require."""
    if not kept.ndim:
        return kept.clone()
    return torch.empty_like(parameter, dtype=kept.dtype, requires_grad=False).copy_(kept)


def _below(tensors: Tensors, prefix: str) -> Tensors:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
