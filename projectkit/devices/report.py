"""Devices and estimates, for people."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from projectkit.devices.calibrate import Calibration
from projectkit.devices.estimate import ONLY, LayerEstimate
from projectkit.devices.here import MEASURED
from projectkit.devices.known import KNOWN
from projectkit.devices.remote import Connected
from projectkit.measure import format_interval, format_value
from projectkit.types import Artifact, Profile

if TYPE_CHECKING:
    from rich.table import Table


def known_table() -> "Table":
    """A rich table of the devices that can be estimated."""
    table = _table(
        "Estimated from public data", "name", "memory", "bandwidth", "peaks of all cores (GMAC/s)", "what it cannot run"
    )
    for device in KNOWN.values():
        peaks = ", ".join(f"{dtype} {device.cores * peak / 1e9:,.4g}" for dtype, peak in device.roofline.peaks.items())
        fallback = f"goes to {device.fallback.name}" if device.fallback else "–"
        bandwidth = f"{device.roofline.bandwidth / 1e9:.3g} GB/s"
        table.add_row(device.name, format_value("size", device.memory), bandwidth, peaks, fallback)
    return table


def connected_table(agents: Sequence[Connected], scheduler: str) -> "Table":
    """A rich table of the agents that a scheduler knows."""
    table = _table(f"Agents at {scheduler}", "name", "labels", "memory", "now", "device")
    for agent in agents:
        labels = ", ".join(agent.labels) or "–"
        table.add_row(
            agent.name, labels, format_value("size", agent.memory), "measures" if agent.busy else "is free", agent.device
        )
    return table


def layers_table(artifact: Artifact, layers: Sequence[LayerEstimate]) -> "Table":
    """A rich table of one file's layers on an estimated device, and their sum."""
    total = sum(layer.seconds for layer in layers)
    title = f"{Path(artifact.path).name}: latency estimate {format_value('latency_estimate', total)}"
    table = _table(title, "operator", "on", "type", "MACs", "bytes", "estimate", "share", "waits for")
    for layer in layers:
        share = layer.seconds / total if total else 0.0
        numbers = (format_value("macs", layer.macs), format_value("size", layer.moved_bytes))
        seconds = format_value("latency_estimate", layer.seconds)
        table.add_row(layer.kind, layer.device, layer.dtype, *numbers, seconds, f"{100 * share:.0f} %", layer.bound)
    return table


def told(profiles: Sequence[Profile]) -> list[Profile]:
    """The profiles without the reasons that follow from the kind of the device: what is measured is not estimated, and the other
    way round."""
    return [
        replace(
            profile, missing={name: why for name, why in profile.missing.items() if why != MEASURED and not why.endswith(ONLY)}
        )
        for profile in profiles
    ]


def calibration_lines(calibration: Calibration) -> list[str]:
    """What the same calculation says of this machine, beside what was measured here."""
    lines = ["How far to trust such an estimate: the same calculation for this machine, beside measured latencies."]
    for one in calibration.comparisons:
        estimate, measured = (format_value("latency_p50", value) for value in (one.estimate, one.measured.value))
        interval = format_interval("latency_p50", one.measured.low, one.measured.high)
        lines.append(
            f"  {Path(one.artifact.path).name}: estimate {estimate}, measured {measured} ({interval}): {100 * one.error:+.0f} %"
        )
    error = calibration.error
    if error.n > 1:
        lines.append(
            f"  error: {100 * error.value:.0f} % (median of {error.n}; {100 * error.low:.0f} to {100 * error.high:.0f} %)"
        )
    return lines


def _table(title: str, *headings: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading)
    return table
