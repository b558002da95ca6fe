"""Memory is seen by a process that has just loaded a runtime and nothing else, as projectkit.measure.peak_memory sees it; a fork
of the warm process has other pages in its memory. So the child of a memory job becomes a new program:

    python -m grading.worker.cold

in the job's folder, which holds job.json and example.npy.
"""

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

import numpy as np

from grading.worker.frames import JobHeader, write_all

JOB, EXAMPLE = "job.json", "example.npy"


def become(job: JobHeader, files: dict[str, str], inputs: np.ndarray, told: int, own: bool) -> NoReturn:
    """Replaces this process, which is in the job's folder; it keeps the pipe `told`. Does not return."""
    Path(JOB).write_text(json.dumps({"job": job, "files": files, "told": told, "own": own}))
    np.save(EXAMPLE, inputs[:1], allow_pickle=False)
    os.set_inheritable(told, True)
    os.execv(sys.executable, [sys.executable, "-P", "-m", "grading.worker.cold"])


def main() -> None:
    from grading.worker.measuring import work

    given = json.loads(Path(JOB).read_text())
    example = np.load(EXAMPLE, allow_pickle=False)

    def ask(turn: bytes, answer: bytes = b"") -> bytes:
        return b""  # memory is measured without turns

    work(given["job"], given["files"], example, given["own"], lambda content: write_all(given["told"], content), ask)


if __name__ == "__main__":
    main()
