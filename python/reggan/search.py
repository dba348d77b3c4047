"""Brute-force search: draw image after image, and keep the indices of those that are accepted.

About one in 27,000 images of the default circles obeys the rule "connected". A search finds such images, which no
training set contains, in their true distribution, to compare generated images with.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ._arrays import integer
from .files import read_json, write_json
from .progress import Progress, deferred_interrupt
from .rendering import STREAM_VERSION, Size
from .rules import RULES, Connected, Product, Rule, min_channel
from .source import Source, differences
from .specs import Spec

__all__ = ["SEALED_SEED", "Accept", "Found", "find", "oracle", "oracles"]

Indices = npt.NDArray[np.uint64]
Accept: TypeAlias = Rule | Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.bool_]]
"""A rule, which accepts scores of exactly 1, or a function of images (N, *image_shape) that returns bools (N,)."""

SEALED_SEED = 2102_04593
"""Seed of sealed references, which serve final tables only: no option is ever chosen by them."""

FORMAT = 1
"""Version of the file format of `Found.save`."""

_ORACLES = Path(__file__).parent / "oracles"
_CHUNK = 2**16
_CHUNK_PIXELS = 2**26
_CHUNK_BYTES = 2**24
_SECONDS_BETWEEN_SAVES = 5.0


@dataclass(frozen=True, eq=False)
class Found:
    """The result of a search: the indices of the accepted images."""

    indices: Indices
    """(found,) uint64, ascending: `render(spec, indices, seed=seed, size=size)` draws the images."""
    searched: int
    """Number of images that were tested: those with the indices start to start + searched - 1."""
    spec: Spec
    seed: int
    size: Size
    rule: str
    """What was accepted: a name in RULES, a rule with its fields, or a function's module and name."""
    start: int = 0
    stream_version: int = STREAM_VERSION

    @property
    def rate(self) -> float:
        """The share of the tested images that were accepted; NaN if none was tested."""
        return len(self.indices) / self.searched if self.searched else float("nan")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a JSON file, with each index as its distance from the previous one."""
        gaps = np.diff(self.indices, prepend=np.uint64(self.start)).tolist()
        raw = {**self._identity(), "searched": self.searched, "found": len(gaps), "gaps": gaps}
        write_json(Path(path), raw)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Found:
        """Read a file that `save` wrote.

        Raises:
            OSError: The file cannot be read.
            ValueError: The file is damaged, or this version of reggan does not draw its images.
        """
        raw = read_json(Path(path))
        try:
            if raw["format"] != FORMAT:
                raise ValueError(f"it has format {raw['format']!r}, but this version of reggan reads format {FORMAT}")
            source, start = Source.from_json(raw["source"]), raw["start"]
            if not all(type(number) is int for number in (start, raw["searched"], *raw["gaps"])):
                raise ValueError("some of its numbers are not integers")
            indices = np.cumsum(np.array([start, *raw["gaps"]], np.uint64), dtype=np.uint64)[1:]
            found = cls(indices, raw["searched"], source.spec, source.seed, source.size, raw["rule"], start)
            ascending = all(gap > 0 for gap in raw["gaps"][1:]) and min(raw["gaps"][:1], default=0) >= 0
            inside = sum(raw["gaps"]) < found.searched if raw["gaps"] else found.searched >= 0
            if len(indices) != raw["found"] or not (ascending and inside and start + found.searched <= 2**64):
                raise ValueError("its indices contradict its other numbers")
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"{path} is not a saved search: {error or repr(error)}") from error
        return found

    def _identity(self) -> dict[str, Any]:
        source = Source(self.spec, self.seed, self.size).to_json()
        return {"format": FORMAT, "source": source, "rule": self.rule, "start": self.start}

    def _first(self, count: int, limit: int) -> Found:
        """The result of a search that stops at `count` accepted or `limit` tested images."""
        offsets = self.indices - np.uint64(self.start)
        within = int(np.searchsorted(offsets, np.uint64(limit - 1), side="right")) if limit else 0
        indices = self.indices[: min(within, count)]
        searched = int(indices[-1]) - self.start + 1 if len(indices) == count else min(self.searched, limit)
        return replace(self, indices=indices, searched=searched)


def find(
    spec: Spec,
    accept: Accept,
    count: int,
    *,
    seed: int = 0,
    size: Size = 64,
    start: int = 0,
    limit: int | None = None,
    threads: int | None = None,
    state: str | os.PathLike[str] | None = None,
    name: str | None = None,
    progress: bool = False,
) -> Found:
    """Find the first `count` images that are accepted, in the order of their indices from `start`.

    Args:
        spec: What to draw, as uint8, such as `Circles()`.
        accept: Which images to keep.
        count: Number of images to find, at least 1.
        seed: As in `render`.
        size: As in `render`.
        start: The first index to test, 0 to 2**64 - 1.
        limit: Maximum number of images to test; None is no limit.
        threads: Maximum number of threads; None is all cores. The result does not depend on it.
        state: A file for `Found.load`, in which progress is saved every few seconds, upon Ctrl-C and at the end. If it
            exists, the search resumes from it.
        name: Identifies the search in `state` if `accept` itself cannot, such as a lambda. Each `accept` needs a name
            of its own.
        progress: Show rate, time left and number found on standard error.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM; the progress is in `state`.
        TypeError: The spec or another argument has an unsupported type.
        ValueError: A number is out of range, or `state` belongs to another search; names the difference.
        OSError: The state cannot be read or written.
    """
    count, start = integer("count", count), integer("start", start)
    if count < 1:
        raise ValueError(f"count is {count}, but must be at least 1")
    if not 0 <= start < 2**64:
        raise ValueError(f"start is {start}, but must be from 0 to 2**64 - 1")
    limit = 2**64 - start if limit is None else min(integer("limit", limit), 2**64 - start)
    if limit < 0:
        raise ValueError(f"limit is {limit}, but must be at least 0")
    source = Source(spec, seed, size)
    found = Found(np.empty(0, np.uint64), 0, spec, source.seed, source.size, _name(accept, name), start)
    if state is not None:
        found = _resume(Path(state), found)
    if len(found.indices) >= count or found.searched >= limit:
        return found._first(count, limit)
    found = _search(source, accept, found, count, limit, threads, state, progress)._first(count, limit)
    if state is not None:
        found.save(state)
    return found


def _search(
    source: Source,
    accept: Accept,
    found: Found,
    count: int,
    limit: int,
    threads: int | None,
    state: str | os.PathLike[str] | None,
    progress: bool,
) -> Found:
    """Search until `count` images are found or `limit` are tested; the last chunk may yield more than `count`."""
    chunk, accepted = _test(source, accept, threads)
    offsets = np.arange(chunk, dtype=np.uint64)
    kept, total, searched = [found.indices], len(found.indices), found.searched
    last_save = time.monotonic()

    def so_far() -> Found:
        return replace(found, indices=np.concatenate(kept), searched=searched)

    with (
        deferred_interrupt() as stop,
        closing(Progress(None, searched, unit="image", enabled=progress)) as shown,
    ):
        while total < count and searched < limit and not stop.is_set():
            indices = offsets[: limit - searched] + np.uint64(found.start + searched)
            if len(hits := indices[accepted(indices)]):
                kept.append(hits)
            total += len(hits)
            searched += len(indices)
            done = total >= count or searched == limit
            shown.total = searched if done else min(limit, round(searched / total * count)) if total else None
            shown.show({"found": f"{min(total, count):,} of {count:,}"})
            shown.advance(len(indices))
            if state is not None and time.monotonic() - last_save >= _SECONDS_BETWEEN_SAVES:
                so_far().save(state)
                last_save = time.monotonic()
    if total < count and searched < limit:
        message = f"stopped after {searched:,} images, with {total:,} of {count:,} found"
        if state is not None:
            so_far().save(state)
            message += f"; they are saved in {state}, and the same search resumes from there"
        raise KeyboardInterrupt(message)
    return so_far()


def _test(
    source: Source, accept: Accept, threads: int | None
) -> tuple[int, Callable[[Indices], npt.NDArray[np.bool_]]]:
    """The number of images to test in one chunk, and a function from indices (N,) to whether they are accepted."""
    if type(accept) is Connected and accept == Connected():
        chunk = min(_CHUNK, max(1, _CHUNK_PIXELS // source.image_bytes))
        return chunk, lambda indices: source.scores(indices, threads=threads) == 1

    chunk = min(_CHUNK, max(1, _CHUNK_BYTES // source.image_bytes))
    images = np.empty((chunk, *source.image_shape), np.uint8)

    def accepted(indices: Indices) -> npt.NDArray[np.bool_]:
        drawn = source.render(indices, out=images[: len(indices)], threads=threads)
        to_gray = source.is_color and isinstance(accept, Rule)
        result: npt.NDArray[Any] = np.asarray(accept(min_channel(drawn) if to_gray else drawn))
        if result.shape != indices.shape:
            raise ValueError(f"accept returned an array of shape {result.shape} for {len(indices)} images")
        if isinstance(accept, Rule):
            return np.asarray(result == 1)
        if result.dtype != np.bool_:
            raise TypeError(f"accept returned dtype {result.dtype}, but must return bools")
        return result

    return chunk, accepted


def _name(accept: Accept, given: str | None) -> str:
    """The identity of `accept`, or the given name if another process may not reproduce it: with "<" in it."""
    name = _own_name(accept)
    return given if given is not None and "<" in name else name


def _own_name(accept: Accept) -> str:
    if not callable(accept):
        raise TypeError(f"accept is {accept!r}, but must be a reggan.Rule or a function of images")
    if isinstance(accept, Rule):
        return _rule_name(accept)
    name = getattr(accept, "__qualname__", None)
    return f"{accept.__module__}:{name}" if name else f"<{accept!r}>"


def _rule_name(rule: Rule) -> str:
    if known := next((name for name, other in RULES.items() if other == rule and type(other) is type(rule)), None):
        return known
    own = (module for module in dict.fromkeys(_modules(rule)) if module != Product.__module__)
    return "".join(f"{module}:" for module in own) + (repr(rule) if dataclasses.is_dataclass(rule) else f"<{rule!r}>")


def _modules(rule: Rule) -> Iterator[str]:
    """The modules of a rule's parts, as two modules may define rules of the same name."""
    if type(rule) is Product:
        yield from _modules(rule.first)
        yield from _modules(rule.second)
    yield type(rule).__module__


