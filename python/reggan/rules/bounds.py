"""Bounds of counts in images that obey a rule, and rules that no image obeys together, as their bounds show."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple, Protocol

__all__ = ["Bounds", "Count", "holes", "intersect", "pieces", "pixels", "unite", "why_impossible"]


class Count(NamedTuple):
    """Something to count in an image."""

    name: str
    """What is counted, such as "pieces of {} ink"."""
    foreground: str
    level: float
    """The gray that parts dark from light."""
    connectivity: int = 4
    periodic: bool = False

    @classmethod
    def of(cls, name: str, rule: Any) -> Count:
        """A count of the ink that a rule reads."""
        level = rule.threshold if rule.foreground == "light" else 1 - rule.threshold
        return cls(name, rule.foreground, level, getattr(rule, "connectivity", 4), getattr(rule, "periodic", False))

    @property
    def of_paper(self) -> Count:
        """The same count of the other part of the image, with the connectivity that is dual to this one."""
        other = {"dark": "light", "light": "dark"}[self.foreground]
        return self._replace(foreground=other, connectivity=12 - self.connectivity)

    def __str__(self) -> str:
        return self.name.format(self.foreground)


Bounds = dict[Count, tuple[float, float]]
"""The least and the greatest value of counts in images that obey a rule, both included."""


class Bounded(Protocol):
    """What `why_impossible` needs of a rule."""

    @property
    def factors(self) -> Sequence[Bounded]:
        """The rules of a product."""

    def bounds(self, area: int) -> Bounds:
        """What images of `area` pixels that obey have in common."""


def pixels(rule: Any, area: int, least: float, most: float = math.inf) -> Bounds:
    """Bounds of the number of ink pixels."""
    # Connectivity and border do not matter, and the other pixels are paper.
    count = Count.of("{} pixels", rule)._replace(connectivity=4, periodic=False)
    other = count.of_paper._replace(connectivity=4)
    return {count: (least, min(most, area)), other: (max(area - most, 0), area - least)}


def pieces(rule: Any, least: float, most: float) -> Bounds:
    """Bounds of the number of pieces of ink."""
    return {Count.of("pieces of {} ink", rule): (least, most)}


def holes(rule: Any, least: float, most: float) -> Bounds:
    """Bounds of the number of holes; each is a piece of paper."""
    count = Count.of("holes in {} ink", rule)
    paper = count.of_paper._replace(name="pieces of {} ink")
    return {count: (least, most), paper: (least, math.inf)}


def intersect(one: Bounds, other: Bounds) -> Bounds:
    """Bounds of images that obey both rules; of a count that they cannot have, the least is above the greatest."""
    everything = (-math.inf, math.inf)
    found: Bounds = {}
    for count in one | other:
        (low, high), (least, most) = one.get(count, everything), other.get(count, everything)
        found[count] = max(low, least), min(high, most)
    return found


def unite(one: Bounds, other: Bounds) -> Bounds:
    """Bounds of images that obey one of two rules."""
    if is_empty(one) or is_empty(other):
        return other if is_empty(one) else one
    return {
        count: (min(one[count][0], other[count][0]), max(one[count][1], other[count][1]))
        for count in one.keys() & other
    }


def is_empty(bounds: Bounds) -> bool:
    """Whether no image has such counts."""
    return any(low > high for low, high in bounds.values())


def why_impossible(rule: Bounded, area: int) -> str:
    """Why no image of `area` pixels obeys a rule; empty if nothing is known against it."""
    bounds = [(factor, factor.bounds(area)) for factor in rule.factors]
    for factor, found in bounds:
        if is_empty(found):
            return f"no image of {area:,} pixels obeys {_short(factor)}"
    for (one, first), (other, second) in combinations(bounds, 2):
        for count, (low, high) in intersect(first, second).items():
            if low > high:
                needs = f"the one needs {_range(*first[count])}, the other {_range(*second[count])} {count}"
                return f"no image obeys both {_short(one)} and {_short(other)}: {needs}"
    return ""


def _range(low: float, high: float) -> str:
    if low == high:
        return f"exactly {low:g}"
    if high == math.inf:
        return f"at least {low:g}"
    return f"at most {high:g}" if low <= 0 else f"{low:g} to {high:g}"


def _short(rule: Any) -> str:
    """A rule with those of its options that are not the defaults."""
    if not dataclasses.is_dataclass(rule):
        return str(rule)
    given = ((field.name, getattr(rule, field.name), field.default) for field in dataclasses.fields(rule))
    options = ", ".join(f"{name}={value!r}" for name, value, default in given if value != default)
    return f"{type(rule).__name__}({options})"
