"""Writes a submission: one zip, the same bytes for the same content, complete or not at all."""

import hashlib
import platform
import tempfile
import zipfile
from collections.abc import Collection, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from projectkit import __version__
from projectkit.errors import SubmissionError
from projectkit.files import written_whole
from projectkit.submit.answers import Answers, dump_answers
from projectkit.submit.limits import LIMITS
from projectkit.submit.manifest import ANSWERS, MANIFEST, FileEntry, Manifest, check_claims, check_slot, dump
from projectkit.submit.project import REPORT, ProjectEntry, check_report, unmeasurable_claim
from projectkit.submit.read import read
from projectkit.submit.study import STUDY
from projectkit.types import FORMATS, Project


def pack(
    path: str | Path,
    *,
    student: str,
    lab: str,
    scale: str = "quick",
    artifacts: Mapping[str, str | Path],
    answers: Answers | None = None,
    claims: Mapping[str, float] | None = None,
    project: Project | None = None,
    study: str | Path | None = None,
) -> Path:
    """Writes the submission zip at `path` and returns it.

    `artifacts`: slot → model file (.tflite, .onnx or .supermask); `answers[exercise][name]`: arrays of numbers; `claims`:
    numbers you state, by "slot/metric" or any short text, shown beside the measured ones; `project`: what the lab "project"
    hands in beside its models; `study`: the JSON file of a search, from nas.export_study. The claims of a project are measured
    again by its jury, so each must name a metric of a model that is handed in. The zip is read back by the reader that the
    grader uses before it gets its name. Raises SubmissionError when the grader would refuse any part of it.
    """
    files: dict[str, bytes] = {}
    slots = {}
    for slot, source in artifacts.items():
        name = check_slot(slot) + _suffix(Path(source))
        files[name] = _read(Path(source))
        slots[slot] = _entry(name, files[name])
    if answers:
        files[ANSWERS] = dump_answers(answers)
    entry = _entry(ANSWERS, files[ANSWERS]) if answers else None
    claims = check_claims(claims or {})
    if project:
        files[REPORT] = _report(project, claims, slots)
    announced = ProjectEntry(project.title, project.dataset, _entry(REPORT, files[REPORT])) if project else None
    if study is not None:
        files[STUDY] = _read(Path(study))
    searched = _entry(STUDY, files[STUDY]) if study is not None else None
    manifest = Manifest(student, lab, scale, slots, entry, claims, _versions(), announced, searched)
    try:
        description = dump(manifest)
    except (TypeError, ValueError) as error:
        raise SubmissionError(f"pack: student, lab, scale and title must be text ({error}). Give them as strings.") from error
    return _write(Path(path), {MANIFEST: description} | files)


def _write(path: Path, files: Mapping[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path, suffix=".zip") as part:
        # Stored, not deflated: another zlib would give other bytes. ZipInfo's default date is fixed (1980-01-01).
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for name, content in sorted(files.items()):
                archive.writestr(zipfile.ZipInfo(name), content)
        with tempfile.TemporaryDirectory() as scratch:
            problems = read(part, scratch).problems
        if problems:
            raise SubmissionError(" ".join(problems.values()))
    return path


def _report(project: Project, claims: Mapping[str, float], slots: Collection[str]) -> bytes:
    """The report as a file, after a look at what only the jury would miss: a metric behind each claim."""
    for sentence in (unmeasurable_claim(name, slots) for name in claims):
        if sentence:
            raise SubmissionError(sentence)
    if not isinstance(project.report, str):
        raise SubmissionError("report.md: the report is not text, expected its Markdown text. Give Path(...).read_text('utf-8').")
    content = project.report.encode("utf-8", "surrogatepass")
    check_report(content)
    return content


def _suffix(source: Path) -> str:
    if source.suffix not in FORMATS:
        raise SubmissionError(
            f"{source.name}: ends in {source.suffix or 'nothing'!r}, expected .tflite or .onnx (or .supermask). "
            "Export with projectkit.export."
        )
    return source.suffix


def _read(source: Path) -> bytes:
    try:
        if source.stat().st_size > LIMITS.file_bytes:
            raise SubmissionError(
                f"{source.name}: {source.stat().st_size / 1e6:.0f} MB, expected at most {LIMITS.file_bytes / 1e6:.0f} MB. "
                "Hand in a smaller model."
            )
        return source.read_bytes()
    except OSError as error:
        raise SubmissionError(f"{source}: cannot be read ({error.strerror}). Give the path of the file.") from error


def _entry(name: str, content: bytes) -> FileEntry:
    return FileEntry(name, hashlib.sha256(content).hexdigest(), len(content))


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "projectkit": __version__}
    for package in ("ai-edge-litert", "onnxruntime", "tensorflow"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
