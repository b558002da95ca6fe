"""Everything there is to measure of a model file, in one call."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Protocol

import numpy as np

from projectkit.errors import ArtifactError, NotHere
from projectkit.measure.arena import arena
from projectkit.measure.compression import compressed_size
from projectkit.measure.counting import read_graph
from projectkit.measure.energy_meter import compare_energy, energy
from projectkit.measure.graph import Graph
from projectkit.measure.lifetimes import Lifetimes, read_lifetimes
from projectkit.measure.machine import device
from projectkit.measure.memory import peak_memory
from projectkit.measure.patterns import Patterns, read_patterns
from projectkit.measure.quality import accuracy
from projectkit.measure.symmetric import Symmetric, read_symmetric
from projectkit.measure.timing import latency, latency_from, ratio_from, time_openings
from projectkit.metrics import PROFILE_METRICS
from projectkit.runtimes import open as open_model
from projectkit.types import Artifact, Measurement, Profile, Split


class Meter(Protocol):
    """Measures a model file on the example inputs x (n, ...) float32, with a runtime on `threads` threads, for about `budget`
    seconds. Raises NotHere(reason) where this machine cannot measure it, ArtifactError when the file cannot be run.

    It takes the file and not an opened session, because memory can only be seen by a process that has not opened the file yet.
    """

    def __call__(
        self, artifact: Artifact, x: np.ndarray, *, threads: int = 1, budget: float = 1.0
    ) -> tuple[Measurement, ...]: ...


METERS: Mapping[str, Meter] = {"latency": latency, "peak_memory": peak_memory, "arena": arena, "energy": energy}
IN_TURN = ("latency", "energy")
# What is read from a file: the metrics of the file are attributes of these.
READERS: Mapping[type, Callable[[Artifact], object]] = {
    Graph: read_graph,
    Patterns: read_patterns,
    Lifetimes: read_lifetimes,
    Symmetric: read_symmetric,
}


def metrics_of(found: type) -> tuple[str, ...]:
    """The metrics that are attributes of `found`, one of READERS."""
    return tuple(metric for metric in PROFILE_METRICS if hasattr(found, metric))


def profile(
    artifact: Artifact, data: Split, *, threads: int = 1, budget: float = 1.0, baseline: Artifact | None = None
) -> Profile:
    """Measures `artifact` on `data`: every metric of PROFILE_METRICS is in `values`, or in `missing` with the reason.

    With a `baseline` also latency_ratio = latency / baseline's latency, both timed in turn. Raises ArtifactError when the
    file cannot be read or run, MeasureError when its outputs are no logits for these labels.
    """
    return compare([artifact], data, threads=threads, budget=budget, baseline=baseline)[0]


def compare(
    artifacts: Sequence[Artifact],
    data: Split | np.ndarray,
    *,
    threads: int = 1,
    budget: float = 1.0,
    baseline: Artifact | None = None,
) -> list[Profile]:
    """Profiles of several artifacts whose latencies are comparable: all are opened and timed in turn, several times.

    `data` may be inputs without labels, (n, ...): the accuracy is missing then. `budget`: seconds of timing per artifact.
    `baseline`: each artifact is timed alternately with it alone, without the company of the others. Raises what `profile` raises.
    """
    x, labels = (data.x, data.y) if isinstance(data, Split) else (data, None)
    groups = [[partial(open_model, one, threads=threads) for one in (artifact, baseline) if one] for artifact in artifacts]
    qualities = [[] if labels is None else [_accuracy(artifact, x, labels, threads)] for artifact in artifacts]
    energies, no_energy = _energies(artifacts, x, threads, budget)
    timed = time_openings(groups, x, budget=budget) if groups else []
    profiles = []
    for artifact, quality, openings, joules in zip(artifacts, qualities, timed, energies, strict=True):
        measured = [*quality, *latency_from(openings), *joules]
        if baseline:
            measured.append(ratio_from(openings))
        counted, uncounted = counts(artifact)
        metered, missing = _metered(artifact, x, threads, budget)
        missing |= {"accuracy": "no labels were given, only inputs"} if labels is None else {}
        values = {value.metric: value for value in (*measured, *counted, *metered)}
        profiles.append(Profile(artifact, device(), values, uncounted | missing | no_energy))
    return profiles


def _accuracy(artifact: Artifact, x: np.ndarray, labels: np.ndarray, threads: int) -> Measurement:
    with closing(open_model(artifact, threads=threads)) as session:
        return accuracy(session.run(x), labels)


def counts(artifact: Artifact) -> tuple[list[Measurement], dict[str, str]]:
    """(sizes and what READERS find, exact; why the ones that are not there could not be counted)."""
    numbers: dict[str, float] = {"size": artifact.size, "compressed_size": compressed_size(artifact.path)}
    missing: dict[str, str] = {}
    for kind, read in READERS.items():
        metrics = metrics_of(kind)
        try:
            found = read(artifact)
        except ArtifactError as error:  # such as a file with a loop: it runs, but its work is not in the file
            missing |= dict.fromkeys(metrics, str(error).removeprefix(f"{artifact.path}: "))
            continue
        for metric in metrics:
            try:
                number = getattr(found, metric)
            except ArtifactError as error:  # the others are there
                missing[metric] = str(error)
                continue
            if number is None:
                missing[metric] = "no layer of this file stores weights"
            else:
                numbers[metric] = number
    return [Measurement.exact(metric, number) for metric, number in numbers.items()], missing


def _energies(
    artifacts: Sequence[Artifact], x: np.ndarray, threads: int, budget: float
) -> tuple[list[list[Measurement]], dict[str, str]]:
    """(the energy of each file, all of them in turn; why it is missing)"""
    try:
        return [[found] for found in compare_energy(artifacts, x, threads=threads, budget=budget)], {}
    except NotHere as reason:
        return [[] for _ in artifacts], {"energy": str(reason)}


def _metered(artifact: Artifact, x: np.ndarray, threads: int, budget: float) -> tuple[list[Measurement], dict[str, str]]:
    """(values, missing) of every meter but those of IN_TURN, for which `compare` has the files take turns."""
    values: list[Measurement] = []
    missing: dict[str, str] = {}
    for name, meter in METERS.items():
        if name in IN_TURN:
            continue
        try:
            values += meter(artifact, x, threads=threads, budget=budget)
        except NotHere as reason:
            missing[name] = str(reason)
    return values, missing
