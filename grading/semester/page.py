"""The page of the semester: how the marks fell, what a person has to look at, every student with the sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

from grading.results.html import template
from grading.semester.marks import plain
from grading.semester.types import Book, FinalMark

BINS = 10


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a distribution; `height` is percent of the fullest."""

    label: str
    count: int
    height: float
    tone: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """The scores of one component, or the totals: ten bins, a line about them, the threshold's place in percent."""

    title: str
    about: str
    bars: tuple[Bar, ...]
    threshold: float | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A component in a student's row: the value as text, its share in percent, and the tone of its bar."""

    text: str
    share: float
    tone: str


def book_page(book: Book) -> str:
    """The gradebook as self-contained HTML."""
    totals = [mark.total for mark in book.marks]
    return template("gradebook.html", "grading.semester", "grading.results").render(
        book=book,
        components=book.scheme.components,
        unit="points" if book.scheme.points else "%",
        passed=sum(mark.passed for mark in book.marks),
        median=plain(median(totals)),
        marks=_marks(book),
        total=_totals(book),
        distributions=[_distribution(book, index) for index in range(len(book.scheme.components))],
        rows=[(mark, plain(mark.total, mark.rounded), plain(mark.rounded), _cells(book, mark)) for mark in book.marks],
    )


def _marks(book: Book) -> list[Bar]:
    """How many got each mark, from the lowest."""
    counts = [sum(mark.mark == band.mark for mark in book.marks) for band in book.scheme.bands]
    tones = ["full" if band.least >= book.scheme.least else "fail" for band in book.scheme.bands]
    return [
        Bar(band.mark, count, 100 * count / max(counts), tone)
        for band, count, tone in zip(book.scheme.bands, counts, tones, strict=True)
    ]


def _totals(book: Book) -> Distribution:
    whole, least = book.scheme.maximum, book.scheme.least
    shares = [mark.total / whole for mark in book.marks]
    about = f"before rounding; {plain(least)} pass"
    return Distribution("Totals", about, _bins(shares, least / whole, whole), float(100 * least / whole))


def _distribution(book: Book, index: int) -> Distribution:
    component = book.scheme.components[index]
    parts = [mark.parts[index] for mark in book.marks]
    full, unit = (component.worth, "points") if book.scheme.points else (Fraction(100), "%")
    shares, limit = [part.share for part in parts], component.threshold / full
    about = f"median {plain(median(shares) * full)} {unit}"
    if limit:
        about += f", {sum(not part.reached for part in parts)} below {plain(component.threshold)}"
    return Distribution(component.title, about, _bins(shares, limit, full), float(limit * 100) if limit else None)


def _bins(shares: Sequence[Fraction], limit: Fraction, full: Fraction) -> tuple[Bar, ...]:
    """Ten bins of the shares, labelled in parts of `full`; those that lie wholly below `limit` have the tone of failing."""
    counts = [0] * BINS
    for share in shares:
        counts[min(BINS - 1, int(share * BINS))] += 1
    tones = ["fail" if Fraction(i + 1, BINS) <= limit else "full" for i in range(BINS)]
    labels = [f"{plain(full * i / BINS)}–{plain(full * (i + 1) / BINS)}" for i in range(BINS)]
    bars = zip(labels, counts, tones, strict=True)
    return tuple(Bar(label, count, 100 * count / max(counts), tone) for label, count, tone in bars)


def _cells(book: Book, mark: FinalMark) -> list[Cell]:
    cells = []
    for part in mark.parts:
        value = part.total if book.scheme.points else part.share * 100
        text = "–" if part.absent == (part.component.id,) else plain(value, part.component.threshold)
        cells.append(Cell(text, float(part.share * 100), "full" if part.reached else "fail"))
    return cells
