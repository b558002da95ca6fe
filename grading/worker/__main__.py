"""The warm process: reads jobs, runs each in a child of its own, and passes on what the child says.

    python -m grading.worker bubblewrap|unshare|none

is started by grading.workers inside the sandbox. Its standard input brings frames: `inputs` (kept, by digest) and jobs, whose
models only the child reads, so that no later child can find them here. Its standard output takes frames: ready, then for each
job the child's bytes as they are, and how it ended. In the first two sandboxes process numbers and users are its own.
"""

import contextlib
import gc
import io
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np

from grading.worker import cold, confine
from grading.worker.board import Board
from grading.worker.frames import (
    ANSWER,
    GO,
    STARTED,
    TIME,
    Header,
    JobHeader,
    next_header,
    read_exactly,
    read_header,
    write_all,
    write_frame,
)
from grading.worker.measuring import OUTPUT_BYTES, preload, seconds, work
from projectkit.types import FORMATS

FORKS = sys.platform == "linux"  # elsewhere a forked child cannot be trusted to run the system's libraries
LOG_BYTES = 2000
SLACK = 1.0  # seconds for reading the models and for the kernel's own clock to strike first
CHUNK = 256 * 1024
ASKS = 4  # turns a slot: to time and to go on, twice


def main(kind: str) -> None:
    """Serves jobs until the standard input ends. Without fork, it serves one, in this process, and ends."""
    own = kind != "none" and os.getpid() <= 2  # the sandbox's first process, or its only other one
    jobs, answers = _take_over_streams()
    confine.guard()
    preload()
    gc.freeze()  # a child's garbage collection need not walk, and so copy, what all children share
    write_frame(answers, {"forks": FORKS})
    inputs: dict[str, np.ndarray] = {}
    while (header := read_header(jobs)) is not None:
        if "inputs" in header:
            inputs[header["inputs"]] = np.load(io.BytesIO(read_exactly(jobs, header["bytes"])), allow_pickle=False)
            continue
        folder = Path(tempfile.mkdtemp(prefix="job-"))
        x = inputs[header["job"]["inputs"]]
        if not FORKS:
            _run_here(header["job"], x, folder, jobs, answers)
            break
        end = _run_in_child(header["job"], x, folder, jobs, answers, own)
        _clean(kind)
        write_frame(answers, end)


def _take_over_streams() -> tuple[int, int]:
    """The two pipes under other numbers, and nothing where libraries read and write: what they print is no frame."""
    jobs, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return jobs, answers


def _run_in_child(job: JobHeader, inputs: np.ndarray, folder: Path, jobs: int, answers: int, own: bool) -> Header:
    """Forks the child and passes its stream on until it ends or must; how it ended, as the header of the last frame."""
    stream, told = os.pipe()
    log, printed = os.pipe()
    asked, asks = os.pipe()
    goes, go = os.pipe()
    board = Board(job["board"]) if job["rounds"] else None  # a job without questions shares no memory
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setsid()
            for descriptor in (stream, log, asked, go, answers):
                os.close(descriptor)
            os.dup2(printed, 1)
            os.dup2(printed, 2)
            os.close(printed)
            files = _take(job, folder, jobs)
            os.close(jobs)
            if job["what"] == "memory":
                cold.become(job, files, inputs, told, own)

            def ask(turn: bytes, answer: bytes = b"") -> bytes:
                if board is not None and turn == ANSWER:
                    board.write(answer)
                write_all(asks, turn)
                read_exactly(goes, len(GO))
                if board is None or turn != ANSWER:
                    return b""
                with board.content() as question:
                    return bytes(question)

            work(job, files, inputs, own, lambda content: write_all(told, content), ask)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    for descriptor in (told, printed, asks, goes):
        os.close(descriptor)
    relay = _Relay(child, stream, log, answers, _most_bytes(job), time.monotonic() + seconds(job) + SLACK)
    relay.run(_Turns(asked, go, jobs, answers, job, board))
    status = _end(child, own)
    relay.drain()
    if board is not None:
        board.close()
    if not relay.started:  # nobody knows how much of the job was read: the parent has to start anew
        write_all(2, relay.log)
        raise SystemExit(70)
    code, number = os.waitstatus_to_exitcode(status), 0
    if code < 0:
        code, number = 128 - code, -code
    log_text = relay.log.decode(errors="replace")
    return {"code": code, "signal": number, "timed_out": relay.timed_out, "flooded": relay.flooded, "log": log_text}


