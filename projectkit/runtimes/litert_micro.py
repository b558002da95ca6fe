"""Runs a .tflite file with LiteRT for Microcontrollers, the interpreter of devices without an operating system, on this PC.

It allocates nothing while it runs: every tensor and every structure lies in one block of memory, the arena, which the program
hands over at the start. How much of it a model takes is the RAM that the device needs for it.
"""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from projectkit.errors import ArtifactError, NotHere
from projectkit.install_hint import install_hint
from projectkit.quiet import quiet
from projectkit.runtimes.failures import in_words
from projectkit.runtimes.litert import describe
from projectkit.runtimes.session import RuntimeSession
from projectkit.types import Artifact

MOST = 2**30  # bytes of an arena; a model that takes more than 1 GiB is none for a microcontroller
_PRINTED = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")


@dataclass(frozen=True, slots=True)
class Arena:
    """Bytes that a model takes of its arena.

    head: what is used anew by one operator after the other, the activations and the operators' scratch buffers
    tail: what stays as long as the model does: the interpreter's own structures, quantization parameters of the kernels

    The tail holds pointers. This PC's are twice as long as a 32-bit microcontroller's, where the tail is smaller; the head is
    the same there unless the device has kernels of its own that ask for other scratch buffers.
    """

    total: int
    head: int
    tail: int


class LiteRTMicroSession(RuntimeSession):
    """A loaded .tflite file, with a batch of 1 as a microcontroller has it, on one thread."""

    def __init__(self, artifact: Artifact):
        runtime = _package()
        # It does not look whether a file is damaged; LiteRT does, and knows how large the tensors are.
        self.inputs, self.outputs, tensors = describe(artifact)
        content = Path(artifact.path).read_bytes()
        self._path = artifact.path
        try:
            with quiet():
                self._interpreter = runtime.Interpreter.from_bytes(content, arena_size=_enough(tensors, artifact))
        except (RuntimeError, ValueError) as error:
            raise ArtifactError(
                f"{artifact.path}: LiteRT for Microcontrollers cannot load this file ({in_words(error)}). "
                "Export it as int8 or float32, of operators that it has kernels for."
            ) from error

    _batch_at_most = 1

    def _set(self, stored: np.ndarray) -> None:
        self._stored = stored

    def _invoke(self) -> None:
        # Here and not in _set, because the arena gives the input's place to later tensors.
        self._interpreter.set_input(self._stored, 0)
        self._interpreter.invoke()

    def _get(self) -> np.ndarray:
        return self._interpreter.get_output(0)

    def arena(self) -> Arena:
        """What the model takes of the arena. Raises NotHere when the package does not say."""
        with _printed() as read:
            self._interpreter.print_allocations()
            text = read()
        found = {name: int(size) for name, size in _PRINTED.findall(text)}
        if set(found) != {"total", "head", "tail"}:
            raise NotHere("this version of tflite-micro does not print what it has allocated")
        return Arena(**found)

    def _free(self) -> None:
        self._interpreter = None


def open_litert_micro(artifact: Artifact, *, threads: int = 1) -> LiteRTMicroSession:
    """Opens a .tflite file. It runs on one thread, however many it may have.

    Raises ArtifactError when LiteRT refuses the file, or when a kernel is missing for one of its operators; NotHere where the
    package tflite-micro is not installed (it exists for Linux on x86-64 only).
    """
    return LiteRTMicroSession(artifact)


def _package() -> ModuleType:
    try:
        from tflite_micro import runtime
    except ImportError as error:
        raise NotHere(f"LiteRT for Microcontrollers is not installed (Linux on x86-64: {install_hint('micro')})") from error
    return runtime


def _enough(tensors: int, artifact: Artifact) -> int:
    """Bytes of an arena that is certainly large enough: in one that is too small, the interpreter crashes.

    tensors: bytes of all tensors, as if none ever took the place of another.
    """
    enough = 2 * tensors + artifact.size + 2**20
    if enough > MOST:
        raise ArtifactError(f"{artifact.path}: holds {tensors:,} bytes of tensors, expected a model for a microcontroller.")
    return enough


@contextlib.contextmanager
def _printed() -> Iterator[Callable[[], str]]:
    """Catches what is printed past Python's streams; yields a function that returns it."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as file, contextlib.ExitStack() as stack:
        saved = os.dup(2)
        stack.callback(os.close, saved)
        stack.callback(os.dup2, saved, 2)
        os.dup2(file.fileno(), 2)

        def read() -> str:
            file.seek(0)
            return file.read().decode(errors="replace")

        yield read
