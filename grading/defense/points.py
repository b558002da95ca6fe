"""The points of the pictures: the student's own models, and those of others that were measured under the same conditions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grading.defense.types import BASELINE, Point, Work
from grading.errors import GradingError
from grading.results.files import read_grade
from grading.results.store import slot_from_json
from projectkit.types import Measurement

MACHINE_BOUND = ("latency_p50", "latency_p90", "peak_memory", "energy")


@dataclass(frozen=True, slots=True)
class Other:
    """A model of the class: who made it, on which hidden data and machine it was measured."""

    student: str
    hidden: str
    device: str
    values: dict[str, Measurement]


def class_models(folders: Sequence[Path]) -> tuple[Other, ...]:
    """Every model that `grading run --out` measured in these folders. Raises GradingError when one holds no results."""
    found = []
    for folder in folders:
        files = sorted((folder / "results").glob("*.json"))
        if not files:
            raise GradingError(
                f"--class {folder}: no results/*.json, expected a folder that `grading run --out` wrote. Check it."
            )
        for file in files:
            grade = read_grade(file)
            for raw in grade.measured.get("slots", {}).values():
                profile = slot_from_json(raw).profile
                found.append(Other(grade.student, grade.digests.get("hidden", ""), profile.device, dict(profile.values)))
    return tuple(found)


def models_of(works: Sequence[Work]) -> tuple[Other, ...]:
    """The models of this run's projects, baselines left out: they are not what anybody puts forward."""
    return tuple(
        Other(work.student, work.hidden, slot.profile.device, dict(slot.profile.values))
        for work in works
        for name, slot in work.slots.items()
        if name != BASELINE
    )


def points_of(work: Work, others: Sequence[Other]) -> tuple[tuple[Point, ...], int]:
    """(the points for this project, how many models were left out because their hidden data are others).

    Accuracies on other data are not comparable and times of another machine neither: the latter are taken away from a point.
    """
    own = [
        Point("baseline" if name == BASELINE else "own", name, slot.profile.values, slot.profile.device)
        for name, slot in work.slots.items()
    ]
    strangers = [other for other in others if other.student != work.student]
    comparable = [other for other in strangers if work.hidden and other.hidden == work.hidden]
    for other in comparable:
        same = other.device == work.device
        values = {metric: value for metric, value in other.values.items() if same or metric not in MACHINE_BOUND}
        own.append(Point("class", "", values, other.device))
    return tuple(own), len(strangers) - len(comparable)
