"""Times the operators of a .tflite file, cut into files of one operator each."""

import time
from contextlib import closing
from pathlib import Path

import numpy as np

from projectkit import runtimes
from projectkit.errors import ArtifactError
from projectkit.measure.litert_cut import Part, cut_litert
from projectkit.measure.litert_file import parse
from projectkit.measure.operators import read_operators
from projectkit.measure.parsing import parse_file
from projectkit.quiet import quiet
from projectkit.runtimes.failures import in_words
from projectkit.runtimes.tensors import to_stored
from projectkit.types import Artifact


class _Model:
    """A LiteRT interpreter on bytes."""

    def __init__(self, content: bytes, threads: int):
        from ai_edge_litert.interpreter import Interpreter

        with quiet():
            self._interpreter = Interpreter(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
        self._inputs = [detail["index"] for detail in self._interpreter.get_input_details()]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]

    def run(self, inputs: list[np.ndarray]) -> tuple[float, list[np.ndarray]]:
        """(seconds of the call, outputs). The inputs are copied in before the clock starts: they lie in the cache, as they would
        if the operator before had just written them."""
        for index, value in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, value)
        start = time.perf_counter_ns()
        self._interpreter.invoke()
        return (time.perf_counter_ns() - start) * 1e-9, [self._interpreter.get_tensor(index) for index in self._outputs]


class Cut:
    """A .tflite file as a chain of one-operator models. Raises ArtifactError when it cannot be cut or a part cannot be loaded."""

    def __init__(self, artifact: Artifact, threads: int):
        parts = parse_file(artifact, {"litert": cut_litert})
        content = Path(artifact.path).read_bytes()
        batch = parse(content).batch
        if batch != 1:
            raise ArtifactError(f"{artifact.path}: is made for {batch} examples at once; export it with a batch size of 1.")
        with closing(runtimes.open(artifact)) as session:
            self.source = session.inputs[0]
        kept = [(part, operator) for part, operator in zip(parts, read_operators(artifact), strict=True) if part is not None]
        self.operators = [operator for _, operator in kept]
        try:
            self._whole, self._nothing = _Model(content, threads), _Model(_one_element(), threads)
            self._chain: list[tuple[Part, _Model]] = [(part, _Model(part.content, threads)) for part, _ in kept]
        except (ValueError, RuntimeError) as error:
            raise ArtifactError(
                f"{artifact.path}: LiteRT cannot load one of its operators on its own ({in_words(error)})."
            ) from error
        self._input = next(part.inputs[0] for part, _ in kept if part.inputs)

    def run(self, example: np.ndarray) -> tuple[list[float], float, np.ndarray]:
        """(seconds of each operator, seconds of the whole, what the last operator answers) for one example (1, ...)."""
        stored = to_stored(example, self.source)
        nothing, _ = self._nothing.run([np.zeros(1, np.float32)])
        whole, _ = self._whole.run([stored])
        values, times = {self._input: stored}, []
        for part, model in self._chain:
            seconds, outputs = model.run([values[index] for index in part.inputs])
            values |= dict(zip(part.outputs, outputs, strict=True))
            times.append(max(seconds - nothing, 0.0))
        return times, whole, outputs[0]


def _one_element() -> bytes:
    """A model of one ReLU of one number: what it takes is what a call costs."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name: bytes) -> schema.TensorT:
        made = schema.TensorT()
        made.shape, made.type, made.name = np.array([1], np.int32), schema.TensorType.FLOAT32, name
        return made

    code, operator, graph, model = schema.OperatorCodeT(), schema.OperatorT(), schema.SubGraphT(), schema.ModelT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RELU
    code.version = 1
    operator.inputs, operator.outputs = np.array([0], np.int32), np.array([1], np.int32)
    graph.tensors, graph.operators = [tensor(b"in"), tensor(b"out")], [operator]
    graph.inputs, graph.outputs = operator.inputs, operator.outputs
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(256)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
