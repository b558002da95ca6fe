"""Peak memory: what opening a model and running it once adds to a process that has loaded the runtime already."""

import io
import json
import signal
import subprocess
import sys
from typing import TypedDict

import numpy as np

from projectkit.errors import ArtifactError, NotHere
from projectkit.measure.intervals import student_interval
from projectkit.types import Artifact, Measurement

CHILDREN = 3
TIMEOUT = 300  # seconds; a model that takes longer to open and run once is not one that a lab can measure


class Answer(TypedDict, total=False):
    """What the child prints: `least` and `most` bytes that the model added, or why that is `missing` here, or an `error`."""

    least: int
    most: int
    missing: str
    error: str


def peak_memory(artifact: Artifact, x: np.ndarray, *, threads: int = 1, budget: float = 1.0) -> tuple[Measurement]:
    """(peak_memory,) in bytes of resident memory: mean over three child processes, with its 95 % interval over them.

    A child loads NumPy and the runtime, notes its resident memory, opens the file, runs the first example of x (n, ...) and
    reports the peak minus that note. Where the system cannot reset its peak mark (anything but Linux), and the model stays
    below what loading the runtime took, the interval begins with that of the resident memory after the run and ends with that of
    the old mark.
    `budget` is not used: a peak takes one run. Raises NotHere where no child process can be started or its memory be read,
    ArtifactError when the model cannot be opened or run.
    """
    answers = [_child(artifact, np.ascontiguousarray(x[:1], dtype=np.float32), threads) for _ in range(CHILDREN)]
    value, low, _ = student_interval([least for least, _ in answers])
    _, _, high = student_interval([most for _, most in answers])
    return (Measurement("peak_memory", value, max(0.0, low), max(high, value), CHILDREN),)


def _child(artifact: Artifact, example: np.ndarray, threads: int) -> tuple[int, int]:
    """Runs one child on `example` (1, ...); the bytes that opening and running added lie between the two."""
    stored = io.BytesIO()
    np.save(stored, example, allow_pickle=False)
    command = [sys.executable, "-m", "projectkit.measure.memory_child", artifact.path, artifact.format, str(threads)]
    try:
        done = subprocess.run(command, input=stored.getvalue(), capture_output=True, timeout=TIMEOUT, check=False)
    except OSError as error:
        raise NotHere(f"no child process can be started here ({error.strerror}), and memory is measured in one") from error
    except subprocess.TimeoutExpired as error:
        raise ArtifactError(f"{artifact.path}: opening and running it once took more than {TIMEOUT} s.") from error
    answer = _answer(done.stdout)
    if "least" in answer:
        return answer["least"], answer["most"]
    if "missing" in answer:
        raise NotHere(answer["missing"])
    raise ArtifactError(answer.get("error") or f"{artifact.path}: the runtime died of it ({how_it_ended(done.returncode)}).")


def _answer(printed: bytes) -> Answer:
    """The last line that the child printed; {} when it died before it could answer."""
    lines = printed.decode(errors="replace").strip().splitlines()
    try:
        answer: Answer = json.loads(lines[-1])
        return answer
    except (IndexError, ValueError):
        return {}


def how_it_ended(code: int) -> str:
    """The signal's name, or the exit code."""
    if code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"
