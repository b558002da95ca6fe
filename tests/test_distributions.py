"""Two distributions from one repository: the students' holds no solution, the instructors' everything that grading reads."""

import ast
import email
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from grading.exercises import SOLUTIONS
from grading.workers import sandbox
from projectkit import __version__
from projectkit.submit import exercise_inputs, pack

ROOT = Path(__file__).parent.parent
SOURCES = ("projectkit", "grading", "pyproject.toml", "setup.cfg", "MANIFEST.in", "README.md", "LICENSE")
NOT_SHIPPED = {"grading/setup.py", "grading/pyproject.toml", "grading/LICENSE", "grading/README.md", "grading/SECURITY.md"}
LAB, STUDENT = "l00_measurement", "ada@example.edu"


def python(*words: str | Path, folder: Path, path: Path | None = None) -> str:
    """What a Python of this environment prints, run in `folder`; `path`: where it looks for modules before anywhere else."""
    environment = os.environ | {"PYTHONPATH": str(path or ""), "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run([sys.executable, *map(str, words)], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sources(package: str) -> set[str]:
    """The files of a package in this clone, relative to its root."""
    files = [path for path in (ROOT / package).rglob("*") if path.is_file()]
    named = {path.relative_to(ROOT).as_posix() for path in files if not {"__pycache__", "build"} & set(path.parts)}
    return {name for name in named if ".egg-info/" not in name}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> dict[str, zipfile.ZipFile]:
    """Both wheels by the package that they carry, built in a copy in which somebody has built the two in one before."""
    root = tmp_path_factory.mktemp("distributions")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "grading" / "exercises", root / "build" / "lib" / "grading" / "exercises")
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    python(*build, "--wheel-dir", "wheels", ".", "./grading", folder=root)
    files = {"projectkit": "projectkit_labs", "grading": "projectkit_grading"}
    return {package: zipfile.ZipFile(root / f"wheels/{name}-{__version__}-py3-none-any.whl") for package, name in files.items()}


def metadata(wheel: zipfile.ZipFile) -> email.message.Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(wheel.read(name))


@pytest.mark.parametrize("package", ["projectkit", "grading"])
def test_a_wheel_has_every_file_of_its_package_and_nothing_else(wheels, package):
    inside = {name for name in wheels[package].namelist() if ".dist-info/" not in name}
    assert inside == sources(package) - NOT_SHIPPED


def test_the_students_wheel_holds_no_solution(wheels):
    """No function of the solutions or of the reference programs, whatever its name and its comments are."""

    def functions(text: str) -> set[str]:
        found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        return {ast.unparse(node.body) for node in found if len(ast.unparse(node.body)) > 100}

    def in_wheel(wheel: zipfile.ZipFile, folder: str) -> set[str]:
        named = [name for name in wheel.namelist() if name.startswith(folder) and name.endswith(".py")]
        return set().union(*(functions(wheel.read(name).decode()) for name in named))

    solved = in_wheel(wheels["grading"], "grading/exercises/") | in_wheel(wheels["grading"], "grading/reference/")
    assert len(solved) > 50
    assert not solved & in_wheel(wheels["projectkit"], "")


def test_both_have_one_version_and_the_instructors_asks_for_the_students_at_it(wheels):
    students, instructors = (metadata(wheels[package]) for package in ("projectkit", "grading"))
    assert students["Version"] == instructors["Version"] == __version__
    assert students["Requires-Python"] == instructors["Requires-Python"]
    asked = [line for line in instructors.get_all("Requires-Dist") if line.startswith(students["Name"])]
    assert len(asked) >= 3 and all(re.search(rf"\]=={re.escape(__version__)}(;|$)", line) for line in asked)
    assert not [line for line in students.get_all("Requires-Dist") if line.startswith(instructors["Name"])]


@pytest.fixture(scope="module")
def installed(wheels, tmp_path_factory) -> Path:
    """A folder outside of the clone with both wheels installed."""
    target = tmp_path_factory.mktemp("installed")
    files = [wheel.filename for wheel in wheels.values()]
    python("-m", "pip", "install", "--quiet", "--no-deps", "--target", target, *files, folder=target)
    return target


def test_a_submission_is_graded_from_the_wheels(installed, tmp_path):
    where = python(
        "-c", "import grading, projectkit; print(grading.__file__, projectkit.__file__)", folder=tmp_path, path=installed
    )
    assert str(ROOT) not in where and where.count(str(installed)) == 2

    answers = {name: solve(exercise_inputs(STUDENT, LAB, name)) for name, solve in SOLUTIONS[LAB].items()}
    model = ROOT / "grading" / "baselines" / "digits_convnet.tflite"
    pack(tmp_path / "ada.zip", student=STUDENT, lab=LAB, artifacts={"small": model}, answers=answers)

    command = ["-m", "grading", "run", "ada.zip", "--out", "graded", "--workers", "1"]
    isolated = sandbox.protections().kind == sandbox.BUBBLEWRAP
    said = python(*command, *(["--require-sandbox"] if isolated else []), folder=tmp_path, path=installed)
    assert "1 graded" in said
    assert "<html" in (tmp_path / "graded" / "results" / "ada.html").read_text("utf-8")
    rebuilt = python("-m", "grading", "explain", "graded/results/ada.json", folder=tmp_path, path=installed)
    assert "the same points" in rebuilt


@pytest.mark.parametrize(
    ("module", "words", "said"),
    [
        ("projectkit.cli", ["--version"], f"projectkit {__version__}\n"),
        ("grading.cli", ["--version"], f"grading {__version__}\n"),
        ("grading.cli", ["explain", "--help"], "stored measurements"),
    ],
)
def test_programs_from_the_wheels_say_what_they_are(installed, tmp_path, module, words, said):
    assert said in python("-c", f"from {module} import app; app()", *words, folder=tmp_path, path=installed)
