"""The tables of a rubric that say how a model is probed: under attack, on corrupted images, on images out of distribution."""

from grading.rubrics.fields import FieldError, kind, only, text
from grading.types import Attack, Corruption, Ood
from projectkit.data import LOADERS
from projectkit.metrics import QUALITY_METRICS

TABLES = ("attack", "corruption", "ood")
# What each table is for.
METRICS_OF = {table: tuple(name for name, metric in QUALITY_METRICS.items() if metric.probe == table) for table in TABLES}
MOST_IMAGES = 10_000
LEAST_QUERIES, MOST_QUERIES = 10, 5000


def probes_of(section: dict, where: str, dataset: str, metrics: set[str]) -> dict[str, Attack | Corruption | Ood]:
    """The tables of a scale by name, those that are there. Raises FieldError for a field that makes no sense, for a table that no
    check asks for, and for a check whose table is missing."""
    for name, needing in METRICS_OF.items():
        asked = [metric for metric in needing if metric in metrics]
        if asked and name not in section:
            raise FieldError(f"{where} has a check of {asked[0]}, but no table {name} that says how to measure it.")
        if name in section and not asked:
            raise FieldError(f"{where} has a table {name}, but no check of {' or '.join(needing)}.")
    readers = {"attack": _attack, "corruption": _corruption, "ood": lambda table, where: _ood(table, where, dataset)}
    return {name: readers[name](section[name], f"{where[:-1]}.{name}]") for name in TABLES if name in section}


def _attack(table: dict, where: str) -> Attack:
    only(table, {"epsilon", "queries", "images"}, where)
    kind(table.get("epsilon"), float, f"{where} epsilon")
    if not 0 < table["epsilon"] <= 1:
        raise FieldError(f"{where} epsilon is {table['epsilon']}, expected a number above 0 and at most 1, as the pixels are.")
    queries = _count(table, "queries", where, LEAST_QUERIES, MOST_QUERIES)
    return Attack(float(table["epsilon"]), queries, **_images(table, where))


def _corruption(table: dict, where: str) -> Corruption:
    from projectkit.robustness.corruptions import COMMON, CORRUPTIONS, SEVERITIES

    only(table, {"kinds", "severities", "images"}, where)
    kinds = _some(table, "kinds", where, COMMON, tuple(CORRUPTIONS))
    severities = _some(table, "severities", where, SEVERITIES, SEVERITIES)
    return Corruption(kinds, severities, **_images(table, where))


def _ood(table: dict, where: str, dataset: str) -> Ood:
    only(table, {"dataset", "images"}, where)
    other = text(table, "dataset", where)
    if other not in LOADERS or other == dataset:
        known = ", ".join(name for name in LOADERS if name != dataset)
        raise FieldError(f"{where} dataset is {other!r}, expected another dataset than that of the scale: {known}.")
    return Ood(other, **_images(table, where))


def _some(table: dict, name: str, where: str, default: tuple, known: tuple) -> tuple:
    """A list of some of `known`, none twice."""
    values = table.get(name, list(default))
    if not isinstance(values, list) or not values or any(isinstance(value, bool) or value not in known for value in values):
        raise FieldError(f"{where} {name} is {values!r}, expected a list of some of {', '.join(map(str, known))}.")
    if len(set(values)) < len(values):
        raise FieldError(f"{where} {name} names one of {values!r} twice.")
    return tuple(values)


def _images(table: dict, where: str) -> dict[str, int]:
    return {"images": _count(table, "images", where, 1, MOST_IMAGES)} if "images" in table else {}


def _count(table: dict, name: str, where: str, least: int, most: int) -> int:
    kind(table.get(name), int, f"{where} {name}")
    if not least <= table[name] <= most:
        raise FieldError(f"{where} {name} is {table[name]}, expected a whole number from {least} to {most}.")
    return table[name]
