"""A whole defense: measures every project, plans the slots, and writes dossiers, score sheets and the schedule."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grading.defense.claims import counts, judge_claims
from grading.defense.measured import LIMITS, Bench, measure_work, project_files, safe_name
from grading.defense.pages import IndexEntry, dossier_page, index_page, score_page
from grading.defense.points import Other, class_models, models_of
from grading.defense.questions import questions
from grading.defense.schedule import Plan, calendar, schedule, schedule_table
from grading.defense.sheets import sheet_table
from grading.defense.types import ScoreSheet, Work
from grading.errors import GradingError, OutputError
from grading.hidden.data import choose_salt
from grading.intake.batch import shown
from grading.results.store import remove_unfinished, write_atomically
from grading.semester.names import key_of
from grading.types import Limits
from grading.workers import sandbox
from grading.workers.pool import Workers
from projectkit.errors import SubmissionError


@dataclass(frozen=True, slots=True)
class DefenseSettings:
    """How a defense is to be done. `classes`: folders of grading runs; `data`: the instructor's own datasets by name; `seed`
    shapes the questions from the bank, of which and of the student's numbers there are `questions`."""

    sheet: ScoreSheet
    plan: Plan
    classes: tuple[Path, ...] = ()
    jurors: tuple[str, ...] = ("juror 1", "juror 2")
    salt: str | None = None
    seed: str = ""
    questions: int = 8
    data: Mapping[str, Path] = field(default_factory=dict)
    require_sandbox: bool = False
    limits: Limits = LIMITS


@dataclass(frozen=True, slots=True)
class Defense:
    """What a run made: the schedule's entries, (file, why) of what is no project, and score sheets kept because somebody filled
    them in already."""

    entries: tuple[IndexEntry, ...]
    refused: tuple[tuple[str, str], ...]
    kept: tuple[Path, ...]


def defend(
    submissions: Sequence[Path], out: Path, settings: DefenseSettings, progress: Callable[[str], None] = lambda _: None
) -> Defense:
    """Writes index.html, schedule.csv and .ics, dossiers/, students/ and sheets/ into `out`. Repeated, it measures only what is
    new. Raises GradingError when called wrongly, OutputError when nothing can be written."""
    if settings.require_sandbox:
        sandbox.require()
    files = project_files(list(submissions))
    others = class_models(settings.classes)
    try:
        out.mkdir(parents=True, exist_ok=True)
        remove_unfinished(out)
        salt = choose_salt(settings.salt, out)
    except OSError as error:
        raise OutputError(f"--out {out}: cannot be written ({error.strerror or error}). Choose another folder.") from error
    with Workers(1) as workers:  # one: times are the point here, and nothing else should run
        bench = Bench(out, workers.run, salt, settings.data, settings.limits)
        works, refused = _measure_all(files, bench, progress)
    if not works:
        raise GradingError(f"None of the files is a project: {' '.join(reason for _, reason in refused)[:600]}")
    entries = _write_pages(works, [*others, *models_of(works)], out, settings)
    kept = tuple(path for juror in settings.jurors if (path := _write_sheet(works, juror, out, settings.sheet)))
    write_atomically(out / "schedule.csv", schedule_table([entry.appointment for entry in entries]))
    write_atomically(out / "schedule.ics", calendar([entry.appointment for entry in entries], settings.plan))
    write_atomically(out / "index.html", index_page(entries, refused, settings.sheet))
    return Defense(tuple(entries), tuple(refused), kept)


def _measure_all(
    files: Sequence[Path], bench: Bench, progress: Callable[[str], None]
) -> tuple[list[Work], list[tuple[str, str]]]:
    """The projects in the order of the files; what is none becomes a sentence. Of two in one name the first counts, because
    anybody can write a name."""
    works: dict[str, Work] = {}
    refused = []
    for path in files:
        try:
            work = measure_work(path, bench)
        except SubmissionError as error:
            refused.append((shown(path), str(error)[:600]))
            progress(f"{shown(path)}: refused")
            continue
        key = key_of(work.student)
        if key in works:
            sentence = (
                f"does not count: {works[key].file} came before it in the same name. Leave out the one that is not to count."
            )
            refused.append((shown(path), sentence))
            continue
        works[key] = work
        progress(f"{shown(path)}: {len(work.slots)} measured, {len(work.problems)} not")
    return list(works.values()), refused


def _write_pages(works: Sequence[Work], others: Sequence[Other], out: Path, settings: DefenseSettings) -> list[IndexEntry]:
    entries = []
    for work, slot in zip(works, schedule([(work.student, work.title) for work in works], settings.plan), strict=True):
        asked = questions(work, settings.questions, settings.seed)
        for folder, jury in (("dossiers", True), ("students", False)):
            write_atomically(out / folder / f"{work.name}.html", dossier_page(work, slot, asked, others, jury=jury))
        sheets = []
        for juror in settings.jurors:
            page = f"sheets/{safe_name(juror)}/{work.name}.html"
            write_atomically(out / page, score_page(work, slot, settings.sheet, juror))
            sheets.append((juror, page))
        entries.append(IndexEntry(work, slot, counts(judge_claims(work)), tuple(sheets)))
    return entries


def _write_sheet(works: Sequence[Work], juror: str, out: Path, sheet: ScoreSheet) -> Path | None:
    """Writes the juror's CSV; returns its path instead when somebody has begun to fill it in, and leaves it alone."""
    path = out / "sheets" / f"{safe_name(juror)}.csv"
    table = sheet_table(sheet, [work.student for work in works], juror)
    if path.is_file() and _filled(path):
        return path
    write_atomically(path, table)
    return None


def _filled(path: Path) -> bool:
    """Whether any score or remark was written into the sheet; one that cannot be read is somebody's, too."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        first = text.partition("\n")[0]
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
        return any((row["score"] or "").strip() or (row["remark"] or "").strip() for row in rows)
    except (OSError, UnicodeDecodeError, csv.Error, KeyError):
        return True
