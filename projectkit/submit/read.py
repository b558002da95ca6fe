"""Reads a submission strictly. Used by the grader, by `projectkit check` and by `pack` itself: there is one definition."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

from projectkit.errors import SubmissionError
from projectkit.submit.answers import Answers, load_answers
from projectkit.submit.archive import PACK_AGAIN, open_archive, read_member
from projectkit.submit.content import check_content
from projectkit.submit.limits import LIMITS
from projectkit.submit.manifest import ANSWERS, MANIFEST, MEMBER, FileEntry, Manifest, parse
from projectkit.submit.project import REPORT, check_report
from projectkit.submit.study import STUDY, check_study
from projectkit.types import FORMATS, Artifact, Project, Submission


@dataclass(frozen=True, slots=True)
class Intake:
    """What was accepted, and why the rest was not: problems by slot, by "answers", "answers/exercise", "report" or "study"."""

    submission: Submission
    problems: dict[str, str]


def read(path: str | Path, destination: str | Path) -> Intake:
    """Reads the zip at `path` and unpacks its accepted model files into the folder `destination`.

    What spoils one slot, the answers, a project's report or a study is in `problems` and spoils nothing else. Raises
    SubmissionError for what spoils the whole zip: it is not a zip, holds a dangerous or unknown member, or its manifest is wrong.
    """
    path, destination = Path(path), Path(destination)
    size = _size(path)
    if size > LIMITS.zip_bytes:
        raise SubmissionError(
            f"{path.name}: {size / 1e6:.0f} MB, expected at most {LIMITS.zip_bytes / 1e6:.0f} MB. Hand in smaller models."
        )
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    with open_archive(path, "zip", files=LIMITS.files, allowed=MEMBER) as archive:
        manifest = _manifest(archive)
        destination.mkdir(parents=True, exist_ok=True)
        problems: dict[str, str] = {}
        artifacts: dict[str, Artifact] = {}
        for slot, entry in manifest.slots.items():
            try:
                artifacts[slot] = _unpack_model(archive, entry, destination)
            except SubmissionError as error:
                problems[slot] = str(error)
        answers: Answers = {}
        try:
            answers, spoilt = _answers(archive, manifest)
            problems |= {f"answers/{exercise}": sentence for exercise, sentence in spoilt.items()}
        except SubmissionError as error:
            problems["answers"] = str(error)
        project = None
        if manifest.project:
            try:
                report = check_report(_verified(archive, manifest.project.report, LIMITS.report_bytes))
            except SubmissionError as error:
                report, problems["report"] = "", str(error)
            project = Project(manifest.project.title, manifest.project.dataset, report)
        study = None
        if manifest.study:
            try:
                study = check_study(_verified(archive, manifest.study, LIMITS.study_bytes))
            except SubmissionError as error:
                problems["study"] = str(error)
    submission = Submission(
        manifest.student,
        manifest.lab,
        manifest.scale,
        str(destination),
        artifacts,
        answers,
        manifest.claims,
        digest,
        project,
        study,
    )
    return Intake(submission, problems)


def _size(path: Path) -> int:
    if not path.is_file():
        raise SubmissionError(f"{path.name}: no such file, expected a zip. Check the path.")
    return path.stat().st_size


def _manifest(archive: ZipFile) -> Manifest:
    names = set(archive.namelist())
    if MANIFEST not in names:
        raise SubmissionError(f"zip: {MANIFEST} is missing, expected one. {PACK_AGAIN}")
    manifest = parse(read_member(archive, MANIFEST, "zip", LIMITS.manifest_bytes))
    announced = {entry.file for entry in manifest.slots.values()} | {MANIFEST, ANSWERS}
    announced |= {REPORT} if manifest.project else set()
    announced |= {STUDY} if manifest.study else set()
    if names - announced:
        raise SubmissionError(f"zip: {min(names - announced)} is not named in the manifest. {PACK_AGAIN}")
    return manifest


def _verified(archive: ZipFile, entry: FileEntry, limit: int) -> bytes:
    if entry.file not in archive.namelist():
        raise SubmissionError(f"{entry.file}: the manifest names it but the zip does not hold it. {PACK_AGAIN}")
    content = read_member(archive, entry.file, "zip", limit)
    if len(content) != entry.size or hashlib.sha256(content).hexdigest() != entry.sha256:
        raise SubmissionError(
            f"{entry.file}: its content is not the one that the manifest describes (size or SHA-256). {PACK_AGAIN}"
        )
    return content


def _unpack_model(archive: ZipFile, entry: FileEntry, destination: Path) -> Artifact:
    content = _verified(archive, entry, LIMITS.file_bytes)
    check_content(content, entry.file)
    path = destination / entry.file
    with path.open("xb") as stream:
        stream.write(content)
    return Artifact(str(path), FORMATS[path.suffix], entry.sha256, entry.size)


def _answers(archive: ZipFile, manifest: Manifest) -> tuple[Answers, dict[str, str]]:
    if manifest.answers is None:
        if ANSWERS in archive.namelist():
            raise SubmissionError(f"{ANSWERS}: the zip holds it but the manifest does not name it. {PACK_AGAIN}")
        return {}, {}
    return load_answers(_verified(archive, manifest.answers, LIMITS.answers_bytes))
