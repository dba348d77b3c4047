"""Search by brute force: draw image after image, keep the indices of those that are accepted, and nothing else.

One image in about 27,000 of the default circles obeys the rule "connected": this is how the images that no training set
shows are found in their true distribution, to compare generated ones with.
"""

from __future__ import annotations

import dataclasses
import json
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
from .files import write_json
from .progress import Progress, deferred_interrupt
from .rendering import STREAM_VERSION, Size
from .rules import RULES, Connected, Product, Rule, darkest
from .source import Source, differences
from .specs import Spec

__all__ = ["Accept", "Found", "find", "oracle", "oracles"]

Indices = npt.NDArray[np.uint64]
Accept: TypeAlias = Rule | Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.bool_]]
"""A rule, whose score must be exactly 1, or a function of images (N, *image_shape) that gives bools (N,)."""

FORMAT = 1
"""Version of the files that `Found.save` writes."""

_ORACLES = Path(__file__).parent / "oracles"
_CHUNK = 2**16
_CHUNK_PIXELS = 2**26
_CHUNK_BYTES = 2**24
_SECONDS_BETWEEN_SAVES = 5.0


@dataclass(frozen=True, eq=False)
class Found:
    """The indices of the images that a search accepted among the first `searched` that it looked at."""

    indices: Indices
    """(found,) uint64, rising: `render(spec, indices, seed=seed, size=size)` draws the images."""
    searched: int
    """How many images were looked at: those of the indices start to start + searched - 1."""
    spec: Spec
    seed: int
    size: Size
    rule: str
    """What was accepted: a name in RULES, the rule's fields, or the module and the name of a function."""
    start: int = 0
    stream_version: int = STREAM_VERSION

    @property
    def rate(self) -> float:
        """The share of images that are accepted, as far as this search can tell; NaN if none was looked at."""
        return len(self.indices) / self.searched if self.searched else float("nan")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a JSON file, each index as its distance from the one before."""
        gaps = np.diff(self.indices, prepend=np.uint64(self.start)).tolist()
        raw = {**self._identity(), "searched": self.searched, "found": len(gaps), "gaps": gaps}
        write_json(Path(path), raw)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Found:
        """Read a file that `save` wrote.

        Raises:
            OSError: there is no such file, or it cannot be read.
            ValueError: the file is damaged, or tells of images that this version of reggan does not draw.
        """
        try:
            raw = json.loads(Path(path).read_text(encoding="utf-8"))
            if raw["format"] != FORMAT:
                raise ValueError(f"it has format {raw['format']!r}, and this version of reggan reads format {FORMAT}")
            source, start = Source.from_json(raw["source"]), raw["start"]
            if not all(type(number) is int for number in (start, raw["searched"], *raw["gaps"])):
                raise ValueError("what it counts is not in integers")
            indices = np.cumsum(np.array([start, *raw["gaps"]], np.uint64), dtype=np.uint64)[1:]
            found = cls(indices, raw["searched"], source.spec, source.seed, source.size, raw["rule"], start)
            rising = all(gap > 0 for gap in raw["gaps"][1:]) and min(raw["gaps"][:1], default=0) >= 0
            ends = start + sum(raw["gaps"]) < start + found.searched if raw["gaps"] else found.searched >= 0
            if len(indices) != raw["found"] or not (rising and ends and start + found.searched <= 2**64):
                raise ValueError("its indices do not fit the numbers beside them")
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"{path} is not what a search saved: {error or repr(error)}") from error
        return found

    def _identity(self) -> dict[str, Any]:
        source = Source(self.spec, self.seed, self.size).to_json()
        return {"format": FORMAT, "source": source, "rule": self.rule, "start": self.start}

    def _first(self, count: int, limit: int) -> Found:
        """What a search for no more than `count`, among no more than `limit` images, would have found."""
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
    """Find the first `count` images that are accepted, looking at index after index from `start`.

    Args:
        spec: What to draw, such as `Circles()`; as uint8.
        accept: What to keep.
        count: How many images to find, at least 1.
        seed: As in `render`.
        size: As in `render`.
        start: The first index to look at, 0 to 2**64 - 1.
        limit: Look at no more than so many images, and return what was found by then; None is no limit.
        threads: At most so many threads; None is all cores. The result does not depend on it.
        state: A file to save the progress to every few seconds, upon Ctrl-C and at the end; `Found.load` reads it.
            If it exists, the search goes on from there.
        name: What `state` knows the search by where `accept` has no name of its own, such as the text that it was
            made from: another call with another `accept` must give another name.
        progress: Show rate, time left and what was found so far on standard error.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM came; the progress is in `state`.
        TypeError: A spec or a kind of argument that is not served.
        ValueError: A number that is out of range, or a `state` of another search; says what differs.
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
    """Go on until `count` images are found or `limit` were searched; the last chunk may hold more than were asked."""
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
            if len(good := indices[accepted(indices)]):
                kept.append(good)
            total += len(good)
            searched += len(indices)
            done = total >= count or searched == limit
            shown.total = searched if done else min(limit, round(searched / total * count)) if total else None
            shown.show({"found": f"{min(total, count):,} of {count:,}"})
            shown.advance(len(indices))
            if state is not None and time.monotonic() - last_save >= _SECONDS_BETWEEN_SAVES:
                so_far().save(state)
                last_save = time.monotonic()
    if total < count and searched < limit:
        told = f"stopped after {searched:,} images, with {total:,} of {count:,} found"
        if state is not None:
            so_far().save(state)
            told += f"; {state} holds them, and the same search goes on from there"
        raise KeyboardInterrupt(told)
    return so_far()


