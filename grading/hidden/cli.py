"""The command line: `grading data new`. Thin: it calls the functions of its module."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Hidden data of your own, for `grading run --data`.")

WRONG_CALL = 2


@app.callback()
def main() -> None:
    """One command so far; a callback keeps its name."""


@app.command()
def new(
    photographs: Annotated[Path, typer.Argument(help="A folder with 0.jpg … 9.jpg: on each, one digit written many times.")],
    out: Annotated[Path, typer.Option(help="The .npz to write; a picture of all images is written beside it.")],
    dataset: Annotated[str, typer.Option(help="digits or mnist: whose images they shall be like.")] = "mnist",
    without: Annotated[
        list[int] | None, typer.Option(help="Number of an image to leave out, once each; see the picture.")
    ] = None,
) -> None:
    """Cut handwritten digits out of photographs."""
    import numpy as np

    from grading.hidden.photographs import read_photographs, write
    from projectkit.errors import ProjectkitError

    try:
        found = read_photographs(photographs, dataset, without or ())
        picture = write(found, out)
    except (ProjectkitError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_CALL) from error
    counts = np.bincount(found.y, minlength=10)
    typer.echo(f"{out}: {len(found.y)} images, {counts.min()} to {counts.max()} a digit.")
    typer.echo(f"Look at {picture}: what is no digit is left out with --without NUMBER.")
    typer.echo(f"Next: grading run SUBMISSIONS --out RESULTS --data {out}")
