"""The command line of the student's side: `projectkit data | measure | pack | check`. Thin: each command calls one function."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from projectkit.errors import ProjectkitError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Look at data, measure model files, pack and check a submission.",
)
data_app = typer.Typer(no_args_is_help=True, help="The datasets of the labs.")
app.add_typer(data_app, name="data")

WRONG_CALL, REFUSED = 2, 1


@data_app.command("list")
def data_list() -> None:
    """Every dataset: its shape, its sizes, where it is and under which licence."""
    from rich.console import Console
    from rich.table import Table

    from projectkit import data

    table = Table(title=f"Datasets (data folder: {data.data_folder()})", title_justify="left")
    for heading in ("name", "image", "classes", "train / val / test", "where", "licence"):
        table.add_column(heading)
    for listing in data.describe():
        about = listing.about
        table.add_row(
            about.name,
            "×".join(map(str, about.shape)),
            str(about.classes),
            " / ".join(f"{count:,}" for count in about.counts),
            listing.place,
            about.licence,
        )
    Console().print(table)


@data_app.command("get")
def data_get(name: Annotated[str, typer.Argument(help="One of `projectkit data list`.")]) -> None:
    """Download a dataset into the data folder, unless it is there or embedded."""
    from projectkit import data

    with _errors_as_sentences():
        path = data.get(name)
    typer.echo(f"{name} is embedded: nothing to download." if path is None else f"{name} is at {path}")


@app.command()
def measure(
    models: Annotated[list[Path], typer.Argument(help="Model files, .tflite or .onnx.")],
    data: Annotated[str, typer.Option(help="A dataset's name, or the path of an .npz: its test split is used.")] = "digits",
    html: Annotated[Path | None, typer.Option(help="Also write a page with the Pareto plots there.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="Model file whose latency the others are compared with.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the runtime.")] = 1,
    budget: Annotated[float, typer.Option(min=0.05, help="Seconds of timing a model.")] = 1.0,
) -> None:
    """Measure model files side by side: quality, size, work, latency, memory, energy."""
    import shlex

    from rich.console import Console

    from projectkit import data as room
    from projectkit import measure as measuring
    from projectkit.types import Artifact

    with _errors_as_sentences():
        split = room.load(data).test
        profiles = measuring.compare(
            [Artifact.of(path) for path in models],
            split,
            threads=threads,
            budget=budget,
            baseline=Artifact.of(baseline) if baseline else None,
        )
        Console().print(measuring.table(profiles, title=f"{len(models)} models on the {len(split):,} test images of {data}"))
        if html:
            words = [
                "projectkit",
                "measure",
                *map(str, models),
                "--data",
                data,
                "--threads",
                str(threads),
                "--budget",
                str(budget),
            ]
            words += ["--baseline", str(baseline)] if baseline else []
            page = measuring.page(profiles, html, title=f"Models on {data}", command=shlex.join(words))
            typer.echo(f"Page: {page}")


@app.command()
def pack(
    out: Annotated[Path, typer.Argument(help="The zip to write.")],
    student: Annotated[str, typer.Option(help="Your e-mail address, as your course knows it.")],
    lab: Annotated[str, typer.Option(help="The lab's id, for example l01_quantization.")],
    model: Annotated[list[str], typer.Option(help="SLOT=FILE, once a model.")],
    answers: Annotated[Path | None, typer.Option(help="An .npz whose keys are EXERCISE/NAME.")] = None,
    scale: Annotated[str, typer.Option(help="quick or full.")] = "quick",
) -> None:
    """Pack model files and answers into a submission. (The notebooks do this in their last cell.)"""
    from projectkit import submit

    with _errors_as_sentences():
        slots = dict(_slot_and_path(text) for text in model)
        path = submit.pack(
            out, student=student, lab=lab, scale=scale, artifacts=slots, answers=_grouped(answers) if answers else {}
        )
    typer.echo(f"Packed {path}. Now: projectkit check {path}")


@app.command()
def check(submission: Annotated[Path, typer.Argument(help="The zip that you are about to hand in.")]) -> None:
    """Say everything that the grader's intake would refuse. Exit code 1 when there is anything."""
    from projectkit import submit

    findings = submit.check(submission)
    for finding in findings:
        typer.echo(str(finding))
    if not all(finding.good for finding in findings):
        raise typer.Exit(REFUSED)


def _slot_and_path(text: str) -> tuple[str, Path]:
    slot, separator, path = text.partition("=")
    if not separator:
        raise typer.BadParameter(f"--model is {text!r}, expected SLOT=FILE, for example int8=work/int8.tflite.")
    return slot, Path(path)


def _grouped(path: Path) -> dict[str, dict]:
    """The arrays of an .npz with keys "exercise/name", by exercise and name."""
    import numpy as np

    from projectkit.errors import SubmissionError

    grouped: dict[str, dict] = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            for key in file.files:
                exercise, _, name = key.partition("/")
                grouped.setdefault(exercise, {})[name] = file[key]
    except (OSError, ValueError) as error:
        raise SubmissionError(f"{path}: is not an .npz of plain arrays ({error}). Write it with np.savez.") from error
    return grouped


@contextmanager
def _errors_as_sentences() -> Iterator[None]:
    """Turns an error that we raise on purpose into its sentence and exit code 2, without a traceback."""
    try:
        yield
    except ProjectkitError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_CALL) from error
    except ModuleNotFoundError as error:  # the base install of an edge device lacks what draws
        typer.echo(f"This needs {error.name}, which is not installed. Install projectkit with its extra `plot`.", err=True)
        raise typer.Exit(WRONG_CALL) from error
