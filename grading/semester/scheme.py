"""Schemes: TOML files whose every field is checked, so that a typing error cannot become a wrong mark.

title = "A course"
pass = 51                      # the least total: percent of the whole, or points in sum

[[component]]
id = "laboratory"
title = "Laboratory"
weight = 35                    # percent of the mark, 100 in sum; or `points` for every component instead
threshold = 51                 # optional; in percent of the component (with `points`: in its points), before rounding
source = "labs"                # optional; "labs": what `grading run` measured, "file" (default): a CSV
drop = 1                       # optional best-of: so many of the lowest items do not count
items = ["l01_quantization"]   # optional; default: every item that anybody in the class has

[[mark]]                       # the lowest begins at 0 and is also what a missed threshold gives; one begins at `pass`
mark = "2.0"
from = 0

[rounding]                     # optional; of the total, before the bands are asked
step = 1                       # to multiples of this
how = "half_up"                # half_up, half_even, up or down

[late]                         # optional
per_day = 10                   # percent of the earned points for each day begun after the deadline
cap = 50                       # at most so many percent
grace_hours = 2                # up to here nothing is taken; beyond it the days count from the deadline

[[late.extension]]             # moves the deadline of one student
student = "ann@example.org"
hours = 48
item = "l01_quantization"      # optional; an item or a component, default all
"""

import re
import tomllib
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from grading.errors import GradingError
from grading.semester.names import key_of
from grading.semester.types import FILE, LABS, Band, Component, Extension, Late, Rounding, Scheme
from grading.toml_fields import FieldError, Table, only, text

SCHEMES = Path(__file__).parent / "schemes"
_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")
LARGEST, DECIMALS = 10**9, 9
HOW = ("half_up", "half_even", "up", "down")


def load_scheme(name: str | Path) -> Scheme:
    """The scheme in the file `name`, or the shipped one of that name. Raises GradingError naming the field that is wrong."""
    path = SCHEMES / f"{name}.toml" if (SCHEMES / f"{name}.toml").is_file() else Path(name)
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in SCHEMES.glob("*.toml")))
        raise GradingError(f"scheme {name}: no such file, expected a TOML file or one of {shipped}. Check the path.")
    try:
        return _scheme(tomllib.loads(path.read_bytes().decode("utf-8-sig"), parse_float=Decimal))
    except (OSError, ValueError, ArithmeticError, RecursionError) as error:
        raise GradingError(f"{path.name}: not readable as TOML ({error}). Correct the file.") from error
    except FieldError as error:
        raise GradingError(f"{path.name}: {error} Correct the file.") from error


def _scheme(table: Table) -> Scheme:
    only(table, {"title", "pass", "component", "mark", "rounding", "late"}, "the file")
    rows = _rows(table, "component")
    points = all("points" in row for row in rows)
    if any(("weight" in row) == points or ("points" in row) != points for row in rows):
        raise FieldError("the components are expected to have either a weight each or points each.")
    components = tuple(_component(row, "points" if points else "weight") for row in rows)
    _once([component.id for component in components], "component id")
    _once([component.title for component in components], "component title")
    whole = sum((component.worth for component in components), Fraction(0))
    if not points and whole != 100:
        raise FieldError(f"the weights come to {float(whole):g}, expected 100 in sum.")
    least = _number(table, "pass", "the file", low=0, high=whole)
    bands = _bands(_rows(table, "mark"), least, whole)
    known = {component.id for component in components} | {item for component in components for item in component.items}
    late = _late(table.get("late", {}), known if all(component.items for component in components) else set())
    return Scheme(text(table, "title", "the file"), points, components, least, bands, _rounding(table.get("rounding", {})), late)


def _component(row: Table, worth: str) -> Component:
    where = f"component {row.get('id', '?')!r}"
    only(row, {"id", "title", worth, "threshold", "source", "drop", "items"}, where)
    if not _ID.fullmatch(text(row, "id", where)):
        raise FieldError(f"{where}: id is {row['id']!r}, expected lower-case letters, digits and _, such as laboratory.")
    value = _number(row, worth, where, low=0)
    if not value:
        raise FieldError(f"{where}: {worth} is 0, expected a positive number.")
    source = row.get("source", FILE)
    if not isinstance(source, str) or source not in (LABS, FILE):
        raise FieldError(f"{where}: source is {source!r}, expected {LABS} or {FILE}.")
    drop, items = row.get("drop", 0), row.get("items", [])
    if not isinstance(drop, int) or isinstance(drop, bool) or drop < 0:
        raise FieldError(f"{where}: drop is {_show(drop)}, expected a whole number, 0 or more.")
    if not isinstance(items, list) or not all(isinstance(item, str) and item.strip() for item in items):
        raise FieldError(f"{where}: items is {items!r}, expected a list of names.")
    _once(items, f"{where}: item")
    if items and drop >= len(items):
        raise FieldError(f"{where}: drop is {drop} of {len(items)} items, expected fewer.")
    threshold = _number(row, "threshold", where, low=0, high=value if worth == "points" else Fraction(100), default=0)
    return Component(text(row, "id", where), text(row, "title", where), value, threshold, source, drop, tuple(items))


