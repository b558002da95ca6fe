"""What an instructor may want to look at: a sentence and the names. A flag never changes points."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from grading.points.copies import Copy, copies
from grading.points.doubts import doubts
from grading.points.names import one_name
from grading.types import CONTRADICTED, HELD, Grade
from projectkit.measure import format_value
from projectkit.metrics import METRICS
from projectkit.types import Z95, Submission

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
    """One name in several files, one submission in several files; equal models, weights or answers under different students;
    claims far from what was measured; models that are good on public images only, or know test or hidden images better than
    validation images; trials of a study that came out otherwise when they were trained again."""
    return (
        *names(grades),
        *_submissions(grades),
        *_shared(grades, "same model", _models, "the same model file for {what}"),
        *(_weights(copy) for copy in copies(grades) if len({model.sha256 for model in copy.models}) > 1),
        *_shared(grades, "same answers", _answers, "the same answer to {what}, although their inputs differ"),
        *(flag for grade in grades for flag in _trials(grade)),
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


def content_digest(submission: Submission) -> str:
    """SHA-256 of what is handed in for one lab, whoever's name stands on it and however it is packed; "" for nothing."""
    models = {slot: artifact.sha256 for slot, artifact in submission.artifacts.items()}
    answers = answer_digests(submission.answers)
    if not models and not answers and submission.study is None:
        return ""
    held = f"{submission.lab} {submission.scale} {sorted(models.items())} {sorted(answers.items())} {submission.study}"
    return hashlib.sha256(held.encode()).hexdigest()


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


def names(grades: Sequence[Grade]) -> Iterable[Flag]:
    """Anybody can write a name into a manifest, so that a second file in one name may be another's."""
    for group in one_name(grades):
        if len({grade.digests.get("content") for grade in group}) > 1:
            files = tuple(grade.file for grade in group)
            yield Flag(
                "one name",
                files,
                f"{group[0].student} stands in {len(files)} files for {group[0].lab} that differ. The one that came first counts "
                "until you choose another with --counts FILE.",
            )


def _submissions(grades: Sequence[Grade]) -> Iterable[Flag]:
    owners: dict[str, list[Grade]] = {}
    for grade in grades:
        if grade.digests.get("content"):
            owners.setdefault(grade.digests["content"], []).append(grade)
    for group in owners.values():
        if len(group) > 1:
            students = list(dict.fromkeys(grade.student for grade in group))
            names = f"in the name{'s' if len(students) > 1 else ''} of {' and '.join(students)}"
            yield Flag(
                "same submission",
                tuple(grade.file for grade in group),
                f"One submission for {group[0].lab} was handed in as {len(group)} files, {names}.",
            )


def _weights(copy: Copy) -> Flag:
    slots = list(dict.fromkeys(model.slot for model in copy.models))
    students = list(dict.fromkeys(model.student for model in copy.models))
    how = "the same weights" if copy.exact else "weights that are the same but for rounding"
    part = "" if copy.share > 0.995 else f"{how} in {100 * copy.share:.0f} % or more"
    files = tuple(dict.fromkeys(model.file for model in copy.models))
    sentence = f"{' and '.join(students)} handed in {part or how} for {' and '.join(slots)}, in files that differ."
    return Flag("same weights", files, sentence)


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


def _trials(grade: Grade) -> Iterable[Flag]:
    if grade.recheck is None or grade.recheck.status == HELD:
        return
    contradicted = grade.recheck.status == CONTRADICTED
    how = (
        "contradicted when trials were trained again"
        if contradicted
        else "not checked by training trials again, no point changed"
    )
    sentence = f"{grade.student}: the study was {how}: {grade.recheck.sentence}."
    yield Flag("trials", (grade.file,), sentence)


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
