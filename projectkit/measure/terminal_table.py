"""Profiles as a table for the terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from projectkit.measure.formatting import format_interval, format_value
from projectkit.types import METRICS, Measurement, Profile

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

FILES_ABREAST = 4
HEADINGS = {
    "accuracy": "Accuracy",
    "size": "Size",
    "compressed_size": "Gzipped",
    "parameters": "Parameters",
    "nonzero_parameters": "Non-zero",
    "sparsity": "Sparsity",
    "weight_bits": "Weights",
    "two_of_four": "2:4 weights",
    "distinct_weights": "Values a filter",
    "macs": "MACs",
    "operator_count": "Operators",
    "latency_estimate": "Latency estimate",
    "latency_p50": "Latency p50",
    "latency_p90": "Latency p90",
    "latency_ratio": "Latency ratio",
    "peak_memory": "Memory",
    "peak_activations": "Activations",
    "arena": "Arena (micro)",
    "symmetric_int8": "Symmetric int8",
    "memory_estimate": "Memory estimate",
    "memory_fits_estimate": "Fits (estimate)",
    "energy": "Energy",
    "temperature": "Hottest sensor",
    "clock": "Clock",
    "power_mode": "Power mode",
}


def table(profiles: Sequence[Profile], *, title: str = "") -> "Group":
    """Something that rich prints and a notebook shows: a row a metric, a column a file, the interval in grey under a value.

    More than FILES_ABREAST files make several tables, so that a terminal of 80 columns shows them whole. Below stand the
    device and what could not be measured, with the reason.
    """
    from rich.console import Group
    from rich.jupyter import JupyterMixin
    from rich.text import Text

    class Tables(Group, JupyterMixin):
        """A group that a notebook shows, too."""

    metrics = measured_metrics(profiles)
    starts = range(0, len(profiles), FILES_ABREAST)
    tables = [_table(profiles[start : start + FILES_ABREAST], metrics, title if start == 0 else "") for start in starts]
    return Tables(*tables, *(Text(line, style="dim") for line in [*devices(profiles), *reasons(profiles)]))


def _table(profiles: Sequence[Profile], metrics: Sequence[str], title: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    result = Table(title=title or None, box=SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
    result.add_column("", no_wrap=True)
    for profile in profiles:
        path = Path(profile.artifact.path)
        # Text: a file's name may look like rich's own markup.
        result.add_column(Text(f"{path.stem}\n{path.suffix}"), justify="right", overflow="fold")
    for metric in metrics:
        measured = [profile.values.get(metric) for profile in profiles]
        result.add_row(heading(metric), *(_cell(one) if one else Text("–", style="dim") for one in measured))
    return result


def measured_metrics(profiles: Sequence[Profile]) -> list[str]:
    """The metrics that at least one of `profiles` has a value of, in the order of HEADINGS, others after them."""
    found = {metric for profile in profiles for metric in profile.values}
    return [metric for metric in HEADINGS if metric in found] + sorted(found - set(HEADINGS))


def heading(metric: str) -> str:
    """A short name for a column."""
    return HEADINGS.get(metric) or (METRICS[metric].label if metric in METRICS else metric)


def devices(profiles: Sequence[Profile]) -> list[str]:
    """The devices that `profiles` were measured on, each once."""
    return list(dict.fromkeys(profile.device for profile in profiles))


def reasons(profiles: Sequence[Profile]) -> list[str]:
    """One sentence for each metric and reason that it is missing: "Energy: no meter for energy here: …"."""
    found: dict[tuple[str, str], list[str]] = {}
    for profile in profiles:
        for metric, reason in profile.missing.items():
            found.setdefault((metric, reason), []).append(Path(profile.artifact.path).name)
    return [
        f"{heading(metric)}: {reason}" if len(names) == len(profiles) else f"{heading(metric)} of {', '.join(names)}: {reason}"
        for (metric, reason), names in found.items()
    ]


def _cell(measured: Measurement) -> "Text":
    from rich.text import Text

    value = format_value(measured.metric, measured.value)
    if measured.low == measured.high:
        return Text(value)
    return Text(value).append("\n" + format_interval(measured.metric, measured.low, measured.high), style="dim")
