"""What the sessions of all runtimes share: inputs are converted and set, the runtime computes, outputs are read and converted."""

from abc import ABC, abstractmethod

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.runtimes.failures import in_words
from projectkit.runtimes.tensors import check_input, to_real, to_stored
from projectkit.types import Tensor

CHUNK = 64  # examples a call; bounds the memory of activations while amortizing the call


class RuntimeSession(ABC):
    """An opened model file. A runtime fills in `_set`, `_invoke` and `_get`, which know only what the file stores."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    _path: str
    _is_open = True
    _batch_at_most = CHUNK
    _is_answered = False  # whether the answers are those to the inputs that are set

    def run(self, x: np.ndarray, *, at_once: int = CHUNK) -> np.ndarray:
        """x: (n, ...) reals → the answers to them, (n, ...) float32, with calls of `at_once` examples at most.

        Raises ArtifactError when x does not fit, when the runtime fails, when an answer is missing, or once it is closed.
        """
        self._check_open()
        x = check_input(x, self.inputs[0].shape, self._path)
        step = min(at_once, CHUNK, self._batch_at_most)
        outputs = [self._answer_chunk(x[start : start + CHUNK], step) for start in range(0, len(x), CHUNK)]
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)

    def set_input(self, x: np.ndarray) -> None:
        """Converts x (n, ...) reals to what the file stores, and places it where the runtime reads it."""
        self._check_open()
        self._is_answered = False
        x = check_input(x, self.inputs[0].shape, self._path)
        if len(x) > self._batch_at_most:
            raise ArtifactError(f"{self._path}: got {len(x)} inputs at once, takes at most {self._batch_at_most}. Call run.")
        try:
            self._set(to_stored(x, self.inputs[0]))
        except (MemoryError, ArtifactError):
            raise
        except Exception as error:
            raise self._failure(error) from error

    def invoke(self) -> None:
        """Computes the answers to the inputs that are set, and leaves them where the runtime writes them."""
        try:
            self._invoke()
        except (MemoryError, ArtifactError):
            raise
        except Exception as error:
            raise self._failure(error) from error
        self._is_answered = True

    def get_output(self) -> np.ndarray:
        """The answers that the last `invoke` computed, (n, ...) float32. Raises ArtifactError before it."""
        if not self._is_answered:
            raise ArtifactError(f"{self._path}: there are no answers yet. Call set_input, then invoke, then get_output.")
        return to_real(self._get(), self.outputs[0])

    def close(self) -> None:
        """Frees the runtime; the session cannot run afterwards."""
        self._is_open = self._is_answered = False
        self._free()

    def _check_open(self) -> None:
        if not self._is_open:
            raise ArtifactError(f"{self._path}: this session is closed and cannot run. Open the file again.")

    def _answer_chunk(self, x: np.ndarray, step: int) -> np.ndarray:
        """The answers to a chunk, `step` examples a call; converted all at once, which takes longer than a small model does."""
        try:
            stored = to_stored(x, self.inputs[0])
            outputs = [self._answer(stored[start : start + step]) for start in range(0, len(stored), step)]
            return to_real(outputs[0] if len(outputs) == 1 else np.concatenate(outputs), self.outputs[0])
        except (MemoryError, ArtifactError):
            raise
        except Exception as error:  # onnxruntime's own exceptions share no public base class
            count = min(step, len(x))
            raise self._failure(error, f" on {count} inputs") from error

    def _answer(self, stored: np.ndarray) -> np.ndarray:
        self._set(stored)
        self._invoke()
        output = self._get()
        if np.ndim(output) == 0 or len(output) != len(stored):
            count = len(output) if np.ndim(output) else "a single number"
            raise ArtifactError(
                f"{self._path}: {len(stored)} inputs gave {count} as outputs; export with a free batch axis, or a batch of 1."
            )
        return output

    def _failure(self, error: Exception, where: str = "") -> ArtifactError:
        return ArtifactError(f"{self._path}: the runtime failed{where} ({in_words(error)}).")

    @abstractmethod
    def _set(self, stored: np.ndarray) -> None: ...

    @abstractmethod
    def _invoke(self) -> None: ...

    @abstractmethod
    def _get(self) -> np.ndarray: ...

    @abstractmethod
    def _free(self) -> None: ...
