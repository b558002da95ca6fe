"""The semester from the grader's own results and lists of scores to the marks, through the command line."""

import csv
import re
from fractions import Fraction
from html import unescape
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from grading.errors import GradingError
from grading.results.files import write_grade, write_overview
from grading.semester.book import make_book, read_sources
from grading.semester.cli import register
from grading.semester.labs import read_labs
from grading.semester.scheme import SCHEMES, load_scheme
from grading.types import Check, Grade, Verdict

LAB = load_scheme("gdansk_tech").components[0]


def lab_grade(file, student, lab, points, error=None):
    """A grade of `points` out of 40, as two checks."""
    checks = [Check(f"c{i}", f"Check {i}", "accuracy", 0.0, 1.0, 20.0, slot="int8") for i in range(2)]
    verdicts = tuple(Verdict(check, "partial", points / 2, None, "measured") for check in checks)
    return Grade(file, Path(file).stem, student, lab, verdicts=() if error else verdicts, error=error)


def write_labs(out, *grades):
    for grade in grades:
        write_grade(grade, out)
    write_overview(grades, out)
    return out


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def course(tmp_path):
    """Ann is good, Bob lacks the colloquy, Çelik's project is misspelt, Dan was refused, =cmd is a student too."""
    first = write_labs(
        tmp_path / "first",
        lab_grade("ann_1.zip", "ann@x.pl", "l01", 40),
        lab_grade("ann_2.zip", "ann@x.pl", "l01", 4),
        lab_grade("bob.zip", "Bob@x.pl", "l01", 20),
        lab_grade("celik.zip", "çelik@x.pl", "l01", 30),
        lab_grade("dan.zip", "dan@x.pl", "l01", 0, error="dan.zip: no model."),
        lab_grade("formula.zip", "=cmd", "l01", 40),
        lab_grade("torn.zip", "", "", 0, error="torn.zip: not a zip."),
    )
    second = write_labs(
        tmp_path / "second",
        lab_grade("a.zip", "ANN@x.pl", "l02", 30),
        lab_grade("b.zip", "bob@x.pl", "l02", 28),
        lab_grade("e.zip", "=cmd", "l02", 40),
    )
    colloquy = write(tmp_path / "colloquy.csv", "student;score", "Ann@X.pl;80,5", "çelik@x.pl;60", "dan@x.pl;70", "'=cmd;100")
    project = write(
        tmp_path / "project.csv", "student,score", "ann@x.pl,90", "bob@x.pl,70", "celik@x.pl,80", "dan@x.pl,80", "=cmd,100"
    )
    return tmp_path, [first, second], {"colloquy": colloquy, "project": project}


@pytest.fixture
def program():
    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)  # one command alone would not be called by its name
    return lambda *words: CliRunner().invoke(app, ["gradebook", *(str(word) for word in words)])


def options(course, scheme="gdansk_tech"):
    folder, labs, files = course
    words = ["--scheme", scheme, "--out", folder / "out"]
    for lab in labs:
        words += ["--labs", lab]
    for name, file in files.items():
        words += ["--component", f"{name}={file}"]
    return words


def test_a_semester_end_to_end(course, program):
    result = program(*options(course))
    assert result.exit_code == 0, result.output
    rows = {row["student"]: row for row in csv.DictReader((course[0] / "out" / "gradebook.csv").open(encoding="utf-8"))}
    # Ann: labs (1 + 0.75) / 2 = 87.5 %; 0.35 · 87.5 + 0.35 · 80.5 + 0.3 · 90 = 85.8
    ann = rows["ann@x.pl"]
    assert (ann["mark"], ann["passed"], ann["total"], ann["rounded"], ann["laboratory"]) == ("4.5", "yes", "85.80", "86", "87.50")
    # Bob: labs (0.5 + 0.7) / 2 = 60 %, no colloquy
    bob = rows["Bob@x.pl"]
    assert (bob["mark"], bob["total"], bob["missing"]) == ("2.0", "42.00", "Colloquy")
    assert "colloquy without a score" in bob["sentence"] and bob["sentence"].endswith("not passed, 2.0.")
    assert rows["çelik@x.pl"]["missing"] == "Laboratory: l02; Project" and rows["celik@x.pl"]["missing"] == "Laboratory; Colloquy"
    assert rows["dan@x.pl"]["laboratory"] == "0.00" and rows["'=cmd"]["mark"] == "5.0" and len(rows) == 6
    out = result.output
    assert "celik@x.pl (Project) and çelik@x.pl (Colloquy, Laboratory): one person, spelt twice?" in out
    assert "first/torn.zip was not graded: torn.zip: not a zip." in out and "dan.zip of dan@x.pl was not graded" in out
    assert "ann_1.zip" not in out and "twice:" not in out  # the grader has settled that already
    assert out.startswith("6 students, 2 passed.")


