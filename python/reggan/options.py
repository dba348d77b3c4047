"""Options, checked as they are made, and by their names."""

from __future__ import annotations

from typing import Any

__all__ = ["check_ranges", "flatten"]


def check_ranges(options: object, **ranges: tuple[float, float]) -> None:
    """Raise a ValueError that names the first of these attributes that is not within its bounds, and the bounds."""
    for name, (low, high) in ranges.items():
        value = getattr(options, name)
        if not low <= value <= high:
            raise ValueError(f"{name} is {value}, must be from {low} to {high}")


def flatten(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Name the leaves of nested dicts by their path: {"recipe": {"width": 24}} is {"recipe.width": 24}."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        deeper = isinstance(value, dict) and value
        flat |= flatten(value, f"{prefix}{key}.") if deeper else {f"{prefix}{key}": value}
    return flat
