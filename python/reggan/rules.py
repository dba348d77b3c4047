"""Rules: a batch of images in, exact scores in [0, 1] out, with the classes that a classifier learns them by.

A rule needs no gradient. The first one, `connected`, is the score of RegGAN (arXiv 2102.04593, section 3.1). Rules
compose: `Connected() & Ink(0.1, 0.4)`, or on the command line "connected & ink(0.1, 0.4)", also with rules of your own:
"connected & my_rules:Bridge(width=3)".
"""

from __future__ import annotations

import ast
import importlib
import math
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .scoring import analyze, ink_mask, score

__all__ = [
    "RULES",
    "Connected",
    "Ink",
    "Product",
    "Rule",
    "Solid",
    "Symmetric",
    "check_rule",
    "darkest",
    "resolve_rule",
]

TENTHS = tuple((2 * k + 1) / 20 for k in range(10))
"""Edges of the 11 classes round(10 s), rounding half up: 0.05, 0.15, ..., 0.95."""

_BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))
"""The highest score of an image that does not obey."""

_ROUNDING = 1e-3
"""How far apart the scores of an image in uint8 and in float32 may be, for rules that compute with grays."""


def darkest(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """What rules see of images: gray ones (N, H, W) as they are, of RGB (N, 3, H, W) the darkest channel, (N, H, W)."""
    return images.min(axis=1) if images.ndim == 4 else images


def _check_pixels(threshold: float, connectivity: int = 4) -> None:
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}, must be from 0 to 1")
    if connectivity not in (4, 8):
        raise ValueError(f"connectivity is {connectivity}, must be 4 or 8")


