"""`grading colloquy make | check | moodle-xml | topics`. Thin: each command calls the function of its name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Papers with each student's own numbers, and the check of their answers.")

WRONG_CALL = 2
Topics = Annotated[
    str, typer.Option(help="Topics, with commas between them. Default: all; `grading colloquy topics` lists them.")
]
Seed = Annotated[
    str,
    typer.Option(
        help="Your secret, part of every draw. Without one, students who have this program can draw their paper before the day."
    ),
]


@app.command()
def make(
    students: Annotated[Path, typer.Option(help="CSV with a column `student`, or a text file with a name in each line.")],
    paper: Annotated[str, typer.Option(help="Name of the paper; another name draws other questions and numbers.")],
    out: Annotated[Path, typer.Option(help="Folder for the papers, the key and answers.csv.")],
    questions: Annotated[int, typer.Option(min=1, help="Questions on the paper.")] = 12,
    opened: Annotated[int | None, typer.Option("--open", min=0, help="How many of them are open. Default: a quarter.")] = None,
    topics: Topics = "",
    vary: Annotated[
        bool, typer.Option("--vary", help="Every student gets other questions too, not other numbers alone.")
    ] = False,
    seed: Seed = "",
) -> None:
    """Make a paper for every student, the answer key, and answers.csv to fill in."""
    from grading.colloquy.paper import Choice, draw_paper, read_students, write_paper

    choice = Choice(questions, questions // 4 if opened is None else opened, _split(topics), vary)
    with _errors():
        drawn = draw_paper(read_students(students), paper, choice, seed)
        write_paper(drawn, out)
    typer.echo(f"{len(drawn.sheets)} papers to print: {out / 'papers.html'}; to fill in: {out / 'answers.csv'}")
    typer.echo(f"Not for students: {out / 'key.html'}, {out / 'key.json'}")


@app.command()
def check(
    answers: Annotated[Path, typer.Option(help="answers.csv, filled in.")],
    paper: Annotated[Path, typer.Option(help="The folder that `make` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for scores.csv, results.csv and to_mark.csv.")],
) -> None:
    """Mark computed answers, list the others in to_mark.csv. Fill in its points and run this again: they are added."""
    from grading.colloquy.check import BY_HAND
    from grading.colloquy.check import check as mark_all

    with _errors():
        results = mark_all(answers, paper, out)
    left = sum(result.verdict == BY_HAND for result in results)
    typer.echo(f"Scores: {out / 'scores.csv'}; each answer: {out / 'results.csv'}")
    if left:
        typer.echo(f"{left} answers wait for a person: fill in the points in {out / 'to_mark.csv'} and run this again.")


@app.command("moodle-xml")
def moodle_xml(
    to: Annotated[Path, typer.Option(help="The XML file.")],
    variants: Annotated[int, typer.Option(min=1, help="Variants of each computed question, with other numbers.")] = 5,
    topics: Topics = "",
    seed: Seed = "",
) -> None:
    """Write the bank for Moodle's question bank (import format: Moodle XML)."""
    from grading.colloquy.moodle_xml import moodle_xml as write

    with _errors():
        count = write(to, variants, _split(topics), seed)
    typer.echo(f"{count} questions: {to}")


@app.command()
def topics() -> None:
    """List the topics, with their numbers of computed and open questions."""
    from grading.colloquy.bank import BANK, TOPICS
    from grading.colloquy.types import Computed

    for topic in TOPICS:
        computed = [isinstance(question, Computed) for question in BANK.values() if question.topic == topic]
        typer.echo(f"{topic}: {sum(computed)} computed, {len(computed) - sum(computed)} open")


def register(main: typer.Typer) -> None:
    """Adds `colloquy` to the command line of the grader."""
    main.add_typer(app, name="colloquy")


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


@contextmanager
def _errors() -> Iterator[None]:
    from projectkit.errors import ProjectkitError

    try:
        yield
    except (ProjectkitError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_CALL) from error
