"""Makes a colloquy: chooses questions evenly over topics, gives each student their own numbers, writes the papers and the key."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from grading.colloquy.bank import BANK, TOPICS, item
from grading.colloquy.draw import Draw
from grading.colloquy.formula import show, to_html
from grading.colloquy.types import Computed, Item, Paper, Question
from grading.errors import GradingError
from grading.results.cells import harmless, restored
from grading.results.html import template
from grading.results.store import dump, write_atomically

FORMAT = 1
ANSWER_COLUMNS = ("student", "number", "question", "unit", "answer")


@dataclass(frozen=True, slots=True)
class Choice:
    """What a paper is to hold: so many `questions`, `opened` of them open, of these `topics` (empty: all). With `vary`,
    every student gets their own questions too, not their own numbers alone."""

    questions: int = 12
    opened: int = 3
    topics: tuple[str, ...] = ()
    vary: bool = False


def choose(choice: Choice, *key: str) -> tuple[Question, ...]:
    """The questions for `key`: no topic twice before every topic that has one came once. Raises GradingError when the bank
    has too few."""
    unknown = sorted(set(choice.topics) - set(TOPICS))
    if unknown:
        raise GradingError(f"Unknown topics: {', '.join(unknown)}, expected some of: {', '.join(TOPICS)}. Check the spelling.")
    if not 0 <= choice.opened <= choice.questions or choice.questions < 1:
        raise GradingError(
            f"{choice.questions} questions, {choice.opened} of them open: expected at least one question and no more open ones "
            "than "
            "questions. Change --questions or --open."
        )
    draw, used = Draw("choose", *key), Counter[str]()
    chosen: list[Question] = []
    allowed = [question for question in BANK.values() if question.topic in (choice.topics or TOPICS)]
    for computed, count in ((False, choice.opened), (True, choice.questions - choice.opened)):
        pool = draw.shuffled([question for question in allowed if isinstance(question, Computed) == computed])
        if count > len(pool):
            kind = "computed" if computed else "open"
            raise GradingError(f"{count} {kind} questions wanted, the topics have {len(pool)}. Ask for fewer or add topics.")
        for _ in range(count):
            best = min(pool, key=lambda question: used[question.topic])
            pool.remove(best)
            used[best.topic] += 1
            chosen.append(best)
    order = list(BANK)
    return tuple(sorted(chosen, key=lambda question: order.index(question.id)))


def draw_paper(students: Sequence[str], name: str, choice: Choice | None = None, seed: str = "") -> Paper:
    """The paper of every student. The same arguments give the same paper on every machine."""
    choice = choice or Choice()
    sheets = {}
    for student in students:
        questions = choose(choice, seed, name, student if choice.vary else "")
        sheets[student] = tuple(item(question, i, student, name, seed) for i, question in enumerate(questions, 1))
    return Paper(name, seed, sheets)


def read_students(path: Path) -> tuple[str, ...]:
    """The students of a list: a text file with a name in each line, or a CSV with a column `student` (else its first).

    Raises GradingError when the file cannot be read, is empty, or names someone twice."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise GradingError(f"{path}: cannot be read ({error}), expected a UTF-8 list of students. Check the path.") from error
    if path.suffix.lower() == ".csv":
        rows = rows_of(text)
        header = [cell.strip().casefold() for cell in rows[0]] if rows else []
        column = header.index("student") if "student" in header else 0
        names = [row[column].strip() for row in rows[1:] if len(row) > column]
    else:
        names = [line.strip() for line in text.splitlines()]
    names = [restored(name) for name in names if name]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice or not names:
        problem = f"{', '.join(twice)} more than once" if twice else "nobody"
        raise GradingError(f"{path}: names {problem}, expected every student once. Correct the list.")
    return tuple(names)


