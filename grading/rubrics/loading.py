"""Rubrics: TOML files whose every field is checked, so that a typing error cannot become a wrong grade.

lab = "l01_quantization"
title = "Quantization"

[formats]                      # optional; what a slot must hold: "litert", "onnx" or "supermask"
int8 = "litert"

[limits]                       # optional; fields of grading.types.Limits
seconds = 60

[scale.quick]
dataset = "digits"
baseline = "l01_quantization_quick.tflite"     # in the folder `baselines` beside the rubrics; needed by relative checks

[scale.quick.attack]           # optional, as the next two; each goes with the metrics that need it: robust_accuracy
epsilon = 0.1                  # by how much a pixel in [0, 1] may change
queries = 300                  # forward passes an image, for each of two searches
images = 200                   # of the hidden ones; 200 when it is not there

[scale.quick.corruption]       # corrupted_accuracy, corrupted_nll
kinds = ["fog", "motion_blur"] # of robustness.CORRUPTIONS; the 15 common ones when it is not there
severities = [1, 3, 5]         # 1 to 5; all of them when it is not there
images = 300                   # 500 when it is not there

[scale.quick.ood]              # ood_auroc
dataset = "shapes"             # whose test images are out of the model's distribution
images = 300                   # 500 when it is not there

[scale.quick.layers]           # optional; by which rule of grading.measuring.layers the model of a slot is built
int8 = "same"                  # with the kernels of the baseline; a model that is built otherwise earns nothing in that slot

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
import tomllib
from pathlib import Path
from typing import Any, get_type_hints

from grading.errors import GradingError
from grading.measuring.layers import FEWER_CHANNELS, OF_THE_START, RULES
from grading.points.study import CLAIMS
from grading.rubrics.probe_tables import TABLES, probes_of
from grading.toml_fields import FieldError, Table, kind, only, text
from grading.types import STUDY, Check, Limits, Rubric
from projectkit.errors import SubmissionError
from projectkit.metrics import PROFILE_METRICS, QUALITY_METRICS
from projectkit.submit import INPUTS, PROJECT, check_slot
from projectkit.types import FORMATS

RUBRICS = Path(__file__).parent
ANSWER = "answer"
SCALES = ("quick", "full")
ASKED = PROFILE_METRICS | QUALITY_METRICS  # what a check may ask for; `latency_ratio` is latency_p50, relative
_CHECK_FIELDS, _LIMITS_FIELDS = get_type_hints(Check), get_type_hints(Limits)
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
            raise FieldError(f"lab is {table.get('lab')!r}, expected {lab!r}, as the file is named.")
        return _rubric(table, scale, folder, hashlib.sha256(content).hexdigest())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GradingError(f"{path.name}: not readable as TOML ({error}). Correct the file.") from error
    except FieldError as error:
        raise GradingError(f"{path.name}: {error} Correct the file.") from error


def _rubric(table: Table, scale: str, folder: Path, digest: str) -> Rubric:
    only(table, {"lab", "title", "formats", "limits", "scale"}, "the file")
    lab, title = text(table, "lab", "the file"), text(table, "title", "the file")
    only(table.get("scale", {}), set(SCALES), "[scale]")
    section = table.get("scale", {}).get(scale)
    if not isinstance(section, dict):
        raise FieldError(f"[scale.{scale}] is missing.")
    where = f"[scale.{scale}]"
    only(section, {"dataset", "baseline", "check", "layers", *TABLES}, where)
    rows = section.get("check", [])
    if not isinstance(rows, list) or not rows:
        raise FieldError(f"{where} has no [[scale.{scale}.check]].")
    checks = tuple(_check(row, lab) for row in rows)
    ids = [check.id for check in checks]
    if len(set(ids)) != len(ids):
        raise FieldError(f"the check ids {sorted({i for i in ids if ids.count(i) > 1})} are there twice, expected once.")
    baseline = _baseline(section, folder, any(check.relative for check in checks))
    dataset = text(section, "dataset", where)
    probes = probes_of(section, where, dataset, {check.metric for check in checks})
    rubric = Rubric(lab, title, scale, dataset, checks, _limits(table), digest, baseline)
    formats = _formats(table, rubric.slots)
    layers = _layers(section.get("layers", {}), f"[scale.{scale}.layers]", rubric)
    return dataclasses.replace(rubric, formats=formats, layers=layers, **probes._asdict())


def _check(row: Table, lab: str) -> Check:
    where = f"check {row.get('id', '?')!r}"
    only(row, set(_CHECK_FIELDS), where)
    if _REQUIRED - set(row):
        raise FieldError(f"{where} lacks {', '.join(sorted(_REQUIRED - set(row)))}.")
    for name, wanted in _CHECK_FIELDS.items():
        if name in row:
            kind(row[name], wanted, f"{where}: {name}")
    fields: dict[str, Any] = {name: float(value) if _CHECK_FIELDS[name] is float else value for name, value in row.items()}
    check = Check(**fields)
    if check.floor == check.target:
        raise FieldError(f"{where}: floor and target are both {check.floor}, expected two different numbers.")
    if check.points < 0:
        raise FieldError(f"{where}: points is {check.points}, expected 0 or more.")
    _subject(check, lab, where)
    return check


def _subject(check: Check, lab: str, where: str) -> None:
    """What a check speaks of: the answer to an exercise, or a metric of a slot."""
    if check.metric == ANSWER:
        if check.exercise not in INPUTS.get(lab, {}):
            raise FieldError(
                f"{where}: exercise is {check.exercise!r}, expected one of {', '.join(INPUTS.get(lab, {})) or 'none'}."
            )
        if check.slot or check.relative or check.gate:
            raise FieldError(f"{where}: an answer has no slot, relative or gate.")
        return
    if check.claim and check.metric != STUDY:
        raise FieldError(f"{where}: claim goes with metric {STUDY!r} only.")
    if check.metric == STUDY:
        if check.claim not in CLAIMS or check.exercise or check.relative or check.gate:
            raise FieldError(
                f"{where}: claim is {check.claim!r}, expected one of {', '.join(CLAIMS)}, and no exercise, relative or gate."
            )
    elif check.metric not in ASKED or check.metric == "latency_ratio":
        raise FieldError(
            f"{where}: metric is {check.metric!r}, expected {ANSWER}, {STUDY} or one of {', '.join(ASKED)}; "
            "the ratio of latencies is metric latency_p50 with relative = true."
        )
    if check.exercise:
        raise FieldError(f"{where}: exercise goes with metric {ANSWER!r} only.")
    if check.relative and not ASKED[check.metric].ratio:
        can = ", ".join(name for name, metric in ASKED.items() if metric.ratio)
        raise FieldError(f"{where}: {check.metric} cannot be relative, only {can} can.")
    try:
        check_slot(check.slot)
    except SubmissionError as error:
        raise FieldError(f"{where}: {error}") from error


def _baseline(section: Table, folder: Path, needed: bool) -> Path | None:
    if "baseline" not in section:
        if needed:
            raise FieldError("a relative check needs a baseline.")
        return None
    name = text(section, "baseline", "the scale")
    path = folder.parent / "baselines" / name
    if Path(name).name != name or not path.is_file():
        raise FieldError(f"baseline {name!r} is not a file in the folder baselines.")
    return path


def _formats(table: Table, slots: tuple[str, ...]) -> dict[str, str]:
    formats = table.get("formats", {})
    only(formats, set(slots), "[formats]")
    for slot, name in formats.items():
        if name not in FORMATS.values():
            raise FieldError(f"[formats] {slot} is {name!r}, expected one of {', '.join(FORMATS.values())}.")
    return formats


def _layers(table: Table, where: str, rubric: Rubric) -> dict[str, str]:
    only(table, set(rubric.slots), where)
    for slot, rule in table.items():
        if rule not in RULES:
            raise FieldError(f"{where} {slot} is {rule!r}, expected one of {', '.join(RULES)}.")
        if rule in OF_THE_START and rubric.baseline is None:
            raise FieldError(f"{where} {slot} is {rule!r}, which needs a baseline.")
        if rule == FEWER_CHANNELS and not any(check.relative and check.metric == "latency_p50" for check in rubric.checks):
            raise FieldError(f"{where} {slot} is {rule!r}, which needs a check of the latency relative to the baseline.")
    return dict(table)


def _limits(table: Table) -> Limits:
    section = table.get("limits", {})
    only(section, set(_LIMITS_FIELDS), "[limits]")
    for name, value in section.items():
        kind(value, _LIMITS_FIELDS[name], f"[limits] {name}")
        if value <= 0:
            raise FieldError(f"[limits] {name} is {value}, expected a positive number.")
    return Limits(**section)
