"""A result as Gradescope reads it: results.json of its autograders, by the fields of its published specification."""

from pathlib import Path
from typing import Annotated

import typer

from grading.types import FULL, Grade

_DECIMALS = 6


def results(grade: Grade) -> dict[str, object]:
    """The content of results.json: one test a check, with its sentence; the digests that a grade can be appealed by."""
    subjects = list(dict.fromkeys(verdict.check.slot or verdict.check.exercise for verdict in grade.verdicts))
    tests, counts = [], dict.fromkeys(subjects, 0)
    for verdict in grade.verdicts:
        check = verdict.check
        subject = check.slot or check.exercise
        counts[subject] += 1
        tests.append(
            {
                "name": check.title,
                "name_format": "text",
                "number": f"{subjects.index(subject) + 1}.{counts[subject]}",
                "score": round(verdict.points, _DECIMALS),
                "max_score": round(check.points, _DECIMALS),
                "status": "passed" if verdict.status == FULL else "failed",
                "output": verdict.message,
                "output_format": "text",
                "tags": [subject],
            }
        )
    said = f"{grade.title}, student {grade.student}." if grade.error is None else f"Not graded: {grade.error}"
    return {
        "score": round(grade.score, _DECIMALS),
        "output": " ".join([said, *dict.fromkeys(grade.problems.values())]),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
        "extra_data": {"lab": grade.lab, "scale": grade.scale, "file": grade.file, "digests": dict(grade.digests)},
    }


def register(app: typer.Typer) -> None:
    """Adds the command `gradescope` to `app`."""
    app.command("gradescope")(_command)


def _command(
    result: Annotated[Path, typer.Argument(help="A result file: OUT/results/NAME.json.")],
    to: Annotated[Path, typer.Option(help="Where to write results.json.")],
) -> None:
    """Write a result as Gradescope's results.json. Exit code 1 when the grader itself failed on the submission."""
    from grading.results.files import read_grade
    from grading.results.store import dump, write_atomically
    from projectkit.errors import ProjectkitError

    try:
        grade = read_grade(result)
        write_atomically(to, dump(results(grade)))
    except (ProjectkitError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{to}: {round(grade.score, 2):g} of {round(grade.possible, 2):g} points.")
    if grade.ours:
        raise typer.Exit(1)
