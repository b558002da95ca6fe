"""The manifest of a submission: a small JSON object whose every field is checked by hand, so that nothing unexpected is in it."""

import json
import math
import numbers
import re
from collections.abc import Mapping
from dataclasses import dataclass

from projectkit.errors import SubmissionError
from projectkit.submit.limits import LIMITS
from projectkit.types import FORMATS

FORMAT_VERSION = 1
SCALES = ("quick", "full")
MANIFEST, ANSWERS = "manifest.json", "answers.npz"
SLOT = re.compile(r"[a-z][a-z0-9_]{0,39}")
LAB = re.compile(r"[a-z][a-z0-9_]{0,59}")
MEMBER = re.compile(rf"{re.escape(MANIFEST)}|{re.escape(ANSWERS)}|{SLOT.pattern}(?:\.tflite|\.onnx)")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RESERVED = {"answers", "manifest", "con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}
_FIELDS = {"format", "student", "lab", "scale", "slots", "answers", "claims", "versions"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One file as the manifest announces it: its name in the zip, SHA-256 and size in bytes."""

    file: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a submission says about itself. `answers` is None when no exercise was handed in."""

    student: str
    lab: str
    scale: str
    slots: Mapping[str, Entry]
    answers: Entry | None
    claims: Mapping[str, float]
    versions: Mapping[str, str]


def dump(manifest: Manifest) -> bytes:
    """The manifest as bytes: sorted keys, so that equal manifests are equal files."""
    slots = {
        slot: {"file": entry.file, "sha256": entry.sha256, "size": entry.size, "format": _format(entry.file)}
        for slot, entry in manifest.slots.items()
    }
    answers = manifest.answers and {"file": ANSWERS, "sha256": manifest.answers.sha256, "size": manifest.answers.size}
    value = {
        "format": FORMAT_VERSION,
        "student": manifest.student,
        "lab": manifest.lab,
        "scale": manifest.scale,
        "slots": slots,
        "answers": answers,
        "claims": dict(manifest.claims),
        "versions": dict(manifest.versions),
    }
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()


def parse(content: bytes) -> Manifest:
    """The manifest from its bytes. Raises SubmissionError naming the field that is missing, unknown or of the wrong kind."""
    value = _load_json(content)
    _fields(value, _FIELDS, "manifest")
    if value["format"] != FORMAT_VERSION or isinstance(value["format"], bool):
        raise SubmissionError(
            f"manifest: format is {_show(value['format'])}, expected {FORMAT_VERSION}. Pack with the course's projectkit."
        )
    if value["scale"] not in SCALES:
        raise SubmissionError(f"manifest: scale is {_show(value['scale'])}, expected quick or full. Pack it again.")
    return Manifest(
        check_text(value["student"], "student"),
        check_lab(value["lab"]),
        value["scale"],
        {check_slot(slot): _slot(slot, entry) for slot, entry in _object(value["slots"], "slots").items()},
        None if value["answers"] is None else _answers(value["answers"]),
        check_claims(_object(value["claims"], "claims")),
        {check_text(k, "versions"): check_text(v, f"versions.{k}") for k, v in _object(value["versions"], "versions").items()},
    )


def check_text(text: object, field: str) -> str:
    """A name as people write it: printable, at most 100 characters, no path separators. `=cmd` and `<b>` are legal text."""
    if (
        not isinstance(text, str)
        or not text.strip()
        or len(text) > LIMITS.text
        or not text.isprintable()
        or set(text) & set("/\\")
    ):
        raise SubmissionError(
            f"manifest: {field} is {_show(text)}, expected 1 to {LIMITS.text} printable characters without / and \\. "
            "Change the name."
        )
    return text


def check_lab(lab: object) -> str:
    """The id of a lab, such as l01_quantization. That a rubric of this name exists is checked when it is graded."""
    if not isinstance(lab, str) or not LAB.fullmatch(lab):
        raise SubmissionError(f"manifest: lab is {_show(lab)}, expected an id like l01_quantization. Use the lab's file name.")
    return lab


def check_slot(slot: object) -> str:
    """The name of a slot: lower-case letters, digits and _, at most 40, not a name that some file system reserves."""
    if not isinstance(slot, str) or not SLOT.fullmatch(slot) or slot in _RESERVED:
        raise SubmissionError(
            f"manifest: slot {_show(slot)} is not a slot name, expected lower-case letters, digits and _ (at most 40). "
            "Use the slot names that the lab asks for."
        )
    return slot


def check_claims(claims: Mapping[str, object]) -> dict[str, float]:
    """The numbers a student claims, by any short text. They are shown beside the measured ones and earn nothing."""
    if len(claims) > LIMITS.claims:
        raise SubmissionError(f"manifest: {len(claims)} claims, expected at most {LIMITS.claims}. Claim less.")
    checked = {}
    for name, number in claims.items():
        # A claim is named like "int8/accuracy": the one text where / has a meaning and never becomes a path.
        check_text(name.replace("/", " ") if isinstance(name, str) else name, "claims")
        good = isinstance(number, numbers.Real) and not isinstance(number, bool) and abs(number) <= LIMITS.number
        if not good or not math.isfinite(number):
            raise SubmissionError(
                f"manifest: claim {_show(name)} is {_show(number)}, expected a finite number. Correct or drop it."
            )
        checked[name] = float(number)
    return checked


def _slot(slot: str, entry: object) -> Entry:
    where = f"slots.{slot}"
    _fields(entry, {"file", "sha256", "size", "format"}, where)
    names = [slot + suffix for suffix in FORMATS]
    if entry["file"] not in names:
        raise SubmissionError(f"manifest: {where}.file is {_show(entry['file'])}, expected {' or '.join(names)}. Pack it again.")
    if entry["format"] != _format(entry["file"]):
        raise SubmissionError(
            f"manifest: {where}.format is {_show(entry['format'])}, expected {_format(entry['file'])}. Pack it again."
        )
    return _entry(entry, where)


def _answers(entry: object) -> Entry:
    _fields(entry, {"file", "sha256", "size"}, "answers")
    if entry["file"] != ANSWERS:
        raise SubmissionError(f"manifest: answers.file is {_show(entry['file'])}, expected {ANSWERS}. Pack it again.")
    return _entry(entry, "answers")


def _entry(entry: dict, where: str) -> Entry:
    if not isinstance(entry["sha256"], str) or not _SHA256.fullmatch(entry["sha256"]):
        raise SubmissionError(
            f"manifest: {where}.sha256 is {_show(entry['sha256'])}, expected 64 hexadecimal digits. Pack it again."
        )
    size = entry["size"]
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= LIMITS.zip_bytes:
        raise SubmissionError(
            f"manifest: {where}.size is {_show(size)}, expected bytes from 0 to {LIMITS.zip_bytes}. Hand in a smaller file."
        )
    return Entry(entry["file"], entry["sha256"], size)


def _load_json(content: bytes) -> dict:
    try:
        return _object(
            json.loads(content.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constants), "manifest"
        )
    except SubmissionError:
        raise
    except RecursionError:
        raise SubmissionError("manifest: it is nested too deep, expected at most 3 levels. Pack it again.") from None
    except ValueError as error:
        raise SubmissionError(f"manifest: not readable as JSON ({str(error)[:100]}). Pack it again.") from error


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = next(key for key in result if sum(key == other for other, _ in pairs) > 1)
        raise SubmissionError(f"manifest: the field {_show(twice)} is there twice, expected once. Pack it again.")
    return result


def _no_constants(text: str) -> None:
    raise SubmissionError(f"manifest: it holds the number {text}, expected finite numbers. Correct or drop that claim.")


def _object(value: object, field: str) -> dict:
    if not isinstance(value, dict):
        raise SubmissionError(f"manifest: {field} is {_show(value)}, expected an object. Pack it again.")
    return value


def _fields(value: object, expected: set[str], where: str) -> None:
    got = set(_object(value, where))
    if got != expected:
        wrong = [f"{_show(name)} is missing" for name in sorted(expected - got)]
        wrong += [f"{_show(name)} is unknown" for name in sorted(got - expected)[:5]]
        raise SubmissionError(f"{where}: {', '.join(wrong)}; expected {', '.join(sorted(expected))}. Pack it again.")


def _format(file: str) -> str:
    return FORMATS["." + file.rpartition(".")[2]]


def _show(value: object) -> str:
    # Not repr of the whole: a number of thousands of digits, or a page of text, would become the message.
    text = ascii(value) if not isinstance(value, int) or abs(value) < 10**30 else "a huge number"
    return text if len(text) <= 60 else text[:57] + "..."
