"""Making sets of shards, and verifying them.

A shard's file is written under another name, synced and renamed, and the manifest is written after it: what a kill
leaves is a set with fewer shards. Every byte is a function of the plan, so that the rest can be made at any time and
anywhere, and any image drawn again to compare.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .._arrays import integer
from .._core import __version__
from ..files import atomic_file, remove_unfinished, write_json
from ..progress import Progress, deferred_interrupt
from ..rendering import Size
from ..source import Source, differences
from ..specs import Spec
from .shards import FILES, SHARD_BYTES, Plan, Record, Shards, manifests, read_manifest, read_manifests

__all__ = ["make_shards", "verify_shards"]

Chunk = tuple[npt.NDArray[Any], npt.NDArray[np.float32] | None]
"""Images, and their scores if they are asked for."""

_CHUNK_BYTES = 2**22
_STOCK = 8
"""Chunks that are drawn while one is written."""


def make_shards(
    directory: str | os.PathLike[str],
    spec: Spec,
    images: int,
    *,
    seed: int = 0,
    size: Size = 64,
    dtype: Any = np.uint8,
    images_per_shard: int | None = None,
    part: tuple[int, int] = (0, 1),
    scores: bool = False,
    threads: int | None = None,
    progress: bool = False,
) -> Path:
    """Write the images of the indices 0 to images - 1 to a directory; shards that it has already are kept.

    Args:
        directory: Where the shards and the manifest go; it is made if need be.
        spec: What to draw, such as `Circles()`.
        images: How many.
        seed: As in `render`.
        size: As in `render`.
        dtype: uint8 or float32.
        images_per_shard: By default what makes a shard about 64 MiB.
        part: (i, n) makes only the shards i, i + n, i + 2 n, ..., so that n machines share the work.
        scores: Also write the scores of each shard's images, (count,) float32.
        threads: At most so many threads draw; None is all cores.
        progress: Show rate and time left on standard error.

    Returns:
        The path of the manifest: manifest.json, or manifest-i-of-n.json of a part.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM came; the same call goes on from there.
        TypeError: A spec or a dtype that is not served.
        ValueError: A number that is out of range, or a directory that holds another set; says what differs.
        OSError: The directory cannot be written to, or its disk has not enough room.
    """
    source = Source(spec, seed, size, np.dtype(dtype).name)
    per_shard = max(1, SHARD_BYTES // source.image_bytes) if images_per_shard is None else images_per_shard
    plan = Plan(source, integer("images", images), integer("images_per_shard", per_shard), scores)
    number, parts = part
    if not 0 <= number < parts:
        raise ValueError(f"part is {number}/{parts}, but must be i/n with 0 <= i < n")

    path = Path(directory)
    path.mkdir(parents=True, exist_ok=True)
    finished = _finished(path, plan)
    own = range(number, plan.shards, parts)
    records = {shard: record for shard, record in finished.items() if shard in own}
    _check_room(path, plan, own, records)
    todo = [shard for shard in own if shard not in finished]
    manifest = path / ("manifest.json" if parts == 1 else f"manifest-{number}-of-{parts}.json")
    _save(manifest, plan, records)

    total, done = (sum(len(plan.positions(shard)) for shard in shards) for shards in (own, records))
    with (
        deferred_interrupt() as stop,
        closing(Progress(total, done, unit="image", enabled=progress)) as shown,
        closing(_drawn_ahead(plan, todo, threads)) as chunks,
    ):

        def watched(shard: int) -> Iterator[Chunk]:
            for chunk in itertools.islice(chunks, len(_chunks(plan, shard))):
                if stop.is_set():
                    raise KeyboardInterrupt(
                        f"stopped with {len(records)} of {len(own)} shards in {path}; the same command makes the rest"
                    )
                yield chunk
                shown.advance(len(chunk[0]))

        for shard in todo:
            records[shard] = _write_shard(path, plan, shard, watched(shard))
            _save(manifest, plan, records)
    remove_unfinished(path, {manifest.name, *(plan.file(shard, kind) for shard in own for kind in plan.kinds)})
    return manifest


def _finished(directory: Path, plan: Plan) -> dict[int, Record]:
    """Records of the shards that are there already, whole as far as the length of a file tells."""
    found = read_manifests(directory)
    if found is None:
        return {}
    there, records = found
    if differs := differences(there.to_json(), plan.to_json()):
        raise ValueError(f"{directory} holds another set: {differs}; give another directory, or ask for the same set")

    def whole(shard: int, kind: str) -> bool:
        path = directory / plan.file(shard, kind)
        return path.is_file() and path.stat().st_size == plan.length(shard, kind)

    return {shard: record for shard, record in records.items() if all(whole(shard, kind) for kind in plan.kinds)}


def _check_room(directory: Path, plan: Plan, own: range, records: dict[int, Record]) -> None:
    shards = len(own) - len(records)
    needed = sum(plan.length(own[0], kind) for kind in plan.kinds) * shards if shards else 0
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise OSError(f"{needed / 1e9:.1f} GB are to be written to {directory}, and its disk has {free / 1e9:.1f} GB")


def _save(manifest: Path, plan: Plan, records: dict[int, Record]) -> None:
    told = {"reggan": __version__, **plan.to_json(), "shards": [records[shard] for shard in sorted(records)]}
    write_json(manifest, told, indent=1)


def _chunks(plan: Plan, shard: int) -> list[range]:
    """The positions of a shard in pieces of a few MB."""
    positions, step = plan.positions(shard), max(1, _CHUNK_BYTES // plan.source.image_bytes)
    return [positions[k : k + step] for k in range(0, len(positions), step)]


def _drawn_ahead(plan: Plan, shards: Iterable[int], threads: int | None) -> Generator[Chunk, None, None]:
    """Draw all chunks of some shards in order, a few of them ahead, so that drawing and writing overlap.

    What is given holds until the next is asked for.
    """
    largest = min(plan.images_per_shard, max(1, _CHUNK_BYTES // plan.source.image_bytes))
    stock = max(1, min(_STOCK, _STOCK * _CHUNK_BYTES // (largest * plan.source.image_bytes)))
    shape = (largest, *plan.source.image_shape)
    buffers = itertools.cycle([np.empty(shape, plan.source.dtype) for _ in range(stock + 1)])

    def draw(positions: range, buffer: npt.NDArray[Any]) -> Chunk:
        indices, out = plan.indices(positions), buffer[: len(positions)]
        if plan.scores:
            return plan.source.render_with_scores(indices, out=out, threads=threads)
        return plan.source.render(indices, out=out, threads=threads), None

    waiting: deque[Future[Chunk]] = deque()
    drawer = ThreadPoolExecutor(1)
    try:
        for positions in itertools.chain.from_iterable(_chunks(plan, shard) for shard in shards):
            waiting.append(drawer.submit(draw, positions, next(buffers)))
            if len(waiting) > stock:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        drawer.shutdown(cancel_futures=True)


def _write_shard(directory: Path, plan: Plan, shard: int, chunks: Iterator[Chunk]) -> Record:
    scores: list[npt.NDArray[np.float32]] = []

    def images() -> Iterator[npt.NDArray[Any]]:
        for drawn, exact in chunks:
            if exact is not None:
                scores.append(exact)
            yield drawn

    hashes = {}
    for kind, arrays in (("images", images()), ("scores", scores)):
        if kind in plan.kinds:
            hashes[kind] = _write(directory / plan.file(shard, kind), plan.header(shard, kind), arrays)
    return plan.record(shard, hashes)


def _write(path: Path, header: bytes, arrays: Iterable[npt.NDArray[Any]]) -> str:
    """Write a `.npy` file, and return its SHA-256."""
    digest = hashlib.sha256(header)
    with atomic_file(path) as file:
        file.write(header)
        for array in arrays:
            digest.update(array.data)
            file.write(array.data)
    return digest.hexdigest()


def verify_shards(
    directory: str | os.PathLike[str],
    *,
    sample: float = 0.01,
    threads: int | None = None,
    progress: bool = False,
) -> list[str]:
    """Check the files of a set against its manifests, and a sample of the images against what is drawn anew.

    Args:
        directory: A set that `make_shards` made.
        sample: The share of each shard's images to draw anew, 0 to 1; at least one each.
        threads: At most so many threads draw; None is all cores.
        progress: Show rate and time left on standard error.

    Returns:
        What is wrong, a line each: files that are missing, damaged or foreign, shards that are not made, images that
        are not what the source draws. Empty if nothing is.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM came.
        OSError: There is no such directory, or a file cannot be read.
        ValueError: A sample that is out of range, or a directory without any manifest that can be used.
    """
    if not 0 <= sample <= 1:
        raise ValueError(f"sample is {sample}, but must be from 0 to 1")
    path = Path(directory)
    plan, records, wrong = _collect(path)
    known = {plan.file(shard, kind) for shard in records for kind in plan.kinds} | {p.name for p in manifests(path)}
    wrong += [f"{path / plan.file(shard, 'images')}: not made" for shard in range(plan.shards) if shard not in records]
    total = sum(record["count"] for record in records.values())
    with deferred_interrupt() as stop, closing(Progress(total, unit="image", enabled=progress)) as shown:
        for shard, record in sorted(records.items()):
            if stop.is_set():
                raise KeyboardInterrupt(f"stopped before {plan.file(shard, 'images')}, with {len(wrong)} things wrong")
            damage = [told for kind in plan.kinds if (told := _damage(path, record, kind))]
            wrong += damage or _not_as_drawn(Shards(path, plan), shard, sample, threads)
            shown.advance(record["count"])
    return wrong + [f"{file}: not of this set" for file in sorted(path.iterdir()) if file.name not in known]


def _collect(directory: Path) -> tuple[Plan, dict[int, Record], list[str]]:
    """The plan of the first manifest that can be used, the records of all that agree with it, and what is wrong."""
    plan: Plan | None = None
    records: dict[int, Record] = {}
    wrong: list[str] = []
    for manifest in manifests(directory):
        try:
            found, more = read_manifest(manifest)
        except ValueError as error:
            wrong.append(str(error))
            continue
        plan = plan or found
        if differs := differences(plan.to_json(), found.to_json()):
            wrong.append(f"{manifest}: of another set than the manifests before it: {differs}")
        else:
            records |= more
    if plan is None:
        raise ValueError("; ".join(wrong) or f"{directory} has no manifest.json, so it is no set of shards")
    return plan, records, wrong


def _damage(directory: Path, record: Record, kind: str) -> str | None:
    """What is wrong with the file of a finished shard."""
    name, hash_ = FILES[kind]
    path = directory / record[name]
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return f"{path}: missing; make the set again, which makes this shard alone"
    if found != record[hash_]:
        return f"{path}: damaged, its SHA-256 is not {record[hash_]}; remove it and make the set again"
    return None


def _not_as_drawn(shards: Shards, shard: int, sample: float, threads: int | None) -> list[str]:
    """What is wrong with a sample of a shard's images, in places that a hash of the shard's number draws."""
    plan, images = shards.plan, shards.shard(shard)
    chosen = np.random.default_rng(shard).permutation(len(images))[: max(1, round(sample * len(images)))]
    chosen.sort()
    step = max(1, _CHUNK_BYTES // plan.source.image_bytes)
    different: list[int] = []
    for offsets in (chosen[k : k + step] for k in range(0, len(chosen), step)):
        indices = plan.indices(plan.positions(shard).start + offsets)
        drawn, exact = plan.source.render_with_scores(indices, threads=threads)
        same = (drawn == images[offsets]).reshape(len(offsets), -1).all(axis=1)
        if plan.scores:
            same &= exact == shards.shard(shard, "scores")[offsets]
        different += offsets[~same].tolist()
    if not different:
        return []
    path = shards.path / plan.file(shard, "images")
    told = f"{len(different)} of {len(chosen)} images are not what the source draws, the first is at {different[0]}"
    return [f"{path}: {told}"]
