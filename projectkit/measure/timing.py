"""Latency: batch 1, warmed up, on pinned threads, with intervals; several models are timed in turn, never one after another.

A machine's speed drifts (frequency, temperature, neighbours) by more than most models differ. Timing A and B alternately
lets the drift fall on both, so that their ratio stands still while their milliseconds do not. What stays: where a session's
buffers happen to lie in memory. Two sessions of the same small file differ by up to about 1 %, and no interval shows that.
"""

import gc
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import numpy as np

from projectkit.errors import MeasureError
from projectkit.measure.quantiles import quantile_interval
from projectkit.runtimes import open as open_model
from projectkit.types import Artifact, Measurement, Session

ROUNDS_LEAST, ROUNDS_MOST = 50, 1000  # 50 give the 90th percentile an interval; 1000 a median narrower than sessions differ
EXAMPLES = 64  # different inputs in turn: a single one would favour whatever its values favour
RESOLUTION_SHARE = 0.01  # a sample lasts at least 100 ticks of the timer
RESAMPLES = 1000


def latency(artifact: Artifact, x: np.ndarray, *, threads: int = 1, budget: float = 1.0) -> tuple[Measurement, Measurement]:
    """(latency_p50, latency_p90) in seconds per inference of one example, measured for about `budget` seconds.

    x: (n, ...) float32 inputs, taken in turn. The intervals are those of `quantile_interval`. What is timed is
    `Session.run`: floats in, floats out, the quantization of input and output included.
    """
    with closing(open_model(artifact, threads=threads)) as session:
        return latency_from(interleave([session], x, budget=budget)[:, 0])


def compare_latency(session: Session, baseline: Session, x: np.ndarray, *, budget: float = 1.0, seed: int = 0) -> Measurement:
    """latency_ratio: median latency of `session` / median latency of `baseline`, timed A B, B A, A B, …

    Below 1 the session is faster. `budget` seconds for each of the two; the interval is that of `ratio_from`.
    """
    return ratio_from(interleave([session, baseline], x, budget=budget), seed=seed)


def interleave(sessions: Sequence[Session], x: np.ndarray, *, budget: float = 1.0) -> np.ndarray:
    """Seconds per inference, (rounds, sessions): every round times each session once.

    Rounds come in pairs, one in random order and one in the reverse (A B, B A): what a model leaves in the caches slows or
    speeds the next one, so that each has to follow every other. x: (n, ...) inputs; all sessions of a round get the same
    example. About `budget` seconds per session, but at least 50 and at most 1000 rounds. Where one call is too short for the
    timer, a sample is the mean of several calls, so that the timer's resolution stays below 1 % of it.
    """
    if not len(sessions) or not len(x) or not budget > 0:
        raise MeasureError(f"latency: got {len(sessions)} sessions, {len(x)} inputs, {budget} s; needs at least one of each.")
    examples = [np.ascontiguousarray(x[index : index + 1]) for index in range(min(len(x), EXAMPLES))]
    costs = [_warm_up(session, examples, budget / 10) for session in sessions]
    calls = [max(1, math.ceil(_resolution() / (RESOLUTION_SHARE * cost))) for cost in costs]
    a_round = sum(cost * count for cost, count in zip(costs, calls, strict=True))
    rounds = int(min(max(budget * len(sessions) / a_round, ROUNDS_LEAST), ROUNDS_MOST))
    samples = np.empty((rounds, len(sessions)))
    random, order = np.random.default_rng(0), np.arange(len(sessions))
    with _no_garbage_collection():
        for index in range(rounds):
            order = random.permutation(len(sessions)) if index % 2 == 0 else order[::-1]
            for which in order.tolist():
                samples[index, which] = _time(sessions[which], examples[index % len(examples)], calls[which])
    return samples


def latency_from(samples: np.ndarray) -> tuple[Measurement, Measurement]:
    """(latency_p50, latency_p90) of `samples` (n,) in seconds, with their 95 % intervals from order statistics."""

    def quantile(metric: str, q: float) -> Measurement:
        low, high = quantile_interval(samples, q)
        return Measurement(metric, float(np.quantile(samples, q)), low, high, len(samples))

    return quantile("latency_p50", 0.5), quantile("latency_p90", 0.9)


def ratio_from(samples: np.ndarray, *, seed: int = 0) -> Measurement:
    """latency_ratio: median of the first column / median of the second of `samples` (rounds, 2), with its 95 % interval.

    The interval is a percentile bootstrap over blocks of consecutive rounds (H. R. Künsch, "The jackknife and the bootstrap
    for general stationary observations", Annals of Statistics 17, 1989): a round keeps its pair together and a block its
    neighbours, because samples close in time resemble each other. The block length is of the order rounds^(1/3).
    """
    rounds = len(samples)
    if samples.ndim != 2 or samples.shape[1] != 2 or rounds < ROUNDS_LEAST:
        raise MeasureError(f"latency_ratio: got samples of shape {samples.shape}, expected (rounds ≥ {ROUNDS_LEAST}, 2).")
    length = 2 * math.ceil(rounds ** (1 / 3) / 2)  # even: A B and B A stay together
    starts = np.random.default_rng(seed).integers(0, rounds - length + 1, size=(RESAMPLES, rounds // length))
    ratios = _medians(samples[:, 0], starts, length) / _medians(samples[:, 1], starts, length)
    value = float(np.median(samples[:, 0]) / np.median(samples[:, 1]))
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Measurement("latency_ratio", value, min(float(low), value), max(float(high), value), rounds)


def _medians(samples: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Medians (resamples,) of the blocks of `length` that begin at starts (resamples, blocks).

    As numpy.median of every resample, but on ranks, which fit into 16 bits, and with one pivot: ten times as fast, and a
    grader does this for every submission.
    """
    order = np.argsort(samples, kind="stable")
    ranks = np.empty(len(samples), np.min_scalar_type(len(samples)))
    ranks[order] = np.arange(len(samples))
    drawn = np.lib.stride_tricks.sliding_window_view(ranks, length)[starts].reshape(len(starts), -1)
    middle = drawn.shape[1] // 2  # an even number: the length is even
    drawn.partition(middle, axis=1)
    ranked = samples[order]
    return (ranked[drawn[:, :middle].max(axis=1)] + ranked[drawn[:, middle]]) / 2


def _warm_up(session: Session, examples: list[np.ndarray], seconds: float) -> float:
    """Runs until the first slow calls (allocation, caches, frequency) are over; the usual seconds a call."""
    times: list[float] = []
    stop = time.perf_counter() + seconds
    while len(times) < 5 or (time.perf_counter() < stop and len(times) < ROUNDS_MOST):
        times.append(_time(session, examples[len(times) % len(examples)], 1))
    return float(np.median(times[len(times) // 2 :]))


def _time(session: Session, example: np.ndarray, calls: int) -> float:
    start = time.perf_counter_ns()
    for _ in range(calls):
        session.run(example)
    return (time.perf_counter_ns() - start) * 1e-9 / calls


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