def test_the_page_shows_everybody_and_runs_nothing(course, program):
    write(course[2]["project"], "student,score", "<script>alert(1)</script>,50", "ann@x.pl,90")
    assert program(*options(course)).exit_code == 0
    page = (course[0] / "out" / "gradebook.html").read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script&gt;" in page and "http" not in re.sub(r'http-equiv="', "", page)
    marks = re.search(r'class="bars marks">(.*?)</div></section>', page, re.DOTALL)[1]
    assert re.findall(r"<span>(\d*)</span>(?:<i[^>]*></i>)?<span>([\d.]+)</span>", marks) == [
        ("5", "2.0"), ("", "3.0"), ("", "3.5"), ("", "4.0"), ("1", "4.5"), ("", "5.0")
    ]  # fmt: skip
    text = unescape(re.sub(r"<[^>]+>", " ", page))
    for student in ("ann@x.pl", "Bob@x.pl", "çelik@x.pl", "dan@x.pl", "=cmd"):
        assert student in text


def test_podgorica_needs_no_labs(tmp_path, program):
    files = {
        "seminar": write(tmp_path / "seminar.csv", "student,score", "Ann,25", "Bob,10"),
        "project": write(tmp_path / "project.csv", "student,score,possible", "Ann,75,100", "Bob,100,100"),
        "exam": write(tmp_path / "exam.csv", "student,score", "Ann,20"),
    }
    result = program(*options((tmp_path, [], files), "podgorica"))
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader((tmp_path / "out" / "gradebook.csv").open(encoding="utf-8")))
    assert [(row["student"], row["total"], row["mark"], row["missing"]) for row in rows] == [
        ("Ann", "75.00", "C", ""),
        ("Bob", "50.00", "F", "Final exam"),
    ]


def test_wrong_calls_get_a_sentence(course, program):
    folder, labs, files = course
    both = {"colloquy": files["colloquy"], "project": files["project"]}
    cases = [
        ((folder, [], both), "expected --labs OUT (for laboratory)"),
        ((folder, labs, {"project": files["project"]}), "expected --component colloquy=FILE.csv"),
        ((folder, labs, {**both, "exam": files["project"]}), "no such component, expected one of laboratory, colloquy, project"),
        ((folder, labs, {**both, "laboratory": files["project"]}), "expected a scheme with a component that takes labs"),
        ((folder, [folder], both), "let the run finish"),
    ]
    for case, says in cases:
        result = program(*options(case))
        assert result.exit_code == 2 and says in result.output, says
    (folder / "file").write_text("")
    result = program(*options(course)[:2], "--out", folder / "file" / "out", *options(course)[4:])
    assert result.exit_code == 2 and "cannot be written" in result.output
    assert program(*options(course), "--component", "project").exit_code == 2
    assert not (folder / "out").exists()


def test_the_later_of_two_labs_counts_and_a_note_says_so(course):
    _, labs, _ = course
    again = write_labs(labs[0].parent / "again", lab_grade("x.zip", "bob@x.pl", "l01", 36))
    source = read_labs([*labs, again], LAB)
    assert source.scores["bob@x.pl"]["l01"].earned == 36
    assert "Bob@x.pl has l01 twice: again/x.zip counts, first/bob.zip does not." in source.notes
    assert read_labs([again, *labs], LAB).scores["bob@x.pl"]["l01"].earned == 20
    refused = write_labs(labs[0].parent / "refused", lab_grade("x.zip", "ann@x.pl", "l01", 0, error="x.zip: too large."))
    assert read_labs([*labs, refused], LAB).scores["ann@x.pl"]["l01"].earned == 40


def test_points_of_labs_are_exact_and_not_the_rounded_ones_of_the_table(tmp_path):
    out = write_labs(tmp_path / "out", lab_grade("a.zip", "Ann", "l01", 20.399))
    assert "20.40" in (out / "grades.csv").read_text()
    assert read_labs([out], LAB).scores["ann"]["l01"].earned == Fraction("20.399")


@pytest.mark.parametrize("damage", ["no table", "other table", "no result", "other result"])
def test_damaged_results_are_refused(tmp_path, damage):
    out = write_labs(tmp_path / "out", lab_grade("a.zip", "Ann", "l01", 20))
    if damage.startswith("no"):
        (out / ("grades.csv" if damage == "no table" else "results/a.json")).unlink()
    elif damage == "other table":
        (out / "grades.csv").write_text("student,score\nAnn,3\n")
    else:
        (out / "results" / "a.json").write_text('{"format": 1}')
    with pytest.raises(GradingError, match=r"grades\.csv|a\.json"):
        read_labs([out], LAB)


