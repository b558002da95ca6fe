"""What the notebook's assertions call: the measurements that this project's grader makes of one l01 submission, on their own.

It lies beside the notebook in a peer's environment and imports nothing of this project. Beside it: hidden.npz (x, y),
baseline.tflite, expected.npz (the right answers); the student's answers.npz and model files.
"""

import functools
import gc
import math
import statistics
import time
from pathlib import Path

import ai_edge_litert.schema_py_generated as schema
import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter

BASELINE = "baseline.tflite"
BUDGET = 0.03  # seconds of timing a model; this and the next line are the grader's own limits
OPENINGS, ROUNDS_LEAST, ROUNDS_MOST, EXAMPLES, UNTIMED, WARM_UP_LEAST = 8, 12, 250, 64, 1, 5
RELATIVE, ABSOLUTE = 1e-4, 1e-6
BITS = {schema.TensorType.FLOAT32: 32, schema.TensorType.FLOAT16: 16, schema.TensorType.INT8: 8, schema.TensorType.INT4: 4}


class LiteRTModel:
    """A .tflite file on one thread: floats in, floats out."""

    def __init__(self, path: str):
        self._interpreter = Interpreter(model_path=path, num_threads=1)
        self._source = self._interpreter.get_input_details()[0]
        self._target = self._interpreter.get_output_details()[0]
        self._interpreter.allocate_tensors()
        self._batch = 1

    def run(self, x: np.ndarray) -> np.ndarray:
        """(n, 8, 8, 1) in [0, 1] → (n, 10) logits."""
        self.set_input(x)
        self.invoke()
        stored = self._interpreter.get_tensor(self._target["index"])
        if stored.dtype != np.int8:
            return stored
        scale, zero_point = self._target["quantization"]
        return (stored.astype(np.float32) - zero_point) * np.float32(scale)

    def set_input(self, x: np.ndarray) -> None:
        """Places (n, 8, 8, 1) where the interpreter reads it."""
        if len(x) != self._batch:
            self._interpreter.resize_tensor_input(self._source["index"], x.shape)
            self._interpreter.allocate_tensors()
            self._batch = len(x)
        if self._source["dtype"] == np.int8:
            scale, zero_point = self._source["quantization"]
            x = np.clip(np.rint(x / scale) + zero_point, -128, 127).astype(np.int8)
        self._interpreter.set_tensor(self._source["index"], x)

    def invoke(self) -> None:
        self._interpreter.invoke()


class OnnxModel:
    """An .onnx file on one thread."""

    def __init__(self, path: str):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._name = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name
        self._binding = self._session.io_binding()

    def run(self, x: np.ndarray) -> np.ndarray:
        """(n, 8, 8, 1) in [0, 1] → (n, 10) logits."""
        return self._session.run(None, {self._name: x})[0]

    def set_input(self, x: np.ndarray) -> None:
        """Binds (n, 8, 8, 1) as the input."""
        self._bound = x
        self._binding.bind_cpu_input(self._name, x)
        self._binding.bind_output(self._output)

    def invoke(self) -> None:
        self._session.run_with_iobinding(self._binding)


def opened(path: str) -> LiteRTModel | OnnxModel:
    """The file, opened anew."""
    return (OnnxModel if path.endswith(".onnx") else LiteRTModel)(path)


model = functools.cache(opened)


@functools.cache
def hidden() -> tuple[np.ndarray, np.ndarray]:
    """(x, y) that the grader uses."""
    with np.load("hidden.npz") as file:
        return file["x"], file["y"]


@functools.cache
def accuracy(path: str) -> float:
    """The share of hidden examples that the file classifies rightly."""
    x, y = hidden()
    return float(np.mean(model(path).run(x).argmax(axis=1) == y))


def accuracy_ratio(path: str) -> float:
    """Accuracy over the baseline's."""
    return accuracy(path) / accuracy(BASELINE)


def size_ratio(path: str) -> float:
    """Bytes of the file over the baseline's."""
    return Path(path).stat().st_size / Path(BASELINE).stat().st_size


def weight_bits(path: str) -> float:
    """The mean width of a stored weight over the kernels of convolutions and dense layers."""
    graph_file = schema.Model.GetRootAs(Path(path).read_bytes(), 0)
    graph = graph_file.Subgraphs(0)
    kinds = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D, schema.BuiltinOperator.FULLY_CONNECTED)
    weights = bits = 0
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        if graph_file.OperatorCodes(operator.OpcodeIndex()).BuiltinCode() in kinds:
            kernel = graph.Tensors(operator.Inputs(1))
            count = math.prod(kernel.ShapeAsNumpy().tolist())
            weights += count
            bits += count * BITS[kernel.Type()]
    return bits / weights


def latency_ratio(path: str) -> float:
    """Median latency of one example over the baseline's, both timed in turn, over the grader's number of openings."""
    x = hidden()[0]
    examples = [np.ascontiguousarray(x[index : index + 1]) for index in range(EXAMPLES)]
    return statistics.geometric_mean([_ratio_of_an_opening(path, examples) for _ in range(OPENINGS)])


def _ratio_of_an_opening(path: str, examples: list[np.ndarray]) -> float:
    models = [opened(path), opened(BASELINE)]
    costs, budget = [_warm_up(one, examples) for one in models], BUDGET / OPENINGS
    rounds = int(min(max(budget * len(models) / (sum(costs) * (1 + UNTIMED)), ROUNDS_LEAST), ROUNDS_MOST))
    samples = np.empty((rounds, len(models)))
    gc.disable()
    for index in range(rounds):
        for which in (0, 1) if index % 2 else (1, 0):
            samples[index, which] = _seconds(models[which], examples[index % EXAMPLES], UNTIMED)
    gc.enable()
    first, second = np.median(samples, axis=0)
    return float(first / second)


def right_share(exercise: str) -> float:
    """The share of right entries of an exercise's answers, averaged over its arrays."""
    with np.load("expected.npz") as expected, np.load("answers.npz") as given:
        names = [name for name in expected if name.startswith(exercise + "/")]
        return float(np.mean([_right(given[name], expected[name]) for name in names]))


def _right(given: np.ndarray, expected: np.ndarray) -> float:
    allowed = RELATIVE * np.abs(expected) + ABSOLUTE * np.abs(expected).max()
    return float(np.mean(np.abs(given - expected) <= (allowed if expected.dtype.kind == "f" else 0)))


def _warm_up(one: LiteRTModel | OnnxModel, examples: list[np.ndarray]) -> float:
    times, stop = [], time.perf_counter() + BUDGET / OPENINGS / 10
    while len(times) < WARM_UP_LEAST or (time.perf_counter() < stop and len(times) < ROUNDS_MOST):
        times.append(_seconds(one, examples[len(times) % len(examples)], 0))
    return float(np.median(times[len(times) // 2 :]))


def _seconds(one: LiteRTModel | OnnxModel, example: np.ndarray, untimed: int) -> float:
    one.set_input(example)
    for _ in range(untimed):
        one.invoke()
    start = time.perf_counter()
    one.invoke()
    return time.perf_counter() - start
