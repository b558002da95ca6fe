"""The notebooks: made from their sources, with holes that say what to do."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import build
from checks import project

ROOT = Path(__file__).parents[2]
LABS = ROOT / "labs"

STEMS = [path.stem for path in build.sources()]
LAB_STEMS = [stem for stem in STEMS if stem != build.TEMPLATE]


def test_the_committed_notebooks_are_what_their_sources_give():
    assert build.stale() == []


def code_of(stem):
    """The code of a student's notebook, after a look that it is valid and has no outputs."""
    notebook = nbformat.read(LABS / f"{stem}.ipynb", as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    return "\n".join(cell.source for cell in code)


@pytest.mark.parametrize("stem", LAB_STEMS)
def test_a_student_notebook_has_holes_no_outputs_and_no_solutions(stem):
    text = code_of(stem)
    assert text.count("raise NotImplementedError(") >= 4
    assert not re.search(r"\bsolution", text)  # but a score has a resolution


def test_the_project_is_a_template_that_runs_as_it_stands():
    source = (LABS / "src" / f"{build.TEMPLATE}.py").read_text("utf-8")
    assert "NotImplementedError" not in code_of(build.TEMPLATE)
    assert build.student_source(source, "project.py") == build.solved_source(source) == source


@pytest.mark.parametrize("stem", STEMS)
def test_a_lab_has_the_parts_that_the_syllabus_promises(stem):
    source = (LABS / "src" / f"{stem}.py").read_text("utf-8")
    for part in ("**You will ship**", "### Predict first", "**How to read it.**", "## Ship it", "## Go further", "## Literature"):
        assert part in source, f"{stem} lacks {part!r}"
    assert source.count("check.") >= 5
    sections = source.count("\n# ## ") - 3  # besides Ship it, Go further and Literature
    assert sections == len(project.SECTIONS) if stem == build.TEMPLATE else 4 <= sections <= 5
    assert f"({stem}.ipynb)" in (LABS / "README.md").read_text("utf-8")


def test_the_project_writes_every_section_that_its_check_asks_for():
    source = (LABS / "src" / f"{build.TEMPLATE}.py").read_text("utf-8")
    for section in project.SECTIONS:
        assert f'report["{section}"] = ' in source and f" · {section}\n" in source


def test_a_hole_keeps_its_indentation_and_its_sentence():
    source = "def f():\n    # begin solution: Exercise 1: return 2\n    return 2\n    # end solution\n"
    room = {}
    exec(build.student_source(source, "x"), room)
    with pytest.raises(NotImplementedError, match=r"^Exercise 1: return 2$"):
        room["f"]()
    assert build.solved_source(source) == "def f():\n    return 2\n"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("# begin solution: a\nx = 1\n", "does not end"),
        ("# end solution\n", "did not begin"),
        ("# begin solution: a\n# begin solution: b\n# end solution\n", "begins inside"),
        ("# begin solution: a\n" + "x = 1\n" * 16 + "# end solution\n", "at most 15"),
    ],
)
def test_a_source_with_crossed_markers_is_refused(source, reason):
    with pytest.raises(ValueError, match=reason):
        build.student_source(source, "l99.py")


def test_the_first_hole_stops_a_student_with_a_sentence(tmp_path):
    """The student's own l00 as a script: everything before the first hole runs, then the sentence."""
    notebook = nbformat.read(LABS / "l00_measurement.ipynb", as_version=4)
    lines = [line for cell in notebook.cells if cell.cell_type == "code" for line in cell.source.splitlines()]
    code = "\n".join(line for line in lines if not line.startswith("%"))
    script = tmp_path / "student.py"
    script.write_text("import matplotlib; matplotlib.use('Agg')\n" + code)
    result = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"PROJECTKIT_SCALE": "smoke"}
    )
    assert result.returncode == 1
    assert result.stderr.strip().splitlines()[-1].startswith("NotImplementedError: Exercise 1: ")