def test_times_make_labs_late(course):
    folder, labs, files = course
    scheme = write(
        folder / "late.toml",
        (SCHEMES / "gdansk_tech.toml").read_text(encoding="utf-8"),
        "[late]\nper_day = 10\ncap = 25\n[[late.extension]]\nstudent = 'bob@x.pl'\nhours = 72",
        "[[late.extension]]\nstudent = 'nobody@x.pl'\nhours = 1",
    )
    times = write(
        folder / "times.csv",
        "student,lab,submitted,deadline",
        "ann@x.pl,l01,2026-11-25 12:00,2026-11-20 12:00",
        "bob@x.pl,l01,2026-11-23 12:00,2026-11-20 12:00",
        "dan@x.pl,l09,2026-11-23 12:00,2026-11-20 12:00",
    )
    rules = load_scheme(scheme)
    book = make_book(rules, read_sources(rules, labs, files, times))
    marks = {mark.student: mark for mark in book.marks}
    assert marks["ann@x.pl"].parts[0].share == Fraction(3, 4)  # (1 · 0.75 + 0.75) / 2
    assert "l01 5 days late, 25 % off" in marks["ann@x.pl"].sentence
    assert marks["Bob@x.pl"].parts[0].share == Fraction("0.6")
    assert any("dan@x.pl, l09, but no such lab" in note for note in book.notes)
    assert any(note.startswith("The extension of nobody@x.pl applies to nobody") for note in book.notes)


def test_the_list_of_students_drops_nobody_either(course):
    folder, labs, files = course
    everybody = write(folder / "students.csv", "student", "zoe@x.pl", "ann@x.pl", "bob@x.pl", "=cmd", "dan@x.pl")
    rules = load_scheme("gdansk_tech")
    book = make_book(rules, read_sources(rules, labs, files), everybody)
    missing = dict(book.missing)
    assert missing["zoe@x.pl"] == ("Laboratory", "Colloquy", "Project")
    assert "list of students" in missing["çelik@x.pl"] and "ann@x.pl" not in missing
    assert {mark.student for mark in book.marks} >= {"zoe@x.pl", "çelik@x.pl", "celik@x.pl"}


def test_only_the_schemes_items_count(course):
    folder, labs, files = course
    text = (SCHEMES / "gdansk_tech.toml").read_text(encoding="utf-8")
    rules = load_scheme(write(folder / "s.toml", text.replace('source = "labs"', 'source = "labs"\nitems = ["l01", "l03"]')))
    book = make_book(rules, read_sources(rules, labs, files))
    ann = next(mark for mark in book.marks if mark.student == "ann@x.pl")
    assert ann.parts[0].share == Fraction(1, 2) and ann.parts[0].absent == ("l03",)
    assert any("l02 is in the scores but not among the scheme's items" in note for note in book.notes)


def test_an_empty_class_is_refused(tmp_path):
    empty = write(tmp_path / "empty.csv", "student,score")
    rules = load_scheme("podgorica")
    with pytest.raises(GradingError, match="the sources hold no student"):
        make_book(rules, read_sources(rules, [], {"seminar": empty, "project": empty, "exam": empty}))


def test_a_lab_that_does_not_exist_costs_nobody_anything(course):
    folder, labs, files = course
    stray = write_labs(folder / "stray", lab_grade("s.zip", "ann@x.pl", "l99", 0, error="lab l99: no rubric of this name."))
    rules = load_scheme("gdansk_tech")
    plain, with_stray = (make_book(rules, read_sources(rules, outs, files)) for outs in (labs, [*labs, stray]))
    assert plain.marks == with_stray.marks
    assert [note for note in with_stray.notes if note not in plain.notes] == [
        "stray/s.zip of ann@x.pl was not graded: lab l99: no rubric of this name."
    ]


def test_an_item_that_most_lack_is_pointed_out(tmp_path):
    rows = ["student,item,score", *(f"s{i},{lab},10" for i in range(5) for lab in ("a", "b")), "s1,A,10"]
    seminar, rest = write(tmp_path / "seminar.csv", *rows), write(tmp_path / "rest.csv", "student,score", "s1,9")
    rules = load_scheme("podgorica")
    book = make_book(rules, read_sources(rules, [], {"seminar": seminar, "project": rest, "exam": rest}))
    assert len(book.notes) == 1 and "Seminar paper: only 1 of 5 students have A, the others get 0" in book.notes[0]
