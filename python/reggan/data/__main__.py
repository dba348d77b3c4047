"""`python -m reggan.data COMMAND`: make, verify and show sets of images; score pictures; find images that obey."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import tyro

from .._arrays import check_threads
from ..cli import UsageError, choose, execute
from ..files import atomic_write, check_folder, slug, write_json
from ..progress import note
from ..rules import Connected, resolve_rule
from ..search import find
from ..source import Source
from ..specs import RENDERERS
from .making import make_shards, verify_shards
from .pictures import ImageSet, Rendered, export_images, overview, overview_of_pixels
from .shards import Plan, manifests, open_shards

__all__ = ["main"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Options of rendered images."""

    spec: Annotated[Any, tyro.conf.arg(name="renderer")]
    """Options of the renderer given by --renderer."""
    renderer: Annotated[str, tyro.conf.arg(help=f"What to draw: {', '.join(RENDERERS)}.", metavar="NAME")] = "circles"
    size: int | tuple[int, int] | tuple[int, int, int] = 64
    """Side of the images in pixels, or height and width, or depth, height and width."""
    seed: int = 0
    """Seed of the renderer."""
    dtype: Literal["uint8", "float32"] = "uint8"
    """Data type of pixels; white paper is 255 in uint8, 1.0 in float32."""

    @property
    def source(self) -> Source:
        with _usage():
            return Source(self.spec, self.seed, self.size, self.dtype)


@dataclass(frozen=True, kw_only=True)
class MakeOptions(Drawn):
    """Write a set of images as .npy shards with a manifest. To resume, run the same command again."""

    directory: tyro.conf.Positional[Path]
    """Folder for the set."""
    images: int = 10_000
    """Number of images."""
    images_per_shard: int | None = None
    """Number of images in a file; by default as many as fit in 64 MiB."""
    shard: str = "0/1"
    """i/n makes only the shards i, i + n, i + 2 n, ..., to share the work between n machines."""
    scores: bool = False
    """Also write the exact scores of each shard's images."""
    threads: int | None = None
    """Maximum number of threads; by default all cores."""


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """Check the hashes of a set's shards, and draw a sample of the images again for comparison.

    Lists all problems; the exit code is 1 if there are any.
    """

    directory: tyro.conf.Positional[Path]
    """Folder of the set."""
    sample: float = 0.01
    """Share of each shard's images to draw again, 0 to 1."""
    all: bool = False
    """Draw all images again."""
    threads: int | None = None
    """Maximum number of threads; by default all cores."""


@dataclass(frozen=True, kw_only=True)
class ShowOptions(Drawn):
    """Draw a contact sheet and histograms of score, pieces, ink and blur for images on disk or from a renderer."""

    path: tyro.conf.Positional[Path | None] = None
    """A set, or a folder of pictures, an IDX, .npy or .npz file (see --size); without a path, a renderer draws."""
    out: Path = Path("overview.png")
    """PNG file to write."""
    images: int = 4096
    """Number of images in the histograms."""


@dataclass(frozen=True, kw_only=True)
class ExportOptions(Drawn):
    """Write images of a set or a renderer as PNG files. To resume, run the same command again."""

    paths: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="[DIRECTORY] OUT")]
    """A set, and the folder for the files; without a set, a renderer draws with the options below."""
    images: int | None = None
    """Number of images; by default the whole set, or 1000 from a renderer."""


@dataclass(frozen=True, kw_only=True)
class FindOptions(Drawn):
    """Find images that obey a rule by brute force, and save their indices.

    To resume, or for a larger --count, run the same command again.
    """

    dtype: tyro.conf.Suppress[Literal["uint8"]] = "uint8"
    rule: str = "connected"
    """Rules by name, such as "connected & ink(0.1, 0.4)", or your own, such as "ink & my_module:MyRule(3)"."""
    count: int = 2000
    """Number of images to find."""
    start: int = 0
    """First index to test."""
    limit: int | None = None
    """Maximum number of images to test; by default no limit."""
    out: Path | None = None
    """File for the indices; by default found-RENDERER-RULE-SIZEpx-seedN.json."""
    threads: int | None = None
    """Maximum number of threads; by default all cores."""


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """Score pictures under a rule, each at its own size; with --repair, also write copies that obey."""

    path: tyro.conf.Positional[Path]
    """A folder of pictures, an IDX, .npy or .npz file, or a set."""
    rule: str = "connected"
    """Rules by name, such as "connected & ink(0.1, 0.4)", or your own, such as "ink & my_module:MyRule(3)"."""
    color: bool = False
    """Score colored pictures by their darkest channel, and keep colors; by default they are made gray."""
    repair: Path | None = None
    """New folder for repaired copies, as PNG."""
    method: str | None = None
    """With --repair: search, which changes the fewest pixels, or a faster method of the rule, such as slide or erase.
    By default the rule's first method."""
    json: Path | None = None
    """Also write all scores to this JSON file."""


