"""Grades a folder: every file through intake, measurement and award, in parallel, and none can stop another."""

import errno
import re
import tempfile
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from grading.courses import Course, Courses, Options, measured_of
from grading.errors import GradingError, OutputError
from grading.exercises.scoring import score_answers
from grading.hidden.data import choose_salt
from grading.hidden.probes import conditions
from grading.intake.batch import files_of, shown
from grading.intake.problems import problems_of
from grading.measuring.recheck import recheck
from grading.measuring.remeasure import Run
from grading.points.award import award
from grading.points.flags import answer_digests, content_digest
from grading.points.names import check_chosen
from grading.points.study import rechecked, study_findings
from grading.results.files import write_grade, write_overview
from grading.results.store import digest_of, remove_unfinished, slot_from_json
from grading.types import CONTRADICTED, FAILED, HELD, STUDY, Grade, Recheck, Stored
from grading.workers import sandbox, turns
from grading.workers.cluster import Cluster
from grading.workers.pool import Workers
from projectkit.errors import SubmissionError
from projectkit.submit import Intake, read

# A disk that is full or read-only stops every file alike. NumPy gives no number when it could not write all of an array.
NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC), None)

RECHECKED = {
    HELD: "{sentence}: the study holds",
    CONTRADICTED: "{sentence}: claims that rest on the other trials earn nothing. If you trained otherwise, ask your instructor",
    FAILED: "not done, and no point changed: {sentence}",
}
_PLAIN = re.compile(r"(?!(?:con|prn|aux|nul|com\d|lpt\d)$)[A-Za-z0-9][A-Za-z0-9_-]{0,59}", re.IGNORECASE)


def grade(
    submissions: str | Path, out: str | Path, options: Options | None = None, progress: Callable[[Grade], None] = lambda _: None
) -> list[Grade]:
    """Grades the zip, or every file of the folder, `submissions`; writes results, grades.csv and index.html into `out`.

    What was measured before with the same models, checks, hidden data and baseline is not measured again; points are always
    awarded afresh. `progress` is called with each grade as it is done. Raises GradingError when called wrongly, SandboxError
    when a sandbox is required and there is none, before any file is opened.
    """
    options = options or Options()
    if options.require_sandbox and not options.scheduler:  # a cluster is asked when it is joined
        sandbox.require()
    submissions, out = Path(submissions), Path(out)
    files = files_of(submissions)
    check_chosen(options.counts, [shown(path) for path in files])
    salt = _prepare(out, options)
    with workers_of(options) as workers:
        courses = Courses(options, salt, out, workers.run)

        def task(name: str, path: Path) -> Grade:
            done = _grade_safely(name, path, out, courses, workers.run, options.recheck_trials)
            progress(done)
            return done

        with ThreadPoolExecutor(workers.count) as pool:
            try:
                grades = list(pool.map(task, _names(files), files))
            except BaseException:  # a full disk, or Ctrl-C: nothing that has not begun needs to begin
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    write_overview(grades, out, options.counts)
    return grades


def workers_of(options: Options) -> Workers | Cluster:
    """The workers that the options name: of this machine, or of a cluster. A context manager."""
    return Cluster(options.scheduler, options.require_sandbox) if options.scheduler else Workers(options.workers)


