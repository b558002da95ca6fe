"""What a message says about installing works where it is read: pip knows the distribution and the extra, without an index."""

import ast
import email.message
import re
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import grading
from projectkit import install_hint

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = (install_hint.DISTRIBUTION, grading.DISTRIBUTION)
CODE = [*(ROOT / "projectkit").rglob("*.py"), *(ROOT / "grading").rglob("*.py"), *(ROOT / "labs").rglob("*.py")]


def extras(distribution: str) -> set[str]:
    about: email.message.Message = metadata.metadata(distribution)
    return set(about.get_all("Provides-Extra") or [])


def test_every_command_that_a_message_can_name_is_one_that_pip_carries_out_without_an_index():
    named = [install_hint.install_hint(extra, name) for name in DISTRIBUTIONS for extra in ("", *sorted(extras(name)))]
    words = [shlex.split(command) for command in named]
    assert all(command[:2] == ["pip", "install"] and len(command) == 3 for command in words)
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *(command[2] for command in words)], capture_output=True, text=True)
    assert done.returncode == 0 and "does not provide" not in done.stderr, done.stderr


def test_every_message_names_an_extra_that_is_there():
    """The extra is the first word of a call; a command of the students' says it to what writes the message for all of them."""
    found = set()
    for path in CODE:
        for call in (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id in ("install_hint", "_errors_as_sentences"):
                distribution = DISTRIBUTIONS["DISTRIBUTION" in ast.unparse(call)]
                found |= {(distribution, word.value) for word in call.args if isinstance(word, ast.Constant)}
    assert {extra for _, extra in found} >= {"cluster", "device", "micro", "nvidia", "postgres", "search", "train"}
    assert not [pair for pair in found if pair[1] not in extras(pair[0])]


def test_no_message_spells_the_command_by_itself():
    """Nor does one name `projectkit` to pip, which on the package index is another author's package."""
    for path in CODE:
        assert not re.search(r"projectkit\[|pip install \.?projectkit|its extra `", path.read_text("utf-8")), path
