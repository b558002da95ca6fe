"""results.json against Gradescope's published fields, written down here independently of the code."""

import json

import pytest
import typer
from typer.testing import CliRunner

from grading.results.files import write_grade
from grading.results.gradescope import register, results
from grading.types import Check, Grade, Verdict

VISIBILITY = {"hidden", "after_due_date", "after_published", "visible"}
FORMATS = {"text", "simple_format", "html", "md", "ansi"}
NUMBER, TEXT = (int, float), str
TOP = {
    "score": NUMBER,
    "execution_time": NUMBER,
    "output": TEXT,
    "output_format": FORMATS,
    "test_output_format": FORMATS,
    "test_name_format": FORMATS,
    "visibility": VISIBILITY,
    "stdout_visibility": VISIBILITY,
    "extra_data": dict,
    "tests": list,
    "leaderboard": list,
}
TEST = {
    "score": NUMBER,
    "max_score": NUMBER,
    "status": {"passed", "failed"},
    "name": TEXT,
    "name_format": FORMATS,
    "number": TEXT,
    "output": TEXT,
    "output_format": FORMATS,
    "tags": list,
    "visibility": VISIBILITY,
    "extra_data": dict,
}


def conforms(value, schema):
    assert set(value) <= set(schema)
    for name, kind in schema.items():
        if name in value:
            assert value[name] in kind if isinstance(kind, set) else isinstance(value[name], kind), name


def verdict(name, slot, points, status, exercise=""):
    check = Check(name, f"<b>{name}</b>", "size", 2, 1, 4.0, slot=slot, exercise=exercise)
    return Verdict(check, status, points, None, "It is <large>.")


def grade(**changes):
    verdicts = (
        verdict("a", "small", 4.0, "full"),
        verdict("b", "small", 1 / 3, "partial"),
        verdict("c", "", 0.0, "fail", "affine"),
    )
    fields = {
        "file": "x.zip",
        "name": "x",
        "student": "Ann",
        "lab": "l00",
        "title": "Lab",
        "scale": "quick",
        "verdicts": verdicts,
    }
    return Grade(**fields | {"digests": {"submission": "0" * 64}, "problems": {"affine": "Too short."}} | changes)


def command(*words):
    app = typer.Typer()
    register(app)
    app.command()(lambda: None)  # with one command alone, typer drops its name
    return CliRunner().invoke(app, ["gradescope", *map(str, words)])


@pytest.mark.parametrize(
    "made", [grade(), grade(verdicts=(), error="No zip.", problems={}), Grade("x", "x", error="?", ours=True)]
)
def test_results_conform_and_agree_with_the_grade(made, tmp_path):
    write_grade(made, tmp_path)
    done = command(tmp_path / "results" / "x.json", "--to", tmp_path / "results.json")
    assert done.exit_code == (1 if made.ours else 0), done.output
    value = json.loads((tmp_path / "results.json").read_text("utf-8"))
    conforms(value, TOP)
    for test in value["tests"]:
        conforms(test, TEST)
        assert 0 <= test["score"] <= test["max_score"]
    assert value["score"] == pytest.approx(made.score, abs=1e-5)
    assert sum(test["score"] for test in value["tests"]) == pytest.approx(made.score, abs=1e-5)
    assert sum(test["max_score"] for test in value["tests"]) == made.possible
    assert (made.error or "Lab") in value["output"]


def test_checks_are_numbered_by_their_subject_and_shown_as_text():
    tests = results(grade())["tests"]
    assert [(test["number"], test["tags"], test["status"]) for test in tests] == [
        ("1.1", ["small"], "passed"),
        ("1.2", ["small"], "failed"),
        ("2.1", ["affine"], "failed"),
    ]
    assert all(test["output_format"] == test["name_format"] == "text" for test in tests)
    assert results(grade())["output"] == "Lab, student Ann. Too short."


def test_what_is_no_result_ends_with_a_sentence(tmp_path):
    (tmp_path / "x.json").write_text("[]")
    done = command(tmp_path / "x.json", "--to", tmp_path / "results.json")
    assert done.exit_code == 2 and "not a result" in done.output and not (tmp_path / "results.json").exists()
