"""Repair by search: images are edited until they obey any rule, or product of rules, with few changed pixels.

A search proposes edits of the mask where something stands in the way of the rule: it widens or removes what is narrow,
joins, erases or slides pieces, fills or opens holes, mirrors parts, adds and takes ink. It accepts what brings the rule
nearer or costs fewer changed pixels, and for a while also what is a little worse (simulated annealing). Then it takes
back what it can while the image still obeys, and derives the grays of changed pixels from those of the sample.

Rules that define `terms` and their products are scored in Rust, a few microseconds a proposal. For any other rule, all
images propose, the rule scores the batch in one call, and all searches take their scores. On a torus, proposals are
made in a frame whose corner is anywhere.
"""

from __future__ import annotations

import math
import operator
from dataclasses import replace
from functools import reduce
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from reggan import _core

from ._arrays import check_sides, check_threads, integer
from .repairing import Repaired

__all__ = ["Searchable", "Term", "repair_by_search", "threshold_of"]

Term = tuple[str, tuple[float, ...]]
"""A built-in rule as the core knows it: its name and its numbers."""


class Searchable(Protocol):
    """What a search needs of a rule: see `reggan.rules.Rule`."""

    @property
    def factors(self) -> tuple[Searchable, ...]:
        """The rules of a product."""

    def terms(self, area: int) -> tuple[Term, ...]:
        """The rule as the core knows it."""

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Exact scores."""


def repair_by_search(
    images: npt.NDArray[np.uint8],
    rule: Searchable,
    *,
    seed: int = 0,
    budget: int = 20_000,
    threads: int | None = None,
) -> Repaired[npt.NDArray[Any]]:
    """Edit images until they obey the rule.

    Changed are pixels that became ink or paper. Around them, grays follow the blur of the sample without crossing the
    threshold. Images that obey come back as they are. An image for which `budget` proposals do not suffice comes back
    as the best mask that was found, with its score below 1, which is never below its former score.

    The result for an image depends on its pixels, the rule, the seed and the budget; not on the other images, its place
    among them, or `threads`.

    Args:
        images: uint8 (N, H, W), white paper 255.
        rule: Any rule. Of a product, the factors that are not built in are scored in Python, once a round.
        seed: Of the random streams, from 0 to 2^64 - 1.
        budget: The most proposals for an image, at least 1, without those that take changes back.
        threads: Maximum number of threads; None is all cores.

    Raises:
        TypeError, ValueError: For other images or options, or a threshold of 0, at which every pixel is ink.
    """
    samples = _checked(images)
    if all(getattr(factor, "foreground", "dark") == "light" for factor in rule.factors):
        # The core edits dark ink.
        negative = reduce(operator.and_, (replace(factor, foreground="dark") for factor in rule.factors))  # type: ignore[type-var]
        found = repair_by_search(255 - samples, negative, seed=seed, budget=budget, threads=threads)
        return Repaired(255 - found.images, found.changed, found.scores)
    if not len(samples):
        return Repaired(samples.copy(), np.zeros(0, np.int32), np.zeros(0, np.float32))
    terms, threshold, others = _split(rule, samples.shape[1] * samples.shape[2])
    effort = (_within("seed", seed, 0, 2**64 - 1), _within("budget", budget, 1, 2**32 - 1))
    threads = check_threads(threads)
    repaired, changed = np.empty_like(samples), np.empty(len(samples), np.int32)
    if others:
        _search_together(samples, others, _core.Searches(samples, terms, threshold, effort, threads), repaired, changed)
    else:
        _core.repair_by_search(samples, repaired, changed, terms, threshold, effort, threads)
    scores = np.asarray(rule(repaired), np.float32)
    failed = np.flatnonzero(scores < 1)
    if len(failed):
        # The measures that steer a search are not the score: what it found may be worse than the sample.
        former = np.asarray(rule(samples[failed]), np.float32)
        worse = failed[former >= scores[failed]]
        repaired[worse], changed[worse] = samples[worse], 0
        scores[failed] = np.maximum(former, scores[failed])
    return Repaired(repaired, changed, scores)


def _checked(images: Any) -> npt.NDArray[np.uint8]:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        given = images.dtype if isinstance(images, np.ndarray) else type(images).__name__
        raise TypeError(f"images are {given}, but must be a uint8 array (N, H, W)")
    if images.ndim != 3:
        raise ValueError(f"images have shape {images.shape}, but must be (N, H, W)")
    check_sides(*images.shape[1:])
    return np.ascontiguousarray(images)


def _within(name: str, given: Any, low: int, high: int) -> int:
    value = integer(name, given)
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}, but must be from {low} to {high}")
    return value


def _search_together(
    samples: npt.NDArray[np.uint8],
    others: list[Searchable],
    searches: _core.Searches,
    repaired: npt.NDArray[np.uint8],
    changed: npt.NDArray[np.int32],
) -> None:
    """Run searches in lockstep, scoring their proposals by the rules that the core does not know."""
    proposals, active = samples.copy(), np.empty(len(samples), np.uint8)
    scores = np.zeros(len(samples), np.float32)
    while True:
        searches.propose(proposals, active)
        going = np.flatnonzero(active)
        if not len(going):
            break
        batch = proposals[going]
        scores[going] = math.prod(np.asarray(rule(batch), np.float32) for rule in others)
        searches.judge(active, scores)
    searches.finish(repaired, changed)


def _split(rule: Searchable, area: int) -> tuple[list[Term], float, list[Searchable]]:
    """The terms that the core knows, their threshold, and the other factors of the rule."""
    terms: list[Term] = []
    others: list[Searchable] = []
    threshold = threshold_of(rule)
    for factor in rule.factors:
        # The core reads dark ink. A subclass may score otherwise than the built-in rule whose terms it inherits.
        is_dark = getattr(factor, "foreground", "dark") == "dark"
        found = factor.terms(area) if is_dark and "terms" in vars(type(factor)) else ()
        # A search has one mask, so a factor with another threshold is scored in Python.
        if found and getattr(factor, "threshold", threshold) == threshold:
            terms += [(name, tuple(map(float, numbers))) for name, numbers in found]
        else:
            others.append(factor)
    # Cheap ones first: they can rule a proposal out.
    cheap = ("ink", "symmetric", "bridge", "slot", "connected", "torus", "pieces", "solid", "holes", "path")
    terms.sort(key=lambda term: cheap.index(term[0]))
    return terms, threshold, others


def threshold_of(rule: Searchable) -> float:
    """The threshold of ink of the first factor that has one, else 0.5."""
    return next((float(factor.threshold) for factor in rule.factors if hasattr(factor, "threshold")), 0.5)
