"""Runs attacks in one session of a real warm worker, and looks after each at what it did to the world around.

    python siege.py LAYERS [ATTACK …]        LAYERS: landlock | seccomp | none | all; ATTACK: every one when none is named

prints JSON: the kind of sandbox, and for each attack what came of it. Which sandbox there is depends on PATH: without bwrap
and unshare in it, there is none.
"""

# ruff: noqa: E402 — the path is set first

import hashlib
import inspect
import io
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE.parent), str(HERE)]  # the grader before the folder of its tests

import attack_tools
import attacks_files
import attacks_kernel
import attacks_limits
import attacks_processes
import attacks_stream
import sklearn
import taken_over

import grading
from grading.errors import SandboxError
from grading.hidden.data import SALT_VARIABLE, Hidden
from grading.measuring.remeasure import MeasuringTask, measure
from grading.types import Limits
from grading.worker.confine import LANDLOCK, LIMITS, SECCOMP
from grading.worker.frames import parts
from grading.workers import sandbox, turns
from grading.workers.pool import GRACE, MODELS, Inputs, Job, JobResult, Model, Workers
from grading.workers.results import slot_reports
from models_by_hand import linear_onnx, linear_weights
from projectkit.types import Artifact, Split

FAMILIES = {
    "Processes": attacks_processes,
    "Files and network": attacks_files,
    "The kernel's interfaces": attacks_kernel,
    "Time, memory, disk": attacks_limits,
    "What it says": attacks_stream,
}
LIMIT = Limits(seconds=1.0, memory=3 * 1024**3, file_bytes=32 * 1024**2, processes=64)
DISK = 1024**3 + LIMIT.file_bytes  # what an attack tries to write in all
COUNT = 40
EVIL = "evil-of-a-child"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attack: `gained` is what it got or spoilt, empty when it was stopped; `how` it ended."""

    gained: str
    how: str


def attacks() -> dict[str, tuple[str, Callable]]:
    """Family and function of each attack by name, in the order of their files; with those that only prepare another."""
    found = {}
    for family, module in FAMILIES.items():
        for name, function in vars(module).items():
            if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_"):
                found[name] = (family, function)
    return found


def kinds() -> list[str]:
    """The names of the attacks that count."""
    return [name for name in attacks() if not name.startswith("prepare_")]


def besiege(layers: tuple[str, ...] | None, names: Iterable[str]) -> dict:
    """The attacks, one after the other, on the same worker. `layers` of the kernel are left on; None: all that it has."""
    with ExitStack() as stack:
        world = stack.enter_context(World())
        workers = stack.enter_context(Workers(1))
        worker = workers._all[0]
        source = inspect.getsource(taken_over).replace("LAYERS = ()", f"LAYERS = {layers!r}")
        worker.program = ("-c", source)
        sibling = stack.enter_context(Workers(1))
        sibling.run(world.honest_job(), world.inputs)  # starts it
        world.aim["sibling"] = sibling._all[0]._process.popen.pid
        outcomes = {name: asdict(_attack(name, world, workers, sibling)) for name in names}
    return {"kind": sandbox.protections().kind, "outcomes": outcomes}


def _attack(name: str, world: "World", workers: Workers, sibling: Workers) -> Outcome:
    before, start = world.snapshot(), time.monotonic()
    try:
        ended, died = workers.run(world.hostile_job(name), world.inputs), ""
    except SandboxError:
        ended, died = JobResult(b""), "the worker died"
    late = time.monotonic() - start > LIMIT.seconds + GRACE + 4
    reports = [content for kind, _, content in parts(ended.stream) if kind == taken_over.REPORT]
    report = _report(reports)
    gains = [
        report.get("gained") or "",
        died,
        "it ran longer than it may" if late else "",
        "it became another program" if "became another program" in ended.log else "",
        _believed(ended, world),
        world.damage(before),
        "the sibling died" if sibling._all[0]._process.popen.poll() is not None else "",
        world.unwell(workers),
    ]
    how = report.get("refused") or ("came to its end without effect" if "gained" in report else _how(ended))
    return Outcome("; ".join(filter(None, gains)), how)


def _report(reports: list[bytes]) -> dict:
    try:
        return json.loads(reports[-1]) if reports else {}
    except ValueError:
        return {}


def _how(ended: JobResult) -> str:
    if ended.flooded:
        return "stopped for saying too much"
    if ended.timed_out:
        return "stopped at its deadline"
    return f"killed by signal {ended.signal}" if ended.signal else f"ended with code {ended.code}"


def _believed(ended: JobResult, world: "World") -> str:
    """What the grader makes of the child's words: nothing but this slot's, and no more than a child can know."""
    try:
        slots = slot_reports(ended.stream, ["first"])
        measured = measure(world.task, lambda job, inputs: ended)
    except Exception as error:
        return f"the grader broke: {type(error).__name__}"
    said = measured.slots.get("first")
    gains = ["another slot was answered"] if set(slots) != {"first"} or len(measured.slots) > 1 else []
    if said:
        values = said.profile.values
        gains += ["its accuracy was believed"] if values["accuracy"].value > 0.5 else []
        gains += ["its size was believed"] if values["size"].value != world.task.artifacts["first"].size else []
        gains += ["its latency was believed"] if "latency_p50" in values else []
    texts = [*measured.problems.values(), *(text for one in measured.slots.values() for text in one.profile.missing.values())]
    gains += ["control codes got through"] if any(not text.isprintable() or len(text) > 1000 for text in texts) else []
    return "; ".join(gains)


class World:
    """What the attacks aim at: a grader's folder with its secrets, listeners, another worker; and eyes for what they leave."""

    def __enter__(self) -> "World":
        self._stack = ExitStack()
        self.root = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="world-", dir=Path.home())))
        salt, self.model_mark = secrets.token_hex(16), secrets.token_hex(16).encode()
        secret = {name: self.root / f"{name}.txt" for name in ("labels", "salt", "submission", "results")}
        for path in secret.values():
            path.write_text(salt + "\n")
        before = os.environ.get(SALT_VARIABLE)
        self._stack.callback(os.environ.update, {SALT_VARIABLE: before} if before else {})
        self._stack.callback(os.environ.pop, SALT_VARIABLE)
        os.environ[SALT_VARIABLE] = salt
        package = Path(grading.__file__).parent
        secret |= {"rubric": next((package / "rubrics").glob("*.toml")), "solutions": next((package / "exercises").glob("l*.py"))}
        self._listeners = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
        self._listeners[1].bind(("127.0.0.1", 0))
        self._listeners += [socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)]
        abstract = f"grader-{os.getpid()}"
        self._listeners[2].bind("\0" + abstract)
        self._listeners[3].bind(str(self.root / "socket"))
        for listener in self._listeners:
            self._stack.enter_context(listener).setblocking(False)
        for listener in self._listeners[2:]:
            listener.listen()
        self.aim = {
            "grader": os.getpid(),
            "files": {name: str(path) for name, path in secret.items()},
            "salt_digest": hashlib.sha256(salt.encode()).hexdigest(),
            "model_mark": _hidden(self.model_mark),
            "answers_mark": _hidden(secrets.token_bytes(16)),
            "packages": str(Path(np.__file__).parent.parent),
            "public": str(Path(sklearn.__file__).parent / "datasets" / "data" / "digits.csv.gz"),
            "port": self._listeners[0].getsockname()[1],
            "udp_port": self._listeners[1].getsockname()[1],
            "abstract": abstract,
            "socket_file": str(self.root / "socket"),
            "lock": str(turns.TURN),
            "file_bytes": LIMIT.file_bytes,
            "disk": DISK,
            "count": COUNT,
        }
        rng = np.random.default_rng(0)
        self.x = rng.random((COUNT, 8, 8, 1), np.float32)
        stream = io.BytesIO()
        np.save(stream, self.x)
        self.inputs = Inputs("inputs", stream.getvalue())
        labels = rng.permutation(np.arange(COUNT) % 10)
        none = Split(self.x[:0], labels[:0])
        hidden = Hidden(Split(self.x, labels), 10, "hidden", none, none, "altered")
        model = self._stack.enter_context(tempfile.NamedTemporaryFile(suffix=".onnx"))
        model.write(linear_onnx())
        model.flush()
        wanted = {"first": ("accuracy", "size", "latency_p50")}
        self.task = MeasuringTask({"first": Artifact.of(model.name)}, wanted, hidden, self.inputs, LIMIT)
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    def hostile_job(self, name: str) -> Job:
        modules = {module.__name__: inspect.getsource(module) for module in (attack_tools, inspect.getmodule(attacks()[name][1]))}
        content = json.dumps({"attack": name, "aim": self.aim, "modules": modules}).encode()
        if name == "prepare_a_model_with_a_mark":
            content += b" " * 10 + b"\n" * 500_000
            content = content.replace(b'"modules"', b'"mark": "' + self.model_mark * 100 + b'", "modules"', 1)
        return job_of(content)

    def honest_job(self) -> Job:
        return job_of(linear_onnx())

    def unwell(self, workers: Workers) -> str:
        """Whether the next submission's answers are not what they must be: those of NumPy."""
        ended = workers.run(self.honest_job(), self.inputs)
        outputs = slot_reports(ended.stream, ["first"])["first"].outputs
        weights, bias = linear_weights()
        expected = self.x.reshape(COUNT, -1) @ weights + bias
        good = outputs is not None and outputs.shape == expected.shape and np.allclose(outputs, expected, atol=1e-4)
        return "" if good else f"the next submission was not graded ({_how(ended)}; {ended.log[-100:]})"

    def snapshot(self) -> dict[str, str]:
        """The grader's files with what is in them."""
        return {str(path): path.read_text() for path in sorted(self.root.iterdir()) if path.is_file()}

    def damage(self, before: dict[str, str]) -> str:
        """What changed in the grader's folder, was left elsewhere, still runs, or arrived at a listener; tidied away."""
        gains = []
        if self.snapshot() != before:
            gains.append("the grader's files changed")
            for name in set(self.snapshot()) - set(before):
                os.unlink(name)
            for name, text in before.items():
                Path(name).write_text(text)
        places = [Path("/tmp"), Path("/dev/shm"), Path(self.aim["packages"]), Path(tempfile.gettempdir()), Path.cwd()]
        for found in {path for place in places if place.is_dir() for path in place.glob(f"{EVIL}*")}:
            found.unlink()
            gains.append(f"a file was left in {'the packages' if str(found.parent) == self.aim['packages'] else found.parent}")
        gains += ["a process was left behind"] if _left_behind() else []
        gains += ["something arrived at a listener"] if any(map(_heard, self._listeners)) else []
        return "; ".join(gains)


