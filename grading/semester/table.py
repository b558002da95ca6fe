"""The gradebook as a CSV that a spreadsheet opens and cannot be made to run."""

import csv
import io

# One definition of what a spreadsheet takes for a formula.
from grading.results.cells import harmless
from grading.semester.types import Book

FIXED = ("student", "mark", "passed", "total", "rounded")


def book_table(book: Book) -> str:
    """One row a student: mark, total before and after rounding, each component (in percent or points), what is missing, and
    the sentence."""
    scheme = book.scheme
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow([harmless(cell) for cell in (*FIXED, *(part.id for part in scheme.components), "missing", "sentence")])
    missing = dict(book.missing)
    for mark in book.marks:
        values = [part.total if scheme.points else part.share * 100 for part in mark.parts]
        row = [mark.student, mark.mark, "yes" if mark.passed else "no", f"{float(mark.total):.2f}", f"{float(mark.rounded):g}"]
        row += [f"{float(value):.2f}" for value in values] + ["; ".join(missing.get(mark.student, ())), mark.sentence]
        writer.writerow([harmless(cell) for cell in row])
    return stream.getvalue()
