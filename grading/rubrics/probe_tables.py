"""The tables of a rubric that say how a model is probed: under attack, on corrupted images, on images out of distribution."""

from typing import NamedTuple, TypeVar

from grading.toml_fields import FieldError, Table, kind, only, text
from grading.types import Attack, Corruption, Ood
from projectkit.data import LOADERS
from projectkit.metrics import QUALITY_METRICS

TABLES = ("attack", "corruption", "ood")
# What each table is for.
METRICS_OF = {table: tuple(name for name, metric in QUALITY_METRICS.items() if metric.probe == table) for table in TABLES}
MOST_IMAGES = 10_000
Known = TypeVar("Known", str, int)
LEAST_QUERIES, MOST_QUERIES = 10, 5000


class ProbeTables(NamedTuple):
    """The tables by name; None for one that is not there."""

    attack: Attack | None
    corruption: Corruption | None
    ood: Ood | None


def probes_of(section: Table, where: str, dataset: str, metrics: set[str]) -> ProbeTables:
    """The tables of a scale. Raises FieldError for a field that makes no sense, for a table that no
    check asks for, and for a check whose table is missing."""
    for name, needing in METRICS_OF.items():
        asked = [metric for metric in needing if metric in metrics]
        if asked and name not in section:
            raise FieldError(f"{where} has a check of {asked[0]}, but no table {name} that says how to measure it.")
        if name in section and not asked:
            raise FieldError(f"{where} has a table {name}, but no check of {' or '.join(needing)}.")
    attack, corruption, ood = (f"{where[:-1]}.{name}]" for name in TABLES)
    return ProbeTables(
        _attack(section["attack"], attack) if "attack" in section else None,
        _corruption(section["corruption"], corruption) if "corruption" in section else None,
        _ood(section["ood"], ood, dataset) if "ood" in section else None,
    )


def _attack(table: Table, where: str) -> Attack:
    only(table, {"epsilon", "queries", "images"}, where)
    kind(table.get("epsilon"), float, f"{where} epsilon")
    if not 0 < table["epsilon"] <= 1:
        raise FieldError(f"{where} epsilon is {table['epsilon']}, expected a number above 0 and at most 1, as the pixels are.")
    queries = _count(table, "queries", where, LEAST_QUERIES, MOST_QUERIES)
    return Attack(float(table["epsilon"]), queries, **_images(table, where))


def _corruption(table: Table, where: str) -> Corruption:
    from projectkit.robustness.corruptions import COMMON, CORRUPTIONS, SEVERITIES

    only(table, {"kinds", "severities", "images"}, where)
    kinds = _some(table, "kinds", where, COMMON, tuple(CORRUPTIONS))
    severities = _some(table, "severities", where, SEVERITIES, SEVERITIES)
    return Corruption(kinds, severities, **_images(table, where))


def _ood(table: Table, where: str, dataset: str) -> Ood:
    only(table, {"dataset", "images"}, where)
    other = text(table, "dataset", where)
    if other not in LOADERS or other == dataset:
        known = ", ".join(name for name in LOADERS if name != dataset)
        raise FieldError(f"{where} dataset is {other!r}, expected another dataset than that of the scale: {known}.")
    return Ood(other, **_images(table, where))


def _some(table: Table, name: str, where: str, default: tuple[Known, ...], known: tuple[Known, ...]) -> tuple[Known, ...]:
    """A list of some of `known`, none twice."""
    values = table.get(name, list(default))
    if not isinstance(values, list) or not values or any(isinstance(value, bool) or value not in known for value in values):
        raise FieldError(f"{where} {name} is {values!r}, expected a list of some of {', '.join(map(str, known))}.")
    if len(set(values)) < len(values):
        raise FieldError(f"{where} {name} names one of {values!r} twice.")
    return tuple(values)


def _images(table: Table, where: str) -> dict[str, int]:
    return {"images": _count(table, "images", where, 1, MOST_IMAGES)} if "images" in table else {}


def _count(table: Table, name: str, where: str, least: int, most: int) -> int:
    kind(table.get(name), int, f"{where} {name}")
    if not least <= table[name] <= most:
        raise FieldError(f"{where} {name} is {table[name]}, expected a whole number from {least} to {most}.")
    count: int = table[name]
    return count
