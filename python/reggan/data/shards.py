"""Sets of images on disk: `.npy` shards, and manifests that describe them and how to draw them again.

A manifest lists the finished shards with their SHA-256. If several machines make parts of a set, each part has its own
manifest, and the set consists of the shards in all manifests of its directory.
"""

from __future__ import annotations

import io
import math
import os
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from .._arrays import integer, whole_numbers
from ..files import read_json
from ..source import Source, differences

__all__ = ["FILES", "Plan", "Record", "Shards", "open_shards", "read_manifest", "read_manifests"]

FORMAT = 1
"""Version of the manifests; other versions are refused."""

SHARD_BYTES = 2**26
"""Default size of a shard's images."""

_MANIFEST = re.compile(r"manifest(-\d+-of-\d+)?\.json")

FILES = {"images": ("file", "sha256"), "scores": ("scores_file", "scores_sha256")}
"""The kinds of files of a shard, and their keys for name and hash in its record."""

Record = dict[str, Any]
"""A finished shard in a manifest: first, count, and its files and their hashes."""


@dataclass(frozen=True)
class Plan:
    """The content of a set and its files, the same for all its parts; TypeError or ValueError for wrong numbers."""

    source: Source
    images: int
    images_per_shard: int
    scores: bool = False

    def __post_init__(self) -> None:
        for name in ("images", "images_per_shard"):
            if not 1 <= integer(name, getattr(self, name)) < 2**63:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be from 1 to 2**63 - 1")

    @property
    def shards(self) -> int:
        return -(-self.images // self.images_per_shard)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of files that each shard has."""
        return tuple(FILES) if self.scores else ("images",)

    def file(self, shard: int, kind: str) -> str:
        return f"{kind}-{shard:05d}-of-{self.shards:05d}.npy"

    def positions(self, shard: int) -> range:
        """The positions in the set of a shard's images."""
        first = shard * self.images_per_shard
        return range(first, min(first + self.images_per_shard, self.images))

    def indices(self, positions: npt.ArrayLike | range) -> npt.NDArray[np.uint64]:
        """Indices for `render` (N,) of the images at these positions (N,)."""
        if isinstance(positions, range):
            return np.arange(positions.start, positions.stop, positions.step, dtype=np.uint64)
        return whole_numbers(positions).astype(np.uint64)

    def shape(self, shard: int, kind: str) -> tuple[int, ...]:
        return (len(self.positions(shard)), *(self.source.image_shape if kind == "images" else ()))

    def dtype(self, kind: str) -> np.dtype[Any]:
        return np.dtype(self.source.dtype if kind == "images" else np.float32)

    def header(self, shard: int, kind: str) -> bytes:
        """The `.npy` header of a shard's file."""
        descr, shape = npy.dtype_to_descr(self.dtype(kind)), self.shape(shard, kind)
        content = io.BytesIO()
        npy.write_array_header_1_0(content, {"descr": descr, "fortran_order": False, "shape": shape})
        return content.getvalue()

    def length(self, shard: int, kind: str) -> int:
        """Size of a shard's file in bytes."""
        return len(self.header(shard, kind)) + math.prod(self.shape(shard, kind)) * self.dtype(kind).itemsize

    def record(self, shard: int, hashes: dict[str, str]) -> Record:
        """The manifest's record of a shard whose files have these hashes by kind."""
        positions = self.positions(shard)
        record: Record = {"first": positions.start, "count": len(positions)}
        for kind in self.kinds:
            name, hash_ = FILES[kind]
            record |= {name: self.file(shard, kind), hash_: hashes[kind]}
        return record

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "source": self.source.to_json(),
            "images": self.images,
            "images_per_shard": self.images_per_shard,
            "scores": self.scores,
        }

    @classmethod
    def from_json(cls, raw: Any) -> Plan:
        """Rebuild a plan from its JSON data; ValueError, KeyError or TypeError if it is damaged."""
        if raw["format"] != FORMAT:
            raise ValueError(f"it has format {raw['format']!r}, but this version of reggan reads format {FORMAT}")
        return cls(Source.from_json(raw["source"]), raw["images"], raw["images_per_shard"], raw["scores"])


