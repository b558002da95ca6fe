"""Times the operators of an .onnx file by ONNX Runtime's own profiler, after its graph optimizations."""

import json
import math
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from projectkit import runtimes
from projectkit.errors import ArtifactError
from projectkit.measure.onnx_file import constants_of
from projectkit.measure.onnx_graph import macs_of
from projectkit.measure.onnx_operators import PRODUCTS, operation_of
from projectkit.measure.operators import Operator, multiplied_type
from projectkit.runtimes.failures import in_words
from projectkit.runtimes.tensors import to_stored
from projectkit.types import Artifact, Tensor

if TYPE_CHECKING:
    import onnx
    import onnxruntime

NUMPY_NAMES = {"float": "float32", "double": "float64"}  # of the profiler's types
RESOLUTION = 1e-6  # seconds: the profiler cuts off what is below


class Arguments(TypedDict):
    """What the profiler says of a kernel's run; of it, the type and the shape of every output: [{"float": [1, 10]}, …]."""

    output_type_shape: list[dict[str, list[int]]]


class Event(TypedDict):
    """A kernel's run as the profiler writes it; dur: whole microseconds."""

    name: str
    dur: int
    args: Arguments


class Profiled:
    """An .onnx file opened twice: once as it is, to time the whole, and once with the profiler on.

    Raises ArtifactError when ONNX Runtime refuses it.
    """

    def __init__(self, artifact: Artifact, threads: int):
        self._folder = tempfile.TemporaryDirectory()
        content = _with_names(Path(artifact.path).read_bytes())
        try:
            self._plain = self._open(content, threads)
            self._profiled = self._open(content, threads, Path(self._folder.name))
        except Exception as error:  # onnxruntime's own exceptions share no public base class
            raise ArtifactError(f"{artifact.path}: ONNX Runtime cannot load this file ({in_words(error)}).") from error
        with closing(runtimes.open(artifact)) as session:
            self.source = session.inputs[0]

    def _open(self, content: bytes, threads: int, folder: Path | None = None) -> "onnxruntime.InferenceSession":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 4
        if folder:
            options.enable_profiling, options.profile_file_prefix = True, str(folder / "profile")
            options.optimized_model_filepath = str(folder / "optimized.onnx")
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(self, example: np.ndarray) -> float:
        """Seconds of the whole for one example (1, ...); runs it with the profiler, too."""
        feed = {self.source.name: to_stored(example, self.source)}
        start = time.perf_counter_ns()
        self._plain.run(None, feed)
        whole = (time.perf_counter_ns() - start) * 1e-9
        self._profiled.run(None, feed)
        return whole

    def close(self) -> tuple[list[Operator], np.ndarray]:
        """(the operators as they ran, seconds (runs, operators)). It cannot run afterwards."""
        import onnx

        with self._folder as folder:
            events = json.loads(Path(self._profiled.end_profiling()).read_text(encoding="utf-8"))
            model = onnx.load(Path(folder) / "optimized.onnx")
        ran: dict[str, list[Event]] = {}
        for event in events:
            if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
                ran.setdefault(event["name"].removesuffix("_kernel_time"), []).append(event)
        seconds = np.array([[event["dur"] * 1e-6 for event in every] for every in ran.values()]).T
        arguments = {name: every[0]["args"] for name, every in ran.items()}
        return _operators(model, arguments, self.source), seconds


def _with_names(content: bytes) -> bytes:
    """The file with a name of its own for every node: by their names the profiler's events are told apart."""
    import onnx

    model = onnx.load_from_string(content)
    for index, node in enumerate(model.graph.node):
        node.name = f"{node.name or node.op_type}#{index}"
    return model.SerializeToString()


def _operators(model: "onnx.ModelProto", arguments: Mapping[str, Arguments], source: Tensor) -> list[Operator]:
    """What the nodes named in `arguments` compute and move. arguments: name → what the profiler says of it; its shapes are those
    of the run, but the constants that a kernel keeps for itself are missing there and stand in the optimized `model`."""
    import onnx

    constants = constants_of(model.graph)
    nodes = {node.name: node for node in model.graph.node}
    shapes = {name: tuple(tensor.dims) for name, tensor in constants.items()} | {source.name: (1, *source.shape)}
    types = {name: onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).name for name, tensor in constants.items()}
    types[source.name] = source.dtype
    operators = []
    for name, says in arguments.items():
        node = nodes[name]
        for output, described in zip(filter(None, node.output), says["output_type_shape"], strict=False):
            ((type_name, shape),) = described.items()
            types[output], shapes[output] = NUMPY_NAMES.get(type_name, type_name), tuple(shape)
        operation = operation_of(node)
        touched = {value for value in (*operation.present, *operation.outputs) if value in shapes}
        operators.append(
            Operator(
                name=name.rpartition("#")[0] or name,
                kind=node.op_type,
                macs=macs_of(node, operation, shapes) if node.op_type in PRODUCTS else 0,
                moved_bytes=sum(math.prod(shapes[value]) * np.dtype(types[value]).itemsize for value in touched),
                dtype=multiplied_type(types[operation.input(0)]),
            )
        )
    return operators
