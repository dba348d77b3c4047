"""Options, checked as they are made."""

from __future__ import annotations

__all__ = ["check_ranges"]


def check_ranges(options: object, **ranges: tuple[float, float]) -> None:
    """Raise a ValueError that names the first of these attributes that is not within its bounds, and the bounds."""
    for name, (low, high) in ranges.items():
        value = getattr(options, name)
        if not low <= value <= high:
            raise ValueError(f"{name} is {value}, must be from {low} to {high}")
