"""What a message says about installing works where it is read: pip knows the distribution and the extra, without an index."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import grading
from projectkit import install_hint

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = (install_hint.DISTRIBUTION, grading.DISTRIBUTION)
CODE = [*(ROOT / "projectkit").rglob("*.py"), *(ROOT / "grading").rglob("*.py"), *(ROOT / "labs").rglob("*.py")]


def named_in_messages() -> set[tuple[str, str]]:
    """(distribution, extra) of each command that a message names, by itself or through what writes it for the students'."""
    found = {(install_hint.DISTRIBUTION, "plot"), (grading.DISTRIBUTION, "")}  # the first is the students' commands' default
    for path in CODE:
        for call in (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id in ("install_hint", "_errors_as_sentences"):
                distribution = DISTRIBUTIONS["DISTRIBUTION" in ast.unparse(call)]
                found |= {(distribution, word.value) for word in call.args if isinstance(word, ast.Constant)}
    return found


def test_pip_carries_out_every_command_that_a_message_names_without_an_index():
    named = named_in_messages()
    assert {extra for _, extra in named} >= {"cluster", "device", "micro", "nvidia", "postgres", "search", "train"}
    words = [shlex.split(install_hint.install_hint(extra, distribution)) for distribution, extra in sorted(named)]
    assert all(command[:2] == ["pip", "install"] and len(command) == 3 for command in words)
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *(command[2] for command in words)], capture_output=True, text=True)
    # pip only warns of an extra that it does not know.
    assert done.returncode == 0 and "does not provide" not in done.stderr, done.stderr


def test_no_message_spells_the_command_by_itself():
    """Nor does one name `projectkit` to pip, which on the package index is another author's package."""
    for path in CODE:
        assert not re.search(r"projectkit\[|pip install \.?projectkit|its extra `", path.read_text("utf-8")), path
