"""Names what a model file stores, so that the same weights are found again in a file that is packed differently."""

import hashlib
from collections.abc import Callable, Iterable
from functools import partial

from projectkit.measure.parsing import parse_file
from projectkit.types import Artifact

LEAST_BYTES = 64  # smaller constants are shapes, axes and scales, which strangers' models share


def weights_digest(artifact: Artifact) -> str:
    """SHA-256 of the stored constants of at least 64 bytes, in any order and under any names; "" when there are none.

    Equal for two files of one format with the same constants, whatever their names, order, metadata and operators are; a
    constant that is there twice counts once. Raises ArtifactError when the file cannot be read.
    """
    readers = {"litert": _litert, "onnx": _onnx, "supermask": _supermask}
    return parse_file(artifact, {name: partial(_digest, constants) for name, constants in readers.items()})


def _digest(constants: Callable[[bytes], Iterable[bytes]], content: bytes) -> str:
    contents = {hashlib.sha256(constant).digest() for constant in constants(content)}
    return hashlib.sha256(b"".join(sorted(contents))).hexdigest() if contents else ""


def _litert(content: bytes) -> Iterable[bytes]:
    from projectkit.measure.litert_file import parse

    stored = {tensor.buffer: tensor.data for tensor in parse(content).tensors if tensor.data is not None}
    return (data.tobytes() for data in stored.values() if len(data) >= LEAST_BYTES)


def _supermask(content: bytes) -> Iterable[bytes]:
    return (content,)  # all that there is to choose: the seed and the bits


def _onnx(content: bytes) -> Iterable[bytes]:
    import onnx

    model = onnx.load_from_string(content)
    values = [attribute.t for node in model.graph.node for attribute in node.attribute if attribute.HasField("t")]
    arrays = (onnx.numpy_helper.to_array(tensor).tobytes() for tensor in (*model.graph.initializer, *values))
    return (array for array in arrays if len(array) >= LEAST_BYTES)
