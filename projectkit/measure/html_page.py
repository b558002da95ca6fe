"""Profiles as one HTML file that needs nothing else: the Pareto plots, the table, what is missing and why."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from projectkit.measure.formatting import format_interval, format_value
from projectkit.measure.pareto import pareto
from projectkit.measure.pareto_plot import pareto_svg
from projectkit.measure.terminal_table import devices, heading, measured_metrics, reasons
from projectkit.metrics import METRICS
from projectkit.types import Profile

COSTS = ("size", "latency_p50")


def page(
    profiles: Sequence[Profile],
    path: str | Path,
    *,
    title: str = "Measured models",
    command: str = "",
    answers: Sequence[str] = (),
) -> Path:
    """Writes the page to `path` and returns it. `command`: what makes it again, printed at its foot; `answers`: the lines of
    `compare_answers`."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    metrics = [metric for metric in measured_metrics(profiles) if metric not in METRICS or METRICS[metric].column]
    written = environment.get_template("page.html").render(
        title=title,
        command=command,
        answers=answers,
        day=date.today().isoformat(),
        devices=devices(profiles),
        plots=[Markup(svg) for svg in (pareto_svg(profiles, cost) for cost in COSTS) if svg],
        headings=[heading(metric) for metric in metrics],
        rows=[_row(profile, metrics, profile in _optimal(profiles)) for profile in profiles],
        missing=reasons(profiles),
    )
    path = Path(path)
    path.write_text(written, encoding="utf-8")
    return path


def _row(profile: Profile, metrics: Sequence[str], optimal: bool) -> dict[str, object]:
    cells = []
    for metric in metrics:
        measured = profile.values.get(metric)
        if measured is None:
            cells.append(("–", ""))
            continue
        cells.append((format_value(metric, measured.value), _small_print(profile, metric)))
    artifact = profile.artifact
    return {"name": Path(artifact.path).name, "sha256": artifact.sha256[:12], "cells": cells, "optimal": optimal}


def _small_print(profile: Profile, metric: str) -> str:
    """What stands under a value: its interval; under the parameters how many are zero, under the size the width of a weight."""
    if metric == "size" and "weight_bits" in profile.values:
        return f"{format_value('weight_bits', profile.values['weight_bits'].value)} a weight"
    if metric == "parameters" and "sparsity" in profile.values:
        return f"{format_value('sparsity', profile.values['sparsity'].value)} zero"
    measured = profile.values[metric]
    return "" if measured.low == measured.high else format_interval(metric, measured.low, measured.high)


def _optimal(profiles: Sequence[Profile]) -> list[Profile]:
    """Those that are Pareto-optimal in at least one of the plots."""
    found = []
    for cost in COSTS:
        points = [profile for profile in profiles if {"accuracy", cost} <= profile.values.keys()]
        costs, gains = [p.values[cost].value for p in points], [p.values["accuracy"].value for p in points]
        found += [points[index] for index in pareto(costs, gains)]
    return found
