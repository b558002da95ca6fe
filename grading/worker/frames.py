"""How the two sides talk: over pipes, in frames of a length, a JSON header and, where the header says so, raw bytes.

A child's own stream, which nobody trusts, is made of parts: kind, slot, length, content.
"""

import json
import os
import struct
from collections.abc import Iterator

RECORD, OUTPUTS = 1, 2  # the kinds of a child's parts
MOST_PARTS = 4096  # an honest child says a dozen a slot; reading millions of empty ones would take the grader's time
STARTED = b"S"  # the first byte of a child's stream: it has read its job and confined itself
WORK, TIME, GO = b"w", b"t", b"."  # a child asks for a turn, and gets it
ANSWER = b"a"  # a child has answered and asks for the next question
HEADER_BYTES = 1024**2
_LENGTH, _PART = struct.Struct(">I"), struct.Struct(">BBI")


def write_frame(descriptor: int, header: dict, *blobs: bytes) -> None:
    """Writes a header and the blobs that it announces. Raises BrokenPipeError when nobody reads."""
    text = json.dumps(header).encode()
    write_all(descriptor, _LENGTH.pack(len(text)) + text)
    for blob in blobs:
        write_all(descriptor, blob)


def read_header(descriptor: int) -> dict | None:
    """The next header; None at the end of the stream. Raises EOFError when the stream breaks off inside it."""
    first = os.read(descriptor, 1)
    if not first:
        return None
    (length,) = _LENGTH.unpack(first + read_exactly(descriptor, _LENGTH.size - 1))
    if length > HEADER_BYTES:
        raise EOFError(f"a header of {length} bytes, expected at most {HEADER_BYTES}")
    return json.loads(read_exactly(descriptor, length))


def read_exactly(descriptor: int, count: int) -> bytes:
    """`count` bytes. Raises EOFError when there are fewer."""
    parts, missing = [], count
    while missing:
        part = os.read(descriptor, min(missing, 1024**2))
        if not part:
            raise EOFError(f"the stream ended {missing} bytes early")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def write_all(descriptor: int, content: bytes) -> None:
    """Writes all of `content`, in as many pieces as the pipe takes."""
    view = memoryview(content)
    while len(view):
        view = view[os.write(descriptor, view[: 1024**2]) :]


def pack_array(numbers) -> bytes:
    """A NumPy array as its shape and its values in float32."""
    return json.dumps({"shape": numbers.shape}).encode() + b"\n" + numbers.astype("<f4", copy=False).tobytes()


def part(kind: int, slot: int, content: bytes) -> bytes:
    """One part of a child's stream."""
    return _PART.pack(kind, slot, len(content)) + content


def parts(stream: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(kind, slot, content) of each part that is whole; what follows the last whole one, or MOST_PARTS, is dropped."""
    start = 0
    for _ in range(MOST_PARTS):
        if start + _PART.size > len(stream):
            return
        kind, slot, length = _PART.unpack_from(stream, start)
        start += _PART.size
        if start + length > len(stream):
            return
        yield kind, slot, stream[start : start + length]
        start += length
