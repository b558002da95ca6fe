"""Rubrics: TOML files whose every field is checked, so that a slip of the pen cannot become a wrong grade.

lab = "l01_quantization"
title = "Quantization"

[formats]                      # optional; what a slot must hold: "litert", "onnx" or "supermask"
int8 = "litert"

[limits]                       # optional; fields of grading.types.Limits
seconds = 60

[scale.quick]
dataset = "digits"
baseline = "l01_quantization_quick.tflite"     # in the folder `baselines` beside the rubrics; needed by relative checks

[[scale.quick.check]]
id = "int8_accuracy"
title = "Accuracy of the int8 model"
slot = "int8"                                  # or, with metric = "answer": exercise = "affine"; with "study": claim, too
metric = "accuracy"
floor = 0.85
target = 0.95
points = 10
relative = false
gate = true
"""

import dataclasses
import hashlib
import math
import tomllib
from pathlib import Path

from grading.errors import GradingError
from grading.study import CLAIMS
from grading.types import STUDY, Check, Limits, Rubric
from projectkit.errors import SubmissionError
from projectkit.submit import INPUTS, PROJECT, check_slot
from projectkit.types import FORMATS, METRICS

HERE = Path(__file__).parent
RUBRICS = HERE / "rubrics"
ANSWER = "answer"
SCALES = ("quick", "full")
# A ratio of these to the baseline means something; a ratio of two sparsities does not.
RELATIVE = (
    *("accuracy", "size", "compressed_size", "parameters", "nonzero_parameters", "weight_bits", "macs"),
    *("latency_p50", "peak_memory", "peak_activations", "arena", "energy"),
)
_CHECK_FIELDS = {field.name: field for field in dataclasses.fields(Check)}
_REQUIRED = {field.name for field in dataclasses.fields(Check) if field.default is dataclasses.MISSING}


def load_rubric(lab: str, scale: str, folder: Path = RUBRICS) -> Rubric:
    """The rubric of `lab` at `scale`. Raises SubmissionError when there is none, GradingError naming the field that is wrong."""
    path = folder / f"{lab}.toml"
    if not path.is_file() and lab == PROJECT:
        raise SubmissionError(f"lab {lab}: a project has no rubric, a jury judges it. Use `grading defend`.")
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.toml"))) or "none"
        raise SubmissionError(f"lab {lab}: no rubric of this name, expected one of {known}. Pack with the lab's own id.")
    content = path.read_bytes()
    try:
        table = tomllib.loads(content.decode())
        if table.get("lab") != lab:
            raise _Wrong(f"lab is {table.get('lab')!r}, expected {lab!r}, as the file is named.")
        return _rubric(table, scale, folder, hashlib.sha256(content).hexdigest())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GradingError(f"{path.name}: not readable as TOML ({error}). Correct the file.") from error
    except _Wrong as error:
        raise GradingError(f"{path.name}: {error} Correct the file.") from error


class _Wrong(Exception):
    """What is wrong in a rubric; becomes a GradingError with the file's name."""


def _rubric(table: dict, scale: str, folder: Path, digest: str) -> Rubric:
    _only(table, {"lab", "title", "formats", "limits", "scale"}, "the file")
    lab, title = _text(table, "lab", "the file"), _text(table, "title", "the file")
    _only(table.get("scale", {}), set(SCALES), "[scale]")
    section = table.get("scale", {}).get(scale)
    if not isinstance(section, dict):
        raise _Wrong(f"[scale.{scale}] is missing.")
    where = f"[scale.{scale}]"
    _only(section, {"dataset", "baseline", "check"}, where)
    rows = section.get("check", [])
    if not isinstance(rows, list) or not rows:
        raise _Wrong(f"{where} has no [[scale.{scale}.check]].")
    checks = tuple(_check(row, lab) for row in rows)
    ids = [check.id for check in checks]
    if len(set(ids)) != len(ids):
        raise _Wrong(f"the check ids {sorted({i for i in ids if ids.count(i) > 1})} are there twice, expected once.")
    baseline = _baseline(section, folder, any(check.relative for check in checks))
    rubric = Rubric(lab, title, scale, _text(section, "dataset", where), checks, _limits(table), digest, baseline)
    return dataclasses.replace(rubric, formats=_formats(table, rubric.slots))


