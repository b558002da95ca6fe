"""Latency: the time a runtime takes to answer one example, warmed up, over several openings of the file.

What is timed is `Session.invoke`: the input is converted and set before the clock starts, the output is read after it has
stopped, and what these two take is a metric of its own, io_time.

Three things change a time besides the model, and each is met:
* A machine's speed drifts (frequency, temperature, neighbours) by more than most models differ. A model and its baseline are
  timed alternately, so that the drift falls on both and their ratio stands still while their milliseconds do not.
* Whoever ran before leaves its data in the caches and its threads asleep. An untimed call comes before each sample.
* Where an opening happens to place its weights and buffers in memory changes its time, for as long as it is open. So the file is
  opened anew several times, at places that differ, and the intervals are over openings, not over calls.
"""

import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from projectkit.errors import MeasureError
from projectkit.measure.intervals import student_interval
from projectkit.runtimes import open as open_model
from projectkit.types import Artifact, Measurement, Session

OPENINGS, OPENINGS_LEAST = 8, 3  # an interval over fewer is too wide to be of use, or cannot be had
SLICE = 0.125  # seconds a file that an opening is timed at most: where there is more time, there are more openings
ROUNDS_LEAST, ROUNDS_MOST = 12, 250  # of an opening; three openings then hold a 90th percentile
UNTIMED = 1  # call before a sample: with it, a model takes beside another what it takes alone; more change nothing
EXAMPLES = 64  # different inputs in turn: a single one would favour whatever its values favour
RESOLUTION_SHARE = 0.01  # a sample lasts at least 100 ticks of the timer
BUDGETS = 2  # times the budget, after which there are fewer openings
DISPLACEMENT = 2**16  # bytes, at most, by which the place of an opening differs from that of the one before


@dataclass(frozen=True, slots=True, eq=False)
class Opening:
    """What was timed while the files were open once. calls: (rounds, files) seconds of `invoke` a call; io: (rounds, files)
    seconds of `set_input` and `get_output` of one example."""

    calls: np.ndarray
    io: np.ndarray


Examples = dict[int, np.ndarray]  # inputs (1, ...) by their places in x
Open = Callable[[], Session]
Seen = Callable[[int, int, np.ndarray], None]  # a file's place in its group, the example's in the inputs, the answer (1, ...)


def latency(
    artifact: Artifact, x: np.ndarray, *, threads: int = 1, budget: float = 1.0
) -> tuple[Measurement, Measurement, Measurement]:
    """(latency_p50, latency_p90, io_time) in seconds per inference of one example, measured for about `budget` seconds.

    x: (n, ...) float32 inputs, taken in turn. Values and intervals are those of `latency_from`.
    """
    return latency_from(time_openings([[partial(open_model, artifact, threads=threads)]], x, budget=budget)[0])


def compare_latency(
    artifact: Artifact, baseline: Artifact, x: np.ndarray, *, threads: int = 1, budget: float = 1.0
) -> Measurement:
    """latency_ratio: latency of `artifact` / latency of `baseline`, timed A B, B A, A B, …

    Below 1 the artifact is faster. x: (n, ...) float32 inputs; `budget` seconds for each of the two; the interval is that of
    `ratio_from`.
    """
    pair = [partial(open_model, one, threads=threads) for one in (artifact, baseline)]
    return ratio_from(time_openings([pair], x, budget=budget)[0])


def time_openings(
    groups: Sequence[Sequence[Open]], x: np.ndarray, *, budget: float = 1.0, seen: Seen | None = None
) -> list[list[Opening]]:
    """What was timed in several openings of each group of files, each given by a function that opens it.

    Files of a group are open at the same time and timed alternately; the groups, each one file or a file and its baseline, take
    turns, so that no group has another's company. x: (n, ...) inputs, of which each opening takes EXAMPLES by chance; every file
    of a round gets the same one. `seen` is told what a file answered after each sample, when the clock stands. About `budget`
    seconds a file, for OPENINGS openings or one in SLICE; where opening or calling takes so long that these would need more than
    twice that, fewer, but at least OPENINGS_LEAST, and the intervals are wider. Raises MeasureError for no files, inputs or
    seconds, and what opening or running a file raises.
    """
    files = sum(len(group) for group in groups)
    if not files or not len(x) or not budget > 0:
        raise MeasureError(f"latency: got {files} files, {len(x)} inputs, {budget} s; needs at least one of each.")
    random, found = np.random.default_rng(), [list[Opening]() for _ in groups]
    count = max(OPENINGS, round(budget / SLICE))
    with _no_garbage_collection():
        start = time.perf_counter()
        for turn in range(count):
            for which in random.permutation(len(groups)).tolist():
                found[which].append(_one_opening(groups[which], x, budget / count, random, seen))
            if turn == 0:
                start = time.perf_counter()  # the first time also loads the runtime
            if turn + 1 >= OPENINGS_LEAST and time.perf_counter() - start > BUDGETS * budget * files:
                break
    return found


def interleave(sessions: Sequence[Session], x: np.ndarray, *, budget: float = 1.0) -> np.ndarray:
    """Seconds per inference, (rounds, sessions), of one opening: every round times each session once.

    x: (n, ...) inputs, of which a round takes one; about `budget` seconds per session. One opening says nothing of how much
    openings differ: `time_openings` does.
    """
    if not len(sessions) or not len(x) or not budget > 0:
        raise MeasureError(f"latency: got {len(sessions)} sessions, {len(x)} inputs, {budget} s; needs at least one of each.")
    random = np.random.default_rng()
    with _no_garbage_collection():
        return _alternate(sessions, _examples(x, random), budget, random, None).calls


