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
from .config import PRESETS, TrainConfig, config_to_json, lookup, preset
from .data import Blobs, Files, Pairs, Points
from .distributed import Ranks, start
from .domains import Data
from .files import check_folder, slug, to_json, write_json
from .progress import interrupted_by_sigterm, note
from .recipes import RECIPES
from .runs import RunInUse, train_alone
from .specs import RENDERERS
from .tables import cell
from .training import Stopped, create_run, fit, has_begun, open_run, resolve

__all__ = ["main"]

_PLANE = {name: spec for name, spec in RENDERERS.items() if spec.axes == 2}

_MEANT_FOR = {"--rule": ("images",), "--size": ("images", "pairs")}
"""Kinds of samples that options of all recipes have a meaning for."""

_WITH_RESUME = {"--data", "--device", "--json", "--steps"}

if TYPE_CHECKING:
    RecipeName = str
    PresetName = str
    RendererName = str
else:
    RecipeName, PresetName = Literal[tuple(RECIPES)], Literal[tuple(PRESETS)]
    RendererName = Literal[tuple(_PLANE)]


@dataclass(frozen=True)
class TrainOptions:
    """Train a generator whose samples obey a rule, and leave a run directory that says everything.

    Without options: the harvest recipe on rendered blobs, minutes on two CPU cores. The defaults below are those of the
    recipe and the preset given: `--recipe dcgan --help` shows DCGAN's, and `--data PATH --help` what can be done with
    images of your own.
    """

    config: Annotated[TrainConfig, tyro.conf.arg(name="")]
    """Every option is saved in the run's config.json."""
    recipe: RecipeName = "harvest"
    """How to train."""
    preset: PresetName = "quick"
    """Whose defaults: quick (minutes, 32 pixels), fine (an hour, 64), paper (arXiv 2102.04593), pairs, or points."""
    renderer: RendererName = "circles"
    """What is drawn. Of others than circles all that fail the rule, unless --data.classes or --data.counts is given."""
    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PATH")] = ()
    """Images of your own: a folder, an IDX, .npy or .npz file, a set of shards; two of these to translate between."""
    run: Path | None = None
    """Run directory to make; by default the next free one under runs/."""
    resume: Path | None = None
    """Continue this run from its last checkpoint, with the numbers of an unbroken run. Of the options only --steps,
    --device and --data (the same images in another place) can differ; it says where the numbers do, too."""
    dry_run: bool = False
    """Print the resolved configuration as JSON, and do nothing."""
    json: Path | None = None
    """File for the final table, as JSON."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return execute(lambda: _train(arguments))


def _parse(arguments: list[str]) -> TrainOptions:
    """The recipe and the preset decide which options there are and what their defaults are, so they are read first."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--recipe", default="harvest")
    first.add_argument("--preset")
    first.add_argument("--renderer")
    first.add_argument("--data", type=Path, nargs="+", default=[])
    try:
        chosen, _ = first.parse_known_args(arguments)
        chosen.preset = chosen.preset or _usual_preset(chosen.recipe)
        default = preset(chosen.preset, chosen.recipe)
        if chosen.renderer:
            default = replace(default, data=_of_renderer(chosen.renderer, default.data, chosen.data))
        if chosen.data:
            default = replace(default, data=_of_files(chosen.data))
    except (ValueError, argparse.ArgumentError) as error:
        raise UsageError(str(error)) from error
    options = TrainOptions(default, chosen.recipe, chosen.preset, chosen.renderer or "circles", tuple(chosen.data))
    try:
        found = tyro.cli(TrainOptions, args=arguments, default=options, prog="python -m reggan.train")
    except ValueError as error:
        raise UsageError(str(error)) from error
    given = {word.partition("=")[0] for word in arguments if word.startswith("--")}
    if found.resume is not None:
        if not given - {"--resume"} <= _WITH_RESUME:
            raise UsageError(
                f"--resume continues a run as it was configured; it goes with {', '.join(sorted(_WITH_RESUME))} alone;"
                " --init starts a new run from its weights"
            )
        return replace(found, config=_continued(open_run(found.resume), found, given))
    if found.config.init is not None:
        found = replace(found, config=replace(found.config, init=str(Path(found.config.init).absolute())))
    kind = found.config.data.kind
    for option, kinds in _MEANT_FOR.items():
        if option in given and kind not in kinds:
            raise UsageError(f"{option} goes with {' and '.join(kinds)} alone, and recipe {found.recipe} makes {kind}")
    return found


def _continued(config: TrainConfig, options: TrainOptions, given: set[str]) -> TrainConfig:
    """The configuration of a run with what of it is to be changed."""
    if "--data" in given:
        config = replace(config, data=_moved(config.data, options.data))
    changed = {name: getattr(options.config, name) for name in ("steps", "device") if f"--{name}" in given}
    return replace(config, **changed)


