"""List the rules, or draw for each an image that fails and the nearest one that obeys: `python -m reggan.rules`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import tyro
from PIL import Image

from ..cli import UsageError, execute
from ..drawing import panels
from ..files import atomic_file, check_folder
from ..rendering import render
from ..specs import Circles
from .names import RULES, repair, resolve_rule
from .rule import Rule

__all__ = ["EXAMPLES", "main"]

EXAMPLES: dict[str, str] = {
    "betti": "betti(3, 1, 12)",
    "bridge": "bridge(5)",
    "clean": "clean",
    "clear": "clear(5)",
    "connected": "connected",
    "framed": "framed(1)",
    "holes": "holes(3, 5)",
    "ink": "ink(0.3, 0.4)",
    "joins": "joins('x')",
    "path": "path(40)",
    "reach": "reach('left', ('top', 'bottom'))",
    "runs": "runs(4, 4)",
    "slot": "slot(5)",
    "solid": "solid",
    "symmetric": "symmetric(1)",
    "wraps": "wraps",
}
"""For each rule of RULES a text with options that tell images apart."""

_SIZE, _DRAWN, _TRIED, _COLUMNS = 32, 400, 40, 8


@dataclass(frozen=True)
class RulesOptions:
    """List the rules with their options; combine them by & (and), | (or), ~ (not) and parentheses."""

    rule: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Rules to list, such as "clear(5)", or your own as "package.module:Class(3)"; by default all that are built in."""
    picture: Path | None = None
    """PNG file to draw: for each rule a rendered image that fails, and below it the same image repaired."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return execute(lambda: _run(tyro.cli(RulesOptions, args=arguments, prog="python -m reggan.rules")))


def _run(options: RulesOptions) -> None:
    try:
        rules = {text: resolve_rule(text) for text in options.rule or RULES}
    except ValueError as error:
        raise UsageError(str(error)) from error
    if options.picture is not None:
        check_folder(options.picture, "--picture")
    for text, rule in rules.items():
        print(f"{text if options.rule else _signature(text, rule)}\n    {_about(rule)}")
        if warning := rule.warn(_SIZE**2):
            print(f"    {warning}")
    if options.picture is not None:
        drawn = rules if options.rule else {text: resolve_rule(text) for text in EXAMPLES.values()}
        with atomic_file(options.picture) as file:
            draw(drawn).save(file, "PNG", optimize=True)
        print(options.picture)


def _signature(name: str, rule: Rule) -> str:
    """A rule with its options and their defaults."""
    given = (f"{field.name}={getattr(rule, field.name)!r}" for field in fields(rule))  # type: ignore[arg-type]
    return f"{name}({', '.join(given)})"


def _about(rule: Rule) -> str:
    """The first paragraph of a rule's docstring, and its methods of repair."""
    paragraph = (inspect.getdoc(type(rule)) or "").split("\n\n")[0].replace("\n", " ").replace("`", "")
    return f"{paragraph} Repaired by {', '.join(rule.known_methods())}."


def draw(rules: dict[str, Rule]) -> Image.Image:
    """For each rule, by its name, an image that fails it, and the same image repaired."""
    images = render(Circles(), _DRAWN, size=_SIZE)
    names, rows = list(rules), []
    for start in range(0, len(names), _COLUMNS):
        part = names[start : start + _COLUMNS]
        rows.append(panels({name: _pair(name, rules[name], images) for name in part}, 1, zoom=4))
    gap = 20
    canvas = Image.new("L", (max(row.width for row in rows), sum(row.height + gap for row in rows) - gap), "white")
    for k, row in enumerate(rows):
        canvas.paste(row, (0, sum(above.height + gap for above in rows[:k])))
    return canvas


def _pair(name: str, rule: Rule, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """An image that fails and its repaired copy, (2, H, W)."""
    failing = images[rule(images) < 1][:_TRIED]
    if not len(failing):
        raise ValueError(f"all of {len(images)} rendered circles obey {name}, so there is nothing to draw")
    repaired = repair(failing, rule)
    if not (repaired.scores >= 1).any():
        raise ValueError(f"no rendered circles could be repaired to obey {name}")
    # One of the larger repairs shows what the rule is about.
    chosen = np.argsort(np.where(repaired.scores >= 1, repaired.changed, -1))[-len(failing) // 4]
    return np.stack([failing[chosen], repaired.images[chosen]])


if __name__ == "__main__":
    sys.exit(main())
