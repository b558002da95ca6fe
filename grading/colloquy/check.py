"""Marks a colloquy: computed answers by their numbers, open ones by a person who fills in to_mark.csv."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grading.colloquy.answers import read_number
from grading.colloquy.formula import show
from grading.colloquy.paper import read_paper, rows_of, table
from grading.colloquy.types import Item, Paper
from grading.errors import GradingError
from grading.results.cells import restored
from grading.results.store import write_atomically

RIGHT, WRONG, EMPTY, BY_HAND, MARKED = "right", "wrong", "empty", "to mark", "marked"
SCORE_COLUMNS = ("student", "score", "possible", "right", "wrong", "empty", "to mark")
RESULT_COLUMNS = (
    "student",
    "number",
    "question",
    "topic",
    "outcome",
    "answer",
    "expected",
    "points",
    "possible",
    "verdict",
    "message",
)
MARK_COLUMNS = ("student", "number", "question", "answer", "points", "possible", "guide")

Key = tuple[str, int]  # student and number of the question


@dataclass(frozen=True, slots=True)
class Result:
    """What one answer earned. `verdict` is right, wrong, empty, marked (by a person) or to mark, which earns nothing yet."""

    student: str
    item: Item
    answer: str
    verdict: str
    points: float
    message: str


def check(answers: Path, paper: Path, out: Path) -> tuple[Result, ...]:
    """Marks the filled `answers` of the paper in folder `paper`; writes scores.csv, results.csv and to_mark.csv to `out`.

    Points that a person has filled into an earlier to_mark.csv of `out` count, unless that answer has changed since.
    Raises GradingError when a file cannot be read or does not fit the paper."""
    drawn = read_paper(paper)
    given = _read_answers(answers, drawn)
    marks = _read_marks(out / "to_mark.csv", drawn, given)
    results = tuple(
        mark(student, item, given.get((student, item.number), ""), marks.get((student, item.number)))
        for student, items in drawn.sheets.items()
        for item in items
    )
    _write(results, drawn, out)
    return results


def mark(student: str, item: Item, answer: str, by_person: float | None = None) -> Result:
    """The result of one answer. A person's points win over what was computed."""
    if by_person is not None:
        return Result(student, item, answer, MARKED, by_person, "Marked by a person.")
    if not answer.strip():
        return Result(student, item, answer, EMPTY, 0.0, "No answer.")
    if item.kind == "open":
        return Result(student, item, answer, BY_HAND, 0.0, "To be marked by the guide.")
    try:
        value = read_number(answer, item.unit, item.whole)
    except ValueError as error:
        return Result(student, item, answer, BY_HAND, 0.0, f"{error} A person has to look at it.")
    if is_right(value, item):
        return Result(student, item, answer, RIGHT, item.points, item.solution)
    return Result(student, item, answer, WRONG, 0.0, _reason(value, item))


def is_right(value: float, item: Item) -> bool:
    """Whether the value is within the item's tolerance of its answer."""
    return abs(value - item.right) <= item.tolerance + 1e-9 * abs(item.right)


def _reason(value: float, item: Item) -> str:
    likely = [name for name, wrong in item.wrong.items() if abs(value - wrong) <= 0.005 * abs(wrong)]
    hint = f" It looks as if someone {likely[0]}." if likely else ""
    if item.unit == "fraction" and abs(value / 100 - item.right) <= item.tolerance:
        hint = " A fraction from 0 to 1 was asked; a percentage needs its % sign."
    return f"{show(value)} is not {show(item.right)}.{hint} {item.solution}"


def _read(path: Path, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """The wanted columns of a CSV. Raises GradingError."""
    try:
        rows = rows_of(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise GradingError(f"{path}: cannot be read ({error}), expected a UTF-8 CSV. Check the path.") from error
    header = [cell.strip().casefold() for cell in rows[0]] if rows else []
    absent = [column for column in columns if column not in header]
    if absent:
        raise GradingError(
            f"{path}: no column {' or '.join(absent)} in its first row, expected {', '.join(columns)}. Start from the file that "
            "`grading colloquy` wrote."
        )
    places = [header.index(column) for column in columns]
    return [tuple(row[i].strip() if i < len(row) else "" for i in places) for row in rows[1:]]


def _key(student: str, number: str, paper: Paper, path: Path) -> Key:
    name = restored(student)
    numbers = {str(item.number) for item in paper.sheets.get(name, ())}
    if number not in numbers:
        what = f"question {number!r} of {name!r}" if numbers else f"student {name!r}"
        raise GradingError(
            f"{path}: {what} is not on the paper, expected the students and numbers of answers.csv. Correct the row."
        )
    return name, int(number)


def _read_answers(path: Path, paper: Paper) -> Mapping[Key, str]:
    answers: dict[Key, str] = {}
    for student, number, answer in _read(path, ("student", "number", "answer")):
        key = _key(student, number, paper, path)
        if answers.setdefault(key, restored(answer)) != restored(answer):
            raise GradingError(
                f"{path}: two different answers of {key[0]!r} to question {key[1]}, expected one. Remove the row that does not "
                "count."
            )
    return answers


def _read_marks(path: Path, paper: Paper, given: Mapping[Key, str]) -> Mapping[Key, float]:
    """Points by a person for answers that are still the same."""
    marks: dict[Key, float] = {}
    if not path.exists():
        return marks
    for student, number, answer, points in _read(path, ("student", "number", "answer", "points")):
        key = _key(student, number, paper, path)
        if points and restored(answer) == given.get(key, "").strip():
            marks[key] = _points(points, next(i for i in paper.sheets[key[0]] if i.number == key[1]), key, path)
    return marks


def _points(text: str, item: Item, key: Key, path: Path) -> float:
    try:
        value = read_number(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= item.points:
        raise GradingError(
            f"{path}: {text!r} points for {key[0]!r}, question {key[1]}, expected 0 to {show(item.points)}. Correct the row."
        )
    return value


def _write(results: Sequence[Result], paper: Paper, out: Path) -> None:
    scores, rows, by_hand = [], [], []
    for student in paper.sheets:
        own = [result for result in results if result.student == student]
        counts = [sum(result.verdict == verdict for result in own) for verdict in (RIGHT, WRONG, EMPTY, BY_HAND)]
        score, possible = sum(result.points for result in own), sum(result.item.points for result in own)
        scores.append((student, f"{score:.2f}", f"{possible:.2f}", *counts))
    for result in results:
        item = result.item
        expected = show(item.answer) if item.answer is not None else ""
        points = "" if result.verdict == BY_HAND else show(result.points)
        about = (result.student, item.number, item.question)
        earned = (points, show(item.points))
        rows.append((*about, item.topic, item.outcome, result.answer, expected, *earned, result.verdict, result.message))
        if result.verdict in (BY_HAND, MARKED):
            guide = "; ".join(f"{idea} ({show(worth)})" for idea, worth in item.guide)
            by_hand.append((*about, result.answer, *earned, guide or f"right is {expected}"))
    # to_mark.csv last: it holds a person's work, and the others can be made again from it.
    write_atomically(out / "scores.csv", table(SCORE_COLUMNS, scores))
    write_atomically(out / "results.csv", table(RESULT_COLUMNS, rows))
    write_atomically(out / "to_mark.csv", table(MARK_COLUMNS, by_hand))
