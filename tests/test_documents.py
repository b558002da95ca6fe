"""The documents name programs in one way, and describe the folders that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("benchmarks", "data", "grading", "labs", "projectkit")
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / folder / "README.md" for folder in FOLDERS[:4]), ROOT / "grading" / "SECURITY.md"]
TEXTS = [*DOCUMENTS, *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]


def test_programs_are_called_by_plain_names_after_the_environment_is_activated_once():
    """Not by paths into .venv: those are another spelling, and another one on Windows."""
    for path in TEXTS:
        assert not re.search(r"\.venv[/\\](bin|Scripts)[/\\](?!activate)", path.read_text("utf-8")), path
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "source .venv/bin/activate" in readme and r".venv\Scripts\activate" in readme


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "grading/README.md"])
def test_every_folder_of_the_grader_is_described(document):
    text = (ROOT / document).read_text("utf-8")
    folders = {path.parent.name for path in (ROOT / "grading").glob("*/__init__.py")}
    assert len(folders) > 10
    assert not [folder for folder in folders if f"{folder}/" not in text]


def test_the_syllabus_names_all_twenty_labs_and_says_which_are_to_come():
    rows = dict(re.findall(r"^\| \[?(l\d\d_\w+)(.*)$", (ROOT / "labs" / "README.md").read_text("utf-8"), re.MULTILINE))
    assert [lab[:3] for lab in rows] == [f"l{number:02}" for number in range(20)]
    for lab, row in rows.items():
        assert ("*to come*" in row) != (ROOT / "labs" / f"{lab}.ipynb").exists(), lab
