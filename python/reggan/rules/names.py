"""Rules by name: the table of rules, and texts such as "connected & ink(0.1, 0.4)"."""

from __future__ import annotations

import ast
import importlib
import re
import unicodedata
from typing import Any

from .._arrays import Array, on_host
from ..edits import edits_between
from ..repairing import Repaired
from ..searching import threshold_of
from .paths import Path, Reach
from .rule import Rule, checked_scores
from .shapes import Connected, Ink, Solid, Symmetric
from .topology import Betti, Clean, Framed, Holes, Joins
from .torus import Wraps
from .widths import Bridge, Clear, Runs, Slot

__all__ = ["RULES", "repair", "resolve_rule"]

RULES: dict[str, Rule] = {
    "betti": Betti(),
    "bridge": Bridge(),
    "clean": Clean(),
    "clear": Clear(),
    "connected": Connected(),
    "framed": Framed(),
    "holes": Holes(),
    "ink": Ink(),
    "joins": Joins(),
    "path": Path(),
    "reach": Reach(),
    "runs": Runs(),
    "slot": Slot(),
    "solid": Solid(),
    "symmetric": Symmetric(),
    "wraps": Wraps(),
}


_MODULE = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|([^\s&|~(){}\[\]"',=:]*):(?=[^\W\d])""")
"""A quoted string, which may contain a colon; or the module of your own rule, with its colon."""

_OWN = "_own_module"
"""The name by which `resolve_rule` writes modules in Python: "my_rules:Bridge" is `_own_module['my_rules'].Bridge`."""


def resolve_rule(name: str) -> Rule:
    """Find a rule by its name in RULES, or your own as "package.module:attribute": a Rule or a subclass.

    Rules in RULES and subclasses take options as in Python: "ink(0.07, high=0.42)", "my_rules:Afloat(0.6)".
    Rules are combined by "&" (and), "|" (or), "~" (not) and parentheses: "connected & (my_rules:Afloat(0.6) | ~ink)".

    Raises:
        ValueError: The name is unknown, does not lead to a Rule, or has a wrong option.
    """
    as_python = _MODULE.sub(lambda match: match[1] or f"{_OWN}[{match[2]!r}].", name.strip())
    try:
        if _OWN in unicodedata.normalize("NFKC", name):  # Python normalizes identifiers in the same way.
            raise ValueError(f"{_OWN} is reserved")
        return _evaluate(ast.parse(as_python, mode="eval").body)
    except (SyntaxError, TypeError, ValueError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise ValueError(f"unknown rule {name!r}: {reason}; {_known()}") from error


def _evaluate(node: ast.expr) -> Rule:
    """Evaluate an expression; options must be literals, and only subclasses of Rule are called."""
    match node:
        case ast.BinOp(left, ast.BitAnd(), right):
            return _evaluate(left) & _evaluate(right)
        case ast.BinOp(left, ast.BitOr(), right):
            return _evaluate(left) | _evaluate(right)
        case ast.UnaryOp(ast.Invert(), negated):
            return ~_evaluate(negated)
        case ast.Call(called, given, named):
            kind = _find(called)
            if not isinstance(kind, type):
                raise ValueError(f"{_written(called)} is a rule whose options are set; pass options to its class")
            options = {str(option.arg): ast.literal_eval(option.value) for option in named}
            return kind(*map(ast.literal_eval, given), **options)
        case ast.Name(name) if name in RULES:
            return RULES[name]
    found = _find(node)
    return found() if isinstance(found, type) else found


def _find(node: ast.expr) -> Rule | type[Rule]:
    """Find what precedes the options: the class of a rule in RULES, or an attribute of your own module."""
    match node:
        case ast.Name(name) if name in RULES:
            return type(RULES[name])
        case ast.Attribute(ast.Subscript(ast.Name(name), ast.Constant(module)), attribute) if name == _OWN:
            return _load(str(module), attribute)
    raise ValueError(f"{_written(node)} is not a rule")


def _load(module: str, attribute: str) -> Rule | type[Rule]:
    name = f"{module}:{attribute}"
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{name} cannot be loaded: {error}") from error
    kind = found if isinstance(found, type) else type(found)
    if not issubclass(kind, Rule):
        raise ValueError(f"{name} is a {type(found).__name__}, not a reggan.Rule")
    if kind.__hash__ is None:
        raise ValueError(f"{name} is a mutable {kind.__name__}; make it a dataclass(frozen=True)")
    return found  # type: ignore[no-any-return]


def _written(node: ast.expr) -> str:
    """An expression as the user wrote it."""
    return re.sub(rf"{_OWN}\['(.*?)'\]\.", r"\1:", ast.unparse(node))


def _known() -> str:
    return (
        f"known rules: {', '.join(RULES)}, combined by &, | and ~; your own is package.module:attribute, or a class "
        "with options, package.module:Class(3)"
    )


def repair(
    images: Array,
    rule: Rule | str = "connected",
    *,
    method: str | None = None,
    seed: int = 0,
    budget: int = 20_000,
    explain: bool = False,
    threads: int | None = None,
) -> Repaired[Array]:
    """Edit images until they obey a rule, with few changed pixels.

    By default a search edits the images, `reggan.repair_by_search`; it takes any rule, and changes the fewest pixels.
    It may fail within its budget: then the image comes back with a score below 1. Images that obey come back as they
    are.

    Args:
        images: uint8 (N, H, W), (N, 1, H, W) or (H, W), white paper 255: a NumPy array, a torch tensor or any object
            with DLPack. Methods of `connected` other than "search" take all images that `reggan.score` takes.
        rule: A rule, or its name.
        method: "search", or a faster method of the rule: "slide", "erase" or "bridge" of `connected`, as in
            `reggan.repair_connected`. Rules of a product that have the method use it, and a search follows. None is the
            first of `rule.known_methods()`.
        seed: Seed of a search.
        budget: The most proposals of a search for an image.
        explain: Whether `edits` of the result say what changed, about 0.1 ms an edit.
        threads: Maximum number of threads; None is all cores.

    Raises:
        TypeError, ValueError: For other images or options.
    """
    found = resolve_rule(rule) if isinstance(rule, str) else rule
    if not isinstance(found, Rule):
        raise TypeError(f"rule is {found!r}, but must be a reggan.Rule, such as reggan.Connected(), or its name")
    given: tuple[Any, Any] = on_host(images)
    array, wrap = given
    is_single = array.ndim == 2
    if not (is_single or array.ndim == 3 or (array.ndim == 4 and array.shape[1] == 1)):
        raise ValueError(f"images have shape {array.shape}, but must be (N, H, W), (N, 1, H, W) or (H, W)")
    batch = array.reshape(1 if is_single else len(array), *array.shape[-2:])
    checked_scores(found, batch)
    repaired = found.repair(batch, method=method, seed=seed, budget=budget, threads=threads)
    edits = None
    if explain:
        connectivity = next((each.connectivity for each in found.factors if hasattr(each, "connectivity")), 4)
        edits = edits_between(batch, repaired.images, threshold=threshold_of(found), connectivity=connectivity)
    results: list[Any] = [repaired.images.reshape(array.shape), repaired.changed, repaired.scores]
    if is_single:
        results[1:] = [result.reshape(()) for result in results[1:]]
    wrapped = results if wrap is None else list(map(wrap, results))
    return Repaired(wrapped[0], wrapped[1], wrapped[2], edits)
