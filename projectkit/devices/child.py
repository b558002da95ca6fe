"""The process in which an agent measures: `python -m projectkit.devices.child FOLDER NAME MEMORY < job`.

It gets the job's length (8 bytes) and the job, and writes FOLDER/answer.json. Whatever a model does to the process, the agent
lives on. The agent keeps the pipe open: when it closes, the agent is gone, and this process removes FOLDER and ends too.
"""

import json
import os
import shutil
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from projectkit.devices.here import measure_here
from projectkit.devices.job import answer, failure, read_job, unpack
from projectkit.errors import ArtifactError, DeviceError, ProjectkitError
from projectkit.files import write_whole

ANSWER, DATA, LENGTH_BYTES = "answer.json", "data", 8
# How the runtimes say that they got no memory. (ONNX Runtime names the source file of its allocator.)
NO_MEMORY = ("bfc_arena", "failed to allocate memory", "bad_alloc", "bad allocation", "out of memory", "enough memory")


def main() -> None:
    folder, name, memory = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    packed = _receive()
    threading.Thread(target=_end_with_the_agent, args=(folder,), daemon=True).start()
    limit_memory(memory)
    try:
        result = measure_job(packed, folder, name, memory)
    except ProjectkitError as error:
        result = failure(error)
    write_whole(folder / ANSWER, json.dumps(with_names(result, packed, folder)).encode())


def measure_job(packed: bytes, folder: Path, name: str, memory: int) -> dict[str, Any]:
    """The answer to a job. Raises DeviceError when its models need more than `memory` bytes, what `measure.compare` raises."""
    (folder / DATA).mkdir()
    try:
        job, artifacts, data = unpack(packed, folder / DATA)
        baseline = None if job.baseline is None else artifacts.pop(job.baseline)
        profiles = measure_here(artifacts, data, threads=job.threads, budget=job.budget, baseline=baseline, name=name)
    except MemoryError as error:
        raise too_little_memory(name, memory) from error
    except ArtifactError as error:
        whole = f"{error} {error.__cause__}".lower()  # our sentence holds the beginning of the runtime's
        if any(word in whole for word in NO_MEMORY):
            raise too_little_memory(name, memory) from error
        raise
    return answer(profiles)


def with_names(result: dict[str, Any], packed: bytes, folder: Path) -> dict[str, Any]:
    """The answer with the sender's names of its files, in whatever is said of them, for what they are called here."""
    text = json.dumps(result)
    for index, (model, _) in enumerate(read_job(packed).models):
        here = json.dumps(str(folder / DATA / f"{index}{Path(model).suffix}"))
        text = text.replace(here[1:-1], json.dumps(model)[1:-1])
    return json.loads(text)


def too_little_memory(name: str, memory: int) -> DeviceError:
    return DeviceError(
        f"{name}: the model needs more memory than the {memory / 1e6:,.0f} MB that this device gives it. Make it smaller (int8, "
        "smaller inputs, fewer examples), or start the agent with a larger --memory."
    )


def limit_memory(memory: int) -> None:
    """Lets allocations beyond `memory` bytes fail where the system can do that, and has the system end this process first and
    not the agent where memory runs out after all."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with suppress(ImportError, OSError, ValueError):  # Windows has no such limits, macOS ignores them
        import resource

        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (memory if hard < 0 else min(memory, hard), hard))


def _receive() -> bytes:
    length = int.from_bytes(_exactly(LENGTH_BYTES), "little")
    return _exactly(length)


def _exactly(count: int) -> bytes:
    """From the file descriptor itself: a thread of ours will wait at it when the interpreter ends."""
    chunks = []
    while count:
        chunk = os.read(0, min(count, 2**20))
        if not chunk:
            raise SystemExit("The agent ended before the job was here.")
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)


def _end_with_the_agent(folder: Path) -> None:
    while os.read(0, 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # with the processes in which the memory is measured
    os._exit(1)


if __name__ == "__main__":
    main()
