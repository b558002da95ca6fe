"""Everything hostile and broken in one batch with honest submissions, graded once by the command that an instructor types."""

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from grading.workers import sandbox
from hostile_submissions import EVERYTHING, all_cases, write
from rubrics_by_hand import rubric

CASES = {case.name: case for case in all_cases()}
RUBRIC = rubric(
    "l01_quantization",
    "Hostile",
    [
        {"id": "lite", "slot": "lite", "metric": "accuracy", "floor": 0.5, "target": 0.8, "gate": True},
        {"id": "lite_size", "slot": "lite", "metric": "size", "floor": 1000000, "target": 100000},
        {"id": "onnx", "slot": "onnx", "metric": "accuracy", "floor": 0.5, "target": 0.8, "gate": True},
        {"id": "onnx_size", "slot": "onnx", "metric": "size", "floor": 1000000, "target": 100000},
        {"id": "affine", "exercise": "affine", "metric": "answer", "floor": 0.5, "target": 1.0},
    ],
    seconds=6,
    memory=3000000000,
    budget=0.02,
)


@pytest.fixture(scope="module", params=["bubblewrap", "fallback"])
def batch(request, tmp_path_factory):
    """Grades all cases once, with bubblewrap and with no sandbox but what the kernel gives a child. Gives the folder of results,
    the finished process, and the files before and after."""
    if request.param == "bubblewrap" and sandbox.protections().kind != sandbox.BUBBLEWRAP:
        pytest.skip("bubblewrap does not work here")
    root = tmp_path_factory.mktemp("hostile")
    write(root / "submissions", list(CASES.values()))
    (root / "course" / "rubrics").mkdir(parents=True)
    (root / "course" / "rubrics" / "l01_quantization.toml").write_text(RUBRIC)
    (root / "temporary").mkdir()
    before, fallback = snapshot(root), request.param == "fallback"
    command = [sys.executable, "-m", "grading", "run", str(root / "submissions"), "--out", str(root / "out")]
    done = subprocess.run(
        [*command, "--rubrics", str(root / "course" / "rubrics"), "--salt", "pepper"],
        capture_output=True,
        text=True,
        env=os.environ | {"TMPDIR": str(root / "temporary"), "COLUMNS": "200"} | ({"PATH": ""} if fallback else {}),
        cwd=root,
    )
    return root / "out", done, before, snapshot(root)


def snapshot(root: Path) -> dict[str, int]:
    """Every file outside `out` and its size."""
    files = [path for path in root.rglob("*") if not path.is_relative_to(root / "out")]
    return {str(path.relative_to(root)): path.lstat().st_size for path in files if not path.is_dir()}


def result(batch, name: str) -> dict:
    return json.loads((batch[0] / "results" / f"{name}.json").read_text())


def points(graded: dict, subject: str) -> float:
    return sum(v["points"] for v in graded["verdicts"] if subject in (v["check"]["slot"], v["check"]["exercise"]))


def test_the_grader_exits_0_and_writes_only_into_its_output_folder(batch):
    out, done, before, after = batch
    assert done.returncode == 0, done.stderr[-2000:]
    assert after == before
    assert not list(Path(tempfile.gettempdir()).glob("evil*"))
    assert len(list((out / "results").glob("*.html"))) == len(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_bad_part_gets_a_sentence_and_no_points_and_spoils_nothing_else(batch, name):
    case, graded = CASES[name], result(batch, name)
    assert graded["ours"] is False, graded["error"]
    for subject in case.spoils:
        assert points(graded, subject) == 0
    if not name.startswith("flipped"):
        for subject in set(EVERYTHING) - set(case.spoils):
            assert points(graded, subject) == (10 if subject == "affine" else 20), [v["message"] for v in graded["verdicts"]]
    told = [graded["error"] or "", *(v["message"] for v in graded["verdicts"] if v["status"] != "full")]
    assert not case.says or any(case.says in sentence for sentence in told), told
    assert not case.spoils or all(told_of(graded, subject) for subject in case.spoils)


def told_of(graded: dict, subject: str) -> bool:
    """Whether there is a sentence for what was spoilt."""
    if graded["error"]:
        return graded["error"].endswith(".")
    return all(len(v["message"]) > 20 for v in graded["verdicts"] if subject in (v["check"]["slot"], v["check"]["exercise"]))


def test_the_table_holds_every_file_and_no_formula(batch):
    with (batch[0] / "grades.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert sorted(row["file"] for row in rows) == sorted(f"{name}.zip" for name in CASES)
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert [row for row in rows if row["student"].startswith("'=cmd")]


def test_student_text_is_escaped_in_every_page(batch):
    pages = [path.read_text() for path in batch[0].rglob("*.html")]
    assert not [page for page in pages if "<img" in page or "<b>=1" in page]
    assert [page for page in pages if "&lt;img src=x onerror=alert(1)&gt;" in page]


def test_claims_earn_nothing(batch):
    assert result(batch, "claims_everything")["score"] == result(batch, "honest_1")["score"]
