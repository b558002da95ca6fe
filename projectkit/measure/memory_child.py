"""The child process of `peak_memory`: `python -m projectkit.measure.memory_child PATH FORMAT THREADS < example.npy`.

Prints one JSON object: {"least": bytes, "most": bytes}, or {"missing": reason}, or {"error": sentence}.
"""

import importlib
import io
import json
import sys
from contextlib import closing
from pathlib import Path

import numpy as np

from projectkit.errors import ArtifactError, NotHere
from projectkit.measure.memory import Answer
from projectkit.runtimes import open as open_model
from projectkit.types import Artifact

LIBRARIES = {"litert": "ai_edge_litert.interpreter", "onnx": "onnxruntime"}
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def main() -> None:
    path, file_format, threads = sys.argv[1:4]
    example = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    try:
        least, most = measure(Artifact(path, file_format, "", 0), example, int(threads))
        answer = Answer(least=least, most=most)
    except ArtifactError as error:
        answer = Answer(error=str(error))
    except NotHere as reason:
        answer = Answer(missing=str(reason))
    print(json.dumps(answer), flush=True)


def measure(artifact: Artifact, example: np.ndarray, threads: int) -> tuple[int, int]:
    """(least, most): between them lie the bytes that opening `artifact` and running `example` (1, ...) added."""
    if artifact.format in LIBRARIES:
        importlib.import_module(LIBRARIES[artifact.format])
    reset = _reset_peak()
    before, mark = _resident(), _peak()
    with closing(open_model(artifact, threads=threads)) as session:
        session.run(example)
        after, peak = _resident(), _peak()
    if reset or peak > mark:  # the mark shows this model's peak, not that of the imports
        return max(0, peak - before), max(0, peak - before)
    return max(0, after - before), max(0, mark - before, after - before)


def _reset_peak() -> bool:
    """Linux: puts the peak mark back to what is resident now (proc(5), clear_refs)."""
    try:
        CLEAR.write_text("5")
    except OSError:
        return False
    return True


def _resident() -> int:
    if STATUS.exists():
        return _status("VmRSS")
    import psutil

    return psutil.Process().memory_info().rss


def _peak() -> int:
    if STATUS.exists():
        return _status("VmHWM")
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, the others kilobytes


def _status(key: str) -> int:
    for line in STATUS.read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise NotHere(f"this kernel's /proc/self/status has no {key}, so a process cannot see its own memory")


if __name__ == "__main__":
    main()