def _prepare(out: Path, options: Options) -> str:
    """Makes the output folder, tidies what a killed run left there, and returns the salt. Raises OutputError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        remove_unfinished(out)
        return choose_salt(options.salt, out)
    except OSError as error:
        raise OutputError(f"--out {out}: cannot be written ({error.strerror or error}). Choose another folder.") from error


def _grade_safely(name: str, path: Path, out: Path, courses: Courses, run: Run, again: bool) -> Grade:
    """The grade of one file, written down; whatever goes wrong with it becomes a grade with an error. Raises OutputError only:
    where nothing can be written, no file can be graded."""
    try:
        done = _grade(name, path, out, courses, run, again)
        with turns.working():
            write_grade(done, out)
        return done
    except OutputError:
        raise
    except SubmissionError as error:
        done = Grade(shown(path), name, error=str(error)[:600])
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise OutputError(
                f"{tempfile.gettempdir()}: cannot be written ({error.strerror or error}). Make room there, or set TMPDIR to "
                "another folder. What was finished is intact, and the same command goes on from there."
            ) from error
        # Ours, not the student's: the grade says so, the run goes on, and the exit code tells the instructor.
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = str(error) if isinstance(error, GradingError) else f"{type(error).__name__} in {where.name}: {error}"
        done = Grade(
            shown(path), name, error=f"The grader failed on this file, which is not the student's fault: {what[:400]}", ours=True
        )
    write_grade(done, out)
    return done


def _grade(name: str, path: Path, out: Path, courses: Courses, run: Run, again: bool) -> Grade:
    with tempfile.TemporaryDirectory(prefix="grading-") as scratch:
        with turns.working():
            intake = read(path, scratch)
        submission = intake.submission
        done = Grade(shown(path), name, submission.student, submission.lab, scale=submission.scale, claims=submission.claims)
        digests = {"submission": submission.digest, "content": content_digest(submission)}
        done = replace(done, digests=digests, changed=path.stat().st_mtime)
        try:
            course = courses.get(submission.lab)
            problems = problems_of(intake, course.rubric)
        except SubmissionError as error:
            return replace(done, error=str(error)[:600])
        measured = measured_of(intake, problems, course, out, run)
    if again and intake.submission.study:
        done = replace(done, recheck=_recheck(intake, course, measured, out))
    with turns.working():
        return _awarded(done, intake, course, measured, problems)


def _recheck(intake: Intake, course: Course, measured: Stored, out: Path) -> Recheck | None:
    """What comes of training two trials again; None where the lab asks for no study."""
    study, rubric = intake.submission.study, course.rubric
    if study is None or not any(check.metric == STUDY for check in rubric.checks):
        return None
    slots = {slot: slot_from_json(raw) for slot, raw in measured["slots"].items()}
    shape = tuple(course.hidden.split.x.shape[1:])
    key = f"{course.salt}\0{intake.submission.digest}\0trials"
    return recheck(study, rubric, slots, shape, course.hidden.classes, key, out)


def _awarded(done: Grade, intake: Intake, course: Course, measured: Stored, problems: Mapping[str, str]) -> Grade:
    """The grade with its points, from what was measured and answered."""
    slots = {slot: slot_from_json(raw) for slot, raw in measured["slots"].items()}
    problems = {**problems, **measured["problems"]}
    answers = score_answers(intake, course.rubric)
    study = study_findings(intake.submission.study, course.rubric, slots, course.hidden)
    told = conditions(course.rubric, course.hidden, course.probes)
    if done.recheck:
        study = rechecked(study, done.recheck)
        told |= {"Trials trained again": RECHECKED[done.recheck.status].format(sentence=done.recheck.sentence)}
    digests = {"rubric": course.rubric.digest, "hidden": course.hidden.digest}
    digests |= {f"answers/{exercise}": digest for exercise, digest in answer_digests(intake.submission.answers).items()}
    digests |= {"baseline": course.baseline.sha256} if course.baseline else {}
    return replace(
        done,
        title=course.rubric.title,
        verdicts=award(course.rubric, slots, answers, problems, study),
        digests=dict(done.digests) | digests,
        measured=measured,
        answers=answers,
        study=study,
        problems=problems,
        conditions=told,
    )


def _names(files: list[Path]) -> list[str]:
    """A name for the results of each file: its own where that is plain and unique, else with a digest behind it."""
    stems = [path.stem.lower() for path in files]
    names = []
    for path, stem in zip(files, stems, strict=True):
        plain = _PLAIN.fullmatch(path.stem) and stems.count(stem) == 1
        safe = re.sub(r"[^A-Za-z0-9_-]+", "_", path.stem)[:50]
        names.append(path.stem if plain else f"{safe}-{digest_of(ascii(path.name))[:8]}")
    return names
