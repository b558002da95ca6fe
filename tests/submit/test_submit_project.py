"""A capstone project: its report and its claims, packed and read back, and everything about them that is refused."""

import hashlib
import io
import json
import re
import zipfile

import pytest

from models_by_hand import linear_onnx, linear_tflite, saved
from projectkit.data import LOADERS
from projectkit.errors import SubmissionError
from projectkit.submit import LIMITS, OPTIONAL, SLOTS, check, pack, read, unmeasurable_claim
from projectkit.submit.project import DATASETS
from projectkit.types import Project

REPORT = "# Tiny digits\n\nWhy int8?\t½ the bytes – żółw, 数字, 👩‍🔬.\n"
PROJECT = Project("Accuracy/latency of a tiny network", "digits", REPORT)
CLAIMS = {"optimized/accuracy": 0.97, "optimized/latency_p50": 2e-5, "optimized/size_ratio": 0.26}


@pytest.fixture
def models(tmp_path):
    return {
        "baseline": saved(tmp_path / "models", "float.tflite", linear_tflite()),
        "optimized": saved(tmp_path / "models", "small.onnx", linear_onnx()),
    }


def packed(path, models, **changes):
    options = {"student": "Zoë", "lab": "project", "artifacts": models, "claims": CLAIMS, "project": PROJECT}
    return pack(path, **(options | changes))


