"""`python -m reggan.data COMMAND`: make, verify and look at sets of rendered images; find those that obey a rule."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import tyro

from .._arrays import check_threads
from ..cli import UsageError, choose, execute
from ..files import atomic_write, check_folder, slug
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
    """What draws the images."""

    spec: Annotated[Any, tyro.conf.arg(name="renderer")]
    """The renderer's own options."""
    renderer: Annotated[str, tyro.conf.arg(help=f"What is drawn: {', '.join(RENDERERS)}.", metavar="NAME")] = "circles"
    size: int | tuple[int, int] | tuple[int, int, int] = 64
    """Side of the images in pixels, or height and width, or depth, height and width."""
    seed: int = 0
    """Seed of the renderer."""
    dtype: Literal["uint8", "float32"] = "uint8"
    """uint8 has white paper 255, float32 1.0."""

    @property
    def source(self) -> Source:
        """The source of these images, if the options make sense."""
        with _usage():
            return Source(self.spec, self.seed, self.size, self.dtype)


@dataclass(frozen=True, kw_only=True)
class MakeOptions(Drawn):
    """Write a set of images as .npy shards with a manifest. Stopped or killed, the same command makes the rest."""

    directory: tyro.conf.Positional[Path]
    """Where the set goes."""
    images: int = 10_000
    """How many images."""
    images_per_shard: int | None = None
    """By default what makes a shard about 64 MiB."""
    shard: str = "0/1"
    """i/n makes only the shards i, i + n, i + 2 n, ..., so that n machines share the work."""
    scores: bool = False
    """Also write the exact scores of each shard's images."""
    threads: int | None = None
    """At most so many threads draw; by default as many as there are cores."""


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """Check the hashes of a set's shards, and draw a sample of the images again to compare.

    What is wrong is listed, and the exit code is 1 if anything is.
    """

    directory: tyro.conf.Positional[Path]
    """The set."""
    sample: float = 0.01
    """Share of each shard's images to draw again."""
    all: bool = False
    """Draw all images again."""
    threads: int | None = None
    """At most so many threads draw; by default as many as there are cores."""


@dataclass(frozen=True, kw_only=True)
class ShowOptions(Drawn):
    """Draw a contact sheet and histograms of score, pieces, ink and blur, of images on disk or a renderer's."""

    path: tyro.conf.Positional[Path | None] = None
    """A set, or with --size a folder of pictures, an IDX, .npy or .npz file; without it a renderer draws."""
    out: Path = Path("overview.png")
    """The PNG file."""
    images: int = 4096
    """How many images the histograms tell of."""


@dataclass(frozen=True, kw_only=True)
class ExportOptions(Drawn):
    """Write images as PNG files, of a set or of what a renderer draws. Stopped, the same command goes on."""

    paths: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="[DIRECTORY] OUT")]
    """A set, and the folder for the files; without a set the options below say what is drawn."""
    images: int | None = None
    """How many images; by default the whole set, or 1000 of a renderer."""


@dataclass(frozen=True, kw_only=True)
class FindOptions(Drawn):
    """Find images that obey a rule, by drawing and scoring one after the other, and save their indices.

    Stopped, or with a larger --count, the same command goes on.
    """

    dtype: tyro.conf.Suppress[Literal["uint8"]] = "uint8"
    rule: str = "connected"
    """What to obey: rules by name, "connected & ink(0.1, 0.4)", and your own: "ink & my_module:MyRule(3)"."""
    count: int = 2000
    """How many images to find."""
    start: int = 0
    """The first index to look at."""
    limit: int | None = None
    """Look at no more than so many images."""
    out: Path | None = None
    """File for the indices; by default found-RENDERER-RULE-SIZEpx-seedN.json."""
    threads: int | None = None
    """At most so many threads; by default as many as there are cores."""


@contextmanager
def _usage() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from error


def _within(name: str, given: int, low: int, high: int) -> None:
    if not low <= given <= high:
        raise UsageError(f"{name} is {given}, must be from {low} to {high}")


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
    number, slash, parts = text.partition("/")
    if not (slash and number.isdecimal() and parts.isdecimal() and int(number) < int(parts)):
        raise UsageError(f"shard is {text!r}, must be i/n with 0 <= i < n, such as 0/4")
    return int(number), int(parts)


def _verify(options: VerifyOptions) -> None:
    if not 0 <= options.sample <= 1:
        raise UsageError(f"sample is {options.sample}, must be from 0 to 1")
    sample = 1.0 if options.all else options.sample
    wrong = verify_shards(options.directory, sample=sample, threads=options.threads, progress=True)
    for line in wrong:
        print(line)
    if wrong:
        raise ValueError(f"{options.directory} is not as it was made: {len(wrong)} found")
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
    """An overview of the user's own images, as a training at this size sees them."""
    from .images import Files  # It takes torch, which sets of shards do without.
    from .pixels import arrays

    _check_not_drawn(options, path, but=("size",))
    if not isinstance(options.size, int):
        raise UsageError(f"size is {options.size}, must be one number for the images of {path}, which are made square")
    _within("size", options.size, 1, 2**15)
    if options.out.resolve().is_relative_to(path.resolve()):
        raise UsageError(f"--out {options.out} lies in {path}, and would be one of its pictures; give another place")
    files = Files(str(path), skip_unreadable=True).open(options.size, Connected(), log=True)
    count = min(options.images, files.length)
    pixels = arrays(files.items(np.arange(count))[0])
    return overview_of_pixels(pixels, f"{path.resolve().name}, {options.size}×{options.size}, {count:,} images")


def _export(options: ExportOptions) -> None:
    if not 1 <= len(options.paths) <= 2:
        raise UsageError(f"{len(options.paths)} paths are given, must be [DIRECTORY] OUT")
    images, count = _open(options, options.paths[0] if len(options.paths) == 2 else None)
    wanted = options.images if options.images is not None else count or 1000
    _within("images", wanted, 1, count or 10**8)
    export_images(images, wanted, options.paths[-1], progress=True)
    print(options.paths[-1])


def _open(options: Drawn, directory: Path | None) -> tuple[ImageSet, int | None]:
    """A set and how many images it has, or what a renderer draws, which has no end."""
    if directory is None:
        return Rendered(options.source), None
    _check_not_drawn(options, directory)
    shards = open_shards(directory)
    return shards, len(shards)


def _check_not_drawn(options: Drawn, path: Path, but: tuple[str, ...] = ()) -> None:
    """Refuse a renderer's options, but for these, beside images that are on disk."""
    default = Drawn(spec=RENDERERS["circles"]())
    given = {field.name for field in fields(Drawn) if getattr(options, field.name) != getattr(default, field.name)}
    if given - set(but):
        raise UsageError(f"{path} says what is drawn; give a path or a renderer's options, not both")


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
    told = f"found {len(found.indices):,} of {options.count:,} in {found.searched:,} images"
    print(told + (f", one in {1 / found.rate:,.0f}" if len(found.indices) else ""))
    print(out)


COMMANDS: dict[str, tuple[type[Any], Callable[[Any], None], str]] = {
    "export": (ExportOptions, _export, "write images as PNG files"),
    "find": (FindOptions, _find, "find images that obey a rule, by brute force"),
    "make": (MakeOptions, _make, "write a set of images as shards"),
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
    """The renderer decides which options there are and what their defaults are, so it is read first."""
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