class _Relay:
    """Passes on a child's stream as frames, and ends when the child does, when its time is up, or when it says too much."""

    def __init__(self, child: int, stream: int, log: int, answers: int, most: int, deadline: float):
        self._process, self._stream, self._log, self._answers = os.pidfd_open(child), stream, log, answers
        self._left, self._deadline = most, deadline
        self._buffer = memoryview(bytearray(CHUNK))
        self.started = self.timed_out = self.flooded = False
        self.log = b""

    def run(self, turns: "_Turns") -> None:
        """Until the child has ended, its time is up, or it floods. Its time stands still while it waits for its turn."""
        while not self.flooded:
            waiting = self._deadline - time.monotonic()
            if waiting <= 0:
                self.timed_out = True
                break
            ready, _, _ = select.select([self._process, *self._open(), *turns.open()], [], [], waiting)
            for descriptor in ready:
                if descriptor in self._open():
                    self._pass(descriptor)
                elif descriptor != self._process:
                    self._deadline += turns.take()
            if self._process in ready:
                break
            self.flooded = self.flooded or turns.too_many
        turns.close()

    def drain(self) -> None:
        """What the child, now dead, had written before."""
        for descriptor in (self._stream, self._log):
            if descriptor in self._open():
                os.set_blocking(descriptor, False)
        while not self.flooded and self._open():
            for descriptor in self._open():
                self._pass(descriptor)
        for descriptor in (*self._open(), self._process):
            os.close(descriptor)

    def _open(self) -> list[int]:
        return [descriptor for descriptor in (self._stream, self._log) if descriptor >= 0]

    def _pass(self, descriptor: int) -> None:
        try:
            content = self._buffer[: os.readv(descriptor, [self._buffer])]
        except BlockingIOError:
            content = self._buffer[:0]
        if not content:
            os.close(descriptor)
            if descriptor == self._stream:
                self._stream = -1
            else:
                self._log = -1
        elif descriptor == self._log:
            self.log = (self.log + content)[-LOG_BYTES:]
        else:
            self._pass_stream(content)
        content[:] = bytes(len(content))  # the next child is a copy of this process: it must not find another's answers

    def _pass_stream(self, content: memoryview) -> None:
        if not self.started:
            self.started, content = content[: len(STARTED)] == STARTED, content[len(STARTED) :]
        self._left -= len(content)
        self.flooded = self._left < 0
        if content and not self.flooded:
            write_frame(self._answers, {"bytes": len(content)}, content)


class _Turns:
    """Asks the grader for what a child asks for, turns and questions, and tells the child when it has them."""

    def __init__(self, asked: int, go: int, jobs: int, answers: int, job: JobHeader, board: Board | None):
        self._asked, self._go, self._jobs, self._answers, self._board = asked, go, jobs, answers, board
        self._turns, self._questions = ASKS * len(job["slots"]), job["rounds"]
        self.too_many = False

    def open(self) -> list[int]:
        return [self._asked] if self._asked >= 0 else []

    def take(self) -> float:
        """Seconds that the child has waited for one turn or question."""
        turn, start = os.read(self._asked, 1), time.monotonic()
        if not turn:
            os.close(self._asked)
            self._asked = -1
            return 0.0
        if turn == ANSWER:
            self._questions -= 1
        else:
            self._turns -= 1
        self.too_many = min(self._turns, self._questions) < 0
        if not self.too_many:
            self._pass_question(self._board) if self._board is not None and turn == ANSWER else self._pass_turn(turn)
            with contextlib.suppress(BrokenPipeError):  # it died in the meantime
                write_all(self._go, GO)
        return time.monotonic() - start

    def _pass_turn(self, turn: bytes) -> None:
        write_frame(self._answers, {"turn": turn == TIME})
        read_exactly(self._jobs, len(GO))

    def _pass_question(self, board: Board) -> None:
        with board.content() as answer:
            write_frame(self._answers, {"answer": len(answer)}, answer)
        board.receive(self._jobs, next_header(self._jobs)["question"])

    def close(self) -> None:
        for descriptor in (*self.open(), self._go):
            os.close(descriptor)


def _take(job: JobHeader, folder: Path, jobs: int) -> dict[str, str]:
    """Reads the models of `job` from the pipe into `folder`, and moves there; the files by slot, the baseline's under ""."""
    files = {}
    for name, model in {**job["slots"], "": job["baseline"]}.items():
        if model is not None:
            suffix = next(suffix for suffix, kind in FORMATS.items() if kind == model["format"])
            files[name] = str(folder / f"{name or 'baseline'}{suffix}")
            Path(files[name]).write_bytes(read_exactly(jobs, model["size"]))
    if job["core"] is not None and hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):  # the core may be gone: a container's cores can change
            os.sched_setaffinity(0, {job["core"]})
    os.chdir(folder)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    return files


def _run_here(job: JobHeader, inputs: np.ndarray, folder: Path, jobs: int, answers: int) -> None:
    """Without fork: this process is the child, and the parent starts another for the next job."""
    files = _take(job, folder, jobs)

    def ask(turn: bytes, answer: bytes = b"") -> bytes:
        if turn == ANSWER:
            write_frame(answers, {"answer": len(answer)}, answer)
            return read_exactly(jobs, next_header(jobs)["question"])
        write_frame(answers, {"turn": turn == TIME})
        return read_exactly(jobs, len(GO))

    def tell(content: bytes) -> None:
        if content != STARTED:  # which is for whoever forks children
            write_frame(answers, {"bytes": len(content)}, content)

    work(job, files, inputs, False, tell, ask)
    write_frame(answers, {"code": 0, "signal": 0, "timed_out": False, "flooded": False, "log": ""})


def _end(child: int, own: bool) -> int:
    """Kills what is left of the child and of all that it started; the child's wait status."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if own:  # everything in the sandbox but this process and the sandbox's first
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
    while orphans := _children():  # they come to this process, their subreaper
        for orphan in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(orphan, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)
    return status


def _children() -> list[int]:
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(number) for number in path.read_text().split()] if path.exists() else []


def _clean(kind: str) -> None:
    """Leaves the next child nothing of this one: empties every place that it could have written to."""
    places = [Path(tempfile.gettempdir())]
    if kind == "bubblewrap":  # elsewhere this one is the whole machine's
        places.append(Path("/dev/shm"))
    for place in places:
        for entry in place.iterdir() if place.is_dir() else ():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def _most_bytes(job: JobHeader) -> int:
    """More than any honest child says: outputs of every slot, some of them again, and its records."""
    return len(job["slots"]) * (3 * OUTPUT_BYTES + 1024**2)


if __name__ == "__main__":
    main(sys.argv[1])
