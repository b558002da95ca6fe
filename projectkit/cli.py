"""The command line of the student's side: `projectkit data | measure | agent | devices | search | schedule | pack | check`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from projectkit import __version__
from projectkit.errors import ProjectkitError, SubmissionError
from projectkit.install_hint import install_hint
from projectkit.types import Artifact, Project

if TYPE_CHECKING:
    import numpy as np

    from projectkit.devices import Estimated
    from projectkit.devices.tls import Tls

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Look at data, measure model files, search for networks, pack and check a submission.",
)
data_app = typer.Typer(no_args_is_help=True, help="The datasets of the labs.")
app.add_typer(data_app, name="data")

WRONG_CALL, REFUSED = 2, 1
CA_FILE = Annotated[Path | None, typer.Option("--tls-ca-file", help="Certificate of the authority that signed the others.")]
CERT = Annotated[Path | None, typer.Option("--tls-cert", help="Your own certificate. Default: as Dask is configured.")]
KEY = Annotated[Path | None, typer.Option("--tls-key", help="The key of your certificate.")]
CLAIM = "SLOT/METRIC=NUMBER, for example optimized/accuracy=0.97"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"projectkit {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """The options of the program itself."""


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
    baseline: Annotated[Path | None, typer.Option(help="Model file that the others are compared with: latency, answers.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the runtime.")] = 1,
    budget: Annotated[float, typer.Option(min=0.05, help="Seconds of timing a model.")] = 1.0,
    device: Annotated[
        str, typer.Option(help="here; tls://HOST:PORT/LABEL: by an agent; a name of `projectkit devices` or a .toml: estimated.")
    ] = "here",
    examples: Annotated[int | None, typer.Option(min=1, help="Only so many of the test images.")] = None,
    ca_file: CA_FILE = None,
    cert: CERT = None,
    key: KEY = None,
) -> None:
    """Measure model files side by side: quality, size, work, latency, memory, energy. Here, on another device, or estimated."""
    import shlex

    from rich.console import Console

    from projectkit import data as room
    from projectkit import devices
    from projectkit import measure as measuring
    from projectkit.devices import report
    from projectkit.types import Artifact

    with _errors_as_sentences():
        place = devices.read_device(device, _tls(ca_file, cert, key))
        split = room.load(data).test
        split = split.take(examples) if examples else split
        artifacts = [Artifact.of(path) for path in models]
        against = Artifact.of(baseline) if baseline else None
        if isinstance(place, devices.Estimated):
            if html or baseline:
                raise typer.BadParameter(f"{device} is only estimated: --html and --baseline need measurements. Leave them out.")
            _estimate(place, artifacts, split.x, threads, budget)
            return
        answers: list[str] = []
        if isinstance(place, devices.Here):
            profiles = measuring.compare(artifacts, split, threads=threads, budget=budget, baseline=against)
            answers = measuring.compare_answers(artifacts, split, against)
        else:
            found = devices.compare_on(place, artifacts, split, threads=threads, budget=budget, baseline=against)
            profiles = report.told(found)
        Console().print(measuring.table(profiles, title=f"{len(models)} models on the {len(split):,} test images of {data}"))
        for line in answers:
            typer.echo(line)
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
            words += ["--device", device] if device != "here" else []
            words += ["--examples", str(examples)] if examples else []
            page = measuring.page(profiles, html, title=f"Models on {data}", command=shlex.join(words), answers=answers)
            typer.echo(f"Page: {page}")


@app.command()
def agent(
    scheduler: Annotated[str, typer.Option(help="tls://HOST:PORT of the Dask scheduler.")],
    name: Annotated[str, typer.Option(help="This device's name, its own.")],
    label: Annotated[list[str] | None, typer.Option(help="Another name that it answers to, shared by devices of a kind.")] = None,
    memory: Annotated[float | None, typer.Option(min=1e6, help="Bytes for a measurement. Default: what is free now.")] = None,
    ca_file: CA_FILE = None,
    cert: CERT = None,
    key: KEY = None,
) -> None:
    """Serve this machine as a device for others' measurements, one at a time. Who holds a certificate can run code here."""
    import psutil

    from projectkit.devices.agent import Agent, run_agent

    with _errors_as_sentences("device"):
        served = Agent(name, tuple(label or ()), int(memory or psutil.virtual_memory().available))
        run_agent(scheduler, served, tls=_tls(ca_file, cert, key), say=typer.echo)


