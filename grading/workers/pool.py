"""Warm workers: processes in the sandbox that have the runtimes loaded, one job at a time each, started when first needed."""

import contextlib
import os
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from grading.errors import SandboxError
from grading.types import Limits
from grading.worker.frames import (
    GO,
    Header,
    JobHeader,
    ModelHeader,
    next_header,
    read_exactly,
    read_header,
    write_all,
    write_frame,
)
from grading.workers import sandbox, turns
from projectkit.measure import device

MODELS, MEMORY, ATTACK = "models", "memory", "attack"  # what a job measures
START = 60.0  # seconds granted for starting a worker; a laptop's first start reads the runtimes from a slow disk
GRACE = 5.0  # seconds beyond its own deadline before the worker itself is taken for dead


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of all jobs of a course, as the bytes of an .npy file, and a digest that names them. No labels."""

    digest: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Model:
    """A model file's content, its format and what is to be measured of it."""

    format: str
    sha256: str
    content: bytes
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """What one child does: run models and time them (in turn with a baseline), or see what memory they take, or answer at most
    `rounds` questions, for which and for whose answers there is a `board` of so many bytes."""

    what: str
    models: Mapping[str, Model]
    limits: Limits
    baseline: Model | None = None
    rounds: int = 0
    board: int = 0


class Questioner(Protocol):
    """Asks the questions of a job, on this side of the pipe; only it knows the labels."""

    def begin(self) -> None:
        """A child starts to answer: the first one, or another after a worker has died."""

    def reply(self, answer: bytes) -> bytes:
        """The next question after this answer, the first of which is empty; an empty one ends it."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a child wrote and how it ended: the exit code, the signal that killed it (else 0), the end of its log."""

    stream: bytes
    code: int = 0
    signal: int = 0
    timed_out: bool = False
    flooded: bool = False
    log: str = ""
    waited: float = 0.0  # seconds until it was its turn
    device: str = ""
    protections: tuple[str, ...] = ()


class Workers:
    """Up to `count` workers of this machine, each kept on a core of its own where cores can be chosen. A context manager."""

    def __init__(self, count: int = 0):
        cores = _cores()
        self.count = count or len(cores)
        self._free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._all = [_Worker(cores[index % len(cores)]) for index in range(self.count)]
        for worker in self._all:
            self._free.put(worker)

    def run(self, job: Job, inputs: Inputs, questioner: Questioner | None = None) -> JobResult:
        """Runs the job when a worker is free and it is its turn; `talk` asks its questions, where it has some.

        Raises SandboxError when no worker can be started.
        """
        start, before = time.perf_counter(), turns.waited()
        with self._worker() as worker:
            busy = time.perf_counter() - start
            with turns.working() as change:
                ended = worker.run(job, inputs, change, questioner)
        return replace(ended, waited=busy + turns.waited() - before)

    @contextlib.contextmanager
    def _worker(self) -> Iterator["_Worker"]:
        worker = self._free.get()
        try:
            yield worker
        finally:
            self._free.put(worker)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._all:
            worker.stop()


