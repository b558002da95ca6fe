"""What makes a single submission doubtful: files that are no work of the lab. Sentences for the instructor, which change nothing.

The limits are from the kept references, plain networks of every lab and tables of 50 to 1797 public images, on digits. All
answers right: of the networks none, of the tables those of 200 images or more. Likeness to the answers of the nearest public
images: networks up to 0.82, of which those that were trained on attacked images have most; tables from 0.86. The same runner-up:
networks up to 0.64, tables from 0.57, those of more than half of the images from 0.76.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from grading.hidden.data import ORIGINS
from grading.types import Grade, StoredSlot
from projectkit.measure import format_value

REFERENCES = Path(__file__).parent.parent / "reference" / "weights.json"
LIKE_A_TABLE, SAME_RUNNER_UP = 0.855, 0.72
LEAST_IMAGES = 200  # of which a network that has learned them gets one wrong

Doubt = tuple[str, str]  # the kind of the flag and its sentence


def doubts(grade: Grade) -> Iterator[Doubt]:
    """The doubts about one submission."""
    slots = grade.measured.get("slots", {})
    yield from _one_file_twice(grade, slots)
    yield from _handed_out(grade, slots)
    for slot, measured in slots.items():
        yield from _looked_up(grade, slot, measured)


def _one_file_twice(grade: Grade, slots: Mapping[str, StoredSlot]) -> Iterator[Doubt]:
    holders: dict[tuple[str, ...], list[str]] = {}
    for slot, measured in slots.items():
        own = tuple(sorted(one["exact"] for one in measured["weights"]))
        holders.setdefault(own or (measured["profile"]["artifact"]["sha256"],), []).append(slot)
    for names in holders.values():
        if len(names) > 1:
            yield "one file twice", f"{grade.student} handed in the same network for {' and '.join(names)}."


def _handed_out(grade: Grade, slots: Mapping[str, StoredSlot]) -> Iterator[Doubt]:
    """Training is repeatable on machines of one kind: who follows a lab to the letter may have its reference's weights."""
    started, known = [], []
    for slot, measured in slots.items():
        own = {one["exact"] for one in measured["weights"]}
        if measured["as_started"] or measured["profile"]["artifact"]["sha256"] == grade.digests.get("baseline"):
            started.append(slot)
        elif own and own <= _of_references().get(grade.lab, frozenset()):
            known.append(slot)
    if started:
        yield "start network", f"{grade.student} handed in the network that the lab starts with, as it was: {', '.join(started)}."
    if known:
        yield (
            "reference",
            f"{grade.student} handed in the weights of the lab's reference: {', '.join(known)}. Who has followed the lab to the "
            "letter, on a machine of the same kind, may have them honestly.",
        )


def _looked_up(grade: Grade, slot: str, measured: StoredSlot) -> Iterator[Doubt]:
    accuracy = measured["profile"]["values"].get("accuracy")
    if accuracy and accuracy["value"] == 1 and accuracy["n"] >= LEAST_IMAGES:
        yield (
            "too good",
            f"{grade.student}: {slot} answers all {accuracy['n']} hidden images rightly, which no network of the labs does.",
        )
    found = measured["looked_up"]
    if not found:
        return
    likeness, runner_up = found["likeness"]["value"], found["runner_up"]["value"]
    if likeness >= LIKE_A_TABLE or runner_up >= SAME_RUNNER_UP:
        yield (
            "table of images",
            f"{grade.student}: {slot} answers like a table of public images: its answers for the wrong classes correlate by "
            f"{likeness:.2f} with those of the nearest images, and its second choice is theirs in "
            f"{format_value('accuracy', runner_up)}.",
        )


@lru_cache(maxsize=1)
def _of_references() -> Mapping[str, frozenset[str]]:
    """lab → the exact names of its reference's constants, as `make references` has written them."""
    if not REFERENCES.is_file():
        return {}
    found: dict[str, list[str]] = json.loads(REFERENCES.read_text(encoding="utf-8"))
    return {lab: frozenset(names) for lab, names in found.items()}


def remarks_of_the_run(grades: Sequence[Grade]) -> Iterator[str]:
    """A sentence for each lab whose hidden images are public ones that were altered: once a run, and no doubt about anybody."""
    for lab in sorted({grade.lab for grade in grades if ORIGINS["altered"] in grade.conditions.get("Hidden images", "")}):
        yield (
            f"{lab}: the hidden images are public test images, which the salt has altered a little; a table of public images "
            "answers them well. Images of your own (--data) exist nowhere else."
        )