def repacked(path, *, content=None, **fields):
    """The zip at `path` again with other `content` of its report (described correctly) or other `fields` of "project"."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files["manifest.json"])
    if content is not None:
        files["report.md"] = content
        entry = {"file": "report.md", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        manifest["project"]["report"] = entry
    manifest["project"] |= fields
    return rewritten(path, files, manifest)


def rewritten(path, files, manifest):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in (files | {"manifest.json": json.dumps(manifest).encode()}).items():
            archive.writestr(name, content)
    path.write_bytes(stream.getvalue())
    return path


def test_read_gives_back_the_project(tmp_path, models):
    intake = read(packed(tmp_path / "a.zip", models), tmp_path / "out")
    assert intake.problems == {}
    assert intake.submission.project == PROJECT
    assert intake.submission.claims == CLAIMS
    assert set(intake.submission.artifacts) == {"baseline", "optimized"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"baseline.tflite", "optimized.onnx"}


def test_equal_projects_are_equal_bytes(tmp_path, models):
    first = packed(tmp_path / "a.zip", models).read_bytes()
    assert packed(tmp_path / "b.zip", dict(reversed(models.items()))).read_bytes() == first
    assert packed(tmp_path / "c.zip", models, project=Project("Other", "digits", REPORT)).read_bytes() != first


def test_line_ends_and_byte_order_mark_of_another_system_are_read_as_ours(tmp_path, models):
    path = repacked(packed(tmp_path / "a.zip", models), content=b"\xef\xbb\xbfone\r\ntwo\r\n")
    intake = read(path, tmp_path / "out")
    assert intake.problems == {} and intake.submission.project.report == "one\ntwo\n"


@pytest.mark.parametrize(
    ("report", "says"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"caf\xe9", "byte 3 is not UTF-8"),
        (b"a" * (LIMITS.report_bytes + 1), f"expected at most {LIMITS.report_bytes}"),
        (b"fine\nfine\x1b[2J", r"line 2 holds the character U\+001B"),
        (b"a\0b", r"U\+0000"),
        (b"a\rb", r"U\+000D"),
        ("earn \u202e001 points".encode(), r"U\+202E"),
        ("a\u2066b".encode(), r"U\+2066"),
        ("hidden \U000e0041".encode(), r"U\+E0041"),
        ("a\u2028b".encode(), r"U\+2028"),
    ],
)
def test_an_unreadable_report_spoils_nothing_else(tmp_path, models, report, says):
    path = repacked(packed(tmp_path / "a.zip", models), content=report)
    intake = read(path, tmp_path / "out")
    assert set(intake.problems) == {"report"}
    assert re.search(says, intake.problems["report"])
    assert intake.submission.project == Project(PROJECT.title, "digits", "")
    assert set(intake.submission.artifacts) == set(models)
    assert [finding.sentence for finding in check(path) if not finding.good] == [intake.problems["report"]]


def test_a_report_that_is_not_the_announced_one_is_refused(tmp_path, models):
    path = packed(tmp_path / "a.zip", models)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files["manifest.json"])
    other = rewritten(tmp_path / "b.zip", files | {"report.md": b"another text"}, manifest)
    assert "is not the one that the manifest describes" in read(other, tmp_path / "b").problems["report"]
    del files["report.md"]
    without = rewritten(tmp_path / "c.zip", files, manifest)
    assert "does not hold it" in read(without, tmp_path / "c").problems["report"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"title": ""}, "project.title"),
        ({"title": "x" * 101}, "project.title"),
        ({"title": "a\nb"}, "project.title"),
        ({"title": "\u202egnp"}, "project.title"),
        ({"title": 7}, "project.title"),
        ({"dataset": "../cifar10"}, "project.dataset"),
        ({"dataset": "mine.npz"}, "project.dataset"),
        ({"dataset": None}, "project.dataset"),
        ({"report": None}, "project.report"),
        ({"report": {"file": "../report.md", "sha256": "0" * 64, "size": 1}}, "expected report.md"),
        ({"report": {"file": "report.md", "sha256": "0", "size": 1}}, "sha256"),
        ({"report": {"file": "report.md", "sha256": "0" * 64, "size": -1}}, "size"),
        ({"grade": 100}, "unknown"),
    ],
)
def test_a_wrong_description_spoils_the_zip(tmp_path, models, fields, says):
    path = repacked(packed(tmp_path / "a.zip", models), **fields)
    with pytest.raises(SubmissionError, match=says):
        read(path, tmp_path / "out")


def test_only_the_project_has_a_project(tmp_path, models):
    with pytest.raises(SubmissionError, match="expected null"):
        packed(tmp_path / "a.zip", models, lab="l01_quantization")
    with pytest.raises(SubmissionError, match="project is null"):
        packed(tmp_path / "a.zip", models, project=None)
    lab = pack(tmp_path / "lab.zip", student="Zoë", lab="l01_quantization", artifacts={"int8": models["baseline"]})
    assert read(lab, tmp_path / "out").submission.project is None
    with zipfile.ZipFile(lab, "a") as archive:
        archive.writestr("report.md", "smuggled")
    with pytest.raises(SubmissionError, match=r"report\.md is not named in the manifest"):
        read(lab, tmp_path / "again")


def test_a_lab_that_says_nothing_of_a_project_is_still_read(tmp_path, models):
    lab = pack(tmp_path / "lab.zip", student="Zoë", lab="l01_quantization", artifacts={"int8": models["baseline"]})
    with zipfile.ZipFile(lab) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files["manifest.json"])
    assert manifest.pop("project", "absent") is None
    assert read(rewritten(tmp_path / "old.zip", files, manifest), tmp_path / "out").problems == {}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"project": Project("A", "digits", "")}, "is empty"),
        ({"project": Project("A", "digits", "\ud800")}, "not UTF-8"),
        ({"project": Project("A", "digits", None)}, "is not text"),
        ({"project": Project(None, "digits", REPORT)}, "title"),
        ({"claims": {"optimized/speed": 2}}, "names nothing that is measured"),
        ({"claims": {"better": 1}}, "names nothing that is measured"),
        ({"claims": {"variant_a/accuracy": 0.9}}, "needs a model for variant_a"),
    ],
)
def test_pack_refuses_what_the_jury_could_not_judge(tmp_path, models, changes, says):
    with pytest.raises(SubmissionError, match=says):
        packed(tmp_path / "sub" / "a.zip", models, **changes)
    assert not (tmp_path / "sub").exists() or list((tmp_path / "sub").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "slots", "good"),
    [
        ("optimized/accuracy", {"optimized"}, True),
        ("variant_b/energy", {"variant_b"}, True),
        ("optimized/size_ratio", {"optimized", "baseline"}, True),
        ("optimized/latency_ratio", {"optimized", "baseline"}, True),
        ("optimized/size_ratio", {"optimized"}, False),
        ("optimized/latency_ratio", {"optimized"}, False),
        ("optimized/latency_ratio_ratio", {"optimized", "baseline"}, False),
        ("accuracy", {"optimized"}, False),
        ("optimized/", {"optimized"}, False),
        ("optimized/_ratio", {"optimized", "baseline"}, False),
        ("optimized/accuracy/x", {"optimized"}, False),
    ],
)
def test_a_claim_names_a_model_and_a_metric(name, slots, good):
    assert (unmeasurable_claim(name, slots) is None) is good


def test_check_speaks_of_the_project(tmp_path, models):
    findings = check(packed(tmp_path / "a.zip", models))
    assert all(finding.good for finding in findings)
    text = "\n".join(str(finding) for finding in findings)
    assert PROJECT.title in text and "digits" in text and "report.md" in text
    assert "3 claimed numbers: the jury measures each again" in text
    assert "variant_a, variant_b: optional" in text and "answers" not in text


def test_check_says_what_the_jury_will_miss(tmp_path, models):
    good = packed(tmp_path / "a.zip", {"baseline": models["baseline"]}, claims={})
    own = [finding for finding in check(repacked(good, dataset="my_photos")) if "my_photos' is not one of" in finding.sentence]
    assert len(own) == 1 and own[0].good and "--data my_photos=FILE.npz" in own[0].sentence
    with zipfile.ZipFile(good) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files["manifest.json"]) | {"claims": {"optimized/accuracy": 1.0}}
    findings = check(rewritten(tmp_path / "b.zip", files, manifest))
    text = "\n".join(str(finding) for finding in findings)
    assert "– No model for optimized: the jury misses it." in text
    assert "– claim 'optimized/accuracy': needs a model for optimized" in text


def test_the_slots_and_datasets_are_the_ones_of_the_course():
    assert set(DATASETS) == set(LOADERS)
    assert all(set(OPTIONAL[lab]) < set(SLOTS[lab]) for lab in OPTIONAL)
