"""`python -m reggan.train`: train a generator whose samples obey a rule."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from .cli import UsageError, execute
from .config import TrainConfig, config_to_json
from .data import Files, Pairs, Points, RenderedImages
from .devices import check_device
from .distributed import Ranks, start
from .files import check_folder, slug, to_json, write_json
from .locks import RunInUse, train_alone
from .modalities import Data
from .presets import PRESETS, preset_template, presets_of
from .progress import interrupted_by_sigterm, note
from .recipes import RECIPES, name_of
from .recording import Summary
from .rules import Connected, Ink, check_rule, resolve_rule
from .runs import RunDirectory
from .sampler import check_networks
from .specs import RENDERERS
from .tables import describe
from .training import Stopped

__all__ = ["main"]

_PLANE = {name: spec for name, spec in RENDERERS.items() if spec.axes == 2}

_MEANT_FOR = {"--rule": ("images",), "--size": ("images", "pairs")}
"""Modalities that an option applies to."""

_WITH_RESUME = {"--data", "--device", "--json", "--steps"}

_RENAMED = {
    "--accept": "--acceptance",
    "--decay": "--lr-decay",
    "--feedback": "--harvest-share",
    "--from-each": "--min-per-niche",
    "--honest": "--teach-classifier",
    "--kept": "--harvest-size",
    "--last-rate": "--lr-floor",
    "--pool": "--candidates",
    "--pool-beta": "--candidate-beta",
}
"""Options of earlier versions, and their names in this one."""

if TYPE_CHECKING:
    RecipeName = str
    PresetName = str
    RendererName = str
else:
    RecipeName, PresetName = Literal[tuple(RECIPES)], Literal[tuple(PRESETS)]
    RendererName = Literal[tuple(_PLANE)]


@dataclass(frozen=True)
class TrainOptions:
    """Train a generator whose samples obey a rule, and write a run directory.

    Without options: the recipe repair on rendered discs, in minutes on two CPU cores. The options and defaults below
    are those of the given recipe, preset and data: add --help to `--recipe dcgan` or `--data PATH` for others.
    """

    config: Annotated[TrainConfig, tyro.conf.arg(name="")]
    """Saved in config.json."""
    recipe: RecipeName = "repair"
    """Training method."""
    preset: PresetName = "quick"
    """Set of defaults: quick (minutes, 32 pixels), fine (64 pixels), paper (arXiv 2102.04593), pairs, or points."""
    renderer: RendererName = "circles"
    """Shapes of the rendered images. By default only circles are balanced over the score classes, if the rule is
    `connected`, alone or with `ink`; otherwise give --data.classes or --data.counts."""
    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PATH")] = ()
    """Images of your own: a folder, an IDX, .npy or .npz file, or a set of shards; two paths for translation."""
    run: Path | None = None
    """New run directory; by default the next free name under runs/."""
    resume: Path | None = None
    """Continue this run from its last checkpoint; the result is the same as without the break. Only --steps, --device
    and --data (the same images in another place) can change."""
    dry_run: bool = False
    """Print the configuration as JSON and exit."""
    json: Path | None = None
    """Also write the final table to this JSON file."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return execute(lambda: _train(arguments))


def _parse(arguments: list[str]) -> TrainOptions:
    """Parse the options. Recipe, preset and data determine the options and defaults, so they are parsed first."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--recipe", default="repair")
    first.add_argument("--preset")
    first.add_argument("--renderer")
    first.add_argument("--rule")
    first.add_argument("--data", type=Path, nargs="+", default=[])
    first.add_argument("--resume")
    _refuse_renamed(arguments)
    try:
        chosen, _ = first.parse_known_args(arguments)
        chosen.preset = chosen.preset or _usual_preset(chosen.recipe)
        default = preset_template(chosen.preset, chosen.recipe)
        if chosen.rule and isinstance(default.data, RenderedImages):
            object.__setattr__(default, "data", _under_rule(chosen.rule, default.data))
        if chosen.renderer:
            object.__setattr__(default, "data", _of_renderer(chosen.renderer, default.data, chosen.data))
        if chosen.data and not chosen.resume:
            object.__setattr__(default, "data", _of_files(chosen.data))
    except (ValueError, argparse.ArgumentError) as error:
        raise UsageError(str(error)) from error
    options = TrainOptions(default, chosen.recipe, chosen.preset, chosen.renderer or "circles", tuple(chosen.data))
    try:
        found = tyro.cli(TrainOptions, args=arguments, default=options, prog="python -m reggan.train")
    except ValueError as error:
        raise UsageError(str(error)) from error
    given = {word.partition("=")[0] for word in arguments if word.startswith("--")}
    if found.resume is not None and not given - {"--resume"} <= _WITH_RESUME:
        raise UsageError(
            f"--resume continues a run as configured and accepts only {', '.join(sorted(_WITH_RESUME))}; to change "
            "other options, start a new run from its weights with --init"
        )
    kind = found.config.data.modality
    for option, kinds in _MEANT_FOR.items():
        if option in given and kind not in kinds and found.resume is None:
            raise UsageError(f"{option} applies only to {' and '.join(kinds)}, but recipe {found.recipe} makes {kind}")
    return found


def _refuse_renamed(arguments: list[str]) -> None:
    for word in arguments:
        name = word.partition("=")[0]
        prefix = "--no-" if name.startswith("--no-") else "--"
        if new := _RENAMED.get(name.replace(prefix, "--", 1)):
            raise UsageError(f"{name} has a new name: {new.replace('--', prefix, 1)}")


def _changes(options: TrainOptions, arguments: Sequence[str]) -> dict[str, Any]:
    """The options given with --resume, by their path in the configuration."""
    given = {word.partition("=")[0] for word in arguments}
    changed = {name: getattr(options.config, name) for name in ("steps", "device") if f"--{name}" in given}
    files = [str(path.absolute()) for path in options.data]
    names = ("data.path",) if len(files) == 1 else ("data.first.path", "data.second.path")
    return changed | dict(zip(names, files, strict=False))


def _usual_preset(recipe: str) -> str:
    """The preset "quick", or "points" or "pairs" for recipes that make those."""
    return next((name for name in ("quick", "points", "pairs") if name in presets_of(recipe)), "quick")


def _under_rule(rule: str, data: RenderedImages) -> RenderedImages:
    """The preset's rendered images, without balancing under rules that leave its score classes empty."""
    factors = resolve_rule(rule).factors
    is_balanced = any(isinstance(each, Connected) for each in factors) and all(
        isinstance(each, Connected | Ink) for each in factors
    )
    return data if is_balanced else replace(data, classes=())


