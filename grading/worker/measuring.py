"""What the child of a job does: opens the models, runs them on inputs without labels, and tells what it sees as it goes.

A slot's record is told anew after each step and has "done": true at its end: when a model kills the child, the parent knows
what was measured before.
"""

import contextlib
import dataclasses
import functools
import importlib
import json
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import numpy as np

from grading.worker.chance import refuse_chance
from grading.worker.confine import alarm, confine
from grading.worker.frames import (
    AGAIN,
    ANSWER,
    OUTPUTS,
    RECORD,
    STARTED,
    TIME,
    TOGETHER,
    WORK,
    JobHeader,
    Record,
    pack_array,
    pack_placed,
    part,
)
from grading.worker.state import refuse_memory
from projectkit import runtimes
from projectkit.errors import ArtifactError, ProjectkitError
from projectkit.measure import (
    METERS,
    READERS,
    Graph,
    Lifetimes,
    Patterns,
    Symmetric,
    check_shapes,
    compressed_size,
    kinship,
    latency_from,
    live_constants,
    metrics_of,
    ratio_from,
    read_structure,
    time_openings,
)
from projectkit.measure.arena_child import measure_arena
from projectkit.measure.memory_child import measure as measure_memory
from projectkit.measure.timing import Opening
from projectkit.types import Artifact, Measurement, Session

READING = {
    Graph: "reading the graph",
    Patterns: "reading the weights",
    Lifetimes: "reading the lifetimes of the tensors",
    Symmetric: "reading the quantization",
}
SHAPED = ("macs", "peak_activations")  # what depends on the shapes that a file claims, which are checked first; so does the arena
TIMES = ("latency_p50", "latency_p90", "io_time")
TOO_MUCH_MEMORY = "needed more memory than is allowed"
OUTPUT_BYTES = 64 * 1024**2
REPEATED = 32  # inputs that are asked once more, in another order, before anything is timed
COMPANY = 16  # inputs that are asked together, where a file takes several

MODULES = (
    "scipy.special",
    "ai_edge_litert.interpreter",
    "ai_edge_litert.schema_py_generated",
    "onnxruntime",
    "onnx.inliner",
    "onnx.numpy_helper",
    "projectkit.measure.litert_graph",
    "projectkit.measure.onnx_graph",
)

Tell = Callable[[bytes], None]


class Ask(Protocol):
    """Waits for a turn, TIME or WORK, and gives nothing; or hands in an ANSWER and gives the next question."""

    def __call__(self, turn: bytes, answer: bytes = b"") -> bytes: ...


def preload() -> None:
    """Imports what opening, running and reading a model of any format needs, once for all children."""
    for module in MODULES:
        with contextlib.suppress(ImportError):  # what is not installed fails where a model needs it
            importlib.import_module(module)
    with contextlib.suppress(ImportError):
        _run_a_first_model()


def _run_a_first_model() -> None:
    """ONNX Runtime sets up what all its sessions share with the first one. With one thread it starts none, so forking is safe."""
    import onnxruntime
    from onnx import TensorProto, helper

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "first", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    session.run(None, {"x": np.ones(1, np.float32)})


def work(job: JobHeader, files: dict[str, str], inputs: np.ndarray, own: bool, tell: Tell, ask: Ask) -> None:
    """Gives up what measuring does not need, says so, and measures the slots of `job` in turn.

    `files` are the models' paths by slot, all in the current folder, the baseline's under ""; `own`: see confine; `ask` waits for
    a turn, to time while nobody works or to work while nobody times, or for the next question.
    """
    confine(Path.cwd(), job["limits"], seconds(job), own)
    tell(STARTED)
    for index, (name, slot) in enumerate(job["slots"].items()):
        alarm(job["limits"]["seconds"])
        artifact = Artifact(files[name], slot["format"], slot["sha256"], slot["size"])
        _Slot(index, slot["metrics"], artifact, inputs, job, files.get(""), tell, ask).run()
    alarm(0)


def seconds(job: JobHeader) -> float:
    """What all slots of the job may take together."""
    return job["limits"]["seconds"] * len(job["slots"])


