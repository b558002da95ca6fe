"""How long each operator of a model file takes, in LiteRT and in ONNX Runtime.

ONNX Runtime has a profiler that reports every kernel. LiteRT's Python package has none (2.3: the interpreter takes no profiler,
and the benchmark command reports whole runs only). So the file is cut into files of one operator each; they run one after the
other in the model's order, so that each finds the caches as its neighbours leave them, and each call is timed. What a call costs
without an operator's work is timed with them and taken off. Whether the parts make up the whole, `Timed.whole` tells.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from projectkit.errors import ArtifactError, MeasureError
from projectkit.measure.operators import Operator
from projectkit.measure.quantiles import quantile_interval
from projectkit.runtimes.tensors import check_input
from projectkit.types import Artifact, Measurement

WARM_UP, ROUNDS_LEAST, ROUNDS_MOST = 10, 50, 1000
EXAMPLES = 64  # different inputs in turn


@dataclass(frozen=True, slots=True)
class OperatorTime:
    """One operator as it ran: what it computes and moves, and its median time in seconds."""

    operator: Operator
    seconds: Measurement


@dataclass(frozen=True, slots=True)
class Timed:
    """The operators in the order in which they ran, and the median time of the whole model in the same rounds.

    The whole takes longer than its operators together by what the runtime does between them, and a little less where two
    operators run as one.
    """

    operators: tuple[OperatorTime, ...]
    whole: Measurement

    @property
    def explained(self) -> float:
        """The sum of the operators' times / the time of the whole."""
        return sum(one.seconds.value for one in self.operators) / self.whole.value


def operator_times(artifact: Artifact, x: np.ndarray, *, threads: int = 1, budget: float = 2.0) -> Timed:
    """Times every operator of a .tflite or .onnx file on the examples x (n, ...), taken in turn, for about `budget` seconds.

    Of an .onnx file the operators are those that ONNX Runtime runs after its own optimization: fused, and with the layout it
    chooses, for which it may fill channels up and multiply more than the file asks for. Its profiler counts whole microseconds,
    so that an interval is at least one wide, and adds one or two to every operator: `Timed.explained` is above 1 then. Raises
    ArtifactError when the file cannot be opened or cut, or when x does not fit it.
    """
    timers = {"litert": _litert, "onnx": _onnx}
    if artifact.format not in timers:
        raise ArtifactError(f"{artifact.path}: operators of format {artifact.format!r} cannot be timed; expected litert or onnx.")
    if threads < 1 or not len(x) or not budget > 0:
        raise MeasureError(f"operator_times: got {threads} threads, {len(x)} inputs, {budget} s; needs at least one of each.")
    return timers[artifact.format](artifact, x[:EXAMPLES], threads, budget)


def _litert(artifact: Artifact, x: np.ndarray, threads: int, budget: float) -> Timed:
    from projectkit.measure.litert_times import Cut

    cut = Cut(artifact, threads)
    x = check_input(x, cut.source.shape, artifact.path)
    rounds = [cut.run(example)[:2] for example in _examples(x, budget, cut.run)]
    seconds = np.array([times for times, _ in rounds])
    return _timed(cut.operators, seconds, np.array([whole for _, whole in rounds]), resolution=0.0)


def _onnx(artifact: Artifact, x: np.ndarray, threads: int, budget: float) -> Timed:
    from projectkit.measure.onnx_times import RESOLUTION, Profiled

    profiled = Profiled(artifact, threads)
    x = check_input(x, profiled.source.shape, artifact.path)
    whole = [profiled.run(example) for example in _examples(x, budget, profiled.run)]
    operators, seconds = profiled.close()
    return _timed(operators, seconds[-len(whole) :], np.array(whole), resolution=RESOLUTION)


def _examples(x: np.ndarray, budget: float, run: Callable[[np.ndarray], object]) -> Iterator[np.ndarray]:
    """Warms `run` up, then yields examples (1, ...) in turn until the budget is spent."""
    for _ in range(WARM_UP):
        run(x[:1])
    stop = time.perf_counter() + budget
    for index in range(ROUNDS_MOST):
        if index >= ROUNDS_LEAST and time.perf_counter() > stop:
            return
        start = index % len(x)
        yield x[start : start + 1]


def _timed(operators: Sequence[Operator], seconds: np.ndarray, whole: np.ndarray, resolution: float) -> Timed:
    """seconds (rounds, operators), whole (rounds,); what was measured lies up to `resolution` below the truth."""

    def median(samples: np.ndarray, resolution: float) -> Measurement:
        low, high = quantile_interval(samples, 0.5)
        value = float(np.median(samples)) + resolution / 2
        return Measurement("latency_p50", value, min(low, value), high + resolution, len(samples))

    pairs = zip(operators, seconds.T, strict=True)
    return Timed(tuple(OperatorTime(operator, median(samples, resolution)) for operator, samples in pairs), median(whole, 0.0))
