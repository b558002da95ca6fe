"""The commands `grading defend` and `grading sheets`. Thin: each calls the functions that do the work."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from grading import DISTRIBUTION
from projectkit.install_hint import install_hint

WRONG_CALL, OURS = 2, 1


def register(app: typer.Typer) -> None:
    """Adds the commands to the program's others."""
    app.command()(defend)
    app.command()(sheets)


def defend(
    submissions: Annotated[list[Path], typer.Argument(help="Zips of projects, or folders of them, in the order of the defense.")],
    out: Annotated[Path, typer.Option(help="Folder for index.html, dossiers, score sheets and the schedule.")],
    start: Annotated[str, typer.Option(help='Date and time of the first slot, "2027-01-25 09:00"; days begin at that hour.')],
    scheme: Annotated[str, typer.Option(help="Score sheet: gdansk_tech, podgorica, or a TOML file.")] = "gdansk_tech",
    classes: Annotated[
        list[Path] | None, typer.Option("--class", help="A folder that `grading run --out` wrote, for the pictures. Repeatable.")
    ] = None,
    minutes: Annotated[int, typer.Option(min=1, help="Minutes a slot.")] = 20,
    until: Annotated[str, typer.Option(help="When a day ends; what does not fit goes to the next.")] = "17:00",
    breaks: Annotated[list[str] | None, typer.Option("--break", help="Such as 10:30-10:45, every day. Repeatable.")] = None,
    juror: Annotated[list[str] | None, typer.Option(help="A juror's name. Repeatable; default: two without a name.")] = None,
    questions: Annotated[int, typer.Option(min=1, max=30, help="Questions a student.")] = 8,
    seed: Annotated[str, typer.Option(help="Your secret, part of the draw from the question bank.")] = "",
    salt: Annotated[
        str | None, typer.Option(help="Secret that shapes the hidden data. Default: $GRADING_SALT, else OUT/salt.txt.")
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="NAME=FILE.npz: a dataset that the course does not have. Repeatable.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="Wall-clock seconds a model may take.")] = 60.0,
    require_sandbox: Annotated[bool, typer.Option("--require-sandbox", help="Stop if models cannot be isolated here.")] = False,
) -> None:
    """Make the jury's dossiers: every claim measured again, questions, score sheets, a schedule.

    Run again, it goes on where it was; sheets that somebody filled in are left alone. Exit code 2: called wrongly.
    """
    if importlib.util.find_spec("jinja2") is None:
        typer.echo(f"The defense needs jinja2: {install_hint(distribution=DISTRIBUTION)}", err=True)
        raise typer.Exit(WRONG_CALL)
    from grading.defense.defend import DefenseSettings
    from grading.defense.defend import defend as run
    from grading.defense.measured import LIMITS
    from grading.defense.schedule import plan_of
    from grading.defense.sheets import load_sheet

    with _errors():
        plan = plan_of(start, minutes, until, breaks or [])
        jurors = _jurors(juror or ["juror 1", "juror 2"])
        settings = DefenseSettings(
            load_sheet(scheme),
            plan,
            tuple(classes or ()),
            jurors,
            salt,
            seed,
            questions,
            _files(data or []),
            require_sandbox,
            replace(LIMITS, seconds=seconds),
        )
        made = run(submissions, out, settings, _say)
    for file, reason in made.refused:
        _say(f"  - {file}: {reason}")
    for path in made.kept:
        _say(f"  ! {path}: filled in already, left as it is. Delete it if the list of students has changed.")
    _say(f"{len(made.entries)} defenses: {out / 'index.html'}, {out / 'schedule.ics'}; for jurors: {out / 'sheets'}")


def sheets(
    filled: Annotated[list[Path], typer.Argument(help="Filled score sheets of all jurors.")],
    out: Annotated[Path, typer.Option(help="The CSV for `grading gradebook --component project=…`.")],
    scheme: Annotated[str, typer.Option(help="Score sheet: gdansk_tech, podgorica, or a TOML file.")] = "gdansk_tech",
    students: Annotated[
        Path | None, typer.Option(help="Who is to be there: a CSV with a column student, such as OUT/schedule.csv.")
    ] = None,
) -> None:
    """Merge the jurors' sheets into the project's scores, and point out where jurors are far apart."""
    from grading.defense.merge import component_table, details_table, merge
    from grading.defense.sheets import load_sheet
    from grading.results.store import write_atomically
    from grading.semester.sources import read_students

    with _errors():
        sheet = load_sheet(scheme)
        merged, notes = merge(filled, sheet, read_students(students).names if students else None)
        details = out.with_name(f"{out.stem}_details.csv")
        write_atomically(out, component_table(merged, sheet))
        write_atomically(details, details_table(merged))
    for note in notes:
        _say(f"  ! {note}")
    _say(f"{sum(one.total is not None for one in merged)} of {len(merged)} projects scored: {out}; by criterion: {details}")


def _files(options: list[str]) -> dict[str, Path]:
    files = {}
    for option in options:
        name, _, file = option.partition("=")
        if not name or not file.endswith(".npz") or name in files:
            raise typer.BadParameter(f"--data is {option!r}, expected NAME=FILE.npz, each name once.")
        files[name] = Path(file)
    return files


def _jurors(names: list[str]) -> tuple[str, ...]:
    good = [name.strip() for name in names if name.strip() and name.isprintable() and len(name) <= 100]
    if len(good) < len(names) or len({name.casefold() for name in good}) < len(good):
        raise typer.BadParameter("--juror: expected names of 1 to 100 characters, each juror once.")
    return tuple(good)


def _say(line: str) -> None:
    typer.echo("".join(letter if letter.isprintable() else "?" for letter in line))


@contextmanager
def _errors() -> Iterator[None]:
    from grading.errors import OutputError
    from projectkit.errors import ProjectkitError

    try:
        yield
    except ProjectkitError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(OURS if isinstance(error, OutputError) else WRONG_CALL) from error
