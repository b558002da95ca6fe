"""Runs a command that opens strangers' model files, with as much protection as this machine offers, and says how much that is.

A crafted model file can crash a runtime and perhaps take it over. So: bubblewrap where it works (no network, only the files
the command needs, own process space), else an own network space by `unshare`, else only limits. Limits on memory, CPU
time and file size are set by a shell before the command starts; the parent enforces the wall clock.
"""

import contextlib
import functools
import os
import shutil
import signal
import site
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import projectkit
from grading.errors import SandboxError
from grading.types import Limits

BUBBLEWRAP, UNSHARE, NONE = "bubblewrap", "unshare", "none"
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/opt")
_POWER = ("/sys/class/powercap", "/sys/devices/virtual/powercap")  # energy counters
_NOTHING = ("/bin/sh", "-c", ":")
_TAIL = 2000


@dataclass(frozen=True, slots=True)
class Protections:
    """What protects this machine: `kind` is bubblewrap, unshare or none; `sentences` say it to a person."""

    kind: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended. `signal` is the number of the signal that killed it, else 0; `log` the end of what it printed."""

    code: int
    signal: int
    timed_out: bool
    log: str


@functools.cache
def protections() -> Protections:
    """What is active on this machine, found out by trying."""
    sentences = []
    if shutil.which("bwrap") and _works([*_bubblewrap((), ()), *_NOTHING]):
        kind = BUBBLEWRAP
        sentences += ["no network", "only the files of one submission, read-only", "own process and user space (bubblewrap)"]
    elif shutil.which("unshare") and _works([*_unshare(), *_NOTHING]):
        kind = UNSHARE
        sentences += ["no network (unshare); other files are readable"]
    else:
        kind = NONE
        sentences += ["no isolation of network and files on this machine"]
    names = {"v": "memory", "t": "CPU time", "f": "file size", "c": "no core dumps", "u": "processes", "p": "processes"}
    limits = [names[flag] for flag in _ulimits(kind)]
    return Protections(kind, (*sentences, f"limits: wall clock{''.join(', ' + limit for limit in limits)}"))


def require() -> None:
    """Raises SandboxError unless models are isolated from network and files here."""
    if protections().kind != BUBBLEWRAP:
        raise SandboxError(
            f"--require-sandbox: found {'; '.join(protections().sentences)}; expected bubblewrap. "
            "Install it (Debian, Ubuntu: apt install bubblewrap) and allow user namespaces, or run without --require-sandbox."
        )


def run(
    command: Sequence[str], *, read_only: Sequence[Path], writable: Path, limits: Limits, seconds: float | None = None
) -> Completed:
    """Runs `command` in the folder `writable`, the only one it can write to; it may read the paths in `read_only`.

    Wall clock: `seconds` (default: limits.seconds), then the whole process group is killed. The environment holds nothing
    of the caller's. What it prints is kept to its last 2000 characters.
    """
    seconds = limits.seconds if seconds is None else seconds
    kind = protections().kind
    wrapped = [*_limited(kind, limits, seconds), *command]
    if kind == BUBBLEWRAP:
        wrapped = [*_bubblewrap(read_only, (writable,)), *wrapped]
    elif kind == UNSHARE:
        wrapped = [*_unshare(), *wrapped]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            wrapped,
            cwd=writable,
            env=_environment(kind, writable),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        timed_out = False
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            _kill(process)
        log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL))
        tail = log.read().decode(errors="replace")
    code = process.returncode
    # A killed process shows as a negative code; behind bubblewrap, as 128 + the signal.
    number = -code if code < 0 else code - 128 if kind == BUBBLEWRAP and code > 128 else 0
    return Completed(code, number, timed_out, tail)


def _kill(process: subprocess.Popen) -> None:
    """Kills what is left of the process and its children, and collects it."""
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


def _bubblewrap(read_only: Sequence[Path], writable: Sequence[Path]) -> list[str]:
    """The command line of bubblewrap: an empty root into which only what is needed is bound."""
    command = [
        shutil.which("bwrap"),
        "--unshare-all",
        "--unshare-user",
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
    ]
    for path in _SYSTEM:
        if Path(path).is_symlink():
            command += ["--symlink", os.readlink(path), path]
        else:
            command += ["--ro-bind-try", path, path]
    command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    for path in (*_python_folders(), *_POWER):
        command += ["--ro-bind-try", str(path), str(path)]
    for path in read_only:
        command += ["--ro-bind", str(path.resolve()), str(path.resolve())]
    for path in writable:
        command += ["--bind", str(path.resolve()), str(path.resolve()), "--chdir", str(path.resolve())]
    return [*command, "--remount-ro", "/"]


def _unshare() -> list[str]:
    """The command line that gives a command a network space of its own, with nothing in it."""
    return [shutil.which("unshare"), "--map-root-user", "--net"]


def _source() -> Path:
    return Path(projectkit.__file__).parent.parent


def _python_folders() -> list[Path]:
    """Where Python, its packages and our two packages are; nothing else of the project (no salt, no results)."""
    folders = [Path(sys.base_prefix), Path(sys.prefix), *map(Path, site.getsitepackages())]
    if site.ENABLE_USER_SITE:
        folders.append(Path(site.getusersitepackages()))
    folders += [_source() / "projectkit", *(Path(__file__).parent / name for name in _WORKER_FILES)]
    unique = dict.fromkeys(folder for folder in folders if folder.exists())
    return [folder for folder in unique if not any(folder != other and folder.is_relative_to(other) for other in unique)]


# Of `grading` the sandbox sees no rubric and no reference solution.
_WORKER_FILES = ("__init__.py", "worker.py")


def _limited(kind: str, limits: Limits, seconds: float) -> list[str]:
    """A shell that sets the limits on itself and then becomes the command."""
    values = {
        "c": 0,
        "t": max(1, round(seconds) + 1),
        "v": limits.memory // 1024,
        "f": limits.file_bytes // 512,
        "u": limits.processes,
        "p": limits.processes,
    }
    flags = _ulimits(kind)
    if not flags:
        return []
    return ["/bin/sh", "-c", " && ".join(f"ulimit -{flag} {values[flag]}" for flag in flags) + ' && exec "$@"', "sh"]


@functools.cache
def _ulimits(kind: str) -> tuple[str, ...]:
    """Which limits this machine's shell can set. The number of processes is counted per user, so it is only set in bubblewrap's
    own user space: elsewhere the instructor's open programs would count too. Shells disagree on the letter, u or p."""
    if not Path("/bin/sh").exists():
        return ()
    flags = [flag for flag in "ctvf" if _works(["/bin/sh", "-c", f"ulimit -{flag} {0 if flag == 'c' else 10_000_000}"])]
    if kind == BUBBLEWRAP:
        flags += [flag for flag in "up" if _works(["/bin/sh", "-c", f"ulimit -{flag} 64"])][:1]
    return tuple(flags)


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=10, check=False, stdin=subprocess.DEVNULL).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
