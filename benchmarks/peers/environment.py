"""The peers' own virtual environments: made once from requirements/TOOL.txt, reused while that file is the same.

One a tool, though both would fit into one: nbgrader brings a package (rfc3987-syntax) that makes the first `import nbformat`
of a process 0.7 s slower, and otter-grader, which imports it in every kernel, does without it when it is alone.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"
FOLDER = Path(__file__).parent.parent.parent / "build" / "peers"  # git ignores build/


def environment(tool: str, folder: Path = FOLDER) -> Path:
    """The folder of the programs of `tool` ("nbgrader", "otter-grader").

    Raises CalledProcessError when it cannot be installed; pip says why.
    """
    home, requirements = folder / tool, REQUIREMENTS / f"{tool}.txt"
    ready, programs = home / "ready", home / ("Scripts" if sys.platform == "win32" else "bin")
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if ready.is_file() and ready.read_text() == digest:
        return programs
    print(f"Installing {tool} into its own environment …", flush=True)
    shutil.rmtree(home, ignore_errors=True)  # an older or half-installed one
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    python = programs / "python"
    uv = shutil.which("uv", path=Path(sys.executable).parent)
    # pip compiles what it installs; uv has to be told. Otherwise the first submission would pay for it.
    install = [uv, "pip", "install", "--compile-bytecode", "--python", python] if uv else [python, "-m", "pip", "install"]
    subprocess.run([*install, "--quiet", "--requirement", requirements], check=True)
    ready.write_text(digest)
    return programs


def version(tool: str) -> str:
    """The pinned version of `tool`."""
    pins = dict(line.split("==") for line in (REQUIREMENTS / f"{tool}.txt").read_text().split())
    return pins[tool]
