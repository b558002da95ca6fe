"""Fields of a TOML file that an instructor has written (rubrics, score sheets, schemes), each checked before it is used."""

import math
from collections.abc import Mapping
from typing import Any

Table = Mapping[str, Any]  # of a TOML file; `text` and `kind` look at what is in a field


class FieldError(Exception):
    """What is wrong in the file; becomes a GradingError with the file's name."""


def only(table: object, allowed: set[str], where: str) -> Table:
    """The table. Raises FieldError unless it is one with no other fields than those allowed."""
    if not isinstance(table, dict):
        raise FieldError(f"{where} is not a table.")
    if set(table) - allowed:
        unknown = ", ".join(sorted(set(table) - allowed))
        raise FieldError(f"{where} has the unknown fields {unknown}, expected {', '.join(sorted(allowed))}.")
    return table


def text(table: Table, name: str, where: str) -> str:
    """The field `name`. Raises FieldError unless it is a printable text that is not empty."""
    value = table.get(name)
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise FieldError(f"{where}: {name} is {value!r}, expected a text.")
    return value.strip()


def kind(value: object, wanted: type, where: str) -> None:
    """Raises FieldError unless `value` is of this type; a float may be any finite number, and no number is a truth value."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    good = number if wanted is float else number and isinstance(value, int) if wanted is int else isinstance(value, wanted)
    if not good:
        raise FieldError(f"{where} is {value!r}, expected {'a finite number' if wanted is float else wanted.__name__}.")