def _moved(data: Data, paths: Sequence[Path]) -> Data:
    """The same data in another place."""
    files = [str(path.absolute()) for path in paths]
    if isinstance(data, Files) and len(files) == 1:
        return replace(data, path=files[0])
    if isinstance(data, Pairs) and isinstance(data.first, Files) and isinstance(data.second, Files) and len(files) == 2:
        return replace(data, first=replace(data.first, path=files[0]), second=replace(data.second, path=files[1]))
    raise UsageError("with --resume, --data says where the images of the run are now: as many paths as it began with")


def _usual_preset(recipe: str) -> str:
    """The preset "quick", or that of what a recipe makes where it makes no images."""
    return next((name for name in ("quick", "points", "pairs") if recipe in PRESETS[name]), "quick")


def _of_renderer(name: str, data: Data, paths: list[Path]) -> Blobs:
    """Rendered images as those of the preset, and not balanced if another renderer than the preset's draws them."""
    kind: Any = lookup(_PLANE, name, "renderer")
    if paths or not isinstance(data, Blobs):
        raise ValueError(f"--renderer {name} goes with rendered images alone, not with --data, points or pairs")
    return data if type(data.spec) is kind else replace(data, spec=kind(), classes=())


def _of_files(paths: list[Path]) -> Files | Pairs:
    """Data of one path, or of two to translate between."""
    files = [Files(str(path.absolute())) for path in paths]
    if len(files) > 2:
        raise ValueError(f"--data names {len(files)} paths, must be one, or two to translate between")
    return Pairs(files[0], files[1]) if len(files) == 2 else files[0]


def _train(arguments: list[str]) -> None:
    options = _parse(arguments)
    with interrupted_by_sigterm(), start() as ranks:
        _run(options, ranks)


def _run(options: TrainOptions, ranks: Ranks) -> None:
    if options.json is not None:
        check_folder(options.json, "--json")
    config = resolve(options.config)
    if options.dry_run:
        print(to_json(config_to_json(config), indent=2), end="")
        if warning := config.recipe.warn(config.steps):
            note(warning)
        return
    for path in options.data:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist; give a folder of pictures or a file of images")
    made = _create(options.run, config) if options.resume is None and ranks.is_first else None
    try:
        run: Path = ranks.first(options.resume or made)
        with train_alone(run, ranks):
            summary = _train_and_report(run, config, ranks)
    except RunInUse:
        raise
    except BaseException as error:
        if made is not None and not has_begun(made):
            # What was wrong with the data or the networks can be mended, and the same --run given again.
            shutil.rmtree(made)
            if isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt(f"before anything was saved; {made} is removed") from error
        raise
    if ranks.is_first:
        _print_table(summary)
        if options.json is not None:
            write_json(options.json, summary, indent=2)
        print(run)


def _create(run: Path | None, config: TrainConfig) -> Path:
    """Make the run directory of this name, or the next free one under runs/."""
    if run is not None:
        create_run(run, config)
        return run
    while True:
        run = _next_free(Path("runs"), config)
        with suppress(FileExistsError):  # Another training that began just now has taken the name.
            create_run(run, config)
            return run


def _train_and_report(run: Path, config: TrainConfig, ranks: Ranks) -> dict[str, dict[str, float]]:
    """Train, and write the report; what stops it with the run begun says how to go on."""
    go_on = f"continue with: python -m reggan.train --resume {run}"
    try:
        summary = fit(run, config=config)
        _report(run, ranks)
    except Stopped as stopped:
        with suppress(KeyboardInterrupt):  # A second Ctrl-C is of the report: how to go on is said all the same.
            _report(run, ranks)
        raise KeyboardInterrupt(f"{stopped}; {go_on}") from stopped
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"interrupted; {go_on}") from error
    return summary


def _report(run: Path, ranks: Ranks) -> None:
    """Write the report of a run, finished or not, in the first rank; the others wait, since one that ends ends all."""
    from .report import write_report  # Matplotlib is slow to import, and mistakes and --help draw nothing.

    ranks.first(write_report(run) if ranks.is_first else run)


def _next_free(parent: Path, config: TrainConfig) -> Path:
    made = {"images": f"{slug(config.rule)}-{config.size}px", "pairs": f"{config.size}px"}
    subject = config.data.mixture if isinstance(config.data, Points) else made[config.data.kind]
    stem = f"{config.recipe.name}-{subject}-seed{config.seed}"
    path, number = parent / stem, 1
    while path.exists():
        number += 1
        path = parent / f"{stem}-{number}"
    return path


TABLE = {
    "score": "mean exact score",
    "one_piece": "share of one-piece images",
    "components": "components an image",
    "ink": "ink share",
    "diversity": "pixel diversity",
    "to_first": "Frechet to the first kind",
    "to_second": "Frechet to the second",
    "modes": "modes found",
    "reverse_kl": "KL of modes to uniform",
    "wasserstein": "distance in deviations",
}


def _print_table(summary: dict[str, dict[str, float]]) -> None:
    print(f"{'':27}" + "".join(f"{name:>12}" for name in summary))
    for key in summary["data"]:
        print(f"{TABLE.get(key, key):27}" + "".join(f" {cell(column[key], '.3f'):>11}" for column in summary.values()))


if __name__ == "__main__":
    sys.exit(main())
