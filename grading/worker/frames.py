"""How the two sides talk: over pipes, in frames of a length, a JSON header and, where the header says so, raw bytes.

A child's own stream, which nobody trusts, is made of parts: kind, slot, length, content.
"""

import json
import os
import struct
from collections.abc import Iterator
from typing import TypedDict

import numpy as np

RECORD, OUTPUTS, AGAIN, TOGETHER = 1, 2, 3, 4  # the kinds of a child's parts
MOST_PARTS = 4096  # an honest child says a dozen a slot; reading millions of empty ones would take the grader's time
STARTED = b"S"  # the first byte of a child's stream: it has read its job and confined itself
WORK, TIME, GO = b"w", b"t", b"."  # a child asks for a turn, and gets it
ANSWER = b"a"  # a child has answered and asks for the next question
HEADER_BYTES = 1024**2
_LENGTH, _PART = struct.Struct(">I"), struct.Struct(">BBI")


class ModelHeader(TypedDict):
    """A model whose `size` bytes follow the job's header, and the metrics that are wanted of it."""

    format: str
    sha256: str
    size: int
    metrics: list[str]


class LimitsHeader(TypedDict):
    """The fields of grading.types.Limits."""

    seconds: float
    memory: int
    file_bytes: int
    processes: int
    budget: float


class JobHeader(TypedDict):
    """A job: `what` is measured of the models of `slots` on the inputs of this digest, in turn with a baseline, on this core; at
    most `rounds` questions, for which and for whose answers there is a `board` of so many bytes."""

    what: str
    inputs: str
    slots: dict[str, ModelHeader]
    baseline: ModelHeader | None
    limits: LimitsHeader
    core: int | None
    rounds: int
    board: int


class Header(TypedDict, total=False):
    """What stands in front of a frame. A frame has the fields of one line only.

    to a worker    `inputs` (their digest) and `bytes`; `job`; `question`, so many bytes
    from a worker  `forks`, once, when it is ready; `turn`, to time; `answer`, so many bytes; `bytes` of a child's stream; and how
                   the child has ended, in the rest
    """

    inputs: str
    bytes: int
    job: JobHeader
    question: int
    forks: bool
    turn: bool
    answer: int
    code: int
    signal: int
    timed_out: bool
    flooded: bool
    log: str


class Record(TypedDict):
    """What a child tells of a slot: the step that it is at; measurements as [value, low, high, n] and ratios by metric; why
    others are missing; what has stopped it; whether it is done; the names of the weights, as in projectkit.measure.Constant; the
    fields of grading.types.Layers;
    seconds of inference and of timing, and the share of these that it was off its core."""

    step: str
    values: dict[str, list[float]]
    ratios: dict[str, list[float]]
    missing: dict[str, str]
    problem: str | None
    done: bool
    weights: list[list[int | str]]
    layers: dict[str, object] | None
    inference: float
    timing: float
    off_core: float


def write_frame(descriptor: int, header: Header, *blobs: bytes | memoryview) -> None:
    """Writes a header and the blobs that it announces. Raises BrokenPipeError when nobody reads."""
    text = json.dumps(header).encode()
    write_all(descriptor, _LENGTH.pack(len(text)) + text)
    for blob in blobs:
        write_all(descriptor, blob)


def next_header(descriptor: int) -> Header:
    """The next header. Raises EOFError at the end of the stream."""
    header = read_header(descriptor)
    if header is None:
        raise EOFError("the other side has ended")
    return header


def read_header(descriptor: int) -> Header | None:
    """The next header; None at the end of the stream. Raises EOFError when the stream breaks off inside it."""
    first = os.read(descriptor, 1)
    if not first:
        return None
    (length,) = _LENGTH.unpack(first + read_exactly(descriptor, _LENGTH.size - 1))
    if length > HEADER_BYTES:
        raise EOFError(f"a header of {length} bytes, expected at most {HEADER_BYTES}")
    header: Header = json.loads(read_exactly(descriptor, length))
    return header


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


def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Writes all of `content`, in as many pieces as the pipe takes."""
    view = memoryview(content)
    while len(view):
        view = view[os.write(descriptor, view[: 1024**2]) :]


def pack_array(numbers: np.ndarray) -> bytes:
    """A NumPy array as its shape and its values in float32."""
    return json.dumps({"shape": numbers.shape}).encode() + b"\n" + numbers.astype("<f4", copy=False).tobytes()


def pack_placed(places: list[int], answers: list[np.ndarray]) -> bytes:
    """Answers (1, ...) to the inputs at these places, as one array: a row each, its place in front of its numbers."""
    flat = np.stack(answers).reshape(len(answers), -1)
    return pack_array(np.concatenate([np.array(places, np.float32)[:, None], flat], axis=1))


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
