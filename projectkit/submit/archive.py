"""Zip files from strangers: every member is checked before one byte is unpacked. Used for the submission and for answers.npz."""

import io
import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from projectkit.errors import SubmissionError
from projectkit.submit.limits import LIMITS

_END = struct.Struct("<4s4H2LH")  # the end-of-central-directory record (PKWARE APPNOTE 4.3.16)
_END_MAGIC, _ZIP64_MAGIC, _ZIP64_SIZE = b"PK\x05\x06", b"PK\x06\x07", 20
_HEADER = struct.Struct("<4s5H3L2H")  # what stands before each member's content (4.3.7)
_DESCRIPTOR, _WITH_DESCRIPTOR = 24, 0x8  # bytes at most behind a member, where a flag says so (4.3.9)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
PACK_AGAIN = "Make it with `projectkit pack`, and hand in that file unchanged."


def open_archive(source: Path | bytes, what: str, *, files: int, allowed: re.Pattern[str]) -> zipfile.ZipFile:
    """Opens a zip after checking its table of contents; `allowed` must match each member's whole name.

    Raises SubmissionError when it is no zip, is damaged, or holds a member that could harm: too many, too large, a name
    that leaves the folder, a link, a directory, an encrypted or duplicate or unexpected one; or bytes that belong to no member.
    """
    stream: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    try:
        _check_end(stream, what, files)
        archive = zipfile.ZipFile(stream)
        members = archive.infolist()
        _check_members(members, what, files, allowed)
        _check_places(stream, members, archive.start_dir, what)
    except SubmissionError:
        stream.close()
        raise
    except Exception as error:  # zipfile raises half a dozen kinds on malformed records
        stream.close()
        raise SubmissionError(f"{what}: the zip's table of contents is damaged ({_short(error)}). {PACK_AGAIN}") from error
    return archive


def _check_end(stream: BinaryIO, what: str, files: int) -> None:
    """Checks the last record first: it bounds what the zip reader will load, and it is missing from a truncated file."""
    size = stream.seek(0, io.SEEK_END)
    if size == 0:
        raise SubmissionError(f"{what}: the file is empty, expected a zip. {PACK_AGAIN}")
    stream.seek(max(0, size - _END.size - _ZIP64_SIZE))
    tail = stream.read()
    if len(tail) < _END.size or tail[-_END.size :][:4] != _END_MAGIC:
        stream.seek(0)
        begins = stream.read(4) == b"PK\x03\x04"
        found = "a zip that is cut off or has something behind its end" if begins else "a file that is not a zip"
        raise SubmissionError(f"{what}: this is {found}, expected a whole zip. {PACK_AGAIN}")
    _, _, _, _, entries, directory_bytes, directory, _ = _END.unpack(tail[-_END.size :])
    if tail[: -_END.size].startswith(_ZIP64_MAGIC) or entries > files or directory_bytes > LIMITS.directory_bytes:
        raise SubmissionError(f"{what}: the zip announces {entries} files, expected at most {files}. {PACK_AGAIN}")
    before = size - _END.size - directory_bytes - directory
    if before > 0:
        raise SubmissionError(f"{what}: {before} bytes stand before the zip, as of a script, expected none. {PACK_AGAIN}")


def _check_members(members: list[zipfile.ZipInfo], what: str, files: int, allowed: re.Pattern[str]) -> None:
    if len(members) > files:
        raise SubmissionError(f"{what}: the zip holds {len(members)} files, expected at most {files}. {PACK_AGAIN}")
    seen = set()
    for member in members:
        problem = _name_problem(member, allowed) or _kind_problem(member)
        if problem is None and member.filename.lower() in seen:
            problem = "is there twice, expected once"
        if problem:
            raise SubmissionError(f"{what}: {_show(member.orig_filename)} {problem}. {PACK_AGAIN}")
        seen.add(member.filename.lower())
    total = sum(member.file_size for member in members)
    if total > LIMITS.total_bytes:
        raise SubmissionError(
            f"{what}: unpacks to {total / 1e6:.0f} MB, expected at most {LIMITS.total_bytes / 1e6:.0f} MB. "
            "Hand in smaller models."
        )


def _check_places(stream: BinaryIO, members: list[zipfile.ZipInfo], directory: int, what: str) -> None:
    """Every byte of the zip belongs to one member, or to its table of contents: nothing hides before, between or behind them, and
    no two members share their content, which would make a small file a large one."""
    end = slack = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        gap = member.header_offset - end
        if gap < 0:
            raise SubmissionError(f"{what}: {_show(member.orig_filename)} overlaps another file, expected none to. {PACK_AGAIN}")
        if gap > slack:
            raise SubmissionError(f"{what}: {gap} bytes before {_show(member.orig_filename)} are of no file. {PACK_AGAIN}")
        stream.seek(member.header_offset)
        *_, name_bytes, extra_bytes = _HEADER.unpack(stream.read(_HEADER.size))
        end = member.header_offset + _HEADER.size + name_bytes + extra_bytes + member.compress_size
        slack = _DESCRIPTOR if member.flag_bits & _WITH_DESCRIPTOR else 0
    if not 0 <= directory - end <= slack:
        raise SubmissionError(f"{what}: its table of contents is not where its files end. {PACK_AGAIN}")


def _name_problem(member: zipfile.ZipInfo, allowed: re.Pattern[str]) -> str | None:
    name = member.orig_filename  # as stored: the reader would cut it at a NUL byte and turn other separators into "/"
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        return "is an absolute path, expected a plain file name"
    if ".." in name.replace("\\", "/").split("/"):
        return "leaves the folder with '..', expected a plain file name"
    if "\\" in name:
        return "has a backslash in its name, expected a plain file name"
    if name.endswith("/"):
        return "is a directory, expected only files"
    if not allowed.fullmatch(name):
        return "is not a file that a submission may hold"
    return None


def _kind_problem(member: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a symbolic link, expected a regular file"
    if kind not in (0, stat.S_IFREG):
        return "is a special file, expected a regular file"
    if member.flag_bits & 0x1:
        return "is encrypted, expected a readable file"
    if member.compress_type not in _METHODS:
        return "uses an unusual compression, expected stored or deflated"
    if member.file_size > LIMITS.ratio_from and member.file_size > LIMITS.ratio * max(1, member.compress_size):
        return f"would unpack to {member.file_size / 1e6:.0f} MB from {member.compress_size / 1e6:.2f} MB, which is a zip bomb"
    return None


def read_member(archive: zipfile.ZipFile, name: str, what: str, limit: int) -> bytes:
    """The bytes of one member, at most `limit`: real bytes are counted, because the size that a zip declares may lie.

    Raises SubmissionError when the member is larger or damaged.
    """
    declared = archive.getinfo(name).file_size
    if declared > limit:
        raise SubmissionError(f"{what}: {name} has {declared} bytes, expected at most {limit}. Hand in a smaller file.")
    try:
        with archive.open(name) as stream:
            content = stream.read(limit + 1)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        struct.error,
    ) as error:
        raise SubmissionError(f"{what}: {name} is damaged inside the zip ({_short(error)}). {PACK_AGAIN}") from error
    if len(content) > limit or len(content) != declared:
        raise SubmissionError(f"{what}: {name} has {len(content)} bytes, the zip announced {declared}. {PACK_AGAIN}")
    return content


def _show(name: str) -> str:
    return ascii(name if len(name) <= 80 else name[:77] + "...")


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:120]