def read_manifest(path: Path) -> tuple[Plan, dict[int, Record]]:
    """The plan of a set, and the records of the shards in a manifest; a ValueError if it is damaged or outdated."""
    raw = read_json(path)
    try:
        plan = Plan.from_json(raw)
        records = {record["first"] // plan.images_per_shard: record for record in raw["shards"]}
        for shard, record in records.items():
            hashes = {kind: record[FILES[kind][1]] for kind in plan.kinds}
            if shard not in range(plan.shards) or record != plan.record(shard, hashes):
                raise ValueError(f"its record of shard {shard} contradicts its other fields: {record}")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a valid manifest: {error or repr(error)}") from error
    return plan, records


def read_manifests(directory: Path) -> tuple[Plan, dict[int, Record]] | None:
    """The plan and the records of all manifests of a directory, or None; a ValueError if they contradict each other."""
    merged: tuple[Plan, dict[int, Record]] | None = None
    for path in manifests(directory):
        plan, records = read_manifest(path)
        if merged is None:
            merged = plan, records
        elif differs := differences(merged[0].to_json(), plan.to_json()):
            raise ValueError(f"{path} describes another set than the manifests before it: {differs}")
        else:
            merged[1].update(records)
    return merged


def manifests(directory: Path) -> list[Path]:
    """The manifests of a directory: manifest.json first, then those of parts by name; OSError if it cannot be read."""
    if directory.is_file():
        raise NotADirectoryError(f"{directory} is a file, must be a folder with a manifest.json")
    found = (path for path in directory.iterdir() if _MANIFEST.fullmatch(path.name))
    return sorted(found, key=lambda path: (path.name != "manifest.json", path.name))


@dataclass(frozen=True, eq=False)
class Shards:
    """A memory-mapped set on disk, opened by `open_shards`; only requested images are read."""

    path: Path
    plan: Plan
    _mapped: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_mapped", lru_cache(maxsize=256)(self._map))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the path, so that another process maps the files itself."""
        return Shards, (self.path, self.plan)

    def __len__(self) -> int:
        return self.plan.images

    @property
    def source(self) -> Source:
        return self.plan.source

    def images(self, positions: npt.ArrayLike | range) -> npt.NDArray[Any]:
        """A copy of the images (N, *image_shape) at these positions (N,), 0 to len - 1, in any order.

        Raises:
            OSError: A shard is missing.
            ValueError: A shard is damaged.
        """
        return self._gather("images", positions)

    def indices(self, positions: npt.ArrayLike | range) -> npt.NDArray[np.uint64]:
        """Indices for `render` (N,) of the images at these positions (N,)."""
        return self.plan.indices(positions)

    def scores(self, positions: npt.ArrayLike | range) -> npt.NDArray[np.float32]:
        """Scores (N,) at these positions (N,) of a set made with scores; errors as in `images`."""
        if not self.plan.scores:
            raise ValueError(f"{self.path} was made without scores; compute them with `reggan.score`")
        return self._gather("scores", positions)

    def shard(self, shard: int, kind: str = "images") -> npt.NDArray[Any]:
        """A whole shard, (count, *image_shape), as a read-only memory map; errors as in `images`."""
        mapped: npt.NDArray[Any] = self._mapped(shard, kind)
        return mapped

    def _gather(self, kind: str, positions: npt.ArrayLike | range) -> npt.NDArray[Any]:
        wanted = whole_numbers(positions)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"positions are from {wanted.min()} to {wanted.max()}, but the set has {len(self)} images")
        shards, offsets = np.divmod(wanted, self.plan.images_per_shard)
        result = np.empty((len(wanted), *self.plan.shape(0, kind)[1:]), self.plan.dtype(kind))
        for shard in np.unique(shards).tolist():
            selected = shards == shard
            result[selected] = self.shard(shard, kind)[offsets[selected]]
        return result

    def _map(self, shard: int, kind: str) -> npt.NDArray[Any]:
        path = self.path / self.plan.file(shard, kind)
        try:
            mapped = npy.open_memmap(path, mode="r")
        except ValueError as error:
            raise ValueError(f"{path} is damaged: {error}") from error
        shape, dtype = self.plan.shape(shard, kind), self.plan.dtype(kind)
        if (mapped.shape, mapped.dtype) != (shape, dtype):
            raise ValueError(f"{path} holds {mapped.dtype} {mapped.shape}, but the manifest says {dtype} {shape}")
        return mapped


def open_shards(path: str | os.PathLike[str]) -> Shards:
    """Open a complete set made by `make_shards`.

    Raises:
        OSError: The directory does not exist, or a manifest cannot be read.
        ValueError: The directory holds no set, parts of different sets, or an incomplete set.
    """
    directory = Path(path)
    found = read_manifests(directory)
    if found is None:
        raise ValueError(f"{directory} has no manifest.json, so it is not a set of shards")
    plan, records = found
    if len(records) < plan.shards:
        first = next(plan.file(shard, "images") for shard in range(plan.shards) if shard not in records)
        raise ValueError(
            f"{directory} has {len(records)} of its {plan.shards} shards and lacks {first}; make the rest with the "
            "command that made these"
        )
    return Shards(directory, plan)
