"""The command `grading gradebook`. Thin: reads the sources, makes the book, writes it."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grading import DISTRIBUTION
from projectkit.install_hint import install_hint

if TYPE_CHECKING:
    from grading.semester.types import Book

WRONG_CALL = 2
CSV, PAGE = "gradebook.csv", "gradebook.html"


def register(app: typer.Typer) -> None:
    """Adds the command to the program's others."""
    app.command()(gradebook)


def gradebook(
    scheme: Annotated[str, typer.Option(help="A scheme in TOML, or a shipped one: gdansk_tech, podgorica.")],
    out: Annotated[Path, typer.Option(help="Folder for gradebook.csv and gradebook.html.")],
    labs: Annotated[list[Path] | None, typer.Option(help="A folder that `grading run --out` wrote. May be repeated.")] = None,
    component: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=FILE.csv: scores of a component; columns student, score[, item, possible, submitted, deadline]. "
            "May be repeated."
        ),
    ] = None,
    times: Annotated[
        Path | None, typer.Option(help="When labs were handed in: a CSV with student, lab, submitted, deadline.")
    ] = None,
    students: Annotated[Path | None, typer.Option(help="Everybody in the course: a CSV with a column student.")] = None,
) -> None:
    """Make the final marks of a semester, each with the sentence that explains it.

    Who is missing in a source is listed and never dropped; spellings that look alike are listed and never merged.
    """
    from grading.results.store import write_atomically
    from grading.semester.book import make_book, read_sources
    from grading.semester.page import book_page
    from grading.semester.scheme import load_scheme
    from grading.semester.table import book_table
    from projectkit.errors import ProjectkitError

    if importlib.util.find_spec("jinja2") is None:
        typer.echo(f"The gradebook needs jinja2: {install_hint(distribution=DISTRIBUTION)}", err=True)
        raise typer.Exit(WRONG_CALL)
    try:
        rules = load_scheme(scheme)
        book = make_book(rules, read_sources(rules, labs or [], _files(component or []), times), students)
        table, page = book_table(book), book_page(book)
        write_atomically(out / CSV, table)
        write_atomically(out / PAGE, page)
    except ProjectkitError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_CALL) from error
    except OSError as error:
        typer.echo(f"{out}: cannot be written ({error.strerror}), expected a folder with room. Choose another --out.", err=True)
        raise typer.Exit(WRONG_CALL) from error
    for line in _summary(book):
        typer.echo("".join(letter if letter.isprintable() else "?" for letter in line))
    typer.echo(f"Results: {out / PAGE}, {out / CSV}")


def _files(options: list[str]) -> dict[str, Path]:
    files = {}
    for option in options:
        name, equals, file = option.partition("=")
        if not name or not equals or not file or name in files:
            raise typer.BadParameter(f"--component is {option!r}, expected NAME=FILE.csv, each name once.")
        files[name] = Path(file)
    return files


def _summary(book: "Book") -> list[str]:
    """What a person wants to know and has to act on."""
    count = len(book.marks)
    lines = [f"{count} student{'s' if count != 1 else ''}, {sum(mark.passed for mark in book.marks)} passed."]
    lines += [
        f"  ? {one.first} ({', '.join(one.first_in)}) and {one.second} ({', '.join(one.second_in)}): one person, spelt twice?"
        for one in book.suspects
    ]
    lines += [f"  - {student}: missing {'; '.join(lacks)}" for student, lacks in book.missing]
    return lines + [f"  ! {note}" for note in book.notes]