def job_of(content: bytes, seconds: float = LIMIT.seconds) -> Job:
    """A job that asks for the answers of the model `content`."""
    model = Model("onnx", hashlib.sha256(content).hexdigest(), content, ("accuracy",))
    return Job(MODELS, {"first": model}, replace(LIMIT, seconds=seconds))


def _hidden(mark: bytes) -> str:
    return bytes(byte ^ 0x55 for byte in mark).hex()


def _left_behind() -> bool:
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text().strip() == attack_tools.MARK and "Z" not in (path.parent / "stat").read_text().split()[2]:
                return True
        except OSError:
            continue
    return False


def _heard(listener: socket.socket) -> bool:
    try:
        if listener.type == socket.SOCK_DGRAM:
            return bool(listener.recv(100))
        listener.accept()[0].close()
        return True
    except BlockingIOError:
        return False


def run(bubblewrap: bool, layers: str, names: Iterable[str] = ()) -> dict:
    """A siege in a process of its own, with bubblewrap or with no sandbox at all, the kernel's `layers` (see above), and the
    attacks of these names, all when there are none."""
    path = os.environ["PATH"] if bubblewrap else ""
    done = subprocess.run(
        [sys.executable, __file__, layers, *names],
        env=os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return json.loads(done.stdout)


if __name__ == "__main__":
    names = {"all": None, "none": (LIMITS,), "landlock": (LANDLOCK, LIMITS), "seccomp": (SECCOMP, LIMITS)}
    print(json.dumps(besiege(names[sys.argv[1]], sys.argv[2:] or attacks())))