def _bands(rows: list[Table], least: Fraction, whole: Fraction) -> tuple[Band, ...]:
    bands = []
    for row in rows:
        where = f"mark {row.get('mark', '?')!r}"
        only(row, {"mark", "from"}, where)
        bands.append(Band(text(row, "mark", where), _number(row, "from", where, low=0, high=whole)))
    _once([band.mark for band in bands], "mark")
    _once([f"{float(band.least):g}" for band in bands], "from of a mark")
    bands.sort(key=lambda band: band.least)
    if bands[0].least != 0:
        raise FieldError(f"the lowest mark begins at {float(bands[0].least):g}, expected 0, so that every total has a mark.")
    if least == 0 or all(band.least != least for band in bands):
        raise FieldError(f"pass is {float(least):g}, expected the number above 0 at which one of the marks begins.")
    return tuple(bands)


def _rounding(given: object) -> Rounding:
    table = only(given, {"step", "how"}, "[rounding]")
    step, how = _number(table, "step", "[rounding]", low=0, default=1), table.get("how", "half_up")
    if not step:
        raise FieldError("[rounding]: step is 0, expected a positive number.")
    if not isinstance(how, str) or how not in HOW:
        raise FieldError(f"[rounding]: how is {how!r}, expected one of {', '.join(HOW)}.")
    return Rounding(step, how)


def _late(given: object, known: set[str]) -> Late:
    """`known`: the names that an extension may be for, where the scheme lists them all."""
    table = only(given, {"per_day", "cap", "grace_hours", "extension"}, "[late]")
    extensions = []
    for row in _rows(table, "extension") if "extension" in table else []:
        where = f"extension of {row.get('student', '?')!r}"
        only(row, {"student", "hours", "item"}, where)
        item = text(row, "item", where) if "item" in row else ""
        if known and item and item not in known:
            raise FieldError(f"{where}: item is {item!r}, expected one of {', '.join(sorted(known))}.")
        extensions.append(Extension(key_of(text(row, "student", where)), _number(row, "hours", where, low=0), item))
    percent = Fraction(100)
    per_day = _number(table, "per_day", "[late]", low=0, high=percent, default=0)
    cap = _number(table, "cap", "[late]", low=0, high=percent, default=100)
    return Late(per_day, cap, _number(table, "grace_hours", "[late]", low=0, default=0), tuple(extensions))


def _rows(table: Table, name: str) -> list[Table]:
    rows = table.get(name)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise FieldError(f"there is no [[{name}]], expected at least one.")
    return rows


def _once(names: list[str], what: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FieldError(f"{what} {', '.join(twice)} is there twice, expected once.")


def _number(table: Table, name: str, where: str, low: int, high: Fraction | None = None, default: int | None = None) -> Fraction:
    value = table.get(name, default)
    exact = _exact(value)
    if exact is None or exact < low or (high is not None and exact > high):
        limits = f"from {low} to {float(high):g}" if high is not None else f"of {low} or more"
        raise FieldError(f"{where}: {name} is {_show(value)}, expected a number {limits}, with at most {DECIMALS} decimals.")
    return exact


def _exact(value: object) -> Fraction | None:
    """The number as a fraction; None for what is no number, is too large or has too many decimals."""
    if not isinstance(value, (int, Decimal)) or isinstance(value, bool):
        return None
    exponent = Decimal(value).as_tuple().exponent  # a letter for what is not finite
    # An exact fraction of 1e-999999 would not fit into memory.
    if not isinstance(exponent, int) or exponent < -DECIMALS or not -LARGEST <= value <= LARGEST:
        return None
    return Fraction(value)


def _show(value: object) -> str:
    return str(value) if isinstance(value, Decimal) else repr(value)