@contextmanager
def _usage() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from error


def _within(name: str, given: int, low: int, high: int) -> None:
    if not low <= given <= high:
        raise UsageError(f"{name} is {given}, but must be from {low} to {high}")


def _make(options: MakeOptions) -> None:
    part = _part(options.shard)
    source = options.source
    with _usage():
        Plan(source, options.images, 1 if options.images_per_shard is None else options.images_per_shard)
        check_threads(options.threads)
    manifest = make_shards(
        options.directory,
        source.spec,
        options.images,
        seed=source.seed,
        size=source.size,
        dtype=source.dtype,
        images_per_shard=options.images_per_shard,
        part=part,
        scores=options.scores,
        threads=options.threads,
        progress=True,
    )
    print(manifest)


def _part(text: str) -> tuple[int, int]:
    index, slash, parts = text.partition("/")
    if not (slash and index.isdecimal() and parts.isdecimal() and int(index) < int(parts)):
        raise UsageError(f"shard is {text!r}, but must be i/n with 0 <= i < n, such as 0/4")
    return int(index), int(parts)


def _verify(options: VerifyOptions) -> None:
    if not 0 <= options.sample <= 1:
        raise UsageError(f"sample is {options.sample}, but must be from 0 to 1")
    sample = 1.0 if options.all else options.sample
    problems = verify_shards(options.directory, sample=sample, threads=options.threads, progress=True)
    for line in problems:
        print(line)
    if problems:
        raise ValueError(f"problems found in {options.directory}: {len(problems)}")
    print(options.directory)


def _show(options: ShowOptions) -> None:
    _within("images", options.images, 1, 10**8)
    check_folder(options.out, "--out")
    if options.path is not None and not (options.path.is_dir() and manifests(options.path)):
        content = _overview_of_files(options, options.path)
    else:
        images, count = _open(options, options.path)
        content = overview(images, options.images if count is None else min(options.images, count))
    atomic_write(options.out, content)
    print(options.out)


def _overview_of_files(options: ShowOptions, path: Path) -> bytes:
    """An overview of the user's own images, prepared as for training at this size."""
    from .images import Files  # Imports torch, which sets of shards do not need.
    from .pixels import to_numpy

    _check_not_drawn(options, path, but=("size",))
    if not isinstance(options.size, int):
        raise UsageError(f"size is {options.size}, but must be one number, since the images of {path} are made square")
    _within("size", options.size, 1, 2**15)
    if options.out.resolve().is_relative_to(path.resolve()):
        raise UsageError(f"--out {options.out} would be written among the pictures in {path}; choose another folder")
    files = Files(str(path), skip_unreadable=True).open(options.size, Connected(), log=True)
    count = min(options.images, files.length)
    pixels = to_numpy(files.fetch(np.arange(count)))
    return overview_of_pixels(pixels, f"{path.resolve().name}, {options.size}×{options.size}, {count:,} images")


def _export(options: ExportOptions) -> None:
    if not 1 <= len(options.paths) <= 2:
        raise UsageError(f"expected the paths [DIRECTORY] OUT, but got {len(options.paths)} paths")
    images, available = _open(options, options.paths[0] if len(options.paths) == 2 else None)
    count = options.images if options.images is not None else available or 1000
    _within("images", count, 1, available or 10**8)
    export_images(images, count, options.paths[-1], progress=True)
    print(options.paths[-1])


def _open(options: Drawn, directory: Path | None) -> tuple[ImageSet, int | None]:
    """A set and its length, or the endless images of a renderer and None."""
    if directory is None:
        return Rendered(options.source), None
    _check_not_drawn(options, directory)
    shards = open_shards(directory)
    return shards, len(shards)


def _check_not_drawn(options: Drawn, path: Path, but: tuple[str, ...] = ()) -> None:
    """Raise a UsageError if a renderer's options, except those in `but`, are given for images on disk."""
    default = Drawn(spec=RENDERERS["circles"]())
    given = {field.name for field in fields(Drawn) if getattr(options, field.name) != getattr(default, field.name)}
    if given - set(but):
        raise UsageError(f"pass either the path {path} or a renderer's options, not both")