def _resume(state: Path, search: Found) -> Found:
    """Load the saved state of the same search, or save a new one."""
    if "<" in search.rule:
        raise ValueError(
            f"accept is {search.rule}, which cannot identify the search in another process; with state, pass a name, a "
            "rule that is a dataclass, or a function at the top level of its module"
        )
    if not state.exists():
        search.save(state)
        return search
    before = Found.load(state)
    if differs := differences(before._identity(), search._identity()):
        raise ValueError(f"{state} holds another search: {differs}; choose another file, or repeat that search")
    return before


def oracle(rule: str = "connected", size: int = 64, *, sealed: bool = False) -> Found:
    """The first 2,000 default circles of a seed that obey a rule, as found by `find` and shipped with reggan.

    They follow the true distribution of images that obey the rule. Compare generators with them; never train on them.

    Args:
        rule: "connected": one piece, score 1.
        size: Side of the images in pixels: 32 or 64.
        sealed: Other images, of the seed SEALED_SEED and not 0. Options that were chosen by their results on one
            oracle need another one for their final figures.

    Raises:
        ValueError: There is no oracle for this rule and size; `find` can search for one.
    """
    if (rule, size) not in oracles():
        known = ", ".join(f"{name} at {side}" for name, side in oracles())
        raise ValueError(f"there is no oracle for {rule} at {size}, only for {known}; use reggan.find for others")
    return Found.load(_ORACLES / ("sealed" if sealed else "") / f"{rule}-{size}.json")


def oracles() -> list[tuple[str, int]]:
    """The rules and sizes that `oracle` supports."""
    names = (file.stem.rpartition("-") for file in _ORACLES.glob("*.json"))
    return sorted((rule, int(size)) for rule, _, size in names)
