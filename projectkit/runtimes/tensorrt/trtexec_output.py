"""Reads what trtexec prints and exports; both lines write the same. Times are in seconds here, in milliseconds there.

Source: github.com/NVIDIA/TensorRT, samples/common/sampleReporting.cpp, tags v10.3.0, v10.16, v11.1.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from projectkit.errors import ArtifactError

_NUMBER = r"([\d.eE+-]+|inf|nan)"
_PREFIX = r"^(?:\[[^\]]*\] \[\w\] )?"
_TIMES = re.compile(
    _PREFIX
    + rf"(Latency|Enqueue Time|H2D Latency|GPU Compute Time|D2H Latency): min = {_NUMBER} ms, max = {_NUMBER} ms, "
    + rf"mean = {_NUMBER} ms, median = {_NUMBER} ms(.*)$",
    re.MULTILINE,
)
_PERCENTILE = re.compile(rf"percentile\({_NUMBER}%\) = {_NUMBER} ms")
_ONE = {  # field of Summary → the line that it stands in, and what it is multiplied with
    "throughput": (rf"Throughput: {_NUMBER} qps", 1.0),
    "walltime": (rf"Total Host Walltime: {_NUMBER} s", 1.0),
    "compute_total": (rf"Total GPU Compute Time: {_NUMBER} s", 1.0),
    "build_time": (rf"Engine built in {_NUMBER} sec", 1.0),
    "engine_size": (rf"Created engine with size: {_NUMBER} MiB", 2.0**20),
}
_KINDS = {
    "Latency": "latency",
    "Enqueue Time": "enqueue",
    "H2D Latency": "to_device",
    "GPU Compute Time": "compute",
    "D2H Latency": "from_device",
}
_WARNING = re.compile(r"^(?:\[[^\]]*\] \[W\] )?\* (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Times:
    """One line of the summary, in seconds. percentiles: by percent."""

    least: float
    most: float
    mean: float
    median: float
    percentiles: Mapping[float, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summary:
    """The performance summary of a run; what it did not print is None.

    throughput: inferences per second; the others in seconds; engine_size: bytes; warnings: why the times may not mean much.
    `latency` is to_device + compute + from_device, without the transfers where they were left out.
    """

    passed: bool
    throughput: float | None = None
    latency: Times | None = None
    enqueue: Times | None = None
    to_device: Times | None = None
    compute: Times | None = None
    from_device: Times | None = None
    walltime: float | None = None
    compute_total: float | None = None
    build_time: float | None = None
    engine_size: float | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerTime:
    """A layer of the engine in --exportProfile: seconds over all runs, their mean and median, its share of the whole."""

    name: str
    total: float
    mean: float
    median: float
    share: float


def parse_summary(text: str) -> Summary:
    """Reads trtexec's output, with or without time stamps in front of its lines. Never raises: a run that failed prints less."""
    one = {name: factor * float(match[1]) for name, (line, factor) in _ONE.items() if (match := re.search(line, text))}
    times: dict[str, Times] = {}
    for kind, *numbers, rest in _TIMES.findall(text):
        least, most, mean, median = (float(number) / 1000 for number in numbers)
        percentiles = {float(percent): float(value) / 1000 for percent, value in _PERCENTILE.findall(rest)}
        times[_KINDS[kind]] = Times(least, most, mean, median, percentiles)
    return Summary(
        passed="&&&& PASSED" in text,
        throughput=one.get("throughput"),
        latency=times.get("latency"),
        enqueue=times.get("enqueue"),
        to_device=times.get("to_device"),
        compute=times.get("compute"),
        from_device=times.get("from_device"),
        walltime=one.get("walltime"),
        compute_total=one.get("compute_total"),
        build_time=one.get("build_time"),
        engine_size=one.get("engine_size"),
        warnings=tuple(_WARNING.findall(text)),
    )


def parse_profile(text: str) -> tuple[LayerTime, ...]:
    """Reads --exportProfile: a list whose first element holds the number of runs. Raises ArtifactError when it is none."""
    try:
        head, *layers = json.loads(text)
        if "count" not in head:
            raise KeyError("count")
        return tuple(
            LayerTime(
                layer["name"],
                layer["timeMs"] / 1000,
                layer["averageMs"] / 1000,
                layer["medianMs"] / 1000,
                layer["percentage"] / 100,
            )
            for layer in layers
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"this is no profile of trtexec ({type(error).__name__}: {error}). Export it with --exportProfile=FILE."
        ) from error


def parse_times(text: str) -> dict[str, np.ndarray]:
    """Reads --exportTimes: the seconds of each inference, (n,) float64, under "to_device", "compute", "from_device", "latency".

    Raises ArtifactError when it is none.
    """
    fields = {"to_device": "h2dMs", "compute": "computeMs", "from_device": "d2hMs", "latency": "latencyMs"}
    try:
        rows = json.loads(text)
        if not isinstance(rows, list):
            raise TypeError("no list of inferences")
        return {name: np.array([row[field] for row in rows], dtype=np.float64) / 1000 for name, field in fields.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"these are no times of trtexec ({type(error).__name__}: {error}). Export them with --exportTimes=FILE."
        ) from error
