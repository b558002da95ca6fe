"""Moodle's files, made here as Moodle makes them, and grades without a grading run."""

import io
import zipfile

import pytest

from grading.moodle.join import JoinRow
from grading.moodle.outcome import Outcome
from grading.results.files import write_grade
from grading.types import Check, Grade, Verdict

HEADER = (
    "Identifier,Full name,ID number,Email address,Status,Group,Grade,Maximum grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments"
)
LINE = (
    'Participant {number},{name},{id_number},{email},Submitted,{group},{grade},"100,00",{open},"Monday, 1 June 2026, 9:00 AM",-,'
)


@pytest.fixture
def moodle_zip(tmp_path):
    """Writes a zip with these members (name → bytes) and returns its path."""

    def write(members, name="course-lab 1-77.zip"):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        return tmp_path / name

    return write


@pytest.fixture
def small_zip():
    """The bytes of a harmless zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("manifest.json", "{}")
    return stream.getvalue()


@pytest.fixture
def sheet(tmp_path):
    """Writes a worksheet of these people (dicts of what LINE has places for) and returns its path."""

    def write(*people, header=HEADER, name="grades.csv", encoding="utf-8"):
        nobody = {"name": "", "id_number": "", "email": "", "group": "", "grade": "", "open": "Yes"}
        lines = [header, *(LINE.format(**nobody | person) for person in people)]
        (tmp_path / name).write_bytes("".join(f"{line}\r\n" for line in lines).encode(encoding))
        return tmp_path / name

    return write


@pytest.fixture
def made_grade():
    """A grade of `points` of 4 for one check."""

    def make(points=3.0, **changes):
        check = Check("small_size", "Size <small>", "size", 100, 50, 4.0, slot="small")
        status = "full" if points == 4 else "partial"
        verdict = Verdict(check, status, points, None, "Measured <b>75</b> & found too large.")
        fields = {"file": "a.zip", "name": "a", "student": "Ann Lee", "lab": "l00", "title": "Lab", "verdicts": (verdict,)}
        return Grade(**fields | changes)

    return make


@pytest.fixture
def row():
    """A row of the join table."""

    def make(identifier="1", name="Ann Lee", file="a.zip", **changes):
        fields = {"email": "", "id_number": "", "group": "", "handed_in": file, "note": ""}
        return JoinRow(identifier=identifier, name=name, file=file, **fields | changes)

    return make


@pytest.fixture
def outcome(row, made_grade):
    """What became of one person."""

    def make(points=3.0, **changes):
        return Outcome(row(**changes), made_grade(points))

    return make


@pytest.fixture
def results(tmp_path):
    """Writes results as a grading run would, and returns its folder."""

    def write(*grades):
        for grade in grades:
            write_grade(grade, tmp_path / "results-of-run")
        return tmp_path / "results-of-run"

    return write