def _cores() -> Sequence[int | None]:
    """The cores that this process may run on; None for each where a process cannot choose."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return [None] * (os.cpu_count() or 1)


class _Process:
    """A warm process that was started, and what lives as long as it: its pipes, its folder, its log.

    popen: the process; to, back: its pipes; known: the digests of the inputs that it has; forks: whether it forks a child for
    each job, which it says when it is ready.
    """

    def __init__(self, program: Sequence[str]):
        self._scratch = tempfile.TemporaryDirectory(prefix="grading-worker-", ignore_cleanup_errors=True)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 — it lives as long as the process
        command = [sys.executable, "-P", *program, sandbox.protections().kind]
        self.popen = sandbox.start(command, Path(self._scratch.name), self._log)
        self.to, self.back = self.popen.stdin.fileno(), self.popen.stdout.fileno()
        self.known: set[str] = set()
        self.forks = True

    def kill(self) -> None:
        """Kills what is left of the process and its group."""
        sandbox.kill(self.popen)

    def collect(self) -> tuple[int, str]:
        """Kills and collects it: exit code and the end of what it printed."""
        self.kill()
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - 2000))
        log = self._log.read().decode(errors="replace")
        for stream in (self.popen.stdin, self.popen.stdout, self._log):
            stream.close()
        self._scratch.cleanup()
        return self.popen.returncode, log


class _Worker:
    """One warm process, started anew when it has died."""

    program = ("-m", "grading.worker")

    def __init__(self, core: int | None):
        self._core = core
        self._process: _Process | None = None
        self._last_log = ""

    def run(self, job: Job, inputs: Inputs, change: Callable[[bool], None], questioner: Questioner | None) -> JobResult:
        """Runs the job; `change` takes the turn to time alone, and the one to work.

        A worker that dies of something else than its child (the machine ran out of memory, somebody killed it) is no student's
        fault: another one tries again, once. Raises SandboxError when that one dies as well.
        """
        ended = self._try(job, inputs, change, questioner)
        if ended is None:
            change(False)  # it may have died while it was timed, with everybody else waiting
            ended = self._try(job, inputs, change, questioner)
        if ended is None:
            raise SandboxError(f"the worker died twice while it measured this submission. {self._last_log}".strip())
        return ended

    def _try(self, job: Job, inputs: Inputs, change: Callable[[bool], None], questioner: Questioner | None) -> JobResult | None:
        """How the job ended; None when the worker died of it."""
        process = self._start()
        stream: list[bytes] = []
        if questioner:
            questioner.begin()
        with _Deadline(job.limits.seconds * len(job.models) + GRACE, process.kill) as deadline:

            def wait_for(timing: bool) -> None:
                with deadline.stopped():
                    change(timing)

            def reply(answer: bytes) -> bytes:
                with deadline.stopped():
                    return questioner.reply(answer) if questioner else b""

            try:
                end = self._exchange(process, job, inputs, stream, wait_for, reply)
            except (OSError, EOFError, ValueError):  # it died, or wrote what is no frame
                end = None
        if end is not None:
            if not process.forks:
                self.stop()
            told, flooded = b"".join(stream), end["flooded"]
            return _on_this_machine(JobResult(told, end["code"], end["signal"], end["timed_out"], flooded, end["log"]))
        self._process = None
        code, log = process.collect()
        if process.forks:
            self._last_log = f"Exit code {code}: {log[-500:]}"
            return None
        number = -code if code < 0 else code - 128 if code > 128 else 0
        # Where it forks no child, it is the child.
        return _on_this_machine(JobResult(b"".join(stream), code, number, deadline.expired, log=log))

    def _exchange(
        self,
        process: _Process,
        job: Job,
        inputs: Inputs,
        stream: list[bytes],
        wait_for: Callable[[bool], None],
        reply: Callable[[bytes], bytes],
    ) -> Header:
        """Sends the job, collects what its child says into `stream`, waits for its turns, asks its questions; how it ended."""
        to, back = process.to, process.back
        if inputs.digest not in process.known:
            write_frame(to, {"inputs": inputs.digest, "bytes": len(inputs.content)}, inputs.content)
            process.known.add(inputs.digest)
        rounds, models = 0, [*job.models.values(), *([job.baseline] if job.baseline else [])]
        write_frame(to, {"job": _header(job, inputs, self._core)}, *(model.content for model in models))
        while True:
            header = next_header(back)
            if "turn" in header:
                wait_for(header["turn"])
                write_all(to, GO)
            elif "answer" in header:
                rounds += 1
                if rounds > job.rounds or header["answer"] > job.board:  # where it forks no child, nobody else has looked
                    raise EOFError("the worker answers what nobody asked")
                question = reply(read_exactly(back, header["answer"]))
                write_frame(to, {"question": len(question)}, question)
            elif "bytes" in header:
                stream.append(read_exactly(back, header["bytes"]))
            else:
                return header

    def _start(self) -> _Process:
        """The process, started when there is none that runs. Raises SandboxError when it does not start."""
        if self._process is not None and self._process.popen.poll() is None:
            return self._process
        self.stop()
        process = self._process = _Process(self.program)
        with _Deadline(START, process.kill):
            try:
                ready = read_header(process.back)
            except (OSError, EOFError, ValueError):
                ready = None
        if ready is None:
            self._process = None
            code, log = process.collect()
            raise SandboxError(f"the worker did not start (exit code {code}): {log[-500:]}")
        process.forks = ready["forks"]
        return process

    def stop(self) -> None:
        """Ends the process, if there is one."""
        if self._process is not None:
            self._process.collect()
            self._process = None


def _on_this_machine(ended: JobResult) -> JobResult:
    return replace(ended, device=device(), protections=sandbox.protections().sentences)


class _Deadline:
    """Calls `on_expiry` once its seconds have passed, not counting those while it is stopped. A context manager."""

    def __init__(self, seconds: float, on_expiry: Callable[[], None]):
        self._left, self._on_expiry, self.expired = seconds, on_expiry, False

    def __enter__(self) -> "_Deadline":
        self._since = time.monotonic()
        self._timer = threading.Timer(self._left, self._expire)
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._left -= time.monotonic() - self._since

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        self.__exit__()
        yield
        self.__enter__()

    def _expire(self) -> None:
        self.expired = True
        self._on_expiry()


def _header(job: Job, inputs: Inputs, core: int | None) -> JobHeader:
    def described(model: Model) -> ModelHeader:
        return {"format": model.format, "sha256": model.sha256, "size": len(model.content), "metrics": list(model.metrics)}

    limits = job.limits
    return {
        "what": job.what,
        "inputs": inputs.digest,
        "slots": {slot: described(model) for slot, model in job.models.items()},
        "baseline": described(job.baseline) if job.baseline else None,
        "limits": {
            "seconds": limits.seconds,
            "memory": limits.memory,
            "file_bytes": limits.file_bytes,
            "processes": limits.processes,
            "budget": limits.budget,
        },
        "core": core,
        "rounds": job.rounds,
        "board": job.board,
    }
