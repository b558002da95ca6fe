"""Two small networks in two runtimes: float32 and int8, fused and not, on one thread and on two, against this machine's roofline.

    python benchmarks/deployment.py      about five minutes on two quiet cores; goes on where it stopped

Ratios are of median latencies in one run, timed in turn, to LiteRT in float32 on one thread. Weights are random, because time
does not depend on them, and inputs are of the size of CIFAR-10's and of the visual wake words'. Not fused means for LiteRT the
same file with normalization (× 1, + 0) and activations as operators of their own, and for ONNX Runtime the same file with its
graph optimization off, in which the converter has folded the normalization already. Threads of ONNX Runtime spin while they
wait: each runtime's runs on two threads have a loop of their own, with the baseline in it. The share of the roofline is the sum
over the operators of the file of max(MACs / peak, bytes / bandwidth of the memory), divided by the time of the runtime's own call
(a latency holds the quantization of an int8 file's input, too, which is done before the call).
"""

import tempfile
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import numpy as np

from projectkit import export, measure, models, runtimes
from projectkit.devices.measured_roofline import measure_roofline
from projectkit.devices.roofline import seconds
from projectkit.types import Artifact
from record import Raw, row, write_rows

# isort: split
import tf_keras as keras

COMMAND = "python benchmarks/deployment.py"
NOTE = (
    "random weights; `latency_ratio`: to LiteRT in float32 on one thread, whose seconds are `latency`, timed in turn in the "
    "same run; `roofline_share`: the roofline's time over that of the runtime's call, on one thread, above 1 where tensors stay "
    "in the cache"
)
ROUNDS, BUDGET = 5, 0.5  # seconds of timing for a session in a round
NETWORKS = {
    "resnet8": partial(models.BUILDERS["resnet8"], (32, 32, 3), 10),
    "mobilenet": partial(
        keras.applications.MobileNet, (96, 96, 3), alpha=0.25, weights=None, classes=2, classifier_activation=None
    ),
}
SUFFIXES = {"litert": "tflite", "ort": "onnx"}
PRECISIONS = ("float32", "int8")
BASELINE = ("litert", "float32", True, 1)  # runtime, precision, fused, threads
ONE_THREAD = tuple((runtime, precision, fused, 1) for runtime in SUFFIXES for precision in PRECISIONS for fused in (True, False))
LOOPS = (
    ONE_THREAD,
    *((BASELINE, *((*way[:3], 2) for way in ONE_THREAD if way[0] == runtime)) for runtime in SUFFIXES),
)


def write_files(network: str, folder: Path) -> dict[tuple[str, str], Artifact]:
    """(runtime, precision) → the file of a network with random weights."""
    keras.utils.set_random_seed(0)
    model = NETWORKS[network]()
    x = images(network)
    return {
        (runtime, precision): export.write(
            model, folder / f"{network}_{precision}.{suffix}", compare=x[:8], precision=precision, calibrate=x
        ).artifact
        for runtime, suffix in SUFFIXES.items()
        for precision in PRECISIONS
    }


def images(network: str) -> np.ndarray:
    """(64, height, width, 3): noise, of which the time of a convolution does not depend."""
    side = {"resnet8": 32, "mobilenet": 96}[network]
    return np.random.default_rng(0).random((64, side, side, 3), dtype=np.float32)


def open_way(way: tuple, files: dict, folder: Path):
    """A session of one way to run a network."""
    runtime, precision, fused, threads = way
    artifact = files[runtime, precision]
    if fused:
        return runtimes.open(artifact, threads=threads)
    if runtime == "ort":
        return runtimes.open(artifact, threads=threads, variant="none")
    return runtimes.open(export.unfuse(artifact, folder / f"apart_{precision}_{threads}.tflite"), threads=threads)


def one_round(network: str, files: dict, folder: Path) -> dict[str, float]:
    """Key without its beginning → a ratio or a share; "baseline": its latency in seconds."""
    found, x = {}, images(network)
    roof = measure_roofline(budget=3.0).roofline
    for loop in LOOPS:
        with ExitStack() as stack:
            sessions = [stack.enter_context(closing(open_way(way, files, folder))) for way in loop]
            medians = np.median(measure.interleave(sessions, x, budget=BUDGET), axis=0)
        latencies = dict(zip(loop, medians.tolist(), strict=True))
        for way, latency in latencies.items():
            if loop is ONE_THREAD or way != BASELINE:
                found[key_of(way)] = latency / latencies[BASELINE]
    found["baseline"] = latencies[BASELINE]
    for (runtime, precision), artifact in files.items():
        call = measure.operator_times(artifact, x, budget=BUDGET).whole.value
        found[f"{runtime}.{precision}.roofline_share"] = least_seconds(artifact, roof) / call
    return found


def key_of(way: tuple) -> str:
    """ "litert.float32.latency_ratio" for the usual way: fused, on one thread; else "….latency_ratio_unfused" and the like."""
    runtime, precision, fused, threads = way
    metric = "_".join(["latency_ratio"] + ["unfused"] * (not fused) + ["two_threads"] * (threads == 2))
    return f"{runtime}.{precision}.{metric}"


def least_seconds(artifact: Artifact, roof) -> float:
    """The roofline's time for all operators of a file, one after the other."""
    operators = measure.read_operators(artifact)
    return sum(seconds(roof, operator.macs, operator.moved_bytes, operator.dtype) for operator in operators)


def rows_of(network: str, rounds: list[dict[str, float]]) -> list[dict]:
    rows = []
    for key in rounds[0]:
        samples = [one[key] for one in rounds]
        if key == "baseline":
            rows.append(row(f"deploy.{network}.litert.float32.latency", samples, "s", COMMAND, NOTE))
        else:
            rows.append(row(f"deploy.{network}.{key}", samples, "", COMMAND, NOTE))
    return rows


def main() -> None:
    raw, rows = Raw("deployment"), []
    with tempfile.TemporaryDirectory() as folder:
        for network in NETWORKS:
            keys = [f"{network}.{index}" for index in range(ROUNDS)]
            files = {} if all(key in raw for key in keys) else write_files(network, Path(folder))
            rows += rows_of(network, [raw.take(key, lambda: one_round(network, files, Path(folder))) for key in keys])  # noqa: B023
    write_rows("deployment", rows)


if __name__ == "__main__":
    main()
