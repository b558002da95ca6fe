"""The parent's side of the worker processes: starts them, asks several at once, and stops them all when one dies."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import IO, Any

from projectkit.errors import ScheduleError


def available_cores() -> list[int]:
    """The numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def pinned() -> str | None:
    """None where a process can be bound to cores, else why not."""
    return None if hasattr(os, "sched_setaffinity") else f"{sys.platform} does not let a process choose its cores"


class Piped(subprocess.Popen[bytes]):
    """A process that was started with pipes for its input and output."""

    stdin: IO[bytes]
    stdout: IO[bytes]


class Processes:
    """Worker processes by name. Every answer is a dict; all raise ScheduleError when one of them dies or refuses."""

    def __init__(self, names: list[str]):
        self._errors = [tempfile.TemporaryFile() for _ in names]  # noqa: SIM115 — closed in close()
        self.names = names
        command = [sys.executable, "-m", "projectkit.schedule.server"]
        self._children = [
            Piped(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=_environment())
            for errors in self._errors
        ]
        self._pool = ThreadPoolExecutor(len(names))

    @property
    def ids(self) -> list[int]:
        """The process numbers of the operating system."""
        return [child.pid for child in self._children]

    def ask(self, commands: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
        """Sends each process (by its place) its command, all at once; their answers. At the first failure all are killed."""
        futures = {place: self._pool.submit(self._ask_one, place, command) for place, command in commands.items()}
        done, _ = wait(futures.values(), return_when=FIRST_EXCEPTION)
        if failed := next((future.exception() for future in done if future.exception()), None):
            self.kill()
            wait(futures.values())
            raise failed
        return {place: future.result() for place, future in futures.items()}

    def _ask_one(self, place: int, command: dict[str, Any]) -> dict[str, Any]:
        child = self._children[place]
        with contextlib.suppress(OSError):  # it is dead: reading says so
            child.stdin.write(json.dumps(command).encode() + b"\n")
            child.stdin.flush()
        line = child.stdout.readline()
        if not line:
            raise ScheduleError(
                f"The process of {self.names[place]} has died ({_how(child.wait())}): {self._last_words(place)}. "
                "The other processes were stopped."
            )
        answer = json.loads(line)
        if "error" in answer:
            raise ScheduleError(f"The process of {self.names[place]} refuses: {answer['error']}")
        return answer

    def _last_words(self, place: int) -> str:
        file = self._errors[place]
        file.seek(0)
        lines = file.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "it said nothing"

    def kill(self) -> None:
        """Ends all of them at once."""
        for child in self._children:
            child.kill()
            child.wait()

    def close(self) -> None:
        """Ends all of them and frees what they held."""
        self.kill()
        self._pool.shutdown()
        for child, errors in zip(self._children, self._errors, strict=True):
            with contextlib.suppress(OSError):
                child.stdin.close()
            child.stdout.close()
            errors.close()


@contextlib.contextmanager
def started(names: list[str]) -> Iterator[Processes]:
    """Processes that live as long as the block."""
    processes = Processes(names)
    try:
        yield processes
    finally:
        processes.close()


def _environment() -> dict[str, str]:
    # NumPy's threads would only wait for work that never comes; the runtimes count their own.
    return os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
