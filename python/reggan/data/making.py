"""Make and verify sets of shards.

A shard is written under a temporary name, synced and renamed before the manifest lists it, so a killed process leaves
a valid set with fewer shards. The plan determines every byte, so missing shards can be made later on any machine, and
any image can be drawn again for comparison.
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
"""Images, and their scores if the plan has them."""

_CHUNK_BYTES = 2**22
_AHEAD = 8
"""The most chunks that are drawn ahead of the one being written."""


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
    """Write the images with the indices 0 to images - 1 as shards, and skip shards that exist.

    Args:
        directory: Folder for the shards and the manifest, created if missing.
        spec: What to draw, such as `Circles()`.
        images: Number of images.
        seed: As in `render`.
        size: As in `render`.
        dtype: uint8 or float32.
        images_per_shard: By default as many as fit in 64 MiB.
        part: (i, n) makes only the shards i, i + n, i + 2 n, ..., to share the work among n machines.
        scores: Also write the scores of each shard's images, (count,) float32.
        threads: Maximum number of threads; None is all cores.
        progress: Show rate and time left on standard error.

    Returns:
        The path of the manifest: manifest.json, or manifest-i-of-n.json of a part.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM; the same call resumes.
        ValueError: A number is out of range, or the directory holds another set; names the difference.
        OSError: The directory cannot be written to, or its disk is too full.
    """
    source = Source(spec, seed, size, np.dtype(dtype).name)
    per_shard = max(1, SHARD_BYTES // source.image_bytes) if images_per_shard is None else images_per_shard
    plan = Plan(source, integer("images", images), integer("images_per_shard", per_shard), scores)
    index, parts = part
    if not 0 <= index < parts:
        raise ValueError(f"part is {index}/{parts}, but must be i/n with 0 <= i < n")

    path = Path(directory)
    path.mkdir(parents=True, exist_ok=True)
    finished = _finished(path, plan)
    own = range(index, plan.shards, parts)
    records = {shard: record for shard, record in finished.items() if shard in own}
    _check_disk_space(path, plan, own, records)
    todo = [shard for shard in own if shard not in finished]
    manifest = path / ("manifest.json" if parts == 1 else f"manifest-{index}-of-{parts}.json")
    _save(manifest, plan, records)

    total, done = (sum(len(plan.positions(shard)) for shard in shards) for shards in (own, records))
    with (
        deferred_interrupt() as stop,
        closing(Progress(total, done, unit="image", enabled=progress)) as shown,
        closing(_drawn_ahead(plan, todo, threads)) as chunks,
    ):

        def drawn(shard: int) -> Iterator[Chunk]:
            for chunk in itertools.islice(chunks, len(_chunks(plan, shard))):
                if stop.is_set():
                    raise KeyboardInterrupt(
                        f"stopped with {len(records)} of {len(own)} shards in {path}; run the same command to resume"
                    )
                yield chunk
                shown.advance(len(chunk[0]))

        for shard in todo:
            records[shard] = _write_shard(path, plan, shard, drawn(shard))
            _save(manifest, plan, records)
    remove_unfinished(path, {manifest.name, *(plan.file(shard, kind) for shard in own for kind in plan.kinds)})
    return manifest


def _finished(directory: Path, plan: Plan) -> dict[int, Record]:
    """Records of the existing shards whose files have the right length."""
    found = read_manifests(directory)
    if found is None:
        return {}
    existing, records = found
    if differs := differences(existing.to_json(), plan.to_json()):
        raise ValueError(f"{directory} holds another set: {differs}; choose another directory, or make the same set")

    def whole(shard: int, kind: str) -> bool:
        path = directory / plan.file(shard, kind)
        return path.is_file() and path.stat().st_size == plan.length(shard, kind)

    return {shard: record for shard, record in records.items() if all(whole(shard, kind) for kind in plan.kinds)}


def _check_disk_space(directory: Path, plan: Plan, own: range, records: dict[int, Record]) -> None:
    shards = len(own) - len(records)
    needed = sum(plan.length(own[0], kind) for kind in plan.kinds) * shards if shards else 0
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise OSError(f"the shards need {needed / 1e9:.1f} GB in {directory}, but its disk has {free / 1e9:.1f} GB")


def _save(manifest: Path, plan: Plan, records: dict[int, Record]) -> None:
    content = {"reggan": __version__, **plan.to_json(), "shards": [records[shard] for shard in sorted(records)]}
    write_json(manifest, content, indent=1)


def _chunks(plan: Plan, shard: int) -> list[range]:
    """The positions of a shard, in chunks of a few MB."""
    positions, step = plan.positions(shard), max(1, _CHUNK_BYTES // plan.source.image_bytes)
    return [positions[k : k + step] for k in range(0, len(positions), step)]


def _drawn_ahead(plan: Plan, shards: Iterable[int], threads: int | None) -> Generator[Chunk, None, None]:
    """Draw the chunks of shards in order and ahead of writing; a chunk is valid until the next one is requested."""
    largest = min(plan.images_per_shard, max(1, _CHUNK_BYTES // plan.source.image_bytes))
    ahead = max(1, min(_AHEAD, _AHEAD * _CHUNK_BYTES // (largest * plan.source.image_bytes)))
    shape = (largest, *plan.source.image_shape)
    buffers = itertools.cycle([np.empty(shape, plan.source.dtype) for _ in range(ahead + 1)])

    def draw(positions: range, buffer: npt.NDArray[Any]) -> Chunk:
        indices, out = plan.indices(positions), buffer[: len(positions)]
        if plan.scores:
            return plan.source.render_with_scores(indices, out=out, threads=threads)
        return plan.source.render(indices, out=out, threads=threads), None

    queue: deque[Future[Chunk]] = deque()
    executor = ThreadPoolExecutor(1)
    try:
        for positions in itertools.chain.from_iterable(_chunks(plan, shard) for shard in shards):
            queue.append(executor.submit(draw, positions, next(buffers)))
            if len(queue) > ahead:
                yield queue.popleft().result()
        while queue:
            yield queue.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)


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
    directory: str | os.PathLike[str], *, sample: float = 0.01, threads: int | None = None, progress: bool = False
) -> list[str]:
    """Check the files of a set against its manifests, and draw a sample of the images again for comparison.

    Args:
        directory: A set made by `make_shards`.
        sample: Share of each shard's images to draw again, 0 to 1; at least one image per shard.
        threads: Maximum number of threads; None is all cores.
        progress: Show rate and time left on standard error.

    Returns:
        The problems, one line each: missing, damaged or foreign files, shards that are not made yet, and images that
        differ from what the source draws. Empty if there are none.

    Raises:
        OSError: The directory does not exist, or a file cannot be read.
        ValueError: The sample is out of range, or the directory has no valid manifest.
    """
    if not 0 <= sample <= 1:
        raise ValueError(f"sample is {sample}, but must be from 0 to 1")
    path = Path(directory)
    plan, records, problems = _collect(path)
    known = {plan.file(shard, kind) for shard in records for kind in plan.kinds} | {p.name for p in manifests(path)}
    missing = (shard for shard in range(plan.shards) if shard not in records)
    problems += [f"{path / plan.file(shard, 'images')}: not made yet" for shard in missing]
    total = sum(record["count"] for record in records.values())
    with deferred_interrupt() as stop, closing(Progress(total, unit="image", enabled=progress)) as shown:
        for shard, record in sorted(records.items()):
            if stop.is_set():
                raise KeyboardInterrupt(f"stopped before {plan.file(shard, 'images')}; {len(problems)} problems so far")
            damage = [problem for kind in plan.kinds if (problem := _damage(path, record, kind))]
            problems += damage or _compare(Shards(path, plan), shard, sample, threads)
            shown.advance(record["count"])
    return problems + [f"{file}: not part of this set" for file in sorted(path.iterdir()) if file.name not in known]


def _collect(directory: Path) -> tuple[Plan, dict[int, Record], list[str]]:
    """The plan of the first valid manifest, the records of all manifests that agree with it, and the problems."""
    plan: Plan | None = None
    records: dict[int, Record] = {}
    problems: list[str] = []
    for manifest in manifests(directory):
        try:
            found, more = read_manifest(manifest)
        except ValueError as error:
            problems.append(str(error))
            continue
        plan = plan or found
        if differs := differences(plan.to_json(), found.to_json()):
            problems.append(f"{manifest}: describes another set than the manifests before it: {differs}")
        else:
            records |= more
    if plan is None:
        raise ValueError("; ".join(problems) or f"{directory} has no manifest.json, so it is not a set of shards")
    return plan, records, problems


def _damage(directory: Path, record: Record, kind: str) -> str | None:
    """The problem of a file of a finished shard, if any."""
    name, hash_ = FILES[kind]
    path = directory / record[name]
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return f"{path}: missing; make the set again, which makes only the missing shards"
    if found != record[hash_]:
        return f"{path}: damaged, its SHA-256 is not {record[hash_]}; remove it and make the set again"
    return None


def _compare(shards: Shards, shard: int, sample: float, threads: int | None) -> list[str]:
    """Compare a sample of a shard's images, drawn with the shard's number as the seed, with what the source draws."""
    plan, images = shards.plan, shards.shard(shard)
    chosen = np.random.default_rng(shard).permutation(len(images))[: max(1, round(sample * len(images)))]
    chosen.sort()
    step = max(1, _CHUNK_BYTES // plan.source.image_bytes)
    wrong: list[int] = []
    for offsets in (chosen[k : k + step] for k in range(0, len(chosen), step)):
        indices = plan.indices(plan.positions(shard).start + offsets)
        drawn, exact = plan.source.render_with_scores(indices, threads=threads)
        same = (drawn == images[offsets]).reshape(len(offsets), -1).all(axis=1)
        if plan.scores:
            same &= exact == shards.shard(shard, "scores")[offsets]
        wrong += offsets[~same].tolist()
    if not wrong:
        return []
    problem = f"{len(wrong)} of {len(chosen)} images differ from what the source draws, first at {wrong[0]}"
    return [f"{shards.path / plan.file(shard, 'images')}: {problem}"]
