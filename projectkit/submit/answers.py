"""The arrays of the exercises, as an .npz without pickles: written byte for byte the same, read with every size checked first."""

import io
import math
import re
import zipfile
from collections.abc import Mapping

import numpy as np

from projectkit.errors import SubmissionError
from projectkit.submit.archive import open_archive, read_member
from projectkit.submit.limits import LIMITS
from projectkit.submit.manifest import ANSWERS, SLOT

_MEMBER = re.compile(rf"{SLOT.pattern}/{SLOT.pattern}\.npy")
_KINDS = "biuf"  # booleans, integers, floats: nothing that could be a pickle, a text or a date

Answers = Mapping[str, Mapping[str, np.ndarray]]


def dump_answers(answers: Answers) -> bytes:
    """`answers[exercise][name]` as the bytes of an .npz with the keys "exercise/name".

    Raises SubmissionError for a name that is not lower-case letters, digits and _, and for an array that is not numeric.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for exercise, arrays in sorted(answers.items()):
            for name, array in sorted(arrays.items()):
                member = f"{exercise}/{name}.npy"
                if not _MEMBER.fullmatch(member):
                    raise SubmissionError(
                        f"answers: {member[:80]!a} is not a name, expected lower-case letters, digits and _. Rename it."
                    )
                archive.writestr(zipfile.ZipInfo(member), _dump_array(np.asarray(array), member))
    return stream.getvalue()


def _dump_array(array: np.ndarray, member: str) -> bytes:
    if array.dtype.kind not in _KINDS:
        raise SubmissionError(
            f"answers: {member[:-4]} has dtype {array.dtype}, expected numbers. "
            "Convert it with np.asarray(..., dtype=np.float64)."
        )
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
    return stream.getvalue()


def load_answers(content: bytes) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, str]]:
    """The arrays, and what is wrong by exercise: one spoilt array spoils its exercise and no other.

    Raises SubmissionError when the .npz as a whole cannot be read.
    """
    answers: dict[str, dict[str, np.ndarray]] = {}
    problems: dict[str, str] = {}
    with open_archive(content, ANSWERS, files=LIMITS.arrays, allowed=_MEMBER) as archive:
        for member in archive.infolist():
            exercise, name = member.filename.removesuffix(".npy").split("/")
            try:
                array = load_array(read_member(archive, member.filename, ANSWERS, LIMITS.answers_bytes), member.filename)
            except SubmissionError as error:
                problems[exercise] = str(error)
            else:
                answers.setdefault(exercise, {})[name] = array
    return {exercise: arrays for exercise, arrays in answers.items() if exercise not in problems}, problems


def load_array(content: bytes, name: str) -> np.ndarray:
    """The array in the bytes of an .npy file whose header is checked against the bytes that are really there.

    Raises SubmissionError for pickles, non-numeric types, and headers that announce more or less than the file holds.
    """
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, _, dtype = read_header(stream)
    except Exception as error:  # the header is parsed as a Python literal: SyntaxError, MemoryError, KeyError, …
        raise SubmissionError(f"{name}: not a NumPy array ({type(error).__name__}). Pack it again.") from error
    if dtype.hasobject or dtype.kind not in _KINDS or dtype.itemsize > 8 or dtype.subdtype:
        what = "Python objects (a pickle)" if dtype.hasobject else f"dtype {str(dtype)[:40]}"
        raise SubmissionError(f"{name}: holds {what}, expected plain numbers. Convert it with np.asarray(..., dtype=np.float64).")
    count = math.prod(shape)
    held = len(content) - stream.tell()
    # An array without elements may still announce axes that no array can have.
    axes = math.prod(max(1, size) for size in shape) <= LIMITS.answers_bytes and bool not in map(type, shape)
    if len(shape) > LIMITS.array_dimensions or min(shape, default=0) < 0 or not axes or count * dtype.itemsize != held:
        raise SubmissionError(f"{name}: announces shape {str(shape)[:60]} but holds {held} bytes. Pack it again.")
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)
