"""The rooms of the package: shown before they are loaded, and each with a list of what it offers."""

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import projectkit

PACKAGE = Path(projectkit.__file__).parent


def run(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def test_the_rooms_are_the_folders_in_the_order_of_the_alphabet():
    assert list(projectkit.ROOMS) == sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def test_a_fresh_process_shows_all_rooms_and_has_loaded_none():
    loaded = "[name for name in sys.modules if name.startswith(('projectkit', 'tensorflow', 'tf_keras'))]"
    assert run(f"import projectkit as pk, sys; print(set(pk.ROOMS) <= set(dir(pk)), *{loaded})") == "True projectkit"


@pytest.mark.parametrize("room", ["measure", "data"])
def test_a_room_is_loaded_when_it_is_first_used(room):
    script = f"import projectkit as pk, sys; print(pk.{room} is sys.modules['projectkit.{room}'], len(pk.{room}.__all__) > 1)"
    assert run(script) == "True True"


def test_what_is_no_room_is_no_attribute():
    with pytest.raises(AttributeError, match=r"projectkit has no 'kitchen'; its rooms are data, devices, .*uncertainty"):
        _ = projectkit.kitchen
    with pytest.raises(ImportError, match="kitchen"):
        from projectkit import kitchen  # noqa: F401


def public_names(room: str) -> set[str]:
    """The public names that the room's __init__ imports from its own modules or defines; modules are none."""
    names = set()
    for node in ast.parse((PACKAGE / room / "__init__.py").read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"projectkit.{room}."):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            names |= {target.id for target in (node.targets if isinstance(node, ast.Assign) else [node.target])}
    values = vars(getattr(projectkit, room))
    return {name for name in names if not name.startswith("_") and not isinstance(values[name], ModuleType)}


@pytest.mark.parametrize("room", projectkit.ROOMS)
def test_a_room_offers_the_public_names_that_it_imports_from_its_modules_or_defines(room):
    """The linter holds the order (RUF022)."""
    names, listed = public_names(room), set(getattr(projectkit, room).__all__)
    assert len(names) > 1
    assert listed == names, f"missing: {sorted(names - listed)}, too many: {sorted(listed - names)}"
