"""The command line: `grading run` and `grading explain`. Thin: each command calls the function of its name."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from grading import DISTRIBUTION
from grading.colloquy import cli as colloquy
from grading.defense import cli as defense
from grading.hidden import cli as hidden
from grading.moodle import cli as moodle
from grading.results import gradescope
from grading.semester import cli as semester
from projectkit import __version__
from projectkit.install_hint import install_hint

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Grades submissions by measuring the models that students hand in.",
)

app.add_typer(moodle.app, name="moodle")
app.add_typer(colloquy.app, name="colloquy")
app.add_typer(hidden.app, name="data")
gradescope.register(app)
semester.register(app)
defense.register(app)

WRONG_CALL, OURS = 2, 1


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"grading {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """The options of the program itself."""


@app.command()
def run(
    submissions: Annotated[Path, typer.Argument(help="A folder of submissions, or one zip.")],
    out: Annotated[Path, typer.Option(help="Folder for results, grades.csv and index.html.")],
    scale: Annotated[str, typer.Option(help="quick or full: which part of the rubric to grade by.")] = "quick",
    salt: Annotated[
        str | None, typer.Option(help="Secret that shapes the hidden data. Default: $GRADING_SALT, else OUT/salt.txt.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Hidden data of your own: an .npz with x and y.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Workers on this machine; 0: one a core.")] = 0,
    scheduler: Annotated[
        str | None, typer.Option(help="tcp://… or tls://… of a Dask cluster that measures instead of this machine.")
    ] = None,
    require_sandbox: Annotated[bool, typer.Option("--require-sandbox", help="Stop if models cannot be isolated here.")] = False,
    rubrics: Annotated[Path | None, typer.Option(help="Folder of rubrics other than the built-in one.")] = None,
    recheck_trials: Annotated[
        bool, typer.Option("--recheck-trials", help="Train two trials of each study again and compare (needs TensorFlow).")
    ] = False,
    counts: Annotated[
        list[str] | None, typer.Option(help="Of several files in one name the one that counts; latest: the last of each name.")
    ] = None,
) -> None:
    """Grade every submission. One that cannot be graded gets the reason, and the others are graded.

    Killed or stopped, the same command goes on where it was. Exit code 0 also when submissions were bad; 1 when the grader
    itself failed or could not write; 2 when it was called wrongly.
    """
    from grading.engine import Options, grade
    from grading.errors import OutputError
    from grading.points.flags import names
    from grading.results.terminal import printable, progress_bar, score_table, summary
    from grading.rubrics.loading import RUBRICS
    from grading.workers.sandbox import protections
    from projectkit.errors import ProjectkitError

    _need_packages()
    if scale not in ("quick", "full"):
        raise typer.BadParameter(f"scale is {scale!r}, expected quick or full.")
    options = Options(
        scale, salt, data, workers, require_sandbox, rubrics or RUBRICS, scheduler, tuple(counts or ()), recheck_trials
    )
    try:
        with progress_bar(submissions) as progress:
            grades = grade(submissions, out, options, progress)
    except ProjectkitError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(OURS if isinstance(error, OutputError) else WRONG_CALL) from error
    score_table(grades)
    typer.echo(f"Summary: {summary(grades)}")
    for flag in names(grades):
        typer.echo(f"! {printable(flag.sentence)} {', '.join(flag.files)}.")
    typer.echo(f"Protections: {'; '.join(protections().sentences)}.")
    typer.echo(f"Results: {out / 'index.html'}, {out / 'grades.csv'}")
    if any(grade.ours for grade in grades):
        raise typer.Exit(OURS)


def _need_packages() -> None:
    """Stops before any file is opened when what writes the reports is not installed."""
    absent = [name for name in ("jinja2", "sklearn") if importlib.util.find_spec(name) is None]
    if absent:
        typer.echo(f"Grading needs {' and '.join(absent)}: {install_hint(distribution=DISTRIBUTION)}", err=True)
        raise typer.Exit(WRONG_CALL)


@app.command()
def explain(
    result: Annotated[Path, typer.Argument(help="A result file: OUT/results/NAME.json.")],
    rubrics: Annotated[Path | None, typer.Option(help="Folder of rubrics other than the built-in one.")] = None,
) -> None:
    """Rebuild the points of a result from its stored measurements, and compare. Exit code 1 when they differ."""
    from grading.points.explain import explain as rebuild
    from grading.results.report import number
    from grading.rubrics.loading import RUBRICS
    from projectkit.errors import ProjectkitError

    try:
        explanation = rebuild(result, rubrics or RUBRICS)
    except ProjectkitError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_CALL) from error
    grade = explanation.grade
    typer.echo(
        f"{grade.student or grade.file}, {grade.lab or 'no lab'}: {number(grade.score)} of {number(grade.possible)} points"
    )
    for verdict in explanation.rebuilt:
        typer.echo(f"  {verdict.check.title}: {verdict.message}")
    for remark in explanation.remarks:
        typer.echo(f"  ! {remark}")
    typer.echo("Rebuilt from the stored measurements: the same points." if explanation.same else "The rebuilt points differ.")
    if not explanation.same:
        raise typer.Exit(OURS)