def _test(
    source: Source, accept: Accept, threads: int | None
) -> tuple[int, Callable[[Indices], npt.NDArray[np.bool_]]]:
    """How many images to look at in one go, and a function that tells which of them are accepted."""
    if type(accept) is Connected and accept == Connected():
        chunk = min(_CHUNK, max(1, _CHUNK_PIXELS // source.image_bytes))
        return chunk, lambda indices: source.scores(indices, threads=threads) == 1

    chunk = min(_CHUNK, max(1, _CHUNK_BYTES // source.image_bytes))
    images = np.empty((chunk, *source.image_shape), np.uint8)

    def accepted(indices: Indices) -> npt.NDArray[np.bool_]:
        drawn = source.render(indices, out=images[: len(indices)], threads=threads)
        is_seen = source.is_color and isinstance(accept, Rule)
        given: npt.NDArray[Any] = np.asarray(accept(darkest(drawn) if is_seen else drawn))
        if given.shape != indices.shape:
            raise ValueError(f"accept gave an array of the shape {given.shape} for {len(indices)} images")
        if isinstance(accept, Rule):
            return np.asarray(given == 1)
        if given.dtype != np.bool_:
            raise TypeError(f"accept gave values of dtype {given.dtype}, but must give bools")
        return given

    return chunk, accepted


def _name(accept: Accept, given: str | None) -> str:
    """What says which images are accepted, or the given name where that is not certain in another process: with "<"."""
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
    """Where the rules are from that a rule is made of: two modules may have rules of one name."""
    if type(rule) is Product:
        yield from _modules(rule.first)
        yield from _modules(rule.second)
    yield type(rule).__module__


def _resume(state: Path, search: Found) -> Found:
    """What an earlier call for the same search saved, if there was one."""
    if "<" in search.rule:
        raise ValueError(
            f"accept is {search.rule}, which another call cannot be known by; with state, give a name, a rule "
            "that is a dataclass, or a function at the top of its module"
        )
    if not state.exists():
        search.save(state)
        return search
    before = Found.load(state)
    if differs := differences(before._identity(), search._identity()):
        raise ValueError(f"{state} holds another search: {differs}; give another file, or the same search")
    return before


def oracle(rule: str = "connected", size: int = 64) -> Found:
    """The first 2,000 of the default circles of seed 0 that obey a rule, which `find` searched for beforehand.

    They are drawn from the true distribution of the images that obey it: what a generator that obeys the rule
    is compared with, and never trained on.

    Args:
        rule: "connected": one piece, score 1.
        size: Side of the images in pixels: 32 or 64.

    Raises:
        ValueError: There is no oracle of this rule and size; `find` can search for one.
    """
    if (rule, size) not in oracles():
        known = ", ".join(f"{name} at {side}" for name, side in oracles())
        raise ValueError(f"there is no oracle of {rule} at {size}; there are {known}, and reggan.find finds others")
    path = _ORACLES / f"{rule}-{size}.json"
    return Found.load(path)


def oracles() -> list[tuple[str, int]]:
    """The rules and sizes that `oracle` knows."""
    names = (file.stem.rpartition("-") for file in _ORACLES.glob("*.json"))
    return sorted((rule, int(size)) for rule, _, size in names)
