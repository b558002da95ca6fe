"""A defense from projects' zips to final marks, through the command line and the real sandbox."""

import csv
import json
import re
import subprocess
import sys
import zipfile
from html import unescape

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from grading.defense.cli import register
from grading.semester.cli import register as register_gradebook
from models_by_hand import linear_onnx, linear_tflite, linear_weights, long_onnx, saved
from projectkit.submit import pack
from projectkit.types import Project

REPORT = "# State of the art\n\nTwo\nlines.\n\n- one\n- <script>alert(1)</script>\n\n```\nx < y\n```\n"
HOSTILE = "=cmd <b>Bob"
CLASS_RUBRIC = """
lab = "l00_measurement"
title = "A class"
[scale.quick]
dataset = "digits"
[[scale.quick.check]]
id = "size"
title = "Size"
slot = "small"
metric = "size"
floor = 1e9
target = 1
points = 1
"""


@pytest.fixture(scope="module")
def program():
    app = typer.Typer()
    register(app)
    register_gradebook(app)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def projects(tmp_path_factory):
    """Ann claims much; Bob is hostile and his optimized model never ends; a lab's zip got in by mistake."""
    root = tmp_path_factory.mktemp("defense")
    w, b = linear_weights()
    pruned = np.where(np.abs(w) < np.quantile(np.abs(w), 0.6), 0, w)
    base, plain = saved(root, "base.onnx", linear_onnx(hidden=512)), saved(root, "plain.tflite", linear_tflite())
    sparse, slow = saved(root, "sparse.tflite", linear_tflite(w=pruned, b=b)), saved(root, "slow.onnx", long_onnx())
    claims = {
        "optimized/accuracy": 0.999,
        "optimized/size": 1e6,
        "optimized/energy": 1e-6,
        "optimized/latency_p50": 1e-12,
    }
    project = Project("Smaller digits", "digits", REPORT)
    models = {"baseline": base, "optimized": sparse, "variant_a": plain}
    pack(root / "subs" / "1_ann.zip", student="Ann", lab="project", artifacts=models, claims=claims, project=project)
    hostile = Project("<script>alert(2)</script>", "digits", REPORT)
    models = {"baseline": plain, "optimized": slow}
    pack(root / "subs" / "2_bob.zip", student=HOSTILE, lab="project", artifacts=models, project=hostile)
    pack(root / "subs" / "3_lab.zip", student="Cy", lab="l00_measurement", artifacts={"small": plain})
    _add_claims(root / "subs" / "2_bob.zip", {"<i>x</i>": 1e18, "optimized/accuracy": 0.5})
    return root