class _Slot:
    """One model's measurements, and the record of them."""

    def __init__(
        self,
        index: int,
        metrics: Collection[str],
        artifact: Artifact,
        inputs: np.ndarray,
        job: JobHeader,
        baseline: str | None,
        tell: Tell,
        ask: Ask,
    ):
        self.index, self.metrics, self.artifact, self.inputs, self.job = index, metrics, artifact, inputs, job
        self.baseline, self._tell, self._ask = baseline, tell, ask
        self._shapes: str | None = None  # what is wrong with them, "" for nothing, None before it is known
        self.record: Record = {
            "step": "",
            "values": {},
            "ratios": {},
            "missing": {},
            "problem": None,
            "done": False,
            "weights": [],
            "layers": None,
            "inference": 0.0,
            "timing": 0.0,
            "off_core": 0.0,
        }

    def run(self) -> None:
        try:
            self._step("opening the model")
            if self.job["what"] != "memory":  # which is seen by a process that has read nothing, after the job for models
                refuse_memory(self.artifact)
                refuse_chance(self.artifact)
            {"models": self._model, "memory": self._memory, "attack": self._answers}[self.job["what"]]()
        except ProjectkitError as error:
            self.record["problem"] = self._reason(error)
        except MemoryError:
            self.record["problem"] = f"{self.record['step']} {TOO_MUCH_MEMORY}"
        except Exception as error:  # a runtime may raise anything on a crafted file; the record is the only way to say so
            self.record["problem"] = f"{self.record['step']} failed ({type(error).__name__}: {str(error)[:200]})"
        self.record["done"] = True
        self._send()

    def _model(self) -> None:
        """Outputs, what stands in the file, times: in order of what is worth most when the next step kills the process.

        Every answer that is graded is to one image alone, as it is timed.
        """
        with closing(runtimes.open(self.artifact, threads=1)) as session:
            self._step("running the model on the hidden inputs")
            start = time.perf_counter()
            outputs = session.run(self.inputs, at_once=1)
            if outputs.nbytes > OUTPUT_BYTES:
                raise MemoryError
            self._tell(part(OUTPUTS, self.index, pack_array(outputs)))
            self._repeat(session)
            self.record["inference"] = time.perf_counter() - start
            with contextlib.suppress(ProjectkitError, MemoryError):  # only compared with others': its failure is nobody's problem
                found = live_constants(self.artifact)
                self.record["weights"] = [[one.values, one.exact, one.near] for one in found]
            self.record["layers"] = self._layers()
            for kind, step in READING.items():
                self._optional(metrics_of(kind), step, functools.partial(self._counted, kind))
        self._optional(TIMES, "timing", self._times)
        self._optional(("energy",), "measuring energy", self._energy)
        self._optional(("compressed_size",), "compressing the file", self._compressed)
        self._optional(("arena",), "measuring the arena", self._arena)

    def _repeat(self, session: Session) -> None:
        """Some inputs once more, in another order, and some together with others."""
        places = np.random.default_rng().permutation(len(self.inputs))[:REPEATED].tolist()
        answers = session.run(self.inputs[places], at_once=1)
        self._tell(part(AGAIN, self.index, pack_placed(places, list(answers))))
        with contextlib.suppress(ArtifactError):  # a file for one image a call answers no two
            answers = session.run(self.inputs[places[:COMPANY]], at_once=COMPANY)
            self._tell(part(TOGETHER, self.index, pack_placed(places[:COMPANY], list(answers))))

    def _layers(self) -> dict[str, object]:
        """The fields of grading.types.Layers. A network that cannot be compared has a reason, which matters where a rubric says
        how it is built."""
        layers: dict[str, object] = {"kernels": [], "operators": [], "computed": 0, "kinship": None, "problem": ""}
        try:
            layers |= dataclasses.asdict(read_structure(self.artifact))
            if self.baseline:
                layers["kinship"] = kinship(self.artifact, Artifact.of(self.baseline))
        except (ProjectkitError, MemoryError) as error:
            layers["problem"] = self._reason(error)
        return layers

    def _memory(self) -> None:
        self._step("measuring memory")
        least, most = measure_memory(self.artifact, np.ascontiguousarray(self.inputs[:1]), 1)
        self.record["values"]["peak_memory"] = [least, least, most, 1]

    def _answers(self) -> None:
        """Answers questions, each a batch of images, until one is empty."""
        with closing(runtimes.open(self.artifact, threads=1)) as session:
            self._step("answering the questions of the attack")
            answer = b""
            while question := self._wait_for(ANSWER, answer):
                images = np.frombuffer(question, "<f4").reshape(-1, *self.inputs.shape[1:])
                start = time.perf_counter()
                answer = pack_array(session.run(images, at_once=1))
                self.record["inference"] += time.perf_counter() - start

    def _optional(self, metrics: tuple[str, ...], step: str, measure_them: Callable[[], tuple[Measurement, ...]]) -> None:
        """Measures when one of `metrics` is wanted; its failure is a reason for these metrics and spoils no other."""
        needed = [metric for metric in metrics if metric in self.metrics]
        if not needed:
            return
        self._step(step)
        try:
            for found in measure_them():
                self.record["values"][found.metric] = _numbers(found)
        except (ProjectkitError, MemoryError) as error:
            reason = self._reason(error) if str(error) else f"{step} {TOO_MUCH_MEMORY}"
            self.record["missing"] |= {metric: reason for metric in needed}
        self._send()

    def _times(self) -> tuple[Measurement, ...]:
        """Latency alone, or in turn with the baseline, whose ratio is what relative checks use."""
        if self.baseline is None:
            return latency_from(self._timed([self.artifact]))
        openings = self._timed([self.artifact, Artifact.of(self.baseline)])
        self.record["ratios"]["latency_p50"] = _numbers(ratio_from(openings))
        return latency_from(openings)

    def _timed(self, files: list[Artifact]) -> list[Opening]:
        """The openings, and how much of the time this process was off its core. What the model answered meanwhile is told: it was
        asked the inputs that its outputs are for."""
        places: list[int] = []
        answers: list[np.ndarray] = []

        def seen(file: int, place: int, answer: np.ndarray) -> None:
            if file == 0 and len(answers) * answer.nbytes < OUTPUT_BYTES / 2:
                places.append(place)
                answers.append(answer)

        with self._alone():
            wall, busy = time.perf_counter(), time.process_time()
            opened = [functools.partial(runtimes.open, file, threads=1) for file in files]
            [openings] = time_openings([opened], self.inputs, budget=self.job["limits"]["budget"], seen=seen)
            wall, busy = time.perf_counter() - wall, time.process_time() - busy
        self._tell(part(AGAIN, self.index, pack_placed(places, answers)))
        self.record["timing"] = wall
        # One thread that had its core for itself was busy all the time.
        self.record["off_core"] = max(0.0, 1 - busy / wall)
        return openings

    def _energy(self) -> tuple[Measurement, ...]:
        with self._alone():
            return METERS["energy"](self.artifact, self.inputs, threads=1, budget=self.job["limits"]["budget"])

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """While nobody else works. The waiting is not counted as the model's."""
        self._wait_for(TIME)
        try:
            yield
        finally:
            self._wait_for(WORK)

    def _wait_for(self, turn: bytes, answer: bytes = b"") -> bytes:
        left = alarm(0)
        question = self._ask(turn, answer)
        alarm(left)
        return question

    def _counted(self, kind: type) -> tuple[Measurement, ...]:
        """Those of the kind's metrics that are there."""
        wanted = [metric for metric in metrics_of(kind) if metric in self.metrics]
        if set(wanted) & set(SHAPED):
            self._check_shapes()
        found = READERS[kind](self.artifact)
        numbers = {metric: getattr(found, metric) for metric in wanted}
        return tuple(Measurement.exact(metric, number) for metric, number in numbers.items() if number is not None)

    def _check_shapes(self) -> None:
        """Once a slot: it runs the file."""
        if self._shapes is None:
            try:
                check_shapes(self.artifact, self.inputs)
                self._shapes = ""
            except ProjectkitError as error:
                self._shapes = str(error)
        if self._shapes:
            raise ArtifactError(self._shapes)

    def _arena(self) -> tuple[Measurement, ...]:
        self._check_shapes()
        return (Measurement.exact("arena", measure_arena(self.artifact).total),)

    def _compressed(self) -> tuple[Measurement, ...]:
        return (Measurement.exact("compressed_size", compressed_size(self.artifact.path)),)

    def _step(self, step: str) -> None:
        self.record["step"] = step
        self._send()

    def _send(self) -> None:
        self._tell(part(RECORD, self.index, json.dumps(self.record).encode()))

    def _reason(self, error: Exception) -> str:
        """What to tell the student. The runtimes' allocators name themselves and not the cause."""
        text, path = str(error), self.artifact.path
        if any(word in text for word in ("bfc_arena", "bad_alloc", "Failed to allocate", "failed to allocate")):
            return f"{self.record['step']} {TOO_MUCH_MEMORY}"
        if "External data" in text:
            return (
                "its weights are said to lie in another file, expected one file that holds everything; "
                "save it without external data"
            )
        return text.replace(path, Path(path).name)[:400]


def _numbers(measurement: Measurement) -> list[float]:
    return [float(measurement.value), float(measurement.low), float(measurement.high), int(measurement.n)]
