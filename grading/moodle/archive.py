"""The zip that Moodle makes of a whole class: its table of contents is checked first, then each file on its own.

The zip comes from Moodle, the files and their names inside come from students. So a harmful table of contents stops
everything, a harmful file only itself; and no name from the zip ever becomes a path.
"""

import stat
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

from grading.errors import GradingError
from projectkit.errors import SubmissionError
from projectkit.submit import LIMITS
from projectkit.submit.archive import read_member

_END = b"PK\x05\x06"
_END_BYTES, _COMMENT_BYTES = 22, 65535
_AGAIN = "Download all submissions from Moodle again and give that file unchanged."


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How large a class may be: files, bytes of the table of contents, bytes of all files unpacked."""

    files: int = 20_000
    directory_bytes: int = 16 * 1024**2
    total_bytes: int = 64 * 1024**3


BATCH = BatchLimits()


def open_batch(path: Path) -> zipfile.ZipFile:
    """Opens the zip of a class. Raises GradingError when it is no zip, is damaged, or could not come from Moodle: too many or
    too large files, a file that is there twice, files that share bytes (a zip bomb)."""
    try:
        _check_directory(path)
        archive = zipfile.ZipFile(path)
    except GradingError:
        raise
    except Exception as error:  # zipfile raises half a dozen kinds on malformed records
        what = getattr(error, "strerror", None) or str(error)[:120] or type(error).__name__
        raise GradingError(f"{path.name}: not a zip that can be read ({what}), expected Moodle's download. {_AGAIN}") from error
    try:
        _check_members(archive.infolist(), path)
    except GradingError:
        archive.close()
        raise
    return archive


def take(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """The bytes of one student's zip. Raises SubmissionError when it is larger than a submission may be, harmful or damaged."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    problem = None
    if kind not in (0, stat.S_IFREG):
        problem = "is a link or a special file, expected a regular file"
    elif member.flag_bits & 0x1:
        problem = "is encrypted, expected a readable file"
    elif member.file_size > LIMITS.ratio_from and member.file_size > LIMITS.ratio * max(1, member.compress_size):
        problem = f"would unpack to {member.file_size / 1e6:.0f} MB from {member.compress_size / 1e6:.2f} MB: a zip bomb"
    if problem:
        raise SubmissionError(f"The file {problem}. Ask the student for the zip that `projectkit pack` wrote.")
    return read_member(archive, member.filename, "zip", LIMITS.zip_bytes)


def _check_directory(path: Path) -> None:
    """Looks at the last record before the reader loads what it announces. Zip64, where a class needs it, keeps its numbers
    elsewhere; `_check_members` counts those."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - _END_BYTES - _COMMENT_BYTES))
        tail = stream.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise GradingError(f"{path.name}: not a whole zip, expected the file that Moodle made. {_AGAIN}")
    directory_bytes = struct.unpack_from("<L", tail, at + 12)[0]
    if BATCH.directory_bytes < directory_bytes < 0xFFFFFFFF:
        raise GradingError(f"{path.name}: its table of contents has {directory_bytes} bytes, which no class needs. {_AGAIN}")


def _check_members(members: list[zipfile.ZipInfo], path: Path) -> None:
    names = {member.filename for member in members}
    total = sum(member.file_size for member in members)
    if len(members) > BATCH.files or total > BATCH.total_bytes:
        raise GradingError(
            f"{path.name}: {len(members)} files of {total / 1e9:.1f} GB, expected at most {BATCH.files} files of "
            f"{BATCH.total_bytes / 1e9:.1f} GB. Download the submissions group by group."
        )
    if len(names) != len(members):
        raise GradingError(f"{path.name}: the zip holds a file twice, which Moodle never does. {_AGAIN}")
    if sum(member.compress_size for member in members) > path.stat().st_size:
        raise GradingError(f"{path.name}: files in the zip share their bytes, as in a zip bomb. {_AGAIN}")
