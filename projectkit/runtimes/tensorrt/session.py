"""Runs an .onnx file with TensorRT: builds an engine, keeps it, times its layers. Not run where the project is tested: no GPU."""

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.runtimes.session import RuntimeSession
from projectkit.runtimes.tensorrt.builder import build_engine
from projectkit.runtimes.tensorrt.cuda import Memory
from projectkit.runtimes.tensorrt.engine_info import EngineInfo, parse_layer_info
from projectkit.runtimes.tensorrt.lines import package
from projectkit.runtimes.tensorrt.options import Build
from projectkit.runtimes.tensors import check_signature
from projectkit.types import Artifact, Tensor


class TensorRTSession(RuntimeSession):
    """An engine of an .onnx file, built for this GPU."""

    def __init__(self, artifact: Artifact, build: Build):
        trt = package()
        self._trt, self._path, self._memory = trt, artifact.path, Memory()
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))
        self._engine = self._runtime.deserialize_cuda_engine(build_engine(artifact, build))
        if self._engine is None:
            raise ArtifactError(f"{artifact.path}: TensorRT cannot load the engine that it has just built. Its log says why.")
        self._context = self._engine.create_execution_context()
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        inputs = [name for name in names if self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        self.inputs = tuple(self._tensor(name) for name in inputs)
        self.outputs = tuple(self._tensor(name) for name in names if name not in inputs)
        check_signature(self.inputs, self.outputs, artifact.path)
        self._batch_at_most = self._engine.get_tensor_profile_shape(self.inputs[0].name, 0)[2][0]

    def _tensor(self, name: str) -> Tensor:
        shape, dtype = self._engine.get_tensor_shape(name), self._trt.nptype(self._engine.get_tensor_dtype(name))
        return Tensor(name, tuple(int(size) for size in tuple(shape)[1:]), np.dtype(dtype).name)

    def _set(self, stored: np.ndarray) -> None:
        source, stored = self.inputs[0], np.ascontiguousarray(stored)
        self._context.set_input_shape(source.name, stored.shape)
        self._context.set_tensor_address(source.name, self._memory.block(source.name, stored.nbytes))
        self._answers = {}
        for tensor in self.outputs:
            self._answers[tensor.name] = np.empty(tuple(self._context.get_tensor_shape(tensor.name)), tensor.dtype)
            address = self._memory.block(tensor.name, self._answers[tensor.name].nbytes)
            self._context.set_tensor_address(tensor.name, address)
        self._memory.write(source.name, stored)
        self._memory.wait()

    def _invoke(self) -> None:
        if not self._context.execute_async_v3(self._memory.stream):
            source = self.inputs[0]
            raise ArtifactError(f"{self._path}: TensorRT refused to run inputs of shape {source.shape}.")
        self._memory.wait()

    def _get(self) -> np.ndarray:
        first = self.outputs[0].name
        self._memory.read(first, self._answers[first])
        return self._answers[first]

    @property
    def device_memory(self) -> int:
        """Bytes of the GPU's memory that the engine takes for its activations, beside those of its weights."""
        return self._engine.device_memory_size_v2

    def inspect(self) -> EngineInfo:
        """The layers of the engine."""
        inspector = self._engine.create_engine_inspector()
        inspector.execution_context = self._context
        return parse_layer_info(inspector.get_engine_information(self._trt.LayerInformationFormat.JSON))

    def layer_times(self, x: np.ndarray, *, runs: int = 50) -> dict[str, list[float]]:
        """Seconds of every layer in each of `runs` runs of the first example of x (n, ...). Timing layers slows the whole down:
        their sum is more than a run takes without."""
        import tensorrt as trt

        times: dict[str, list[float]] = {}

        class Profiler(trt.IProfiler):
            def __init__(self) -> None:
                trt.IProfiler.__init__(self)

            def report_layer_time(self, name: str, milliseconds: float) -> None:
                times.setdefault(name, []).append(milliseconds / 1000)

        profiler = Profiler()  # the context does not keep it alive
        self.run(x[:1])
        self._context.profiler = profiler
        for _ in range(runs):
            self.run(x[:1])
        self._context = self._engine.create_execution_context()  # one without a profiler
        return times

    def _free(self) -> None:
        if self._context is not None:
            self._context = self._engine = None
            self._memory.close()


def open_tensorrt(artifact: Artifact, *, threads: int = 1, build: Build | None = None) -> TensorRTSession:
    """Builds an engine of an .onnx file and opens it; `threads` of the CPU play no part.

    build: how; the default builds for single examples in the precision of the graph. Raises NotHere without an NVIDIA GPU or
    TensorRT, ExportError for a build that the installed line does not know, ArtifactError when the file cannot be built.
    """
    return TensorRTSession(artifact, build or Build())
