"""Options: frozen dataclasses that pydantic checks, with errors of one line, and options by their path."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from typing import Any, TypeVar, dataclass_transform

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

__all__ = ["check", "flatten", "load_object", "options", "template"]

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def options(cls: type[T]) -> type[T]:
    """Make a class a frozen dataclass whose fields are checked: a ValueError says "width is 0, must be ..."."""
    made = dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))(cls)
    build, names = made.__init__, [field.name for field in dataclasses.fields(made)]

    @functools.wraps(build)
    def checked(self: Any, *args: Any, **named: Any) -> None:
        if len(args) > len(names):
            raise TypeError(f"{cls.__name__} takes {len(names)} options, and {len(args)} are given")
        try:
            first = dict(zip(names, args, strict=False))  # With their names, for the errors.
            build(self, **_plain(first), **_plain(named))
        except ValidationError as error:
            raise ValueError(_explain(error)) from error

    made.__init__ = checked  # type: ignore[method-assign]
    return made  # type: ignore[return-value]


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Options with Python's numbers in place of NumPy's."""
    return {name: value.item() if isinstance(value, np.number) else value for name, value in options.items()}


def check(kind: type[T], raw: object) -> T:
    """Build options from JSON data.

    Raises:
        ValueError: a field is missing, unknown, of a wrong type or out of range; names the field.
    """
    try:
        # JSON data have no tuples, which strict Python data need.
        return TypeAdapter(kind).validate_json(_dump(raw))
    except ValidationError as error:
        raise ValueError(_explain(error)) from error


def _dump(raw: object) -> bytes:
    return TypeAdapter(Any).dump_json(raw)


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    name, kind, given = ".".join(map(str, first["loc"])) or "the configuration", first["type"], first["input"]
    match kind:
        case "unexpected_keyword_argument":
            return f"unknown option {name}"
        case "missing":
            return f"{name} is missing"
        case "value_error":
            return first["msg"].removeprefix("Value error, ")
        case "union_tag_invalid":
            return f"{name}.kind is {first['ctx']['tag']!r}, must be one of {first['ctx']['expected_tags']}"
    return f"{name} is {given!r}, {first['msg'].replace('Input should be', 'must be')}"


def template(cls: type[T], **values: object) -> T:
    """Options that are not checked: defaults for the command line, which checks what it makes of them."""
    made = object.__new__(cls)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        value = values.get(field.name, field.default)
        if value is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
            value = field.default_factory()
        object.__setattr__(made, field.name, value)
    return made


def flatten(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Name the leaves of nested dicts by their path: {"recipe": {"width": 24}} is {"recipe.width": 24}."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        deeper = isinstance(value, dict) and value
        flat |= flatten(value, f"{prefix}{key}.") if deeper else {f"{prefix}{key}": value}
    return flat


def load_object(name: str, kind: type[T], what: str) -> T | type[T]:
    """An object of your own, or a class, by "package.module:Name".

    Raises:
        ValueError: there is no such module or name, or it is neither a `kind` nor a class of it.
    """
    module, _, attribute = name.partition(":")
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{name!r} is not a {what}; your own is package.module:Name: {error}") from error
    if not issubclass(found if isinstance(found, type) else type(found), kind):
        raise ValueError(f"{name} is a {type(found).__name__}, must be a reggan {kind.__name__}")
    return found  # type: ignore[no-any-return]
