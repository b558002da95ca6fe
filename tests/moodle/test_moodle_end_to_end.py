"""The instructor's four commands, from Moodle's zip to the files that Moodle takes back, with real models and a real run."""

import csv
import io
import zipfile

import pytest
from typer.testing import CliRunner

from grading.cli import app as grading
from grading.moodle.cli import app as moodle
from models_by_hand import linear_onnx, saved
from projectkit.submit import pack

RUBRIC = """
lab = "l00_measurement"
title = "A small course"
[limits]
seconds = 10
budget = 0.02
[scale.quick]
dataset = "digits"
[[scale.quick.check]]
id = "small_accuracy"
title = "Accuracy <of the small model>"
slot = "small"
metric = "accuracy"
floor = 0.5
target = 0.8
points = 3
[[scale.quick.check]]
id = "small_size"
title = "Size"
slot = "small"
metric = "size"
floor = 1000
target = 10
points = 1
"""


def run(app, *words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def submission(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    model = saved(root, "lin.onnx", linear_onnx())
    return pack(root / "s.zip", student="Ann <b>Lee", lab="l00_measurement", artifacts={"small": model}).read_bytes()


def test_from_moodles_zip_to_its_worksheet_and_feedback(submission, moodle_zip, sheet, tmp_path):
    saved(tmp_path / "rubrics", "l00_measurement.toml", RUBRIC.encode())
    names = {1: "Ann Lee", 2: "Bob Ray", 3: "Cy Poe", 4: "Di Fox"}
    members = {
        "Ann Lee_1_assignsubmission_file/lab.zip": submission,
        "Bob Ray_2_assignsubmission_file/lab.zip": b"no zip at all",
        "Cy Poe_3_assignsubmission_file/lab.docx": b"an essay",
    }
    worksheet = sheet(*({"number": number, "name": name} for number, name in names.items()))
    before = worksheet.read_bytes()
    said = run(moodle, "in", moodle_zip(members), "--out", tmp_path / "in", "--worksheet", worksheet)
    assert "4 participants, 2 zips" in said and "Cy Poe: Handed in no zip" in said and "Di Fox: Handed in nothing" in said
    results, join = tmp_path / "out", tmp_path / "in" / "join.csv"
    run(grading, "run", tmp_path / "in" / "submissions", "--out", results, "--rubrics", tmp_path / "rubrics", "--workers", "1")

    filled = tmp_path / "filled.csv"
    said = run(moodle, "out", results, "--worksheet", worksheet, "--join", join, "--to", filled)
    assert "2 grades" in said and "Cy Poe (3): no grade" in said and "Di Fox (4): no grade" in said
    rows = {row["Full name"]: row for row in csv.DictReader(io.StringIO(filled.read_text("utf-8"), newline=""))}
    assert [rows[name]["Grade"] for name in names.values()] == ["75,00", "0,00", "", ""]
    assert "3 of 4 points" in rows["Ann Lee"]["Feedback comments"]
    assert "&lt;of the small model&gt;" in rows["Ann Lee"]["Feedback comments"]
    assert "not a zip" in rows["Bob Ray"]["Feedback comments"] and "no zip" in rows["Cy Poe"]["Feedback comments"]
    assert rows["Di Fox"]["Feedback comments"] == "" and worksheet.read_bytes() == before

    said = run(moodle, "feedback", results, "--join", join, "--to", tmp_path / "feedback.zip")
    assert "2 reports" in said
    with zipfile.ZipFile(tmp_path / "feedback.zip") as archive:
        pages = {name: archive.read(name).decode() for name in archive.namelist()}
    assert set(pages) == {f"{name}_assignfeedback_file/report.html" for name in ("Ann Lee_1", "Bob Ray_2")}
    assert "Ann &lt;b&gt;Lee" in pages["Ann Lee_1_assignfeedback_file/report.html"]


def test_wrong_calls_end_with_a_sentence_and_code_2(sheet, moodle_zip, tmp_path):
    worksheet = sheet({"number": 1})
    calls = [
        ("in", moodle_zip({"x.txt": b""}), "--out", tmp_path / "in"),
        ("out", tmp_path, "--worksheet", worksheet, "--join", worksheet, "--to", tmp_path / "to.csv"),
        ("out", tmp_path, "--worksheet", worksheet, "--join", worksheet, "--to", worksheet),
        ("feedback", tmp_path, "--join", tmp_path / "absent.csv", "--to", tmp_path / "f.zip"),
    ]
    for call, expected in zip(
        calls, ("Download all submissions", "not a join table", "is the worksheet itself", "absent"), strict=True
    ):
        done = CliRunner().invoke(moodle, [str(word) for word in call])
        assert done.exit_code == 2 and expected in done.output and "Traceback" not in done.output
    assert not any((tmp_path / name).exists() for name in ("in", "to.csv", "f.zip"))
