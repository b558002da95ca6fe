"""Cheap checks that a model file is what its suffix says. The full parse happens in the sandbox."""

from projectkit.errors import SubmissionError

_KNOWN = (
    (b"PK\x03\x04", "a zip archive, as a .keras model is"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as an .h5 model is"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"#!", "a script"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"<", "a text in HTML or XML"),
    (b"{", "a JSON text"),
)
_GRAPH_FIELD, _FIELDS_AT_MOST = 7, 10_000
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def check_content(content: bytes, name: str) -> None:
    """Raises SubmissionError when the bytes are not what the suffix says: a LiteRT flatbuffer, an ONNX model or a supermask."""
    suffix = name.rpartition(".")[2]
    good, wanted = {
        "tflite": (is_litert, "a LiteRT model"),
        "onnx": (is_onnx, "an ONNX model"),
        "supermask": (is_supermask, "a supermask"),
    }[suffix]
    if good(content):
        return
    raise SubmissionError(
        f"{name}: this is {_describe(content)}, expected {wanted}. Export it with projectkit.export and pack again."
    )


def is_litert(content: bytes) -> bool:
    """Whether the file identifier of a LiteRT flatbuffer stands at bytes 4 to 8."""
    return content[4:8] == b"TFL3"


def is_supermask(content: bytes) -> bool:
    """Whether the bytes begin as a .supermask file does."""
    return content.startswith(b"SMSK")


def is_onnx(content: bytes) -> bool:
    """Whether the bytes walk as protobuf fields to their very end and hold a graph (field 7 of onnx.proto's ModelProto)."""
    position, graph = 0, False
    for _ in range(_FIELDS_AT_MOST):
        if position == len(content):
            return graph
        tag, position = _varint(content, position)
        kind, field = tag & 7, tag >> 3
        if position < 0 or field == 0 or kind not in (_VARINT, _FIXED64, _LENGTH, _FIXED32):
            return False
        value, after = _varint(content, position) if kind in (_VARINT, _LENGTH) else (0, position)
        position = {_VARINT: after, _LENGTH: after + value, _FIXED64: after + 8, _FIXED32: after + 4}[kind]
        if after < 0 or position > len(content):
            return False
        graph = graph or (field == _GRAPH_FIELD and kind == _LENGTH)
    return False


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """The protobuf varint at `position` and where it ends, or (0, -1) when there is none."""
    value = 0
    for index, byte in enumerate(content[position : position + 10]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    return 0, -1


def _describe(content: bytes) -> str:
    if not content:
        return "an empty file"
    if is_litert(content):
        return "a LiteRT model"
    if is_supermask(content):
        return "a supermask"
    for magic, what in _KNOWN:
        if content.startswith(magic):
            return what
    return "cut off or something else"
