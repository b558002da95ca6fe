"""The sandboxed side: opens strangers' models, runs them on inputs without labels, writes down what it sees as it goes.

    python -m grading.worker JOB.json

reads the job's inputs and models and writes, into the current folder, for each slot NAME.json and NAME.npy (the float32
outputs). A slot's record is rewritten after each step and has "done": true at its end: when a model kills this process, the
parent finds what was measured before, and starts another worker for the slots that are left.
"""

import functools
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from projectkit import runtimes
from projectkit.errors import ProjectkitError
from projectkit.types import Artifact, Measurement

GRAPH = ("parameters", "nonzero_parameters", "macs", "sparsity", "weight_bits")
TIMES = ("latency_p50", "latency_p90")
TOO_MUCH_MEMORY = "needed more memory than is allowed"
OUTPUT_BYTES = 256 * 1024**2


def main(path: str) -> None:
    """Runs the job in the JSON file at `path`, as grading.remeasure writes it: inputs, baseline, slots, seconds, budget, core."""
    job = json.loads(Path(path).read_bytes())
    if job["core"] is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {job["core"]})
    inputs = np.load(job["inputs"], allow_pickle=False)
    for name, slot in job["slots"].items():
        _alarm(job["seconds"])
        _measure(name, slot, inputs, job)
    _alarm(0)


def _alarm(seconds: float) -> None:
    """Lets the kernel kill this process after `seconds`, even inside a runtime's own code. Where there is no alarm (Windows),
    the parent's wall clock alone applies."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _measure(name: str, slot: dict, inputs: np.ndarray, job: dict) -> None:
    """Everything that the checks of one slot need, in order of what is worth most when the next step kills the process."""
    record = {"step": "opening the model", "values": {}, "ratios": {}, "missing": {}, "problem": None, "done": False}
    artifact = Artifact(slot["path"], slot["format"], slot["sha256"], slot["size"])
    _write(name, record)
    try:
        with closing(runtimes.open(artifact, threads=1)) as session:
            record["step"] = "running the model on the hidden inputs"
            _write(name, record)
            _save_outputs(name, session.run(inputs))
            _optional(name, record, slot, TIMES, "timing", lambda: _times(session, inputs, record, job))
        _optional(name, record, slot, GRAPH, "reading the graph", lambda: _graph(artifact))
        for metric, step in (("peak_memory", "measuring memory"), ("energy", "measuring energy")):
            _optional(name, record, slot, (metric,), step, functools.partial(_meter, metric, artifact, inputs, job))
    except ProjectkitError as error:
        record["problem"] = _reason(error, record["step"], slot["path"])
    except MemoryError:
        record["problem"] = f"{record['step']} {TOO_MUCH_MEMORY}"
    except Exception as error:  # a runtime may raise anything on a crafted file; the record is the only way to say so
        record["problem"] = f"{record['step']} failed ({type(error).__name__}: {str(error)[:200]})"
    record["done"] = True
    _write(name, record)


def _optional(name: str, record: dict, slot: dict, metrics: tuple[str, ...], step: str, measure: Callable) -> None:
    """Runs `measure` when one of `metrics` is wanted; its failure is a reason for these metrics and spoils no other."""
    needed = [metric for metric in metrics if metric in slot["metrics"]]
    if not needed:
        return
    record["step"] = step
    _write(name, record)
    try:
        for measurement in measure():
            record["values"][measurement.metric] = _numbers(measurement)
    except (ProjectkitError, MemoryError) as error:
        reason = _reason(error, step, slot["path"]) if str(error) else f"{step} {TOO_MUCH_MEMORY}"
        record["missing"] |= {metric: reason for metric in needed}
    _write(name, record)


def _save_outputs(name: str, outputs: np.ndarray) -> None:
    if outputs.nbytes > OUTPUT_BYTES:
        raise MemoryError
    np.save(f"{name}.npy", outputs.astype(np.float32, copy=False), allow_pickle=False)


def _times(session, inputs: np.ndarray, record: dict, job: dict) -> tuple[Measurement, ...]:
    """Latency alone, or in turn with the baseline, whose ratio is what relative checks use."""
    from projectkit.measure import interleave, latency_from, ratio_from

    if not job["baseline"]:
        return latency_from(interleave([session], inputs, budget=job["budget"])[:, 0])
    with closing(runtimes.open(Artifact(**job["baseline"]), threads=1)) as baseline:
        samples = interleave([session, baseline], inputs, budget=job["budget"])
    record["ratios"]["latency_p50"] = _numbers(ratio_from(samples))
    return latency_from(samples[:, 0])


def _graph(artifact: Artifact) -> tuple[Measurement, ...]:
    from projectkit.measure import check_shapes, read_graph

    check_shapes(artifact)
    graph = read_graph(artifact)
    numbers = {metric: getattr(graph, metric) for metric in GRAPH}
    return tuple(Measurement.exact(metric, number) for metric, number in numbers.items() if number is not None)


def _meter(metric: str, artifact: Artifact, inputs: np.ndarray, job: dict) -> tuple[Measurement, ...]:
    from projectkit.measure import METERS

    return METERS[metric](artifact, inputs, threads=1, budget=job["budget"])


def _numbers(measurement: Measurement) -> list[float]:
    return [float(measurement.value), float(measurement.low), float(measurement.high), int(measurement.n)]


def _reason(error: Exception, step: str, path: str) -> str:
    """What to tell the student. The runtimes' allocators name themselves and not the cause."""
    text = str(error)
    if any(word in text for word in ("bfc_arena", "bad_alloc", "Failed to allocate", "failed to allocate")):
        return f"{step} {TOO_MUCH_MEMORY}"
    if "External data" in text:
        return (
            "its weights are said to lie in another file, expected one file that holds everything; save it without external data"
        )
    return text.replace(path, Path(path).name)[:400]


def _write(name: str, record: dict) -> None:
    temporary = Path(f"{name}.json.part")
    temporary.write_text(json.dumps(record))
    temporary.replace(f"{name}.json")


if __name__ == "__main__":
    main(sys.argv[1])
