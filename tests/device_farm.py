"""A scheduler and agents as processes of this machine, with the certificates that the documentation says how to make."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from projectkit import devices
from projectkit.devices import Remote, Tls
from waiting import wait_for

COMMAND = [sys.executable, "-c", "from projectkit.cli import app; app()"]


@dataclass(frozen=True)
class Farm:
    """A running scheduler, the folder of the certificates, and where agents write what they print and keep their files."""

    scheduler: str
    folder: Path

    def tls(self, who: str) -> Tls | None:
        return tls_of(self.folder, who) if self.scheduler.startswith("tls") else None

    def device(self, label: str = "") -> Remote:
        return Remote(self.scheduler, label, self.tls("ada"))

    def left_behind(self) -> list[str]:
        """Files of jobs that are over."""
        return [path.name for path in (self.folder / "temporary").iterdir() if path.name.startswith("projectkit-job-")]


def make_certificates(folder: Path, names: Sequence[str]) -> None:
    """Runs the lines of the documentation in `folder`, the second and third once a name."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [line.strip() for line in devices.__doc__.splitlines() if line.strip().startswith("openssl")]
    authority, request, sign = (re.sub("rsa:3072", "rsa:2048", line) for line in lines)  # faster
    for line in [authority, *(each.replace("jetson-1", name) for name in names for each in (request, sign))]:
        subprocess.run(line.split(), cwd=folder, check=True, capture_output=True)


def tls_of(folder: Path, who: str) -> Tls:
    return Tls(str(folder / "authority.pem"), str(folder / f"{who}.pem"), str(folder / f"{who}.key"))


def tls_options(tls: Tls) -> list[str]:
    return ["--tls-ca-file", tls.ca_file, "--tls-cert", tls.cert, "--tls-key", tls.key]


@contextmanager
def ended(process: subprocess.Popen):
    """Ends the process and everything in its session when the block does."""
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen) -> None:
    """As a device does that loses its power."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def start(words: Sequence[str], folder: Path, printed: str, **environment: str) -> subprocess.Popen:
    (folder / "temporary").mkdir(exist_ok=True)
    with (folder / printed).open("wb") as file:
        return subprocess.Popen(
            words,
            stdout=file,
            stderr=file,
            cwd=folder,
            env=os.environ | {"TMPDIR": str(folder / "temporary")} | environment,
            start_new_session=True,
        )


@contextmanager
def farm(folder: Path, *, secure: bool = True, **environment: str):
    """A scheduler without agents; Dask's own settings may stand in its environment."""
    folder.mkdir(exist_ok=True)
    words = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"]
    if secure:
        make_certificates(folder, ["scheduler", "jetson-1", "ada"])
        words += ["--protocol", "tls", *tls_options(tls_of(folder, "scheduler"))]
    file = folder / "scheduler.json"
    words = [sys.executable, "-m", "dask", *words, "--scheduler-file", str(file)]
    with ended(start(words, folder, "scheduler.txt", **environment)):
        wait_for(file.exists)
        yield Farm(json.loads(file.read_text())["address"], folder)


@contextmanager
def agents(farm: Farm, *names: str, labels: Sequence[str] = ("bench",), memory: float = 2e9, **environment: str):
    """Agents of these names; gives their processes, once all of them serve."""
    with ExitStack() as stack:
        processes = []
        for name in names:
            words = ["agent", "--scheduler", farm.scheduler, "--name", name, "--memory", str(memory)]
            words += [word for label in labels for word in ("--label", label)]
            words += tls_options(farm.tls("jetson-1")) if farm.tls("jetson-1") else []
            process = start([*COMMAND, *words], farm.folder, f"{name}.txt", **environment)
            processes.append(stack.enter_context(ended(process)))
        for name, process in zip(names, processes, strict=True):
            printed = farm.folder / f"{name}.txt"
            wait_for(lambda printed=printed, process=process: "serves" in printed.read_text() or process.poll() is not None)
            assert process.poll() is None, printed.read_text()
        yield processes


def measurements(process: subprocess.Popen) -> list[psutil.Process]:
    """The measurements that an agent has under way: its child processes of that kind."""
    try:
        return [child for child in psutil.Process(process.pid).children() if "projectkit.devices.child" in child.cmdline()]
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []
