"""Starts the worker that opens strangers' model files, with as much protection as this machine offers, and says how much that is.

A crafted model file can crash a runtime and perhaps take it over. So the worker lives in bubblewrap where that works (no
network, no files but the programs', own process space), else in spaces of its own by `unshare`, else in none; and each model in
a child of it that gives up what it does not need (grading.worker.confine), with and without a sandbox around it.
"""

import contextlib
import functools
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

import grading
import projectkit
from grading.errors import SandboxError
from grading.worker.confine import LANDLOCK, LIMITS, SECCOMP, available, python_folders

BUBBLEWRAP, UNSHARE, NONE = "bubblewrap", "unshare", "none"
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/opt")
_POWER = ("/sys/class/powercap", "/sys/devices/virtual/powercap")  # energy counters
SCRATCH_BYTES = 1024**3  # of all files that the worker writes; a submission's models are an eighth of that at most
PIPE_BYTES = 1024**2  # a submission's models fit, so that neither side waits for the other in the middle of them
_NOTHING = ("/bin/sh", "-c", ":")
_CONFINED = {
    LANDLOCK: "Landlock: each model may read programs and libraries only, and write to one folder of its own only",
    SECCOMP: "seccomp: no new process, no socket, no signal to others",
}


@dataclass(frozen=True, slots=True)
class Protections:
    """What protects this machine: `kind` is bubblewrap, unshare or none; `sentences` say it to a person."""

    kind: str
    sentences: tuple[str, ...]


@functools.cache
def protections() -> Protections:
    """What is active on this machine, found out by trying."""
    sentences = []
    if shutil.which("bwrap") and _works([*_bubblewrap(), *_NOTHING]):
        kind = BUBBLEWRAP
        sentences += ["bubblewrap: no network, no files but programs and libraries, own processes and users"]
    elif shutil.which("unshare") and _works([*_unshare(), *_NOTHING]):
        kind = UNSHARE
        sentences += ["unshare: no network, own processes and users"]
    else:
        kind = NONE
        sentences += ["no sandbox around the worker on this machine"]
    kernel = available()
    sentences += [sentence for name, sentence in _CONFINED.items() if name in kernel]
    if kind != BUBBLEWRAP and LANDLOCK not in kernel:
        sentences += ["other files are readable"]
    if kind != BUBBLEWRAP:
        threads = " and threads can be started" if kind == NONE else ""
        sentences += [f"the disk can be filled{threads} until the time is up"]
    if kind == NONE and SECCOMP not in kernel:
        sentences += ["the network can be reached" if LANDLOCK not in kernel else "parts of the network can be reached"]
    return Protections(kind, (*sentences, "limits of wall clock" + (", CPU time, memory, file size" if LIMITS in kernel else "")))


def require() -> None:
    """Raises SandboxError unless models are isolated from network and files here."""
    if protections().kind != BUBBLEWRAP:
        raise SandboxError(
            f"--require-sandbox: found {'; '.join(protections().sentences)}; expected bubblewrap. "
            "Install it (Debian, Ubuntu: apt install bubblewrap) and allow user namespaces, or run without --require-sandbox."
        )


class Piped(subprocess.Popen[bytes]):
    """A process that was started with pipes for its input and output."""

    stdin: IO[bytes]
    stdout: IO[bytes]


def start(command: Sequence[str], scratch: Path, log: BinaryIO) -> Piped:
    """Starts `command` isolated, with pipes for its input and output; what it prints as errors goes to `log`.

    Its environment holds nothing of the caller's. It may write to a temporary folder of its own only: inside bubblewrap one
    in memory, elsewhere `scratch`.
    """
    kind = protections().kind
    wrappers: dict[str, Callable[[], list[str]]] = {BUBBLEWRAP: _bubblewrap, UNSHARE: _unshare, NONE: list}
    return Piped(
        [*wrappers[kind](), *command],
        cwd=scratch,
        env=_environment(kind, scratch),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        bufsize=0,
        pipesize=PIPE_BYTES,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kills what is left of the process and its group, and collects it."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()


def _environment(kind: str, writable: Path) -> dict[str, str]:
    scratch = "/tmp" if kind == BUBBLEWRAP else str(writable)
    environment = {
        "PATH": os.defpath,
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(_source()),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if os.name == "nt":
        environment["SYSTEMROOT"] = os.environ.get("SYSTEMROOT", "")
    return environment


def _bubblewrap() -> list[str]:
    """The command line of bubblewrap: an empty root into which only what is needed is bound, read-only."""
    command = [_path_of("bwrap"), "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session"]
    command += ["--cap-drop", "ALL"]
    for path in _SYSTEM:
        if Path(path).is_symlink():
            command += ["--symlink", os.readlink(path), path]
        else:
            command += ["--ro-bind-try", path, path]
    command += ["--proc", "/proc", "--dev", "/dev", *_size(), "--tmpfs", "/tmp"]
    folders = _python_folders()
    for folder in (*map(str, folders), *_POWER):
        command += ["--ro-bind-try", folder, folder]
    package = Path(grading.__file__).parent
    if any(package.is_relative_to(folder) for folder in folders):  # installed among the other packages: hide all but the worker
        command += ["--tmpfs", str(package)]
        for part in map(str, (package / "__init__.py", package / "worker")):
            command += ["--ro-bind", part, part]
        command += ["--remount-ro", str(package)]
    return [*command, "--chdir", "/tmp", "--remount-ro", "/"]


@functools.cache
def _size() -> list[str]:
    """What bounds the folder in memory; versions before 0.7 cannot."""
    done = subprocess.run([_path_of("bwrap"), "--help"], capture_output=True, text=True, check=False)
    return ["--size", str(SCRATCH_BYTES)] if "--size" in done.stdout + done.stderr else []


def _unshare() -> list[str]:
    """The command line that gives a command a network, users and process numbers of its own."""
    own = ["--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return [_path_of("unshare"), *own]


def _path_of(program: str) -> str:
    """Where the program is. Raises SandboxError where it is not."""
    path = shutil.which(program)
    if path is None:
        raise SandboxError(f"{program}: not on the PATH any more, expected it where this run has found it. Install it again.")
    return path


def _source() -> Path:
    return Path(projectkit.__file__).parent.parent


def _python_folders() -> list[Path]:
    """What the worker imports; nothing else of the project: no salt, no results, no rubric, no reference solution."""
    folders = [*python_folders(), Path(grading.__file__)]
    unique = dict.fromkeys(folder for folder in folders if folder.exists())
    return [folder for folder in unique if not any(folder != other and folder.is_relative_to(other) for other in unique)]


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=10, check=False, stdin=subprocess.DEVNULL).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
