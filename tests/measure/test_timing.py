"""Quantiles, their intervals and the ratio of latencies: the statistics exactly, the clock only by its order."""

import gc
import time
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from scipy import stats

from models_by_hand import onnx_model, saved
from projectkit.errors import MeasureError
from projectkit.measure import (
    Opening,
    compare_latency,
    interleave,
    latency,
    latency_from,
    least_samples,
    over_openings,
    quantile_interval,
    ratio_from,
    student_interval,
    time_openings,
)
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


def openings(rng, *, ratio: float, count: int = 8, between: float = 0.02, rounds: int = 60) -> list[Opening]:
    """Of a pair of files on a machine that slows down threefold during each opening. The first takes `ratio` times the second,
    and each opening moves either time by a factor of its own, of standard deviation `between`."""
    drift = np.linspace(1, 3, rounds)[:, None]
    return [
        Opening(
            1e-4 * drift * rng.lognormal(0, 0.05, (rounds, 2)) * rng.lognormal(0, between, 2) * [ratio, 1.0],
            1e-5 * rng.lognormal(0, 0.1, (rounds, 2)),
        )
        for _ in range(count)
    ]


def test_the_interval_of_a_ratio_is_over_openings():
    """One opening's calls agree with each other and are all off by the opening's own factor; only openings show that."""
    rng, runs = np.random.default_rng(0), 400
    measured = [ratio_from(openings(rng, ratio=0.7)) for _ in range(runs)]
    covered = np.mean([one.low <= 0.7 <= one.high for one in measured])
    assert 0.95 - 3 * np.sqrt(0.05 * 0.95 / runs) <= covered <= 0.985
    assert np.mean([one.value for one in measured]) == pytest.approx(0.7, rel=0.01)
    assert {one.n for one in measured} == {8}


def test_fewer_openings_make_a_wider_interval():
    rng = np.random.default_rng(1)
    widths = {
        count: np.median(
            [np.log(one.high / one.low) for one in (ratio_from(openings(rng, ratio=1.0, count=count)) for _ in range(50))]
        )
        for count in (3, 8)
    }
    assert widths[3] > 1.5 * widths[8]


def test_latency_and_the_time_of_conversions_are_apart():
    p50, p90, io = latency_from(openings(np.random.default_rng(2), ratio=1.0))
    assert [one.metric for one in (p50, p90, io)] == ["latency_p50", "latency_p90", "io_time"]
    assert p50.low <= p50.value <= p50.high and p50.value < p90.value
    assert p50.value == pytest.approx(2e-4, rel=0.1) and io.value == pytest.approx(1e-5, rel=0.1)


def test_the_interval_is_student_s():
    values = [1.0, 1.3, 0.9, 1.1]
    expected = stats.ttest_1samp(np.log(values), 0.0).confidence_interval(0.95)
    found = over_openings("latency_ratio", values)
    assert (found.low, found.value, found.high) == pytest.approx(
        (np.exp(expected.low), stats.gmean(values), np.exp(expected.high))
    )
    mean, low, high = student_interval(values)
    ends = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((np.mean(values), ends.low, ends.high))


def test_one_opening_has_no_interval():
    with pytest.raises(MeasureError, match="1 openings"):
        ratio_from(openings(np.random.default_rng(0), ratio=1.0, count=1))
    with pytest.raises(MeasureError, match="two independent values"):
        student_interval([1.0])
    with pytest.raises(MeasureError, match="times above 0"):
        over_openings("latency_p50", [0.0, 1.0])


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
        assert samples.shape[1] == 3 and 12 <= len(samples) <= 250 and (samples > 0).all()
    assert compare_latency(heavy, light, x, budget=0.1).low > 1 > compare_latency(light, heavy, x, budget=0.1).high
    assert latency(heavy, x, budget=0.1)[0].low > latency(light, x, budget=0.1)[0].high
    assert gc.isenabled()


class Clocked:
    """A session that tells what was asked of it, and passes it on."""

    def __init__(self, session, calls):
        self._session, self._calls = session, calls
        self.inputs, self.outputs = session.inputs, session.outputs

    def __getattr__(self, name):
        def passed_on(*given):
            self._calls.append(name)
            return getattr(self._session, name)(*given)

        return passed_on


def test_files_are_opened_anew_and_each_sample_follows_untimed_calls(tmp_path):
    x, told = np.random.default_rng(0).random((8, 8, 8, 1), dtype=np.float32), []
    artifact = square(tmp_path, 256, 6)

    def opened():
        told.append("open")
        return Clocked(open_model(artifact), told)

    [found] = time_openings([[opened]], x, budget=0.2)
    assert len(found) == told.count("open") == told.count("close") >= 3
    assert "get_output" in told and told.count("set_input") == told.count("get_output")
    rounds = "".join({"set_input": "s", "invoke": "i", "get_output": "g"}.get(name, " ") for name in told)
    timed = [sample for sample in rounds.replace(" ", "").split("g") if sample.count("i") > 1]
    assert len(timed) >= sum(len(one.calls) for one in found) and all(sample.startswith("sii") for sample in timed)


def test_what_was_answered_while_timing_is_told_with_its_example(tmp_path):
    x, told = np.random.default_rng(0).random((300, 8, 8, 1), dtype=np.float32), []
    artifact = square(tmp_path, 8, 1)
    pair = [lambda: open_model(artifact)] * 2
    [found] = time_openings([pair], x, budget=0.05, seen=lambda file, place, answer: told.append((file, place, answer)))
    assert len(told) == 2 * sum(len(one.calls) for one in found)
    expected = open_model(artifact).run(x, at_once=1)
    for file, place, answer in told[::7]:
        np.testing.assert_array_equal(answer, expected[[place]])
        assert file in (0, 1)
    assert len({place for _, place, _ in told}) > 64, "other openings take other examples"


def test_groups_do_not_keep_company(tmp_path):
    x, is_open, company = np.zeros((1, 8, 8, 1), np.float32), set(), set()
    artifact = square(tmp_path, 8, 1)

    def opener(name):
        def opened():
            is_open.add(name)
            company.add(frozenset(is_open))
            session = Clocked(open_model(artifact), [])
            session.close = lambda: is_open.discard(name)
            return session

        return opened

    time_openings([[opener("a"), opener("baseline")], [opener("b"), opener("baseline")]], x, budget=0.05)
    assert not any({"a", "b"} <= together for together in company)
    assert {frozenset({"a", "baseline"}), frozenset({"b", "baseline"})} <= company


def test_where_opening_takes_long_there_are_fewer_openings(tmp_path):
    x, artifact = np.zeros((1, 8, 8, 1), np.float32), square(tmp_path, 8, 1)

    def slow():
        time.sleep(0.1)
        return open_model(artifact)

    found = time_openings([[slow]], x, budget=0.05)[0]
    assert len(found) == 3 and sum(len(one.calls) for one in found) >= least_samples(0.9)


def test_nothing_to_time_is_refused(tmp_path):
    with closing(open_model(square(tmp_path, 8, 1))) as session, pytest.raises(MeasureError, match="0 inputs"):
        interleave([session], np.zeros((0, 8, 8, 1), np.float32))
    with pytest.raises(MeasureError, match="0 files"):
        time_openings([], np.zeros((1, 8, 8, 1), np.float32))