def write_paper(paper: Paper, out: Path) -> None:
    """Writes to `out`: papers.html (all, to print), papers/ (one file each), answers.csv (to fill in), and for the instructor
    key.html and key.json. Written again, answers.csv stays as it was filled in.

    Raises GradingError when the folder holds another paper: its key could not be made again without its seed."""
    sheets = [(student, _shown(items)) for student, items in paper.sheets.items()]
    kept = [[student, [asdict(item) for item in items]] for student, items in paper.sheets.items()]  # a list keeps the order
    key = dump({"format": FORMAT, "name": paper.name, "seed": paper.seed, "sheets": kept})
    if (out / "key.json").exists() and (out / "key.json").read_text(encoding="utf-8") != key:
        raise GradingError(f"{out}: holds the key of another paper, expected a new folder or the same paper. Change --out.")
    write_atomically(out / "key.json", key)
    write_atomically(out / "key.html", _page("key.html", paper, sheets))
    write_atomically(out / "papers.html", _page("paper.html", paper, sheets))
    for number, sheet in enumerate(sheets, 1):
        name = f"{number:03d}_{re.sub(r'[^A-Za-z0-9-]+', '_', sheet[0]).strip('_')[:60]}.html"
        write_atomically(out / "papers" / name, _page("paper.html", paper, [sheet]))
    if (out / "answers.csv").exists():
        return
    rows = [(student, i.number, i.question, i.unit, "") for student, items in paper.sheets.items() for i in items]
    write_atomically(out / "answers.csv", table(ANSWER_COLUMNS, rows))


def read_paper(folder: Path) -> Paper:
    """The paper that `write_paper` wrote to the folder. Raises GradingError when there is none."""
    path = folder / "key.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["format"] != FORMAT:
            raise ValueError("another format")
        sheets = {student: tuple(_item(i) for i in items) for student, items in raw["sheets"]}
        return Paper(raw["name"], raw["seed"], sheets)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GradingError(
            f"{path}: no key that can be read ({error}), expected the folder that `grading colloquy make` wrote. Check --paper."
        ) from error


def _item(raw: Mapping[str, Any]) -> Item:
    lists = {"table": tuple(map(tuple, raw["table"])), "guide": tuple(map(tuple, raw["guide"]))}
    return Item(**{**raw, **lists})


def rows_of(text: str) -> list[list[str]]:
    """The rows of a CSV that are not empty, with comma or semicolon between cells, as spreadsheets of the world write it."""
    first = text.split("\n", 1)[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    return [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(cell.strip() for cell in row)]


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A CSV. A cell that a spreadsheet would take for a formula gets an apostrophe."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows([harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return stream.getvalue()


@dataclass(frozen=True, slots=True)
class Shown:
    """An item as a page shows it; text and solution are HTML already, escaped by `to_html`."""

    item: Item
    text: object
    solution: object
    answer: str
    asked: str
    tolerance: str


def _shown(items: Sequence[Item]) -> list[Shown]:
    from markupsafe import Markup

    return [
        Shown(
            item,
            Markup(to_html(item.text)),
            Markup(to_html(item.solution)),
            show(item.answer) if item.answer is not None else "",
            asked(item.unit, item.whole),
            "exact" if item.whole else f"± {show(item.tolerance)}" if item.tolerance else "",
        )
        for item in items
    ]


def asked(unit: str, whole: bool) -> str:
    """In which form the answer is to be given, for people."""
    if unit == "fraction":
        return "a fraction from 0 to 1, or with % behind it"
    return f"in {unit}" if unit else "a whole number" if whole else ""


def _page(name: str, paper: Paper, sheets: Sequence[tuple[str, Sequence[Shown]]]) -> str:
    def points(value: float) -> str:
        return f"{show(value)} point{'s' if value != 1 else ''}"

    def total(shown: Sequence[Shown]) -> str:
        return show(sum(one.item.points for one in shown))

    return template(name, "grading.colloquy").render(paper=paper, sheets=sheets, points=points, total=total)
