"""The manifest of a submission: a small JSON object whose every field is checked by hand, so that nothing unexpected is in it."""

import json
import math
import numbers
import re
from collections.abc import Mapping
from dataclasses import dataclass

from projectkit.errors import SubmissionError
from projectkit.scale import SCALES
from projectkit.submit.fields import FileEntry, check_entry, check_fields, check_file, check_object, check_text, show
from projectkit.submit.limits import LIMITS
from projectkit.submit.project import REPORT, ProjectEntry, dump_project, parse_project
from projectkit.submit.strict_json import load_object
from projectkit.submit.study import STUDY
from projectkit.types import FORMATS

FORMAT_VERSION = 1
MANIFEST, ANSWERS = "manifest.json", "answers.npz"
SLOT = re.compile(r"[a-z][a-z0-9_]{0,39}")
LAB = re.compile(r"[a-z][a-z0-9_]{0,59}")
_FIXED = "|".join(map(re.escape, (MANIFEST, ANSWERS, REPORT, STUDY)))
_SUFFIXES = "|".join(map(re.escape, FORMATS))
MEMBER = re.compile(rf"{_FIXED}|{SLOT.pattern}(?:{_SUFFIXES})")
_RESERVED = {"answers", "manifest", "report", "study", "con", "prn", "aux", "nul"} | {
    f"{port}{n}" for port in ("com", "lpt") for n in range(10)
}
_FIELDS = {"format", "student", "lab", "scale", "slots", "answers", "claims", "versions", "project", "study"}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a submission says about itself. `answers` is None when no exercise was handed in, `project` for a lab, `study` where
    nothing was searched."""

    student: str
    lab: str
    scale: str
    slots: Mapping[str, FileEntry]
    answers: FileEntry | None
    claims: Mapping[str, float]
    versions: Mapping[str, str]
    project: ProjectEntry | None = None
    study: FileEntry | None = None


def dump(manifest: Manifest) -> bytes:
    """The manifest as bytes: sorted keys, so that equal manifests are equal files."""
    slots = {
        slot: {"file": entry.file, "sha256": entry.sha256, "size": entry.size, "format": _format(entry.file)}
        for slot, entry in manifest.slots.items()
    }
    value = {
        "format": FORMAT_VERSION,
        "student": manifest.student,
        "lab": manifest.lab,
        "scale": manifest.scale,
        "slots": slots,
        "answers": _file(manifest.answers),
        "claims": dict(manifest.claims),
        "versions": dict(manifest.versions),
        "project": dump_project(manifest.project),
        "study": _file(manifest.study),
    }
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()


def parse(content: bytes) -> Manifest:
    """The manifest from its bytes. Raises SubmissionError naming the field that is missing, unknown or of the wrong kind."""
    value = load_object(content, "manifest")
    # A lab packed before there were projects or studies lacks the field, and is as good as one that says null.
    value.setdefault("project", None)
    value.setdefault("study", None)
    check_fields(value, _FIELDS, "manifest")
    if value["format"] != FORMAT_VERSION or isinstance(value["format"], bool):
        raise SubmissionError(
            f"manifest: format is {show(value['format'])}, expected {FORMAT_VERSION}. Pack with the course's projectkit."
        )
    scale, lab = _check_scale(value["scale"]), check_lab(value["lab"])
    return Manifest(
        check_text(value["student"], "student"),
        lab,
        scale,
        {check_slot(slot): _slot(slot, entry) for slot, entry in check_object(value["slots"], "slots").items()},
        None if value["answers"] is None else check_file(value["answers"], ANSWERS, "answers"),
        check_claims(check_object(value["claims"], "claims")),
        {
            check_text(k, "versions"): check_text(v, f"versions.{k}")
            for k, v in check_object(value["versions"], "versions").items()
        },
        parse_project(value["project"], lab),
        None if value["study"] is None else check_file(value["study"], STUDY, "study"),
    )


def _check_scale(scale: object) -> str:
    if not isinstance(scale, str) or scale not in SCALES:
        raise SubmissionError(f"manifest: scale is {show(scale)}, expected {' or '.join(SCALES)}. Pack it again.")
    return scale


def check_lab(lab: object) -> str:
    """The id of a lab, such as l01_quantization. That a rubric of this name exists is checked when it is graded."""
    if not isinstance(lab, str) or not LAB.fullmatch(lab):
        raise SubmissionError(f"manifest: lab is {show(lab)}, expected an id like l01_quantization. Use the lab's file name.")
    return lab


def check_slot(slot: object) -> str:
    """The name of a slot: lower-case letters, digits and _, at most 40, not a name that some file system reserves."""
    if not isinstance(slot, str) or not SLOT.fullmatch(slot) or slot in _RESERVED:
        raise SubmissionError(
            f"manifest: slot {show(slot)} is not a slot name, expected lower-case letters, digits and _ (at most 40). "
            "Use the slot names that the lab asks for."
        )
    return slot


def check_claims(claims: Mapping[str, object]) -> dict[str, float]:
    """The numbers a student claims, by any short text. They are shown beside the measured ones and earn nothing."""
    if len(claims) > LIMITS.claims:
        raise SubmissionError(f"manifest: {len(claims)} claims, expected at most {LIMITS.claims}. Claim less.")
    checked = {}
    for name, number in claims.items():
        # A claim is named like "int8/accuracy".
        check_text(name, "claims", slashes=True)
        value = _as_float(number)
        if not abs(value) <= LIMITS.number:  # false for NaN too
            raise SubmissionError(
                f"manifest: claim {show(name)} is {show(number)}, expected a finite number. Correct or drop it."
            )
        checked[name] = value
    return checked


def _as_float(number: object) -> float:
    """NaN for what is no number, infinite for what is too large for a float."""
    if isinstance(number, bool) or not isinstance(number, numbers.Real):
        return math.nan
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _slot(slot: str, entry: object) -> FileEntry:
    where = f"slots.{slot}"
    fields = check_fields(entry, {"file", "sha256", "size", "format"}, where)
    file, names = fields["file"], [slot + suffix for suffix in FORMATS]
    if not isinstance(file, str) or file not in names:
        raise SubmissionError(f"manifest: {where}.file is {show(file)}, expected {' or '.join(names)}. Pack it again.")
    if fields["format"] != _format(file):
        raise SubmissionError(f"manifest: {where}.format is {show(fields['format'])}, expected {_format(file)}. Pack it again.")
    return check_entry(fields, file, where)


def _file(entry: FileEntry | None) -> dict[str, object] | None:
    return None if entry is None else {"file": entry.file, "sha256": entry.sha256, "size": entry.size}


def _format(file: str) -> str:
    return FORMATS["." + file.rpartition(".")[2]]