def _check(row: dict, lab: str) -> Check:
    where = f"check {row.get('id', '?')!r}"
    _only(row, set(_CHECK_FIELDS), where)
    if _REQUIRED - set(row):
        raise _Wrong(f"{where} lacks {', '.join(sorted(_REQUIRED - set(row)))}.")
    for name, field in _CHECK_FIELDS.items():
        if name in row:
            _kind(row[name], field.type, f"{where}: {name}")
    check = Check(**{name: float(value) if _CHECK_FIELDS[name].type is float else value for name, value in row.items()})
    if check.floor == check.target:
        raise _Wrong(f"{where}: floor and target are both {check.floor}, expected two different numbers.")
    if check.points < 0:
        raise _Wrong(f"{where}: points is {check.points}, expected 0 or more.")
    _subject(check, lab, where)
    return check


def _subject(check: Check, lab: str, where: str) -> None:
    """What a check speaks of: the answer to an exercise, or a metric of a slot."""
    if check.metric == ANSWER:
        if check.exercise not in INPUTS.get(lab, {}):
            raise _Wrong(f"{where}: exercise is {check.exercise!r}, expected one of {', '.join(INPUTS.get(lab, {})) or 'none'}.")
        if check.slot or check.relative or check.gate:
            raise _Wrong(f"{where}: an answer has no slot, relative or gate.")
        return
    if check.claim and check.metric != STUDY:
        raise _Wrong(f"{where}: claim goes with metric {STUDY!r} only.")
    if check.metric == STUDY:
        if check.claim not in CLAIMS or check.exercise or check.relative or check.gate:
            raise _Wrong(
                f"{where}: claim is {check.claim!r}, expected one of {', '.join(CLAIMS)}, and no exercise, relative or gate."
            )
    elif check.metric not in METRICS or check.metric == "latency_ratio":
        raise _Wrong(
            f"{where}: metric is {check.metric!r}, expected {ANSWER}, {STUDY} or one of {', '.join(METRICS)}; "
            "the ratio of latencies is metric latency_p50 with relative = true."
        )
    if check.exercise:
        raise _Wrong(f"{where}: exercise goes with metric {ANSWER!r} only.")
    if check.relative and check.metric not in RELATIVE:
        raise _Wrong(f"{where}: {check.metric} cannot be relative, only {', '.join(RELATIVE)} can.")
    try:
        check_slot(check.slot)
    except SubmissionError as error:
        raise _Wrong(f"{where}: {error}") from error


def _baseline(section: dict, folder: Path, needed: bool) -> Path | None:
    if "baseline" not in section:
        if needed:
            raise _Wrong("a relative check needs a baseline.")
        return None
    name = _text(section, "baseline", "the scale")
    path = folder.parent / "baselines" / name
    if Path(name).name != name or not path.is_file():
        raise _Wrong(f"baseline {name!r} is not a file in the folder baselines.")
    return path


def _formats(table: dict, slots: tuple[str, ...]) -> dict[str, str]:
    formats = table.get("formats", {})
    _only(formats, set(slots), "[formats]")
    for slot, name in formats.items():
        if name not in FORMATS.values():
            raise _Wrong(f"[formats] {slot} is {name!r}, expected one of {', '.join(FORMATS.values())}.")
    return formats


def _limits(table: dict) -> Limits:
    section = table.get("limits", {})
    fields = {field.name: field.type for field in dataclasses.fields(Limits)}
    _only(section, set(fields), "[limits]")
    for name, value in section.items():
        _kind(value, fields[name], f"[limits] {name}")
        if value <= 0:
            raise _Wrong(f"[limits] {name} is {value}, expected a positive number.")
    return Limits(**section)


def _only(table: object, allowed: set[str], where: str) -> None:
    if not isinstance(table, dict):
        raise _Wrong(f"{where} is not a table.")
    if set(table) - allowed:
        raise _Wrong(f"{where} has the unknown fields {', '.join(sorted(set(table) - allowed))}.")


def _text(table: dict, name: str, where: str) -> str:
    if not isinstance(table.get(name), str) or not table[name].strip():
        raise _Wrong(f"{where}: {name} is {table.get(name)!r}, expected a text.")
    return table[name]


def _kind(value: object, kind: type, where: str) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    good = number if kind is float else number and isinstance(value, int) if kind is int else isinstance(value, kind)
    if not good:
        raise _Wrong(f"{where} is {value!r}, expected {'a finite number' if kind is float else kind.__name__}.")
