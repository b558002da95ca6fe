"""Who may import whom, and who must never load TensorFlow."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# A room may import these rooms of projectkit; types, errors and the other small modules of FOR_ALL are for everybody.
ALLOWED = {
    "types": {"errors"},
    "errors": set(),
    "files": set(),
    "metrics": set(),
    "quiet": set(),
    "tensorflow_quietly": set(),
    "scale": set(),
    "toml_file": {"errors"},
    "install_hint": set(),
    "data": set(),
    "models": {"data"},
    "train": {"data", "models"},
    "quantize": {"models", "train"},
    "nas": {"data", "devices", "export", "measure", "models", "runtimes", "train"},  # it also searches by itself, from a file
    "prune": {"models", "train", "runtimes"},  # the untrained network of a .supermask file is drawn there
    "distill": {"models", "train"},
    "lowrank": {"distill", "models", "train"},  # fine-tuning has the original as its teacher
    "export": {"runtimes"},  # to compare a file's answers with the model's
    "runtimes": set(),
    "measure": {"runtimes"},
    "devices": {"runtimes", "measure"},
    "schedule": {"measure", "runtimes"},
    "submit": set(),
    "uncertainty": {"data", "models", "train"},
    "robustness": {"data", "models", "train"},
}
FOR_ALL = {"types", "errors", "files", "metrics", "quiet", "scale", "tensorflow_quietly", "toml_file", "install_hint"}
# Of the last two it uses what is NumPy: scores, corruptions, the black-box searches.
GRADING = {
    "types",
    "errors",
    "files",
    "metrics",
    "install_hint",
    "data",
    "runtimes",
    "measure",
    "submit",
    "uncertainty",
    "robustness",
}
PROGRAMS_THAT_TRAIN = {
    "baselines",
    "reference",
    "retraining",
}  # run by hand, by tests or as processes, imported by nothing of the grading path

LIGHT = [
    "projectkit",
    "projectkit.cli",
    "projectkit.data",
    "projectkit.devices",
    "projectkit.runtimes",
    "projectkit.measure",
    "projectkit.nas",
    "projectkit.schedule",
    "projectkit.submit",
    "projectkit.quantize",
    "projectkit.robustness",
    "projectkit.uncertainty",
    "grading.cli",
    "grading.engine",
    "grading.colloquy.bank",
    "grading.results.gradescope",
    "grading.moodle.fill",
    "grading.results.report",
    "grading.semester.book",
    "grading.worker",
]


def imported_rooms(path: Path, package: str = "projectkit") -> set[str]:
    """The first names below `package` that a file imports, anywhere in it."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module != package else [f"{package}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        rooms |= {name.split(".")[1] for name in names if name.startswith(f"{package}.")}
    return {room for room in rooms if not room.startswith("__")}


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_stands_before_it(room):
    files = [ROOT / "projectkit" / f"{room}.py"]
    files = files if files[0].exists() else sorted((ROOT / "projectkit" / room).rglob("*.py"))
    assert files
    for path in files:
        extra = imported_rooms(path) - ALLOWED[room] - FOR_ALL - {room}
        assert not extra, f"{path.relative_to(ROOT)} imports {sorted(extra)}"
        assert "import grading" not in path.read_text("utf-8") and "from grading" not in path.read_text("utf-8")


def imported_modules(path: Path, modules: set[str]) -> set[str]:
    """Which of `modules` a file imports, anywhere in it; of `from package import name` the module `name` if it is one."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import, which the rules above would overlook. Give the whole name."
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & modules


@pytest.mark.parametrize("package", ["projectkit", "grading"])
def test_no_modules_import_each_other_in_a_circle(package):
    """Not even by imports inside functions: what both sides need lies below both."""
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (ROOT / package).rglob("*.py")
    }
    graph = {module: imported_modules(path, set(files)) - {module} for module, path in files.items()}
    assert sum(map(len, graph.values())) > len(files) / 2, "the imports were not found"
    order = tuple(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle
    assert set(order) == set(files)


def test_every_room_has_a_rule():
    entries = [path for path in (ROOT / "projectkit").iterdir() if path.name[0] not in "_." and path.name != "py.typed"]
    assert {path.stem for path in entries} - {"cli"} == set(ALLOWED)


def test_grading_uses_only_the_light_rooms():
    for path in sorted((ROOT / "grading").rglob("*.py")):
        if path.relative_to(ROOT / "grading").parts[0] in PROGRAMS_THAT_TRAIN:
            continue
        extra = imported_rooms(path) - GRADING
        assert not extra, f"{path.relative_to(ROOT)} imports projectkit.{sorted(extra)}"
        assert not imported_rooms(path, "grading") & PROGRAMS_THAT_TRAIN, path


def test_labs_do_not_know_the_grader():
    for path in [*(ROOT / "labs").rglob("*.py")]:
        assert not any(
            (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("grading"))
            or (isinstance(node, ast.Import) and any(alias.name.startswith("grading") for alias in node.names))
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
        ), path


@pytest.mark.parametrize("module", LIGHT)
def test_no_tensorflow_is_loaded_by(module):
    script = (
        f"import {module}, sys; sys.exit(any(name.split('.')[0] in ('tensorflow', 'keras', 'tf_keras') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_keras_2_is_chosen_before_tensorflow_can_choose():
    script = "import projectkit, tensorflow as tf; print(tf.keras.Model.__module__)"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.startswith("tf_keras")


@pytest.mark.parametrize("installed", [False, pytest.param(True, marks=pytest.mark.proof)])
def test_a_process_that_already_has_keras_3_is_refused_with_a_sentence(installed, tmp_path):
    """It is refused for what was imported before, so that an empty package named tensorflow shows it, in no time."""
    if not installed:
        (tmp_path / "tensorflow").mkdir()
        (tmp_path / "tensorflow/__init__.py").touch()
    path = f"sys.path.insert(0, {str(tmp_path)!r}); "
    script = f"import os, sys; {path}os.environ.pop('TF_USE_LEGACY_KERAS', None); import tensorflow; import projectkit"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode != 0
    assert "import projectkit` first" in result.stderr
