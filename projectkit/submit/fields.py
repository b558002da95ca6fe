"""The fields of a manifest, each checked by hand: what is missing, unknown or of the wrong kind is named in a sentence."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from projectkit.errors import SubmissionError
from projectkit.submit.limits import LIMITS

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file as the manifest announces it: its name in the zip, SHA-256 and size in bytes."""

    file: str
    sha256: str
    size: int


def check_text(text: object, field: str, *, slashes: bool = False) -> str:
    """A name as people write it: printable, at most 100 characters, no path separators. `=cmd` and `<b>` are legal text.

    With `slashes`, a text such as a title may hold the separators: it never becomes a path.
    """
    separators = "" if slashes else "/\\"
    if (
        not isinstance(text, str)
        or not text.strip()
        or len(text) > LIMITS.text
        or not text.isprintable()
        or set(text) & set(separators)
    ):
        without = " without / and \\" if separators else ""
        raise SubmissionError(
            f"manifest: {field} is {show(text)}, expected 1 to {LIMITS.text} printable characters{without}. Change the name."
        )
    return text


def check_object(value: object, field: str) -> dict[str, object]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise SubmissionError(f"manifest: {field} is {show(value)}, expected an object. Pack it again.")
    return value


def check_fields(value: object, expected: set[str], where: str) -> dict[str, object]:
    """An object with exactly the `expected` fields."""
    fields = check_object(value, where)
    got = set(fields)
    if got != expected:
        wrong = [f"{show(name)} is missing" for name in sorted(expected - got)]
        wrong += [f"{show(name)} is unknown" for name in sorted(got - expected)[:5]]
        raise SubmissionError(f"{where}: {', '.join(wrong)}; expected {', '.join(sorted(expected))}. Pack it again.")
    return fields


def check_file(value: object, file: str, where: str) -> FileEntry:
    """The entry of a file that can have one name only, such as answers.npz."""
    entry = check_fields(value, {"file", "sha256", "size"}, where)
    if entry["file"] != file:
        raise SubmissionError(f"manifest: {where}.file is {show(entry['file'])}, expected {file}. Pack it again.")
    return check_entry(entry, file, where)


def check_entry(entry: Mapping[str, object], file: str, where: str) -> FileEntry:
    """The entry of the file whose name is checked already to be `file`: its digest and its size."""
    sha256, size = entry["sha256"], entry["size"]
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise SubmissionError(f"manifest: {where}.sha256 is {show(sha256)}, expected 64 hexadecimal digits. Pack it again.")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= LIMITS.zip_bytes:
        raise SubmissionError(
            f"manifest: {where}.size is {show(size)}, expected bytes from 0 to {LIMITS.zip_bytes}. Hand in a smaller file."
        )
    return FileEntry(file, sha256, size)


def show(value: object) -> str:
    """A stranger's value, short and in ASCII, for a sentence."""
    # Not repr of the whole: a number of thousands of digits, or a page of text, would become the message.
    try:
        text = ascii(value) if not isinstance(value, int) or abs(value) < 10**30 else "a huge number"
    except RecursionError:
        return "something nested too deep"
    return text if len(text) <= 60 else text[:57] + "..."