def _of_renderer(name: str, data: Data, paths: list[Path]) -> RenderedImages:
    """The preset's rendered images, without balancing if another renderer draws them."""
    if name not in _PLANE:
        raise ValueError(f"unknown renderer {name!r}; known: {', '.join(_PLANE)}")
    kind: Any = _PLANE[name]
    if paths or not isinstance(data, RenderedImages):
        raise ValueError(f"--renderer {name} applies only to rendered images, not to --data, points or pairs")
    return data if type(data.spec) is kind else replace(data, spec=kind(), classes=())


def _of_files(paths: list[Path]) -> Files | Pairs:
    files = [Files(str(path.absolute())) for path in paths]
    if len(files) > 2:
        raise ValueError(f"--data has {len(files)} paths, must be one path, or two to translate between")
    return Pairs(files[0], files[1]) if len(files) == 2 else files[0]


def _train(arguments: list[str]) -> None:
    options = _parse(arguments)
    with interrupted_by_sigterm(), start() as ranks:
        _run(options, arguments, ranks)


def _run(options: TrainOptions, arguments: list[str], ranks: Ranks) -> None:
    config = options.config
    if options.json is not None:
        check_folder(options.json, "--json")
    resumed = RunDirectory.open(options.resume, _changes(options, arguments)) if options.resume else None
    config = resumed.config if resumed else config
    check_device(config.device)
    check_networks(config.recipe, config.modality.shape, config.resolved_rule)
    if config.data.modality == "images":
        check_rule(config.resolved_rule, config.size)
    if options.dry_run:
        print(to_json(config_to_json(config), indent=2), end="")
        for warning in filter(None, (config.recipe.warn(config.steps), config.modality.warn())):
            note(warning)
        return
    for path in options.data:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist; give a folder of pictures or a file of images")
    made = _create(options.run, config) if resumed is None and ranks.is_first else None
    run = resumed or RunDirectory(ranks.broadcast(made.path if made else None), config)
    try:
        with train_alone(run.path, ranks):
            summary = _train_and_report(run, ranks)
    except RunInUse:
        raise
    except BaseException as error:
        if made is not None and not made.has_begun:
            # So that the same command works once the data or the options are corrected.
            shutil.rmtree(made.path)
            if isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt(f"before anything was saved; {made.path} was removed") from error
        raise
    if ranks.is_first:
        _print_table(summary)
        if options.json is not None:
            write_json(options.json, summary, indent=2)
        print(run.path)


def _create(path: Path | None, config: TrainConfig) -> RunDirectory:
    """Create this run directory, or the next free one under runs/."""
    if path is not None:
        return RunDirectory.create(path, config)
    while True:
        with suppress(FileExistsError):  # Another process has just taken the name.
            return RunDirectory.create(_next_free(Path("runs"), config), config)


def _train_and_report(run: RunDirectory, ranks: Ranks) -> Summary:
    """Train and write the report; if training is stopped, the error says how to continue."""
    advice = f"continue with: python -m reggan.train --resume {run.path}"
    try:
        summary = run.train()
        _report(run.path, ranks)
    except Stopped as stopped:
        with suppress(KeyboardInterrupt):  # A second Ctrl-C skips only the report.
            _report(run.path, ranks)
        raise KeyboardInterrupt(f"{stopped}; {advice}") from stopped
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"interrupted; {advice}") from error
    return summary


def _report(run: Path, ranks: Ranks) -> None:
    """Write the report on the first rank; the others wait, since torchrun stops all ranks when one ends."""
    from .report import write_report  # Imports Matplotlib, which would slow down --help and errors.

    ranks.broadcast(write_report(run) if ranks.is_first else run)


def _next_free(parent: Path, config: TrainConfig) -> Path:
    made = {"images": f"{slug(config.rule)}-{config.size}px", "pairs": f"{config.size}px"}
    subject = config.data.mixture if isinstance(config.data, Points) else made[config.data.modality]
    stem = f"{slug(name_of(config.recipe))}-{subject}-seed{config.seed}"
    path, number = parent / stem, 1
    while path.exists():
        number += 1
        path = parent / f"{stem}-{number}"
    return path


def _print_table(summary: dict[str, dict[str, float]]) -> None:
    print(f"{'':27}" + "".join(f"{name:>12}" for name in summary))
    for key in summary["data"]:
        metric = describe(key)
        print(f"{metric.label:27}" + "".join(f" {metric.cell(column[key]):>11}" for column in summary.values()))


if __name__ == "__main__":
    sys.exit(main())
