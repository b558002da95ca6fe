"""What an instructor may want to look at: a sentence and the names. A flag never changes points."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from grading.points.doubts import doubts
from grading.types import Grade
from projectkit.measure import format_value
from projectkit.metrics import METRICS
from projectkit.types import Z95

# Hidden data is harder than a student's own, and machines differ: only a claim beyond both is worth a look. By this factor for
# metrics whose record has no `claim_tolerance`.
FACTOR = 2.0
MEMORIZED = 0.1  # an honest model loses a few points on altered images; one that knows the public ones by heart loses more
# Half intervals: 3.3 standard deviations, reached by chance once in 2000 divisions of a set. Models trained on the 180 test
# images of digits lie beyond it (benchmarks/hidden.py).
KNOWN = 3.3 / Z95


@dataclass(frozen=True, slots=True)
class Flag:
    """One thing to look at: what kind, in which files, and a sentence."""

    kind: str
    files: tuple[str, ...]
    sentence: str


def flags(grades: Sequence[Grade]) -> tuple[Flag, ...]:
    """Equal models or equal answers under different students, claims far from what was measured, models that are good on public
    images only, and models that know test or hidden images better than validation images."""
    same = tuple(_shared(grades, "same model", _models, "the same model file for {what}"))
    known = {flag.files for flag in same}
    weights = _shared(grades, "same weights", _weights, "the same weights for {what}, in files that differ")
    return (
        *same,
        *(flag for flag in weights if flag.files not in known),
        *_shared(grades, "same answers", _answers, "the same answer to {what}, although their inputs differ"),
        *(flag for grade in grades for flag in _claims(grade)),
        *(flag for grade in grades for flag in _memorized(grade)),
        *(flag for grade in grades for flag in _known(grade)),
        *(Flag(kind, (grade.file,), sentence) for grade in grades for kind, sentence in doubts(grade)),
    )


def answer_digests(answers: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, str]:
    """SHA-256 of the values of each exercise's answer, by exercise. Types do not count, values and names do."""
    digests = {}
    for exercise, arrays in answers.items():
        content = hashlib.sha256()
        for name in sorted(arrays):
            values = np.asarray(arrays[name], dtype=np.float64)
            content.update(f"{name}\0{values.shape}\0".encode() + values.tobytes())
        digests[exercise] = content.hexdigest()
    return digests


def _shared(
    grades: Sequence[Grade], kind: str, digests_of: Callable[[Grade], Iterable[tuple[str, str]]], words: str
) -> Iterable[Flag]:
    """A flag for each digest that several students share. One student's own earlier file does not count."""
    owners: dict[tuple[str, str, str], dict[str, list[str]]] = {}
    for grade in grades:
        for what, digest in digests_of(grade):
            owners.setdefault((grade.lab, what, digest), {}).setdefault(grade.student, []).append(grade.file)
    for (_, what, _), by_student in owners.items():
        if len(by_student) > 1:
            files = tuple(file for names in by_student.values() for file in names)
            yield Flag(kind, files, f"{' and '.join(by_student)} handed in {words.format(what=what)}.")


def _models(grade: Grade) -> Iterable[tuple[str, str]]:
    for slot, measured in grade.measured.get("slots", {}).items():
        yield slot, measured["profile"]["artifact"]["sha256"]


def _weights(grade: Grade) -> Iterable[tuple[str, str]]:
    for slot, measured in grade.measured.get("slots", {}).items():
        if measured["weights"]:
            yield slot, f"{measured['profile']['artifact']['format']} {measured['weights']}"


def _answers(grade: Grade) -> Iterable[tuple[str, str]]:
    for name, digest in grade.digests.items():
        if name.startswith("answers/"):
            yield name.removeprefix("answers/"), digest


def _claims(grade: Grade) -> Iterable[Flag]:
    for name, claimed in grade.claims.items():
        slot, _, metric = name.rpartition("/")
        found = grade.measured_of(slot, metric)
        if found is None or metric not in METRICS or not _far(metric, claimed, found["value"]):
            continue
        numbers = [format_value(metric, number) for number in (claimed, found["value"])]
        sentence = f"{grade.student} claims {numbers[0]} for {name}; measured: {numbers[1]}."
        yield Flag("claim", (grade.file,), sentence)


def _memorized(grade: Grade) -> Iterable[Flag]:
    for slot, measured in grade.measured.get("slots", {}).items():
        hidden, plain = measured["profile"]["values"].get("accuracy"), measured["plain"]
        if hidden and plain and plain["value"] - hidden["value"] > MEMORIZED and plain["low"] > hidden["high"]:
            numbers = [format_value("accuracy", found["value"]) for found in (plain, hidden)]
            yield Flag(
                "memorized",
                (grade.file,),
                f"{grade.student}: {slot} reaches {numbers[0]} on public test images, {numbers[1]} on hidden ones.",
            )


def _known(grade: Grade) -> Iterable[Flag]:
    """Trained on test images, or on images made from them: an honest model has seen no more of these than of validation images.
    Who trains on the validation images as well is not found."""
    for slot, measured in grade.measured.get("slots", {}).items():
        for part, found in measured["known"].items():
            if found["value"] - 0.5 > KNOWN * (found["value"] - found["low"]):
                images = "the public test images" if part == "test" else "the hidden images"
                yield Flag(
                    "known images",
                    (grade.file,),
                    f"{grade.student}: {slot} has a smaller loss on {images} than on validation images in "
                    f"{format_value('accuracy', found['value'])} of pairs; where neither was trained on, it is about half.",
                )


def _far(metric: str, claimed: float, measured: float) -> bool:
    tolerance = METRICS[metric].claim_tolerance
    if tolerance is not None:
        return abs(claimed - measured) > tolerance
    low, high = sorted((claimed, measured))
    return low <= 0 < high or (low > 0 and high / low > FACTOR)
