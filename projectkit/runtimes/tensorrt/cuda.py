"""Memory on the GPU and a stream, by NVIDIA's package cuda-python. Not run where the project is tested: no GPU."""

from typing import Any

import numpy as np

from projectkit.errors import ArtifactError, NotHere


class Memory:
    """Blocks of device memory by name, and one stream that copies and kernels are queued on."""

    def __init__(self) -> None:
        try:
            from cuda.bindings import runtime
        except ImportError as error:
            raise NotHere("the package cuda-python is not installed (pip install cuda-python)") from error
        self._cuda = runtime
        self._blocks: dict[str, tuple[int, int]] = {}
        self.stream = self._done(runtime.cudaStreamCreate())

    def _done(self, answer: tuple[Any, ...]) -> Any:
        """The value of an answer (error, value…). Raises ArtifactError when it is an error."""
        error, *values = answer
        if error != self._cuda.cudaError_t.cudaSuccess:
            raise ArtifactError(f"CUDA failed ({error.name}). Is the GPU's memory full?")
        return values[0] if values else None

    def block(self, name: str, size: int) -> int:
        """The address of a block of at least `size` bytes; it grows when it must."""
        address, have = self._blocks.get(name, (0, 0))
        if have >= size:
            return address
        if address:
            self._done(self._cuda.cudaFree(address))
        address = self._done(self._cuda.cudaMalloc(size))
        self._blocks[name] = (address, size)
        return address

    def write(self, name: str, array: np.ndarray) -> None:
        """Copies `array` to the block `name`, which is large enough."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._done(self._cuda.cudaMemcpyAsync(self._blocks[name][0], array.ctypes.data, array.nbytes, kind, self.stream))

    def read(self, name: str, array: np.ndarray) -> None:
        """Copies the block `name` to `array`, when everything queued before is done."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._done(self._cuda.cudaMemcpyAsync(array.ctypes.data, self._blocks[name][0], array.nbytes, kind, self.stream))
        self.wait()

    def wait(self) -> None:
        """Until everything that was queued is done."""
        self._done(self._cuda.cudaStreamSynchronize(self.stream))

    def close(self) -> None:
        for address, _ in self._blocks.values():
            self._done(self._cuda.cudaFree(address))
        self._blocks.clear()
        self._done(self._cuda.cudaStreamDestroy(self.stream))
