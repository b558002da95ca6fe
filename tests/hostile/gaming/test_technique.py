"""What a lab's models earn is for its technique: plain networks and tables of public images earn half of it at most."""

from pathlib import Path

import lookup
import pytest
import technique

from grading.engine import Options, grade
from grading.rubrics.loading import RUBRICS, load_rubric
from projectkit.submit import pack
from rubrics_by_hand import unoptimized_model

HALF = 0.5
QUICK = ("l03_structured_pruning",)  # the others in `make proofs`
LABS = sorted(path.stem for path in RUBRICS.glob("*.toml") if path.stem != "l04_supermasks")  # whose files hold no weights


def handed_in(folder: Path, lab: str, number: int, by_slot: dict[str, Path]) -> None:
    pack(folder / f"s{number}.zip", student=f"s{number}@example.edu", lab=lab, artifacts=by_slot, answers={})


@pytest.mark.parametrize("lab", [pytest.param(lab, marks=() if lab in QUICK else pytest.mark.proof) for lab in LABS])
def test_without_the_technique_half_of_the_points_is_all(lab, tmp_path):
    rubric, folder = load_rubric(lab, "quick"), tmp_path / "submissions"
    folder.mkdir()
    forms = {slot: rubric.formats.get(slot) for slot in rubric.slots}
    names = ["the baseline"]
    handed_in(folder, lab, 0, {slot: unoptimized_model(slot, rubric, tmp_path) for slot in rubric.slots})
    for maker, kinds in ((technique.write, technique.PLAIN.get(lab, {})), (lookup.write, {name: name for name in lookup.TABLES})):
        for name, kind in kinds.items():
            own = tmp_path / str(len(names))
            own.mkdir()
            files = {form: maker(kind, own, form) for form in set(forms.values())}
            handed_in(folder, lab, len(names), {slot: files[form] for slot, form in forms.items()})
            names.append(name)

    grades = {grade.student.partition("@")[0]: grade for grade in grade(folder, tmp_path / "out", Options("quick", "a salt"))}

    possible = sum(check.points for check in rubric.checks if check.slot)
    earned = {name: grades[f"s{number}"].score for number, name in enumerate(names)}
    print(lab, {name: f"{points:.1f} of {possible:.0f}" for name, points in earned.items()})
    lines = [verdict.message for number in range(len(names)) for verdict in grades[f"s{number}"].verdicts if verdict.check.slot]
    assert all(grade.error is None for grade in grades.values())
    assert max(earned.values()) <= HALF * possible, "\n".join([str(earned), *lines])
