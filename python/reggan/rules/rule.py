"""What a rule is: exact scores, classes of scores, a repair; and rules combined by and, or and not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .._arrays import choice, integer
from ..repairing import Repaired
from ..scoring import ink_mask
from ..searching import Term, repair_by_search, threshold_of
from .bounds import Bounds, intersect, unite, why_impossible

__all__ = [
    "Either",
    "Not",
    "Product",
    "Rule",
    "check_counts",
    "check_pixels",
    "check_rule",
    "checked_scores",
    "min_channel",
    "repair_samples",
    "rounded",
]

TENTHS = tuple((2 * k + 1) / 20 for k in range(10))
"""Edges of the 11 classes round(10 s), rounding half up: 0.05, 0.15, ..., 0.95."""

_BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))
"""The highest score of an image that does not obey its rule."""

_ROUNDING = 1e-3
"""Allowed difference between the scores of an image in uint8 and in float32, for rules that compute with grays."""


def min_channel(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The gray images (N, H, W) that rules score: the darkest channel of RGB (N, 3, H, W); gray images unchanged."""
    return images.min(axis=1) if images.ndim == 4 else images


def check_pixels(threshold: float, connectivity: int = 4, foreground: str = "dark") -> None:
    """Check the options by which rules read pixels."""
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}, but must be from 0 to 1")
    choice("foreground", foreground, ("dark", "light"))
    if integer("connectivity", connectivity, "4 or 8") not in (4, 8):
        raise ValueError(f"connectivity is {connectivity}, but must be 4 or 8")


def check_counts(least: int, **counts: int) -> None:
    """Check options that are integers of at least `least`."""
    for name, given in counts.items():
        if integer(name, given, f"an integer of at least {least}") < least:
            raise ValueError(f"{name} is {given}, but must be an integer of at least {least}")