def latency_from(openings: Sequence[Opening], column: int = 0) -> tuple[Measurement, Measurement, Measurement]:
    """(latency_p50, latency_p90, io_time) in seconds of the file `column`, with 95 % intervals as `over_openings` says: of each
    opening the median and the 90th percentile of its calls, and the median of its conversions."""
    calls, io = [one.calls[:, column] for one in openings], [one.io[:, column] for one in openings]
    return (
        over_openings("latency_p50", [np.median(samples) for samples in calls]),
        over_openings("latency_p90", [np.quantile(samples, 0.9) for samples in calls]),
        over_openings("io_time", [np.median(samples) for samples in io]),
    )


def ratio_from(openings: Sequence[Opening], column: int = 0, baseline: int = -1) -> Measurement:
    """latency_ratio: latency of the file `column` / that of `baseline`, timed in turn, with its 95 % interval by `over_openings`.

    The ratio of an opening is the quotient of the two medians of its calls.
    """
    medians = [np.median(one.calls, axis=0) for one in openings]
    return over_openings("latency_ratio", [one[column] / one[baseline] for one in medians])


def over_openings(metric: str, values: Sequence[float]) -> Measurement:
    """The geometric mean of one positive value an opening, with its 95 % interval and n = openings.

    The interval is `student_interval` of the logarithms: openings are independent draws, while calls within one are not. Raises
    MeasureError for fewer than two values.
    """
    if len(values) < 2 or not min(values) > 0:
        raise MeasureError(f"{metric}: got {len(values)} openings, expected two or more with times above 0.")
    value, low, high = (math.exp(one) for one in student_interval(np.log(values)))
    return Measurement(metric, value, min(low, value), max(high, value), len(values))


def _examples(x: np.ndarray, random: np.random.Generator) -> Examples:
    return {index: np.ascontiguousarray(x[index : index + 1]) for index in random.permutation(len(x))[:EXAMPLES].tolist()}


def _one_opening(group: Sequence[Open], x: np.ndarray, budget: float, random: np.random.Generator, seen: Seen | None) -> Opening:
    """What was timed while the files of `group` were open once, at other places in memory than the time before."""
    displacement = [np.empty(size, np.uint8) for size in random.integers(1, DISPLACEMENT, 4)]
    sessions: dict[int, Session] = {}
    with ExitStack() as stack:
        for which in random.permutation(len(group)).tolist():
            sessions[which] = stack.enter_context(closing(group[which]()))
            displacement.append(np.empty(random.integers(1, DISPLACEMENT), np.uint8))
        return _alternate([sessions[which] for which in range(len(group))], _examples(x, random), budget, random, seen)


def _alternate(
    sessions: Sequence[Session], examples: Examples, budget: float, random: np.random.Generator, seen: Seen | None
) -> Opening:
    """Rounds for about `budget` seconds a session. They come in pairs, one in random order and one in the reverse (A B, B A), so
    that each has to follow every other. Where a call is too short for the timer, a sample is the mean of several."""
    places, inputs = list(examples), list(examples.values())
    costs = [_warm_up(session, inputs, budget / 10) for session in sessions]
    # As many for each, so that reading the clock weighs the same.
    calls = max(1, math.ceil(_resolution() / (RESOLUTION_SHARE * min(costs))))
    a_round = sum(costs) * (calls + UNTIMED)
    rounds = int(min(max(budget * len(sessions) / a_round, ROUNDS_LEAST), ROUNDS_MOST))
    opening = Opening(np.empty((rounds, len(sessions))), np.empty((rounds, len(sessions))))
    order = np.arange(len(sessions))
    for index in range(rounds):
        order = random.permutation(len(sessions)) if index % 2 == 0 else order[::-1]
        for which in order.tolist():
            taken, io, answer = _time(sessions[which], inputs[index % len(inputs)], calls, UNTIMED)
            opening.calls[index, which], opening.io[index, which] = taken, io
            if seen:
                seen(which, places[index % len(places)], answer)
    return opening


def _warm_up(session: Session, examples: list[np.ndarray], seconds: float) -> float:
    """Runs until the first slow calls (allocation, caches, frequency) are over; the usual seconds a call."""
    session.run(examples[0])  # says what is wrong with a file that cannot run
    times: list[float] = []
    stop = time.perf_counter() + seconds
    while len(times) < 5 or (time.perf_counter() < stop and len(times) < ROUNDS_MOST):
        times.append(_time(session, examples[len(times) % len(examples)], 1, 0)[0])
    return float(np.median(times[len(times) // 2 :]))


def _time(session: Session, example: np.ndarray, calls: int, untimed: int) -> tuple[float, float, np.ndarray]:
    """(seconds of a call, seconds of setting the input and reading the output, the output)"""
    began = time.perf_counter_ns()
    session.set_input(example)
    is_set = time.perf_counter_ns()
    for _ in range(untimed):
        session.invoke()
    start = time.perf_counter_ns()
    for _ in range(calls):
        session.invoke()
    done = time.perf_counter_ns()
    answer = session.get_output()
    end = time.perf_counter_ns()
    return (done - start) * 1e-9 / calls, (is_set - began + end - done) * 1e-9, answer


def _resolution() -> float:
    """The smallest step in seconds that two readings of the timer show; what it claims of itself is often finer."""
    readings = np.array([time.perf_counter_ns() for _ in range(1000)])
    steps = np.diff(readings)
    return float(steps[steps > 0].min()) * 1e-9


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A collection in the middle of a sample would be charged to the model."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
