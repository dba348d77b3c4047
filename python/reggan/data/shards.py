"""Sets of images on disk: `.npy` shards, with manifests that say what they hold and how to draw it again.

A manifest lists the shards that are finished, with their SHA-256. Several machines may each make a part of the shards,
with a manifest each: the set is what all manifests of its directory tell of.
"""

from __future__ import annotations

import io
import json
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
from ..source import Source, differences

__all__ = ["FILES", "Plan", "Record", "Shards", "open_shards", "read_manifest", "read_manifests"]

FORMAT = 1
"""Version of the manifests; a set of another version is refused."""

SHARD_BYTES = 2**26
"""Bytes of a shard's images, if nothing else is asked for."""

_MANIFEST = re.compile(r"manifest(-\d+-of-\d+)?\.json")

FILES = {"images": ("file", "sha256"), "scores": ("scores_file", "scores_sha256")}
"""The kinds of files that a shard may have, and where its record has a file's name and its hash."""

Record = dict[str, Any]
"""What a manifest says of a finished shard: first, count, and its files and their hashes."""


@dataclass(frozen=True)
class Plan:
    """What a set holds, and in which files; the same for every part of it.

    Raises:
        TypeError: a number that is not an integer.
        ValueError: a number that is out of range.
    """

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
        """Number of shards."""
        return -(-self.images // self.images_per_shard)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What there is a file of for each shard."""
        return tuple(FILES) if self.scores else ("images",)

    def file(self, shard: int, kind: str) -> str:
        """Name of a shard's file."""
        return f"{kind}-{shard:05d}-of-{self.shards:05d}.npy"

    def positions(self, shard: int) -> range:
        """Which images of the set a shard holds."""
        first = shard * self.images_per_shard
        return range(first, min(first + self.images_per_shard, self.images))

    def indices(self, positions: npt.ArrayLike | range) -> npt.NDArray[np.uint64]:
        """The renderer's indices (N,) of the images at these positions (N,)."""
        if isinstance(positions, range):
            return np.arange(positions.start, positions.stop, positions.step, dtype=np.uint64)
        return whole_numbers(positions).astype(np.uint64)

    def shape(self, shard: int, kind: str) -> tuple[int, ...]:
        """Shape of a shard's array."""
        return (len(self.positions(shard)), *(self.source.image_shape if kind == "images" else ()))

    def dtype(self, kind: str) -> np.dtype[Any]:
        """Dtype of the shards' arrays."""
        return np.dtype(self.source.dtype if kind == "images" else np.float32)

    def header(self, shard: int, kind: str) -> bytes:
        """The first bytes of a shard's file."""
        described = {
            "descr": npy.dtype_to_descr(self.dtype(kind)),
            "fortran_order": False,
            "shape": self.shape(shard, kind),
        }
        content = io.BytesIO()
        npy.write_array_header_1_0(content, described)
        return content.getvalue()

    def length(self, shard: int, kind: str) -> int:
        """Bytes of a shard's file."""
        count = int(np.prod(self.shape(shard, kind), dtype=np.int64))
        return len(self.header(shard, kind)) + count * self.dtype(kind).itemsize

    def record(self, shard: int, hashes: dict[str, str]) -> Record:
        """What a manifest says of a shard, whose files have these hashes by their kinds."""
        positions = self.positions(shard)
        record: Record = {"first": positions.start, "count": len(positions)}
        for kind in self.kinds:
            name, hash_ = FILES[kind]
            record |= {name: self.file(shard, kind), hash_: hashes[kind]}
        return record

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON data."""
        return {
            "format": FORMAT,
            "source": self.source.to_json(),
            "images": self.images,
            "images_per_shard": self.images_per_shard,
            "scores": self.scores,
        }

    @classmethod
    def from_json(cls, raw: Any) -> Plan:
        """Rebuild a plan from its JSON data; a ValueError, KeyError or TypeError says what is wrong with it."""
        if raw["format"] != FORMAT:
            raise ValueError(f"it has format {raw['format']!r}, and this version of reggan reads format {FORMAT}")
        return cls(Source.from_json(raw["source"]), raw["images"], raw["images_per_shard"], raw["scores"])


def read_manifest(path: Path) -> tuple[Plan, dict[int, Record]]:
    """The plan of a set, and the records of the shards that this manifest lists.

    Raises:
        OSError: the manifest cannot be read.
        ValueError: it is damaged, or tells of images that this version of reggan does not draw.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        plan = Plan.from_json(raw)
        records = {record["first"] // plan.images_per_shard: record for record in raw["shards"]}
        for shard, record in records.items():
            hashes = {kind: record[FILES[kind][1]] for kind in plan.kinds}
            if shard not in range(plan.shards) or record != plan.record(shard, hashes):
                raise ValueError(f"its record of shard {shard} does not fit the rest: {record}")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a manifest that can be used: {error or repr(error)}") from error
    return plan, records


def read_manifests(directory: Path) -> tuple[Plan, dict[int, Record]] | None:
    """The plan and the records of all manifests of a directory; None if it has none.

    Raises:
        OSError: a manifest cannot be read.
        ValueError: a manifest is damaged, or they tell of different sets.
    """
    merged: tuple[Plan, dict[int, Record]] | None = None
    for path in manifests(directory):
        plan, records = read_manifest(path)
        if merged is None:
            merged = plan, records
        elif differs := differences(merged[0].to_json(), plan.to_json()):
            raise ValueError(f"{path} tells of another set than the manifests before it: {differs}")
        else:
            merged[1].update(records)
    return merged


def manifests(directory: Path) -> list[Path]:
    """The manifests of a directory: manifest.json, then those of parts by name.

    Raises:
        NotADirectoryError: it is a file.
        OSError: it cannot be read.
    """
    if directory.is_file():
        raise NotADirectoryError(f"{directory} is a file, and a set of shards is a folder with a manifest.json")
    found = (path for path in directory.iterdir() if _MANIFEST.fullmatch(path.name))
    return sorted(found, key=lambda path: (path.name != "manifest.json", path.name))


@dataclass(frozen=True, eq=False)
class Shards:
    """A set on disk, mapped into memory: what is not looked at is not read. `open_shards` makes it."""

    path: Path
    plan: Plan
    _mapped: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_mapped", lru_cache(maxsize=256)(self._map))

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process maps the files itself."""
        return Shards, (self.path, self.plan)

    def __len__(self) -> int:
        """Number of images."""
        return self.plan.images

    @property
    def source(self) -> Source:
        """What draws the images."""
        return self.plan.source

    def images(self, positions: npt.ArrayLike | range) -> npt.NDArray[Any]:
        """Images (N, *image_shape) at these positions (N,), from 0 to len - 1, in any order; a copy.

        Raises:
            TypeError: positions that are not whole numbers, such as a mask.
            IndexError: a position that is not in the set.
            OSError: a shard is missing; ValueError: it is damaged. Both name the file.
        """
        return self._gather("images", positions)

    def indices(self, positions: npt.ArrayLike | range) -> npt.NDArray[np.uint64]:
        """The renderer's indices (N,) of the images at these positions (N,)."""
        return self.plan.indices(positions)

    def scores(self, positions: npt.ArrayLike | range) -> npt.NDArray[np.float32]:
        """Scores (N,) at these positions (N,), of a set that was made with them; errors as of `images`."""
        if not self.plan.scores:
            raise ValueError(f"{self.path} was made without scores; `reggan.score` gives them")
        return self._gather("scores", positions)

    def shard(self, shard: int, kind: str = "images") -> npt.NDArray[Any]:
        """A whole shard, (count, *image_shape), read-only, as it lies in the file; errors as of `images`."""
        mapped: npt.NDArray[Any] = self._mapped(shard, kind)
        return mapped

    def _gather(self, kind: str, positions: npt.ArrayLike | range) -> npt.NDArray[Any]:
        wanted = whole_numbers(positions)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"positions from {wanted.min()} to {wanted.max()} are not all in a set of {len(self)}")
        shards, offsets = np.divmod(wanted, self.plan.images_per_shard)
        result = np.empty((len(wanted), *self.plan.shape(0, kind)[1:]), self.plan.dtype(kind))
        for shard in np.unique(shards).tolist():
            here = shards == shard
            result[here] = self.shard(shard, kind)[offsets[here]]
        return result

    def _map(self, shard: int, kind: str) -> npt.NDArray[Any]:
        path = self.path / self.plan.file(shard, kind)
        try:
            mapped = npy.open_memmap(path, mode="r")
        except ValueError as error:
            raise ValueError(f"{path} is damaged: {error}") from error
        if (mapped.shape, mapped.dtype) != (self.plan.shape(shard, kind), self.plan.dtype(kind)):
            raise ValueError(
                f"{path} holds {mapped.dtype} of the shape {mapped.shape}, which the manifest does not say"
            )
        return mapped


def open_shards(path: str | os.PathLike[str]) -> Shards:
    """Open a set that `make_shards` made, all parts of it.

    Raises:
        OSError: there is no such directory, or a manifest cannot be read.
        ValueError: the directory holds no set, parts of different ones, or not all shards of one.
    """
    directory = Path(path)
    found = read_manifests(directory)
    if found is None:
        raise ValueError(f"{directory} has no manifest.json, so it is no set of shards")
    plan, records = found
    if len(records) < plan.shards:
        first = next(plan.file(shard, "images") for shard in range(plan.shards) if shard not in records)
        raise ValueError(
            f"{directory} has {len(records)} of its {plan.shards} shards, {first} is not there; make the rest with "
            "the command that made these"
        )
    return Shards(directory, plan)
