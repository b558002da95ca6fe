"""Which files of different students hold the same numbers, by the constants that their answers are computed from.

Two models are copies when at least half of the values, or half of the constants, of the one that has fewer are in the other. What
many students share is nobody's own and does not count: a start network that is no baseline, a table that every export writes.
Compared across the slots of a lab. Not found: see grading/SECURITY.md.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from grading.types import Grade
from projectkit.measure import Constant, alike

HALF = 0.5
FEW = 5  # students of a lab, from which on a constant that more than half of them have is common
BLOCKS = ((0, 4), (4, 8), (8, 12), (12, 16))  # digits: where three of 64 signs differ, one of four blocks is equal


@dataclass(frozen=True, slots=True)
class Model:
    """One model of one file: its own constants, those that are the baseline's or common left out."""

    file: str
    student: str
    slot: str
    sha256: str
    constants: tuple[Constant, ...]


@dataclass(frozen=True, slots=True)
class Copy:
    """Models of several students that hold the same numbers. `share`: of the values, the least of any two; `exact`: whether all
    are equal to the last bit of a float16."""

    models: tuple[Model, ...]
    share: float
    exact: bool


def copies(grades: Sequence[Grade]) -> list[Copy]:
    """The copies among the models of each lab, in the order of the files."""
    labs: dict[str, list[Model]] = defaultdict(list)
    for grade in grades:
        labs[grade.lab] += _models(grade)
    return [copy for models in labs.values() for copy in _copies(_without_common(models))]


def _models(grade: Grade) -> Iterable[Model]:
    for slot, measured in grade.measured.get("slots", {}).items():
        constants = tuple(Constant(**one) for one in measured["weights"])
        yield Model(grade.file, grade.student, slot, measured["profile"]["artifact"]["sha256"], constants)


def _without_common(models: Sequence[Model]) -> list[Model]:
    students = {model.student for model in models}
    owners: dict[str, set[str]] = defaultdict(set)
    for model in models:
        for constant in model.constants:
            owners[constant.exact].add(model.student)
    common = {exact for exact, of in owners.items() if len(students) >= FEW and len(of) > HALF * len(students)}
    return [
        Model(model.file, model.student, model.slot, model.sha256, own)
        for model in models
        if (own := tuple(one for one in model.constants if one.exact not in common))
    ]


def _copies(models: Sequence[Model]) -> list[Copy]:
    groups = list(range(len(models)))
    found: dict[tuple[int, int], tuple[float, bool]] = {}
    for one, other in sorted(_candidates(models)):
        share, exact = _shared(models[one].constants, models[other].constants)
        if share >= HALF:
            found[one, other] = share, exact
            groups = [groups[one] if group == groups[other] else group for group in groups]
    result = []
    for group in dict.fromkeys(groups):
        members = [index for index, own in enumerate(groups) if own == group]
        pairs = [found[pair] for pair in combinations(members, 2) if pair in found]
        if pairs:
            share, exact = min(share for share, _ in pairs), all(exact for _, exact in pairs)
            result.append(Copy(tuple(models[index] for index in members), share, exact))
    return result


def _candidates(models: Sequence[Model]) -> set[tuple[int, int]]:
    """Pairs of models, of different students, that have a constant of which the names agree in part: so that a class of hundreds
    is not compared each with each."""
    places: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for index, model in enumerate(models):
        for key in {key for constant in model.constants for key in _keys(constant)}:
            places[key].append(index)
    pairs = {pair for indices in places.values() for pair in combinations(indices, 2)}
    return {(one, other) for one, other in pairs if models[one].student != models[other].student}


def _keys(constant: Constant) -> Iterable[tuple[object, ...]]:
    yield (constant.exact,)
    if constant.near:
        yield from ((constant.values, start, constant.near[start:end]) for start, end in BLOCKS)


def _shared(one: Collection[Constant], other: Collection[Constant]) -> tuple[float, bool]:
    """The share of the smaller model that is in the other, by values or by constants, whichever is more; and whether exactly."""
    smaller, larger = sorted((one, other), key=lambda constants: (sum(each.values for each in constants), len(constants)))
    exact = {each.exact for each in larger}
    sizes: Mapping[int, list[Constant]] = defaultdict(list)
    for each in larger:
        sizes[each.values].append(each)
    same = [each for each in smaller if each.exact in exact or any(alike(each, like) for like in sizes[each.values])]
    values = sum(each.values for each in same) / sum(each.values for each in smaller)
    return max(values, len(same) / len(smaller)), all(each.exact in exact for each in same)