def rounded(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Convert scores of at most 1 to float32 without rounding any up to 1."""
    return np.where(scores < 1, np.minimum(scores.astype(np.float32), _BELOW_ONE), np.float32(1))


class Rule(ABC):
    """Scores images from 0 to 1; an image obeys the rule if its score is 1.

    `edges` bin the scores: class k holds the scores with edges[k - 1] <= s < edges[k], so n edges make n + 1 classes.
    The default is the labels of RegGAN's paper, round(10 s) with halves rounded up; to learn a rule that keeps it,
    classifiers make classes of the scores that occur.
    """

    edges: tuple[float, ...] = TENTHS

    methods: ClassVar[tuple[str, ...]] = ("search",)
    """Methods of repair, the default first: "search", and those of `repair_by`. Subclasses do not inherit them."""

    @abstractmethod
    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Score images (N, H, W), white paper 1.0 or 255, exactly: float32 (N,) in [0, 1].

        An image must have the same score in uint8 and in float; `reggan.ink_mask` gives the ink of both.
        """

    @property
    def has_classes(self) -> bool:
        """Whether the rule defines `edges` of its own."""
        return any("edges" in vars(owner) for owner in (self, *type(self).__mro__) if owner is not Rule)

    @property
    def classes(self) -> int:
        """Number of score classes."""
        return len(self.edges) + 1

    @property
    def values(self) -> npt.NDArray[np.float32]:
        """The score that each class represents, (classes,): k / (classes - 1), which fits the default edges."""
        return np.linspace(0, 1, self.classes, dtype=np.float32)

    def classify(self, scores: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Classes (N,) of scores (N,), compared with the edges in float32."""
        edges = np.asarray(self.edges, np.float32)
        return np.searchsorted(edges, np.asarray(scores, np.float32), side="right").astype(np.int64)

    @property
    def factors(self) -> tuple[Rule, ...]:
        """The rules of a product; of other rules, the rule itself."""
        return (self,)

    def bounds(self, area: int) -> Bounds:
        """Counts of images of `area` pixels that obey, to warn of rules that no image obeys together.

        A subclass that scores otherwise must define it again.
        """
        return {}

    def warn(self, area: int) -> str:
        """A warning if no image of `area` pixels can obey, as far as `bounds` show it; else an empty string."""
        return why_impossible(self, area)

    def terms(self, area: int) -> tuple[Term, ...]:
        """The rule as the search in Rust knows it, for images of `area` pixels; empty if only Python can score it."""
        return ()

    @property
    def discs(self) -> tuple[int, int]:
        """Diameters of discs in pixels: what is dark, and what is light, must not be narrower; 1 for any width.

        Dark is ink at the threshold 0.5. The recipe `repair` clears its samples of what is narrower.
        """
        return 1, 1

    def repair(
        self,
        images: npt.NDArray[np.uint8],
        *,
        method: str | None = None,
        seed: int = 0,
        budget: int = 20_000,
        threads: int | None = None,
    ) -> Repaired[npt.NDArray[Any]]:
        """Edit images (N, H, W) until they obey, with few changed pixels: `reggan.repair` describes the options."""
        chosen = self.check_method(method)
        if chosen == "search":
            return repair_by_search(images, self, seed=seed, budget=budget, threads=threads)
        return self.repair_by(chosen, images, threads)

    def repair_by(self, method: str, images: npt.NDArray[np.uint8], threads: int | None) -> Repaired[npt.NDArray[Any]]:
        """Repair uint8 images (N, H, W) by one of `methods` other than "search"."""
        raise NotImplementedError(f"{type(self).__name__} lists {method!r} in methods, but defines no repair_by")

    def known_methods(self) -> tuple[str, ...]:
        """The methods of repair that this rule has, the default first."""
        # A subclass may score otherwise than the rule whose methods it would inherit.
        known: tuple[str, ...] = vars(type(self)).get("methods", Rule.methods)
        return known

    def check_method(self, method: str | None) -> str:
        """Return this method of repair, for None the default; a ValueError if the rule has no such method."""
        known = self.known_methods()
        if method is not None and method not in known:
            raise ValueError(f"method is {method!r}, must be one of {', '.join(known)} to repair {self}")
        return method or known[0]

    def method_for_data(self) -> str:
        """The method for images to learn from: the first other than search, which keeps their look better."""
        return next((name for name in self.known_methods() if name != "search"), "search")

    def __and__(self, other: Rule) -> Rule:
        return Product(self, other)

    def __or__(self, other: Rule) -> Rule:
        return Either(self, other)

    def __invert__(self) -> Rule:
        return Not(self)


@dataclass(frozen=True)
class Product(Rule):
    """Both rules at once: the product of their scores."""

    first: Rule
    second: Rule

    @property
    def factors(self) -> tuple[Rule, ...]:
        return (*self.first.factors, *self.second.factors)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        return self.first(images) * self.second(images)

    @property
    def discs(self) -> tuple[int, int]:
        (dark, light), (darker, lighter) = self.first.discs, self.second.discs
        return max(dark, darker), max(light, lighter)

    def bounds(self, area: int) -> Bounds:
        return intersect(self.first.bounds(area), self.second.bounds(area))

    def known_methods(self) -> tuple[str, ...]:
        """The search, and the methods of the factors."""
        return tuple(dict.fromkeys(("search", *(name for factor in self.factors for name in factor.known_methods()))))

    def repair(
        self,
        images: npt.NDArray[np.uint8],
        *,
        method: str | None = None,
        seed: int = 0,
        budget: int = 20_000,
        threads: int | None = None,
    ) -> Repaired[npt.NDArray[Any]]:
        """Repair by the factors that have this method, one after the other; then search where the product still fails.

        A search alone changes fewer pixels.
        """
        chosen, begun = self.check_method(method), images
        for factor in self.factors:
            if chosen != "search" and chosen in factor.known_methods():
                begun = factor.repair(begun, method=chosen, threads=threads).images
        found = repair_by_search(begun, self, seed=seed, budget=budget, threads=threads)
        if begun is images:
            return found
        former, scores = self(images), found.scores
        is_worse = (former >= scores)[:, None, None]
        repaired = np.where(is_worse, images, found.images)
        before, after = (ink_mask(each, threshold=threshold_of(self)) for each in (images, repaired))
        changed = (before != after).sum(axis=(1, 2), dtype=np.int32)
        return Repaired(repaired, changed, np.maximum(former, scores))


@dataclass(frozen=True)
class Either(Rule):
    """One of two rules, or both: the higher score."""

    first: Rule
    second: Rule

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        return np.maximum(self.first(images), self.second(images))

    def bounds(self, area: int) -> Bounds:
        return unite(self.first.bounds(area), self.second.bounds(area))

    def repair(
        self,
        images: npt.NDArray[np.uint8],
        *,
        method: str | None = None,
        seed: int = 0,
        budget: int = 20_000,
        threads: int | None = None,
    ) -> Repaired[npt.NDArray[Any]]:
        """Repair by each rule, and keep the better result; of equal ones, that with fewer changes."""
        self.check_method(method)
        one, other = (
            rule.repair(images, method="search", seed=seed, budget=budget, threads=threads)
            for rule in (self.first, self.second)
        )
        # What one rule could not repair may obey the other by chance, but never scores less than was found.
        is_other = (other.scores > one.scores) | ((other.scores == one.scores) & (other.changed < one.changed))
        repaired = np.where(is_other[:, None, None], other.images, one.images)
        changed = np.where(is_other, other.changed, one.changed)
        obeys = self(images) >= 1
        repaired[obeys], changed[obeys] = images[obeys], 0
        return Repaired(repaired, changed, self(repaired))


@dataclass(frozen=True)
class Not(Rule):
    """The rule is not obeyed: 1 if its score is below 1, and else 0."""

    edges = (0.5,)
    """Classes: obeys the rule, and does not."""

    rule: Rule

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        return (self.rule(images) < 1).astype(np.float32)


def repair_samples(
    rule: Rule, images: npt.NDArray[np.uint8], *, method: str | None = None, seed: int = 0
) -> Repaired[npt.NDArray[Any]]:
    """Repair uint8 images (N, H, W), or RGB (N, 3, H, W) by their darkest channel.

    RGB pixels that become lighter lose ink of all channels in proportion; those that become darker are scaled, so that
    white paper becomes gray ink.
    """
    if images.ndim == 3:
        return rule.repair(images, method=method, seed=seed)
    before = min_channel(images)
    repaired = rule.repair(before, method=method, seed=seed)
    old, new = (gray[:, None].astype(np.float64) for gray in (before, repaired.images))
    lighter = 255 - (255 - images) * ((255 - new) / np.maximum(255 - old, 1))
    darker = images * (new / np.maximum(old, 1))
    colored = np.where(new == old, images, np.rint(np.where(new > old, lighter, darker))).astype(np.uint8)
    return Repaired(colored, repaired.changed, repaired.scores)


def check_rule(rule: Rule, size: int | tuple[int, ...]) -> None:
    """Try a rule on a white, a black and a noise image before a training depends on it.

    `size` is one side or (height, width).

    Raises:
        ValueError: Its results are not scores, or differ between uint8 and float32 images.
    """
    sides = (size, size) if isinstance(size, int) else size
    # None of these grays is a common threshold, so that rounding to float32 does not move a pixel across it.
    noise = np.random.default_rng(0).choice(np.array([0, 37, 101, 158, 219, 255], np.uint8), sides)
    images = np.stack([np.full_like(noise, 255), np.zeros_like(noise), noise])
    whole, real = _tried_scores(rule, images), _tried_scores(rule, images.astype(np.float32) / 255)
    if np.abs(whole - real).max() > _ROUNDING:
        raise ValueError(
            f"the rule {rule} scores white, black and noise {whole.tolist()} in uint8, but {real.tolist()} in float32; "
            "both must be equal, with white paper 255 or 1.0; reggan.ink_mask gives the ink of both"
        )


def checked_scores(rule: Rule, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Scores (N,) of images (N, H, W); a ValueError if the rule returns anything but float32 (N,) in [0, 1]."""
    return _checked(rule, rule(images), len(images))


def _checked(rule: Rule, scores: Any, count: int) -> npt.NDArray[np.float32]:
    if not isinstance(scores, np.ndarray) or (scores.shape, scores.dtype) != ((count,), np.dtype(np.float32)):
        found = f"{scores.dtype} {scores.shape}" if isinstance(scores, np.ndarray) else f"a {type(scores).__name__}"
        raise ValueError(f"the rule {rule} returns {found} for {count} images, but must return float32 ({count},)")
    wrong = ~((scores >= 0) & (scores <= 1))
    if wrong.any():
        raise ValueError(f"the rule {rule} scores an image {scores[wrong][0]}, but must score from 0 to 1")
    return scores


def _tried_scores(rule: Rule, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Scores of white, black and noise, or a ValueError."""
    try:
        scores = rule(images)
    except Exception as error:  # Users' rules can fail in any way.
        raise ValueError(
            f"the rule {rule} fails on {images.dtype} images: {error!r}; it must accept uint8 and float32, and "
            "reggan.ink_mask gives the ink of both"
        ) from error
    return _checked(rule, scores, len(images))
