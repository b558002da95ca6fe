"""The command line: `grading moodle in`, `out` and `feedback`. Thin: each command calls the function behind it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

app = typer.Typer(no_args_is_help=True, help="Submissions from Moodle, grades and reports back into it.")

WRONG_CALL = 2
Result = TypeVar("Result")
Encoding = Annotated[
    str | None, typer.Option(help="Encoding of the worksheet, such as cp1250. Default: UTF-8, UTF-16 by its mark.")
]


@app.command("in")
def take_in(
    archive: Annotated[Path, typer.Argument(metavar="ZIP", help="What Moodle's 'Download all submissions' gave.")],
    out: Annotated[Path, typer.Option(help="New folder for submissions/ and join.csv.")],
    worksheet: Annotated[Path | None, typer.Option(help="The assignment's grading worksheet (CSV).")] = None,
    encoding: Encoding = None,
) -> None:
    """Unpack a class's submissions for `grading run`, and write down who handed in what."""
    from grading.moodle.intake import FOLDER, JOIN, unpack
    from grading.moodle.worksheet import read_worksheet

    batch = _or_exit(lambda: unpack(archive, out, read_worksheet(worksheet, encoding=encoding) if worksheet else None))
    files, people = {row.file for row in batch.rows if row.file}, {row.person for row in batch.rows}
    _remarks([f"{row.name}: {row.note}" for row in batch.rows if row.note] + list(batch.remarks))
    typer.echo(f"{len(people)} participants, {len(files)} zips. Who handed in what: {out / JOIN}")
    typer.echo(f"Next: grading run {out / FOLDER} --out RESULTS")


@app.command("out")
def give_out(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder of results that `grading run` wrote.")],
    worksheet: Annotated[Path, typer.Option(help="The grading worksheet as you downloaded it (CSV).")],
    join: Annotated[Path, typer.Option(help="The join.csv that `grading moodle in` wrote.")],
    to: Annotated[Path, typer.Option(help="Where to write the filled worksheet.")],
    by: Annotated[str, typer.Option(help="identifier; across assignments email or id_number.")] = "identifier",
    grade_column: Annotated[str | None, typer.Option(help="Header of the grade column, where it is not found.")] = None,
    comment_column: Annotated[str | None, typer.Option(help="Header of the feedback comments column.")] = None,
    maximum: Annotated[float | None, typer.Option(help="Maximum grade, where the worksheet has none.")] = None,
    replace_comments: Annotated[bool, typer.Option("--replace-comments", help="Replace comments that are there.")] = False,
    encoding: Encoding = None,
) -> None:
    """Fill the worksheet with grades and comments; every other byte stays as it was."""
    from grading.errors import GradingError
    from grading.moodle.fill import Filled, fill
    from grading.moodle.join import read_join
    from grading.moodle.outcome import outcomes
    from grading.moodle.worksheet import read_worksheet

    def filled() -> tuple[Filled, list[str]]:
        if to.exists() and worksheet.exists() and to.samefile(worksheet):
            raise GradingError(f"{to}: is the worksheet itself, expected another file. Keep what you downloaded.")
        sheet = read_worksheet(worksheet, encoding=encoding, grade_column=grade_column, comment_column=comment_column)
        found, remarks = outcomes(out, read_join(join))
        return fill(sheet, found, by=by, maximum=maximum, replace_comments=replace_comments), remarks

    done, remarks = _or_exit(filled)
    _or_exit(lambda: _write(to, done.content))
    _remarks([*done.remarks, *remarks])
    typer.echo(f"{done.grades} grades: {to}")
    typer.echo("In Moodle: Submissions, Upload grading worksheet. Rows graded in Moodle since the download are skipped there.")


@app.command()
def feedback(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder of results that `grading run` wrote.")],
    join: Annotated[Path, typer.Option(help="The join.csv that `grading moodle in` wrote.")],
    to: Annotated[Path, typer.Option(help="Where to write the zip.")],
) -> None:
    """Pack every student's report into the zip that Moodle hands out."""
    from grading.moodle.feedback import pack_feedback
    from grading.moodle.join import read_join
    from grading.moodle.outcome import outcomes

    found, remarks = _or_exit(lambda: outcomes(out, read_join(join)))
    packed = _or_exit(lambda: pack_feedback(out, found))
    _or_exit(lambda: _write(to, packed.content))
    _remarks([*packed.remarks, *remarks])
    typer.echo(f"{packed.reports} reports, {len(packed.content) / 1e6:.1f} MB: {to}")
    typer.echo("In Moodle: Submissions, Upload multiple feedback files in a zip.")


def _write(to: Path, content: bytes) -> None:
    from projectkit.files import write_whole

    to.parent.mkdir(parents=True, exist_ok=True)
    write_whole(to, content)


def _or_exit(work: Callable[[], Result]) -> Result:
    from projectkit.errors import ProjectkitError

    try:
        return work()
    except (ProjectkitError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_CALL) from error


def _remarks(sentences: Sequence[str]) -> None:
    from grading.moodle.names import printable

    for sentence in sentences:
        typer.echo(f"! {printable(sentence, 400)}")
