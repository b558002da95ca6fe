"""The RAM that a model needs on a microcontroller, as its interpreter tells on this PC."""

import json
import subprocess
import sys

import numpy as np

from projectkit.errors import NotHere
from projectkit.measure.memory import TIMEOUT, how_it_ended
from projectkit.runtimes.litert_micro import Arena
from projectkit.types import Artifact, Measurement


def arena(artifact: Artifact, x: np.ndarray, *, threads: int = 1, budget: float = 1.0) -> tuple[Measurement]:
    """(arena,) in bytes: what LiteRT for Microcontrollers takes of its arena for one inference, see `Arena`; the same every time.

    In a child process, which a model may crash. `x`, `threads` and `budget` are not used: what is taken does not depend on them.
    Raises NotHere where the interpreter is not installed or cannot run this model: another format, or an operator or a type
    that it has no kernel for.
    """
    return (Measurement.exact("arena", read_arena(artifact).total),)


def read_arena(artifact: Artifact) -> Arena:
    """The parts of the arena, in a child process. Raises NotHere as `arena` does."""
    if artifact.format != "litert":
        raise NotHere("LiteRT for Microcontrollers runs .tflite files")
    command = [sys.executable, "-m", "projectkit.measure.arena_child", artifact.path]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except OSError as error:
        raise NotHere(f"no child process can be started here ({error.strerror}), and the arena is measured in one") from error
    except subprocess.TimeoutExpired as error:
        raise NotHere(f"LiteRT for Microcontrollers took more than {TIMEOUT} s for one inference") from error
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise NotHere(f"LiteRT for Microcontrollers crashed on this model ({how_it_ended(done.returncode)})") from error
    if "missing" in answer:
        raise NotHere(answer["missing"])
    return Arena(**answer)
