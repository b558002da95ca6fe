"""What the constants of a model file hold, in words of a few bytes, so that copies are found although their files differ.

A constant is named twice. `exact` is a digest of its values rounded to float16, in the order of their bits: equal for float32 and
float16, for any order of channels or axes, in either format. `near` are the signs of 64 random projections of the values as they
stand (M. Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002): an angle a between two constants
changes 64·a/π of them, quantization to 8 bits less than one, another training about half.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from projectkit.measure.dataflow import Operation, Value
from projectkit.measure.parsing import parse_file
from projectkit.types import Artifact

LEAST_BYTES = 64  # smaller constants are shapes, axes and scales, which strangers' models share
LEAST_PROJECTED = 64  # values: of fewer, the signs of projections say little
NEAR = 3  # of 64 projections: angles of up to a tenth of a right angle
MOST = 512  # constants of a file, the largest
CHUNK = 4096  # values that are projected together, so that a large constant needs no large matrix


@dataclass(frozen=True, slots=True)
class Constant:
    """One stored constant: how many values, and its two names in hexadecimal; `near` is "" where there are too few."""

    values: int
    exact: str
    near: str


def live_constants(artifact: Artifact) -> tuple[Constant, ...]:
    """The constants of at least 64 bytes from which the outputs are computed, equal ones once, the largest first; none that
    holds one value only.

    Nobody reads what is not reached from the outputs backwards, so that it neither hides a copy nor makes one. Inside operators
    (branches, loops) the constants of a branch in ONNX are seen, those of other graphs and functions are not. Raises
    ArtifactError when the file cannot be read.
    """
    readers = {"litert": _litert, "onnx": _onnx, "supermask": _supermask}
    unique = parse_file(artifact, {name: partial(_unique, read) for name, read in readers.items()})
    return tuple(sorted(unique.values(), key=lambda constant: (-constant.values, constant.exact))[:MOST])


def _is_filling(values: np.ndarray) -> bool:
    """Whether all values are equal, as those of a bias that was never trained or of zero points: everybody's."""
    return values.size == 0 or bool((values == values.flat[0]).all())


def _unique(read: Callable[[bytes], Iterable[Constant]], content: bytes) -> dict[str, Constant]:
    return {constant.exact: constant for constant in read(content)}


def named(values: np.ndarray) -> Constant:
    """The constant of these values (integers, or floats as they are meant)."""
    flat = np.nan_to_num(values.astype(np.float32, copy=False).reshape(-1))
    with np.errstate(over="ignore"):
        rounded = flat.astype(np.float16) + np.float16(0)  # + 0: one zero of the two
    # Any order that depends on the values only will do; that of the bits is found ten times as fast as that of the numbers.
    exact = hashlib.sha256(np.sort(rounded.view(np.uint16), kind="stable").tobytes()).hexdigest()[:16]
    return Constant(flat.size, exact, _signs(flat) if flat.size >= LEAST_PROJECTED else "")


def _signs(flat: np.ndarray) -> str:
    """16 hexadecimal digits, one bit a projection."""
    largest = np.abs(flat).max()
    if not largest > 0:
        return ""
    sums = np.zeros(64, np.float64)
    for start in range(0, flat.size, CHUNK):
        part = flat[start : start + CHUNK] / largest
        # The signs of a matrix of ±1 are turned by those of the chunk, so that no two chunks are projected alike.
        turned = _random_signs(start, 64)
        sums += turned * (_projection()[:, : part.size] @ part)
    return np.packbits(sums > 0).tobytes().hex()


def _random_signs(seed: int, *shape: int) -> np.ndarray:
    """−1 and 1, float32, of this shape."""
    return (2 * np.random.default_rng(seed).integers(0, 2, shape) - 1).astype(np.float32)


@lru_cache(maxsize=1)
def _projection() -> np.ndarray:
    return _random_signs(0, 64, CHUNK)


def _litert(content: bytes) -> Iterator[Constant]:
    from ai_edge_litert import schema_py_generated as schema

    from projectkit.measure.litert_file import BITS, parse, stored_values

    file = parse(content)
    graph = schema.Model.GetRootAs(content, 0).Subgraphs(0)
    reached = _reached(file.operations, file.outputs)
    seen = set()
    for index, tensor in enumerate(file.tensors):
        if index not in reached or tensor.data is None or tensor.buffer in seen or len(tensor.data) < LEAST_BYTES:
            continue
        seen.add(tensor.buffer)  # many tensors with one buffer cannot make the work longer than the file
        if tensor.type not in BITS:
            continue
        values = stored_values(tensor).astype(np.float32)
        if _is_filling(values):
            continue
        quantization = graph.Tensors(index).Quantization()
        if quantization is not None and quantization.ScaleLength() and values.size == tensor.elements:
            zeros = tensor.zero_points if tensor.zero_points.size == 1 else np.zeros(1, np.int64)
            values = _scaled((values - zeros).reshape(tensor.shape), quantization.ScaleAsNumpy(), tensor.axis)
        yield named(values)


def _scaled(values: np.ndarray, scales: np.ndarray, axis: int) -> np.ndarray:
    """The values as they are meant, up to a factor: by one scale, or by one for each index along `axis`."""
    if scales.size == 1 or not 0 <= axis < values.ndim or values.shape[axis] != scales.size:
        return values
    along = [1] * values.ndim
    along[axis] = -1
    return values * (scales / scales.max()).reshape(along)


def _onnx(content: bytes) -> Iterator[Constant]:
    import onnx

    graph = onnx.load_from_string(content).graph
    operations = [Operation(node.op_type, tuple(node.input), tuple(node.output)) for node in graph.node]
    reached = _reached(operations, [output.name for output in graph.output])
    values = [tensor for tensor in graph.initializer if tensor.name in reached]
    for node in graph.node:
        if reached.isdisjoint(node.output):
            continue
        values += [attribute.t for attribute in node.attribute if attribute.HasField("t")]
        for attribute in node.attribute:
            if attribute.HasField("g"):  # a branch reads what lies outside by its name
                values += list(attribute.g.initializer)
    for tensor in values:
        array = onnx.numpy_helper.to_array(tensor)
        if array.nbytes >= LEAST_BYTES and array.dtype.kind not in "OSUV" and not _is_filling(array):
            yield named(array.astype(np.float32))


def _supermask(content: bytes) -> Iterator[Constant]:
    yield named(np.frombuffer(content, np.uint8))  # all that there is to choose: the seed and the bits


def _reached(operations: Iterable[Operation[Value]], outputs: Iterable[Value]) -> set[Value]:
    """Every value that is reached backwards from the outputs."""
    makers = {value: operation for operation in operations for value in operation.outputs}
    reached: set[Value] = set()
    pending = list(outputs)
    while pending:
        value = pending.pop()
        if value not in reached:
            reached.add(value)
            pending.extend(makers[value].present if value in makers else ())
    return reached


def alike(one: Constant, other: Constant) -> bool:
    """Whether the two hold the same numbers, in any order, or nearly the same in the same order, as after quantization."""
    if one.exact == other.exact:
        return True
    return one.values == other.values and bool(one.near and other.near) and distance(one.near, other.near) <= NEAR


def distance(one: str, other: str) -> int:
    """In how many of 64 projections two constants differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()
