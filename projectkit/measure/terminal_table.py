"""Profiles as a table for the terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from projectkit.measure.formatting import format_interval, format_value
from projectkit.metrics import METRICS
from projectkit.types import Measurement, Profile

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

FILES_ABREAST = 4


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
    """The metrics that at least one of `profiles` has a value of, in the order of METRICS, others after them."""
    found = {metric for profile in profiles for metric in profile.values}
    return [metric for metric in METRICS if metric in found] + sorted(found - set(METRICS))


def heading(metric: str) -> str:
    """A short name for a column."""
    if metric in METRICS:
        return METRICS[metric].heading or METRICS[metric].label
    return metric.replace("_", " ").capitalize()


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