def _rounded(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Scores of at most 1, as float32, which is 1 only where they reach it."""
    return np.where(scores < 1, np.minimum(scores.astype(np.float32), _BELOW_ONE), np.float32(1))


class Rule(ABC):
    """What the samples must obey: scores in [0, 1], 1 where an image obeys the rule entirely.

    `edges` bin the scores: class k holds the scores with edges[k - 1] <= s < edges[k], so that n edges make
    n + 1 classes. The default is the paper's labels, round(10 s) with halves rounded up.
    """

    edges: tuple[float, ...] = TENTHS

    @abstractmethod
    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Score images (N, H, W), white paper 1.0 or 255, exactly: float32 (N,) in [0, 1].

        An image has the same score as uint8 and as float; `reggan.ink_mask` gives the ink of both.
        """

    @property
    def classes(self) -> int:
        """Number of score classes."""
        return len(self.edges) + 1

    @property
    def values(self) -> npt.NDArray[np.float32]:
        """The score that each class stands for, (classes,): k / (classes - 1), which is right of tenths."""
        return np.linspace(0, 1, self.classes, dtype=np.float32)

    def classify(self, scores: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Classes (N,) of scores (N,); the comparison with the edges is made in float32, as scores are."""
        edges = np.asarray(self.edges, np.float32)
        return np.searchsorted(edges, np.asarray(scores, np.float32), side="right").astype(np.int64)

    def __and__(self, other: Rule) -> Rule:
        """Both rules at once: the product of their scores, in the classes of the first."""
        return Product(self, other)


@dataclass(frozen=True)
class Connected(Rule):
    """All ink is one piece: pixels of the largest component over all ink pixels; 0 for the empty image."""

    threshold: float = 0.5
    connectivity: int = 4

    def __post_init__(self) -> None:
        _check_pixels(self.threshold, self.connectivity)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Exact score of each image (N, H, W), float32 (N,)."""
        return score(images, threshold=self.threshold, connectivity=self.connectivity)


@dataclass(frozen=True)
class Ink(Rule):
    """The share of ink pixels is from `low` to `high`: 1 there, and falling to 0 at an empty and at a full image.

    By itself hardly worth a training, but a bound for other rules: a single dot is connected, too.
    """

    low: float = 0.07
    high: float = 0.42
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(f"ink is from {self.low} to {self.high}, must be from 0 up to 1")
        _check_pixels(self.threshold)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Share / low below the range, (1 - share) / (1 - high) above it, float32 (N,)."""
        area = analyze(images, threshold=self.threshold, fields=("area",)).area
        share = area / math.prod(images.shape[-2:])
        below = share / self.low if self.low else np.ones_like(share)
        above = (1 - share) / (1 - self.high) if self.high < 1 else np.ones_like(share)
        return _rounded(np.minimum(below, above))


@dataclass(frozen=True)
class Solid(Rule):
    """No holes: 1 / (1 + holes), paper that the ink encloses; 0 for the empty image, which has nothing to be solid."""

    edges = (0.22, 0.29, 0.42, 0.75)
    """Classes of four holes and more, three, two, one, and none."""

    threshold: float = 0.5
    connectivity: int = 4

    def __post_init__(self) -> None:
        _check_pixels(self.threshold, self.connectivity)

    @property
    def values(self) -> npt.NDArray[np.float32]:
        """The scores of four holes, three, two, one, and none."""
        return np.array([1 / (1 + holes) for holes in (4, 3, 2, 1, 0)], np.float32)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Exact score of each image (N, H, W), float32 (N,)."""
        found = analyze(images, threshold=self.threshold, connectivity=self.connectivity, fields=("holes", "area"))
        return np.where(found.area > 0, 1 / (1 + found.holes), 0).astype(np.float32)


@dataclass(frozen=True)
class Symmetric(Rule):
    """The ink is its own mirror image, left to right: ink that both have over ink that either has, 1 from `overlap` on.

    0 for the empty image. With an overlap of 1 every single pixel has its mirror image.
    """

    overlap: float = 0.8
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.overlap <= 1:
            raise ValueError(f"overlap is {self.overlap}, must be above 0 and at most 1")
        _check_pixels(self.threshold)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Common over either, divided by the overlap and at most 1, float32 (N,)."""
        ink = ink_mask(images, threshold=self.threshold)
        mirrored = ink[..., ::-1]
        common, either = (np.count_nonzero(pixels, axis=(-2, -1)) for pixels in (ink & mirrored, ink | mirrored))
        scores: npt.NDArray[np.float64] = common / np.maximum(either, 1) / self.overlap
        return _rounded(scores)


@dataclass(frozen=True)
class Product(Rule):
    """Two rules at once, by the product of their scores; the classes are those of the first."""

    first: Rule
    second: Rule

    @property
    def edges(self) -> tuple[float, ...]:  # type: ignore[override]
        """Edges of the first rule."""
        return self.first.edges

    @property
    def values(self) -> npt.NDArray[np.float32]:
        """Values of the first rule's classes."""
        return self.first.values

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Product of both scores, float32 (N,)."""
        return self.first(images) * self.second(images)


RULES: dict[str, Rule] = {
    "connected": Connected(),
    "ink": Ink(),
    "solid": Solid(),
    "symmetric": Symmetric(),
}


_MODULE = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|([^\s&(){}\[\]"',=:]*):(?=[^\W\d])""")
"""The module of a rule of your own, with its colon; or a text, which may hold a colon."""


def resolve_rule(name: str) -> Rule:
    """Find a rule by its name in RULES, or one of your own as "package.module:attribute": a rule, or a class of rules.

    Options are given as in Python, to rules of RULES and to classes: "ink(0.07, high=0.42)", "my_rules:Bridge(3)".
    "&" joins rules: "connected & my_rules:Bridge(3) & ink".

    Raises:
        ValueError: the name is not in the table, what it leads to is not a Rule, or an option is wrong.
    """
    as_python = _MODULE.sub(lambda found: found[1] or f"own[{found[2]!r}].", name.strip())
    try:
        return _evaluate(ast.parse(as_python, mode="eval").body)
    except (SyntaxError, TypeError, ValueError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise ValueError(f"unknown rule {name!r}: {reason}; {_known()}") from error


def _evaluate(node: ast.expr) -> Rule:
    """The rule that an expression stands for; options are literals, and nothing but a rule's class is ever called."""
    match node:
        case ast.BinOp(left, ast.BitAnd(), right):
            return _evaluate(left) & _evaluate(right)
        case ast.Call(called, given, named):
            kind = _find(called)
            if not isinstance(kind, type):
                raise ValueError(f"{_written(called)} is a rule with its options set; give options to its class")
            options = {str(option.arg): ast.literal_eval(option.value) for option in named}
            return kind(*map(ast.literal_eval, given), **options)
        case ast.Name(name) if name in RULES:
            return RULES[name]
    found = _find(node)
    return found() if isinstance(found, type) else found


def _find(node: ast.expr) -> Rule | type[Rule]:
    """What stands before the options: the class of a rule in RULES, or what a module of your own has by that name."""
    match node:
        case ast.Name(name) if name in RULES:
            return type(RULES[name])
        case ast.Attribute(ast.Subscript(ast.Name("own"), ast.Constant(module)), attribute):
            return _load(str(module), attribute)
    raise ValueError(f"{_written(node)} is no rule")


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
        raise ValueError(f"{name} is a {kind.__name__} that may change; make it a dataclass(frozen=True)")
    return found  # type: ignore[no-any-return]


def _written(node: ast.expr) -> str:
    """An expression as it was given."""
    return re.sub(r"own\['(.*?)'\]\.", r"\1:", ast.unparse(node))


def _known() -> str:
    return (
        f"known rules: {', '.join(RULES)}, joined by &; your own is package.module:attribute, or a class with its "
        "options, package.module:Class(3)"
    )


def check_rule(rule: Rule, size: int) -> None:
    """Try a rule on white paper, on ink alone and on noise, of `size` pixels on a side: a training would trip over it.

    Raises:
        ValueError: what it gives are no scores, or others for float32 images than for the same ones in uint8.
    """
    # No usual threshold is one of these grays, where rounding to float32 would move pixels across it.
    noise = np.random.default_rng(0).choice(np.array([0, 37, 101, 158, 219, 255], np.uint8), (size, size))
    images = np.stack([np.full_like(noise, 255), np.zeros_like(noise), noise])
    whole, real = _scores(rule, images), _scores(rule, images.astype(np.float32) / 255)
    if np.abs(whole - real).max() > _ROUNDING:
        raise ValueError(
            f"the rule {rule} gives {whole.tolist()} of white, black and noise in uint8, and {real.tolist()} of the "
            "same in float32, must be equal: white paper is 255 or 1.0; reggan.ink_mask gives the ink of both"
        )


def _scores(rule: Rule, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Scores of white, black and noise, or a ValueError."""
    given: Any = rule(images)
    if not isinstance(given, np.ndarray) or (given.shape, given.dtype) != ((3,), np.dtype(np.float32)):
        found = f"{given.dtype} {given.shape}" if isinstance(given, np.ndarray) else f"a {type(given).__name__}"
        raise ValueError(f"the rule {rule} gives {found} of 3 images, must be float32 (3,)")
    if not ((given >= 0) & (given <= 1)).all():
        raise ValueError(f"the rule {rule} gives {given.tolist()} of white, black and noise, must be from 0 to 1")
    return given