def _add_claims(path, claims):
    """What `pack` would refuse, a stranger can still write."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files["manifest.json"])
    manifest["claims"] = claims
    files["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.fixture(scope="module")
def run(projects, program):
    words = ["defend", projects / "subs", "--out", projects / "out", "--salt", "s", "--juror", "Ada", "--juror", "Ben"]
    words += ["--start", "2027-01-25 09:00", "--seconds", 5]
    result = program(*words)
    assert result.exit_code == 0, result.output
    return projects / "out", result.output, words


def dossier(out, name, folder="dossiers"):
    (path,) = (out / folder).glob(f"*{name}*.html")
    return path.read_text(encoding="utf-8")


def words_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL))).split())


def test_every_claim_has_its_verdict(run):
    text = words_of(dossier(run[0], "Ann"))
    assert re.search(r"optimized/accuracy not confirmed Claimed 99\.9 %, measured [\d.]+ % \[.*?\]: [\d.]+ points less", text)
    assert re.search(r"optimized/size confirmed Claimed 1 MB, measured .* better than claimed", text)
    assert re.search(r"optimized/latency_p50 not confirmed Claimed 1e-12|optimized/latency_p50 not confirmed", text)
    assert "optimized/energy" in text and ("not measurable here Claimed 1 µJ" in text or "µJ for the student's machine" in text)


def test_the_jury_sees_the_guides_and_the_student_does_not(run):
    jury, student = dossier(run[0], "Ann"), dossier(run[0], "Ann", "students")
    assert "For the jury only" in jury and "owns the error when there is one" in jury
    assert "owns the error" not in student and "How did you measure it" in student
    assert jury.count("<svg") == student.count("<svg") >= 2


def test_a_model_that_never_ends_costs_its_slot_only(run):
    text = words_of(dossier(run[0], "Bob"))
    assert "What could not be measured optimized" in text and "longer than the 5 s" in text
    assert "optimized/accuracy not measurable here" in text and "no metric of the course" in text


def test_nothing_of_a_students_runs(run):
    for path in run[0].rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        assert "<script" not in page and "<b>Bob" not in page and "<i>x" not in page, path
    rows = list(csv.DictReader((run[0] / "schedule.csv").open(encoding="utf-8")))
    assert [row["student"] for row in rows] == ["Ann", "'" + HOSTILE] and rows[1]["start"] == "09:20"
    assert "3_lab.zip" in run[1] and "expected one for project" in run[1]


def test_repeated_it_measures_nothing_again_and_keeps_filled_sheets(run, program):
    out, _, words = run
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (sheet,) = (out / "sheets").glob("Ada*.csv")
    sheet.write_text(sheet.read_text(encoding="utf-8").replace(",25,,", ",25,20,", 1), encoding="utf-8")
    filled = sheet.read_bytes()
    stamps = {path: path.stat().st_mtime_ns for path in (out / "measurements").iterdir()}
    result = program(*words)
    assert result.exit_code == 0 and "filled in already" in result.output
    assert {path: path.stat().st_mtime_ns for path in (out / "measurements").iterdir()} == stamps
    assert sheet.read_bytes() == filled != before[sheet]
    after = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path != sheet}
    assert after == {path: content for path, content in before.items() if path != sheet}
    sheet.write_bytes(before[sheet])


@pytest.mark.parametrize("scheme", ["gdansk_tech", "podgorica"])
def test_from_sheets_to_final_marks(scheme, program, tmp_path):
    from grading.defense.sheets import load_sheet, sheet_table

    sheet, files = load_sheet(scheme), []
    for juror, share in (("Ada", 1.0), ("Ben", 0.5)):
        rows = list(csv.DictReader(sheet_table(sheet, ["Ann", HOSTILE], juror).splitlines()))
        lines = [";".join(rows[0])]
        for row in rows:
            row["score"] = str(float(row["possible"]) * share).replace(".", ",")
            lines.append(";".join(row.values()))
        files.append(tmp_path / f"{juror}.csv")
        files[-1].write_text("\n".join(lines), encoding="utf-8-sig")
    result = program("sheets", *files, "--scheme", scheme, "--out", tmp_path / "project.csv")
    assert result.exit_code == 0, result.output
    possible = float(sheet.possible)
    assert f"Ann: in sum Ada {possible:g}, Ben {possible / 2:g} of {possible:g}" in result.output
    others = ("laboratory", "colloquy") if scheme == "gdansk_tech" else ("seminar", "exam")
    words = ["gradebook", "--scheme", scheme, "--out", tmp_path / "book", "--component", f"project={tmp_path / 'project.csv'}"]
    for part in others:
        (tmp_path / f"{part}.csv").write_text(f"student,score,possible\nAnn,100,100\n'{HOSTILE},100,100\n", encoding="utf-8")
        words += ["--component", f"{part}={tmp_path / part}.csv"]
    result = program(*words)
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader((tmp_path / "book" / "gradebook.csv").open(encoding="utf-8")))
    # Three quarters of the project: 70 + 0.75 · 30, and 60 + 0.75 · 40.
    total, mark = ("92.50", "5.0") if scheme == "gdansk_tech" else ("90.00", "B")
    assert [(row["student"], row["total"], row["mark"]) for row in rows] == [("'" + HOSTILE, total, mark), ("Ann", total, mark)]


def test_points_of_the_class_and_a_dataset_of_ones_own(projects, program, tmp_path):
    """Models of a grading run on the same hidden data are in the picture; a dataset of the student's own is given by file."""
    from grading.engine import Options, grade
    from projectkit.data import load

    saved(tmp_path / "rubrics", "l00_measurement.toml", CLASS_RUBRIC.encode())
    (tmp_path / "subs").mkdir()
    for student, hidden in (("Dora", 64), ("Eli", 128)):
        model = saved(tmp_path / student, "small.onnx", linear_onnx(hidden=hidden))
        pack(tmp_path / "subs" / f"{student}.zip", student=student, lab="l00_measurement", artifacts={"small": model})
    grade(tmp_path / "subs", tmp_path / "graded", Options(rubrics=tmp_path / "rubrics", salt="s"))
    digits = load("digits")
    splits = (("train", digits.train), ("test", digits.test))
    parts = {f"{kind}_{name}": getattr(split, kind) for name, split in splits for kind in "xy"}
    np.savez(tmp_path / "mine.npz", **parts)
    own = Project("On my own data", "mine", REPORT)
    model = saved(tmp_path, "plain.tflite", linear_tflite())
    pack(tmp_path / "own.zip", student="Fay", lab="project", artifacts={"baseline": model, "optimized": model}, project=own)
    words = ["defend", projects / "subs" / "1_ann.zip", tmp_path / "own.zip", "--out", tmp_path / "out", "--salt", "s"]
    words += ["--start", "2027-01-25 09:00", "--class", tmp_path / "graded", "--seconds", 5]
    result = program(*words, "--data", f"mine={tmp_path / 'mine.npz'}")
    assert result.exit_code == 0, result.output
    with_class, alone = dossier(tmp_path / "out", "Ann"), dossier(tmp_path / "out", "Fay")
    assert with_class.count('fill-opacity=".45"') > alone.count('fill-opacity=".45"')
    assert "not one of the course's" not in dossier(tmp_path / "out", "Fay")
    unknown = program(*words)
    assert unknown.exit_code == 0 and "2 not" in unknown.output
    assert "one of the course's" in words_of(dossier(tmp_path / "out", "Fay"))


def test_without_a_sandbox_nothing_is_opened_when_one_is_required(projects, tmp_path):
    words = ["defend", projects / "subs", "--out", tmp_path / "out", "--start", "2027-01-25 09:00", "--require-sandbox"]
    done = subprocess.run([sys.executable, "-m", "grading", *map(str, words)], capture_output=True, text=True, env={"PATH": ""})
    assert done.returncode == 2 and "bubblewrap" in done.stderr
    assert not (tmp_path / "out").exists()
