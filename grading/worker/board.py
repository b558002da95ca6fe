"""Where a question and its answer lie, one at a time: memory that the warm process shares with one child. Neither waits for the
other to read, as with a pipe, it is no larger than the grader has said, and nothing of it is left when the child has ended."""

import contextlib
import mmap
import os
import struct
from collections.abc import Iterator

_LENGTH = struct.Struct(">I")


class Board:
    """Shared memory for contents of at most `size` bytes. The other side may be hostile: what is read is mere bytes."""

    def __init__(self, size: int):
        self._size = size
        self._memory = mmap.mmap(-1, _LENGTH.size + size)

    def write(self, content: bytes) -> None:
        """Raises ValueError when it does not fit."""
        self._set_length(len(content))
        self._memory[_LENGTH.size : _LENGTH.size + len(content)] = content

    def receive(self, descriptor: int, count: int) -> None:
        """Takes `count` bytes from a pipe, without a copy elsewhere in this process. Raises ValueError when they do not fit,
        EOFError when there are fewer."""
        self._set_length(count)
        start = _LENGTH.size
        with memoryview(self._memory) as view:
            while start < _LENGTH.size + count:
                with view[start : _LENGTH.size + count] as rest:
                    taken = os.readv(descriptor, [rest])
                if not taken:
                    raise EOFError(f"the stream ended {_LENGTH.size + count - start} bytes early")
                start += taken

    @contextlib.contextmanager
    def content(self) -> Iterator[memoryview]:
        """What was written last, in its place; no more than there is room for."""
        (length,) = _LENGTH.unpack(self._memory[: _LENGTH.size])
        with memoryview(self._memory) as view, view[_LENGTH.size : _LENGTH.size + min(length, self._size)] as content:
            yield content

    def close(self) -> None:
        """Frees the memory."""
        self._memory.close()

    def _set_length(self, length: int) -> None:
        if length > self._size:
            raise ValueError(f"{length} bytes do not fit on a board of {self._size}")
        self._memory[: _LENGTH.size] = _LENGTH.pack(length)
