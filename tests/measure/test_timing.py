"""Quantiles, their intervals and the ratio of latencies: the statistics exactly, the clock only by its order."""

import gc
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from scipy import stats

from models_by_hand import onnx_model, saved
from projectkit.errors import MeasureError
from projectkit.measure import compare_latency, interleave, latency, latency_from, quantile_interval, ratio_from
from projectkit.measure.quantiles import order_statistics
from projectkit.runtimes import open as open_model
from projectkit.types import Artifact


@given(st.integers(1, 2500), st.floats(0.02, 0.98), st.sampled_from([0.8, 0.95, 0.99]))
def test_positions_are_the_binomial_quantiles(n, q, confidence):
    lower, upper = order_statistics(n, q, confidence)
    tail = (1 - confidence) / 2
    assert (lower, upper) == (stats.binom.ppf(tail, n, q), stats.binom.ppf(1 - tail, n, q) + 1)


@pytest.mark.parametrize("q", [0.5, 0.9])
def test_the_interval_covers_the_true_quantile_in_95_of_100_cases(q):
    rng, runs = np.random.default_rng(0), 2000
    truth = stats.lognorm(1.0).ppf(q)
    intervals = [quantile_interval(rng.lognormal(0, 1, 60), q) for _ in range(runs)]
    covered = np.mean([low <= truth <= high for low, high in intervals])
    assert 0.95 - 3 * np.sqrt(0.05 * 0.95 / runs) <= covered < 0.99


def test_too_few_samples_or_bad_ones_are_refused():
    with pytest.raises(MeasureError, match="Take 6 or more"):
        quantile_interval(np.arange(5.0), 0.5)
    with pytest.raises(MeasureError, match="finite"):
        quantile_interval(np.array([np.nan] * 100), 0.5)
    with pytest.raises(MeasureError, match="between 0 and 1"):
        quantile_interval(np.arange(100.0), 1.5)


@given(st.lists(st.floats(1e-7, 10.0), min_size=50, max_size=300))
def test_the_measured_quantiles_lie_in_their_intervals(samples):
    p50, p90 = latency_from(np.array(samples))
    assert (p50.metric, p90.metric, p50.n) == ("latency_p50", "latency_p90", len(samples))
    assert p50.low <= p50.value <= p50.high and p90.low <= p90.value <= p90.high
    assert p50.value == pytest.approx(np.median(samples)) and p50.value <= p90.value


def drifting(rng, rounds: int, ratio: float) -> np.ndarray:
    """Times (rounds, 2) on a machine that slows down threefold; the first column takes `ratio` times the second."""
    drift = np.linspace(1, 3, rounds)[:, None]
    return 1e-4 * drift * rng.lognormal(0, 0.05, (rounds, 2)) * [ratio, 1.0]


def test_the_ratio_stands_still_while_the_machine_slows_down():
    rng = np.random.default_rng(0)
    measured = [ratio_from(drifting(rng, 300, 0.7)) for _ in range(100)]
    assert all(abs(one.value - 0.7) < 0.05 for one in measured)
    assert np.mean([one.low <= 0.7 <= one.high for one in measured]) >= 0.9
    separate = np.median(drifting(rng, 300, 0.7)[:100, 0]) / np.median(drifting(rng, 300, 0.7)[200:, 1])
    assert abs(separate - 0.7) > 0.2  # what timing one after the other would have said


def test_the_ratio_is_the_same_for_the_same_samples():
    samples = drifting(np.random.default_rng(1), 100, 1.3)
    assert ratio_from(samples) == ratio_from(samples)
    assert ratio_from(samples, seed=1).value == ratio_from(samples).value
    with pytest.raises(MeasureError, match="samples of shape"):
        ratio_from(samples[:20])


def square(tmp_path, size: int, times: int) -> Artifact:
    """A model that multiplies its 64 inputs by (64, size) (size, size)… matrices."""
    rng = np.random.default_rng(0)
    nodes, last = [helper.make_node("Flatten", ["x"], ["h0"])], 64
    constants = {}
    for index in range(times):
        constants[f"w{index}"] = rng.normal(0, 0.05, (last, size)).astype(np.float32)
        nodes.append(helper.make_node("MatMul", [f"h{index}", f"w{index}"], [f"h{index + 1}"]))
        last = size
    nodes[-1].output[0] = "y"
    return Artifact.of(saved(tmp_path, f"{size}-{times}.onnx", onnx_model(nodes, constants, classes=size)))


def test_a_heavier_model_is_slower(tmp_path):
    x = np.random.default_rng(0).random((8, 8, 8, 1), dtype=np.float32)
    light, heavy = square(tmp_path, 8, 1), square(tmp_path, 1024, 6)  # 512 against 5 million multiplications
    with closing(open_model(light)) as a, closing(open_model(heavy)) as b:
        samples = interleave([a, b, a], x, budget=0.05)
        assert samples.shape[1] == 3 and 50 <= len(samples) <= 2000 and (samples > 0).all()
        assert compare_latency(b, a, x, budget=0.05).low > 1 > compare_latency(a, b, x, budget=0.05).high
    assert latency(heavy, x, budget=0.05)[0].low > latency(light, x, budget=0.05)[0].high
    assert gc.isenabled()


def test_nothing_to_time_is_refused(tmp_path):
    with closing(open_model(square(tmp_path, 8, 1))) as session, pytest.raises(MeasureError, match="0 inputs"):
        interleave([session], np.zeros((0, 8, 8, 1), np.float32))
