"""Files that are built to look better than they are earn no more than the honest network inside them.

Each module beside this one holds one kind, in a table CHEATS of its own: name → Cheat. A lab's cheats are graded in one run,
beside the honest network, which is the lab's baseline: a network without any of the lab's techniques. Slots that a cheat does not
change hold the honest network, so that two submissions differ in one file only.
"""

import importlib
from pathlib import Path

import pytest
from cheats import Cheat, NotApplicable

from grading.engine import Options, grade
from grading.rubrics.loading import RUBRICS, load_rubric
from projectkit.submit import pack
from rubrics_by_hand import unoptimized_model

OWN = ("cheats", "rewrite", "conftest", Path(__file__).stem)
MODULES = [
    path.stem for path in sorted(Path(__file__).parent.glob("*.py")) if path.stem not in OWN and not path.stem.startswith("test_")
]
CHEATS: dict[str, Cheat] = {
    f"{module}: {name}": cheat for module in MODULES for name, cheat in importlib.import_module(module).CHEATS.items()
}
LABS = sorted(path.stem for path in RUBRICS.glob("*.toml"))
QUICK = ("l02_pruning",)  # the lab of which the most can be cheated; the others in `make proofs`
TIMED = 0.3  # of the points of a latency check may be the noise of timing


@pytest.mark.parametrize("lab", [pytest.param(lab, marks=() if lab in QUICK else pytest.mark.proof) for lab in LABS])
def test_a_cheat_earns_no_more_than_the_network_that_it_holds(lab, tmp_path):
    rubric, folder = load_rubric(lab, "quick"), tmp_path / "submissions"
    folder.mkdir()
    honest = {slot: unoptimized_model(slot, rubric, tmp_path) for slot in rubric.slots}
    pack(folder / "honest.zip", student="honest@example.edu", lab=lab, artifacts=honest, answers={})
    cheats = {}
    for number, (name, cheat) in enumerate(CHEATS.items()):
        own = tmp_path / str(number)
        own.mkdir()
        try:
            changed = {slot: cheat.build(honest[slot], own) for slot in cheat.slots.get(lab, ())}
        except NotApplicable:
            continue
        if changed:
            cheats[f"cheat{number}"] = name
            pack(
                folder / f"cheat{number}.zip",
                student=f"cheat{number}@example.edu",
                lab=lab,
                artifacts=honest | changed,
                answers={},
            )
    if not cheats:
        pytest.skip("no kind could pay in this lab")

    grades = {grade.student.partition("@")[0]: grade for grade in grade(folder, tmp_path / "out", Options("quick", "a salt"))}

    wrong = []
    for student, name in cheats.items():
        for verdict, fair in zip(grades[student].verdicts, grades["honest"].verdicts, strict=True):
            slack = TIMED * fair.check.points if fair.check.metric == "latency_p50" else 1e-9
            if verdict.points > fair.points + slack:
                wrong.append(f"{name}: {fair.check.id} {verdict.points:.1f}, honest {fair.points:.1f} ({verdict.message})")
    assert not wrong, "\n".join(wrong)