@app.command()
def devices(
    scheduler: Annotated[str | None, typer.Option(help="Also the agents at this scheduler: tls://HOST:PORT.")] = None,
    ca_file: CA_FILE = None,
    cert: CERT = None,
    key: KEY = None,
) -> None:
    """The devices that can be estimated, and those that are connected."""
    from rich.console import Console

    from projectkit.devices import connected, parse_address, report

    with _errors_as_sentences("device"):
        Console().print(report.known_table())
        if scheduler:
            agents = connected(parse_address(scheduler, _tls(ca_file, cert, key)))
            Console().print(report.connected_table(agents, scheduler))


@app.command()
def pack(
    lab: Annotated[str, typer.Argument(help="The lab's id, for example l01_quantization; project for the capstone project.")],
    out: Annotated[Path, typer.Option(help="The zip to write.")],
    student: Annotated[str, typer.Option(help="Your e-mail address, as your course knows it.")],
    model: Annotated[list[str], typer.Option(help="SLOT=FILE, once a model.")],
    answers: Annotated[Path | None, typer.Option(help="Labs: an .npz whose keys are EXERCISE/NAME.")] = None,
    claim: Annotated[
        list[str] | None,
        typer.Option(help="SLOT/METRIC=NUMBER in SI units, once a claim; METRIC_ratio: relative to the baseline."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Project: its title.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Project: the dataset that its figures are measured on.")] = None,
    report: Annotated[Path | None, typer.Option(help="Project: its report, Markdown in UTF-8.")] = None,
    study: Annotated[Path | None, typer.Option(help="Labs that search: the JSON of the study, from nas.export_study.")] = None,
    scale: Annotated[str, typer.Option(help="quick or full.")] = "quick",
) -> None:
    """Pack a lab's models and answers, or the project's models, claims and report. (The notebooks' last cell does this.)"""
    from projectkit import submit

    with _errors_as_sentences():
        path = submit.pack(
            out,
            student=student,
            lab=lab,
            scale=scale,
            artifacts={
                slot: Path(file) for slot, file in _pairs(model, "--model", "SLOT=FILE, for example int8=work/int8.tflite")
            },
            answers=_grouped(answers) if answers else {},
            claims={name: _number(name, number) for name, number in _pairs(claim or [], "--claim", CLAIM)},
            project=_project(lab, title, dataset, report),
            study=study,
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


@app.command()
def search(
    space: Annotated[Path | None, typer.Argument(help="A TOML file: the space, the data, the strategy; see --example.")] = None,
    storage: Annotated[
        str | None, typer.Option(help="A journal file, or a database: postgresql://USER@HOST/NAME. Default: beside SPACE.")
    ] = None,
    worker: Annotated[bool, typer.Option("--worker", help="Help with the study and say each trial; any number may.")] = False,
    stale_after: Annotated[
        float, typer.Option(min=1, help="Seconds without a sign of life after which another worker's trial is run again.")
    ] = 60.0,
    example: Annotated[bool, typer.Option("--example", help="Print a SPACE file and do nothing.")] = False,
) -> None:
    """Search for a network, here or on many machines at once. Stopped in the middle, the same command goes on."""
    with _errors_as_sentences("search"):
        from projectkit.nas.command import run_search
        from projectkit.nas.settings import EXAMPLE

        if example:
            typer.echo(EXAMPLE, nl=False)
        elif space is None:
            raise typer.BadParameter("no SPACE file is given. `projectkit search --example > my.toml` writes one.")
        else:
            run_search(space, storage=storage, worker=worker, stale_after=stale_after, say=typer.echo)


@app.command()
def schedule(
    plan: Annotated[Path | None, typer.Argument(help="A TOML file: models, rates and deadlines; see --example.")] = None,
    example: Annotated[bool, typer.Option("--example", help="Print a PLAN file and do nothing.")] = False,
) -> None:
    """Plan how several models share this machine, and prove the plan by a run beside naive ones."""
    with _errors_as_sentences("search"):
        from projectkit.schedule.command import run_schedule
        from projectkit.schedule.settings import EXAMPLE

        if example:
            typer.echo(EXAMPLE, nl=False)
        elif plan is None:
            raise typer.BadParameter("no PLAN file is given. `projectkit schedule --example > plan.toml` writes one.")
        else:
            run_schedule(plan, say=typer.echo)


def _tls(ca_file: Path | None, cert: Path | None, key: Path | None) -> "Tls | None":
    """The three files, or None without any of them."""
    from projectkit.devices.tls import chosen

    return chosen(ca_file, cert, key)


def _estimate(device: "Estimated", artifacts: "list[Artifact]", x: "np.ndarray", threads: int, budget: float) -> None:
    """Prints the layers of each file on an estimated device, and how wrong the same calculation is for this machine."""
    from rich.console import Console

    from projectkit import devices
    from projectkit import measure as measuring
    from projectkit.devices import report

    for artifact in artifacts:
        Console().print(report.layers_table(artifact, devices.estimate(device, artifact, threads=threads)))
    profiles = devices.compare_on(device, artifacts, x, threads=threads)
    Console().print(measuring.table(report.told(profiles), title="Estimates and counts"))
    roofline = devices.measure_roofline(threads=threads).roofline
    calibration = devices.calibrate(roofline, artifacts, [x] * len(artifacts), threads=threads, budget=budget)
    for line in report.calibration_lines(calibration):
        typer.echo(line)


def _pairs(texts: list[str], option: str, expected: str) -> list[tuple[str, str]]:
    """The two sides of each NAME=VALUE."""
    pairs = [text.partition("=") for text in texts]
    if wrong := [name for name, separator, _ in pairs if not separator]:
        raise typer.BadParameter(f"{option} is {wrong[0]!r}, expected {expected}.")
    names = [name for name, _, _ in pairs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise typer.BadParameter(f"{option} names {twice[0]!r} twice, expected each once.")
    return [(name, value) for name, _, value in pairs]


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"--claim {name} is {text!r}, expected {CLAIM}.") from None


def _project(lab: str, title: str | None, dataset: str | None, report: Path | None) -> Project | None:
    """What only a project hands in; nothing for a lab."""
    from projectkit.submit import PROJECT

    given = {"--title": title, "--dataset": dataset, "--report": report}
    if lab != PROJECT:
        if extra := [option for option, value in given.items() if value is not None]:
            raise typer.BadParameter(f"{', '.join(extra)}: only the project has this, {lab} is a lab. Leave it out.")
        return None
    if title is None or dataset is None or report is None:
        absent = [option for option, value in given.items() if value is None]
        raise typer.BadParameter(f"a project needs {', '.join(absent)} as well. Give a title, a dataset and the report's file.")
    try:
        return Project(title, dataset, report.read_text("utf-8"))
    except OSError as error:
        raise SubmissionError(f"{report}: cannot be read ({error.strerror}). Give the path of the report.") from error
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{report}: is not UTF-8 (byte {error.start}), expected a UTF-8 text. Save it as UTF-8.") from error


def _grouped(path: Path) -> dict[str, dict[str, "np.ndarray"]]:
    """The arrays of an .npz with keys "exercise/name", by exercise and name."""
    import numpy as np

    grouped: dict[str, dict[str, np.ndarray]] = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            for key in file.files:
                exercise, _, name = key.partition("/")
                grouped.setdefault(exercise, {})[name] = file[key]
    except (OSError, ValueError) as error:
        raise SubmissionError(f"{path}: is not an .npz of plain arrays ({error}). Write it with np.savez.") from error
    return grouped


@contextmanager
def _errors_as_sentences(extra: str = "plot") -> Iterator[None]:
    """Turns an error that we raise on purpose into its sentence and exit code 2, without a traceback. `extra`: what to install
    when a package is missing."""
    try:
        yield
    except ProjectkitError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_CALL) from error
    except ModuleNotFoundError as error:  # the base install of an edge device lacks what draws and trains
        typer.echo(f"This needs {error.name}, which is not installed: {install_hint(extra)}", err=True)
        raise typer.Exit(WRONG_CALL) from error