def _find(options: FindOptions) -> None:
    source = options.source
    with _usage():
        rule = resolve_rule(options.rule)
        check_threads(options.threads)
    _within("count", options.count, 1, 2**63)
    _within("start", options.start, 0, 2**64 - 1)
    _within("limit", options.limit or 0, 0, 2**64)
    size = source.size if isinstance(source.size, int) else "x".join(map(str, source.size))
    name = f"found-{source.renderer}-{slug(options.rule)}-{size}px-seed{source.seed}.json"
    out = options.out or Path(name)
    found = find(
        source.spec,
        rule,
        options.count,
        seed=source.seed,
        size=source.size,
        start=options.start,
        limit=options.limit,
        threads=options.threads,
        state=out,
        name=options.rule,
        progress=True,
    )
    rate = f", one in {1 / found.rate:,.0f}" if len(found.indices) else ""
    print(f"found {len(found.indices):,} of {options.count:,} in {found.searched:,} images{rate}")
    print(out)


def _score(options: ScoreOptions) -> None:
    from .judging import judge
    from .sources import open_source

    out = options.repair
    if options.method is not None and out is None:
        raise UsageError("--method applies only to --repair")
    with _usage():
        rule = resolve_rule(options.rule)
        rule.check_method(options.method)
    if out is not None:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UsageError(f"--repair {out} exists and is not an empty folder; name a new one")
        if out.resolve().is_relative_to(options.path.resolve()):
            raise UsageError(f"--repair {out} would be among the pictures in {options.path}; name another folder")
    source = open_source(options.path)
    if not len(source):
        raise ValueError(f"{options.path} has no images")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    if options.json is not None:
        check_folder(options.json, "--json")
    judged = []
    try:
        for each in judge(source, rule, color=options.color, out=out, method=options.method):
            judged.append(each)
            changed = "" if each.changed is None else f"  {each.changed} pixels changed"
            print(
                f"{each.name}  {_rounded(each.score)}{changed}"
                if each.score is not None
                else f"{each.name}  {each.error}"
            )
    finally:
        if options.json is not None:
            described = {"rule": options.rule, "images": [asdict(each) for each in judged]}
            write_json(options.json, described, indent=1)
    for line in source.notes():
        note(line)
    scores = [each.score for each in judged if each.score is not None]
    if scores:
        obeying, after = sum(score >= 1 for score in scores), "" if out is None else " after repair"
        print(
            f"{obeying} of {len(scores)} obey {options.rule!r}{after}, mean score {_rounded(sum(scores) / len(scores))}"
        )
    if len(scores) < len(judged):
        raise ValueError(f"{len(judged) - len(scores)} of {len(judged)} pictures cannot be judged")


def _rounded(score: float) -> str:
    """Four digits; only scores of 1 become 1."""
    return f"{math.floor(10_000 * score) / 10_000:.4f}"


COMMANDS: dict[str, tuple[type[Any], Callable[[Any], None], str]] = {
    "export": (ExportOptions, _export, "write images as PNG files"),
    "find": (FindOptions, _find, "find images that obey a rule, by brute force"),
    "make": (MakeOptions, _make, "write a set of images as shards"),
    "score": (ScoreOptions, _score, "score pictures under a rule, and repair copies of them"),
    "show": (ShowOptions, _show, "draw a contact sheet and histograms"),
    "verify": (VerifyOptions, _verify, "check a set of shards"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    listing = {name: about for name, (_, _, about) in COMMANDS.items()}
    return choose("python -m reggan.data", listing, list(sys.argv[1:] if argv is None else argv), _run)


def _run(name: str, arguments: list[str]) -> int:
    kind, command, _ = COMMANDS[name]
    return execute(lambda: command(_parse(kind, f"python -m reggan.data {name}", arguments)))


def _parse(kind: type[T], program: str, arguments: list[str]) -> T:
    """Parse the renderer first: it determines the other options and their defaults."""
    if not issubclass(kind, Drawn):
        return tyro.cli(kind, args=arguments, prog=program)
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--renderer", default="circles")
    try:
        renderer = first.parse_known_args(arguments)[0].renderer
    except argparse.ArgumentError as error:
        raise UsageError(str(error)) from error
    if renderer not in RENDERERS:
        raise UsageError(f"unknown renderer {renderer!r}; known: {', '.join(RENDERERS)}")
    required = {field.name: tyro.MISSING for field in fields(kind) if field.default is MISSING}
    default: Any = kind(**{**required, "spec": RENDERERS[renderer](), "renderer": renderer})
    with _usage():
        options: T = tyro.cli(kind, args=arguments, default=default, prog=program)
    return options


if __name__ == "__main__":
    sys.exit(main())
