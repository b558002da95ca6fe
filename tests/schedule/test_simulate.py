"""The simulator: cases done by hand, results of queueing theory, and what the orders promise."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from projectkit.errors import ScheduleError
from projectkit.schedule import Choice, Costs, Plan, Score, Trace, draw_arrivals, jain, mean_interval, result, simulate
from schedules_by_hand import costs, one_queue, own_cores, times, workload


def rows(trace):
    return [tuple(row) for row in np.column_stack([trace.task, trace.arrival, trace.begin, trace.end]).tolist()]


def test_first_in_first_out_by_hand():
    trace = simulate(workload((1, 9), (1, 9)), one_queue(2), costs(3.0, 1.0), times([0, 1], [0.5, 10]), span=10)
    assert rows(trace) == [(0, 0, 0, 3), (1, 0.5, 3, 4), (0, 1, 4, 7), (1, 10, 10, 11)]


def test_earliest_deadline_first_by_hand_waits_for_what_has_begun():
    two = workload((1, 20), (1, 3))
    trace = simulate(two, one_queue(2, "edf"), costs(3.0, 1.0), times([0, 1], [0.5, 2.5]), span=10)
    assert rows(trace) == [(0, 0, 0, 3), (1, 0.5, 3, 4), (1, 2.5, 4, 5), (0, 1, 5, 8)]
    found = result(two, trace)
    assert [task.misses for task in found.tasks] == [0, 0.5] and found.misses == 0.25
    assert found.tasks[1].latency == 3.0 and found.tasks[0].throughput == 2 / 10
    assert found.delay == pytest.approx((3 / 20 + 7 / 20 + 3.5 / 3 + 2.5 / 3) / 4)


@pytest.mark.parametrize(("requests", "given"), [(5, ""), (30, "p50"), (100, "p50 p90"), (400, "p50 p90 p99")])
def test_a_quantile_is_given_where_the_requests_hold_its_interval(requests, given):
    one = workload((1, 9))
    arrivals = times(np.arange(requests))
    found = result(one, simulate(one, one_queue(1), costs(0.5), arrivals, span=requests)).tasks[0]
    assert " ".join(name for name in ("p50", "p90", "p99") if getattr(found, name)) == given
    assert found.latency == pytest.approx(0.5)


def test_plans_that_miss_equally_often_are_ranked_by_the_mean_and_not_by_a_quantile():
    """30 requests, all in time: one plan is slow once, the other a little slower always."""
    score = {}
    for name, late, usual in (("slow once", 0.9, 0.1), ("slower always", 0.2, 0.2)):
        latency = np.full(30, usual)
        latency[0] = late
        start = np.arange(30.0)
        trace = Trace(np.zeros(30, np.int64), start, start, start + latency, memory=1.0, span=30.0)
        outcome = result(workload((1, 1)), trace)
        score[name] = Score(0.0, outcome.misses, outcome.delay, outcome.memory)
    assert score["slow once"] < score["slower always"]


def test_a_batch_answers_only_when_so_many_wait():
    trace = simulate(workload((1, 9)), one_queue(1, batch=2), costs(2.0, batches=(1, 2)), times([0, 0.5, 1, 1.5]), span=2)
    assert rows(trace) == [(0, 0, 0, 2), (0, 0.5, 2, 4), (0, 1, 2, 4), (0, 1.5, 4, 6)]


def test_two_processes_on_one_core_share_it_and_speed_up_when_one_ends():
    shared = Plan((Choice(process=0), Choice(process=1)))
    trace = simulate(workload((1, 9), (1, 9)), shared, costs(4.0, 1.0), times([0], [1]), span=2)
    # From 1 on both run at half speed: the short one takes 2 s, the long one has 2 of its 4 s left at 3.
    assert rows(trace) == [(1, 1, 1, 3), (0, 0, 0, 5)]


def test_models_on_other_cores_slow_each_other_by_the_matrix_of_their_own():
    measured = Costs(costs(4.0, 1.0).seconds, {}, 0, np.array([[1, 1.5], [3, 1]]), np.full((2, 2), 9.0))
    measured = Costs(measured.seconds, dict.fromkeys(measured.seconds, 0), 0, measured.apart, measured.together)
    trace = simulate(workload((1, 9), (1, 9), cores=2), own_cores(2), measured, times([0], [0]), span=1)
    # Three times slower, the short one ends at 3; the long one has done 3 / 1.5 = 2 of its 4 s by then.
    assert rows(trace) == [(1, 0, 0, 3), (0, 0, 0, 5)]


def test_memory_is_that_of_the_processes_and_of_their_sessions():
    seconds = {(0, 0, 1, 1): 1.0, (1, 0, 1, 1): 1.0}
    known = Costs(seconds, {(0, 0, 1, 1): 5.0, (1, 0, 1, 1): 7.0}, 100.0, np.ones((2, 2)), np.ones((2, 2)))
    assert known.memory_of(one_queue(2)) == 112 and known.memory_of(own_cores(2)) == 212


@pytest.mark.parametrize("load", [0.3, 0.6, 0.85])
def test_the_mean_wait_is_that_of_an_m_d_1_queue(load):
    """Pollaczek–Khinchine with constant service s: ρ s / (2 (1 − ρ))."""
    one = workload((load, 99.0))
    waits = []
    for seed in range(12):
        trace = simulate(one, one_queue(1), costs(1.0), draw_arrivals(one, 4000, seed=seed), span=4000)
        waits.append(np.mean((trace.begin - trace.arrival)[trace.arrival > 200]))
    low, high = stats.t.interval(0.99, 11, np.mean(waits), stats.sem(waits))
    expected = load / (2 * (1 - load))
    assert low < expected < high and high - low < 0.25 * expected


def test_littles_law():
    two = workload((0.3, 9), (0.2, 9))
    trace = simulate(two, one_queue(2), costs(1.0, 2.0), draw_arrivals(two, 3000, seed=1), span=3000)
    grid = np.linspace(0, trace.end.max(), 40_001)[:-1]
    inside = np.mean(np.searchsorted(np.sort(trace.arrival), grid, "right") - np.searchsorted(np.sort(trace.end), grid, "right"))
    assert inside == pytest.approx(len(trace.end) / trace.end.max() * np.mean(trace.end - trace.arrival), rel=0.01)


def lateness(order, seconds, deadlines):
    """The latest answer relative to its deadline when all wait from the start, over every order of the models."""
    tasks = workload(*((1.0, deadline) for deadline in deadlines))
    trace = simulate(tasks, one_queue(len(seconds), order), costs(*seconds), times(*[[0.0]] * len(seconds)), span=1)
    return max(trace.end - np.array(deadlines)[trace.task])


@pytest.mark.parametrize("seed", range(10))
def test_nobody_beats_earliest_deadline_first_when_all_wait(seed):
    """Jackson's rule (1955): it makes the largest lateness least."""
    rng = np.random.default_rng(seed)
    seconds, deadlines = rng.uniform(0.1, 1, 5).tolist(), rng.uniform(0.5, 4, 5).tolist()
    best = min(
        max(sum(seconds[task] for task in order[: place + 1]) - deadlines[order[place]] for place in range(5))
        for order in itertools.permutations(range(5))
    )
    assert lateness("edf", seconds, deadlines) == pytest.approx(best)
    assert lateness("fifo", seconds, deadlines) >= best - 1e-12


def drawn_case(seed, load):
    rng = np.random.default_rng(seed)
    seconds, shares = rng.uniform(0.1, 1.0, 3), rng.dirichlet([3, 3, 3])
    tasks = workload(*zip(load * shares / seconds, rng.uniform(1, 8, 3) * seconds.sum(), strict=True))
    return tasks, costs(*seconds), draw_arrivals(tasks, 300, seed=seed)


def misses(order, seed, load):
    tasks, known, arrivals = drawn_case(seed, load)
    return result(tasks, simulate(tasks, one_queue(3, order), known, arrivals, span=300)).misses


def test_by_deadlines_no_fewer_requests_are_in_time_than_by_arrival():
    gains = [misses("fifo", seed, 0.8) - misses("edf", seed, 0.8) for seed in range(40)]
    assert min(gains) > -0.01, "one unlucky request in a hundred: a call that has begun is not interrupted"
    assert np.mean(gains) > 0.01 and stats.ttest_1samp(gains, 0, alternative="greater").pvalue < 0.001


@pytest.mark.parametrize("seed", range(5))
def test_by_deadlines_nobody_starves_even_when_there_is_too_much_to_do(seed):
    tasks, known, arrivals = drawn_case(seed, 1.5)
    trace = simulate(tasks, one_queue(3, "edf"), known, arrivals, span=300)
    assert len(trace.end) == sum(map(len, arrivals)) and np.isfinite(trace.end).all()
    limit = trace.arrival + np.array([task.deadline for task in tasks.tasks])[trace.task]
    for which in range(0, len(limit), 7):
        overtakers = (trace.arrival <= trace.begin) & (trace.begin < trace.begin[which]) & (trace.begin > trace.arrival[which])
        assert (limit[overtakers] <= limit[which] + 1e-9).all(), "who arrives later with a later deadline does not go first"


def test_arrivals_depend_on_the_seed_and_the_place_only():
    one, two = workload((5, 1)), workload((5, 1), (50, 1))
    np.testing.assert_array_equal(draw_arrivals(one, 10, seed=3)[0], draw_arrivals(two, 10, seed=3)[0])
    assert not np.array_equal(draw_arrivals(one, 10, seed=3)[0], draw_arrivals(one, 10, seed=4)[0])
    many = draw_arrivals(workload((1000, 1)), 100, seed=0)[0]
    assert abs(len(many) - 100_000) < 4 * math.sqrt(100_000) and np.all(np.diff(many) > 0) and many[-1] < 100
    assert stats.kstest(np.diff(many), stats.expon(scale=1e-3).cdf).pvalue > 0.001


def test_jain_and_the_interval_of_a_mean():
    assert jain([3, 3, 3]) == pytest.approx(1) and jain([5, 0, 0, 0]) == pytest.approx(0.25) and jain([0, 0]) == 1
    assert jain([1, 2, 3]) == pytest.approx(36 / (3 * 14))
    for count in (2, 5, 10):
        values = np.random.default_rng(count).normal(size=count)
        low, high = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
        mean, half = mean_interval(values)
        assert (mean - half, mean + half) == pytest.approx((low, high), rel=1e-3)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Plan((Choice(),), "lifo"), "order is 'lifo', expected one of edf, fifo"),
        (lambda: Plan((Choice(threads=2),)), "2 threads on cores"),
        (lambda: Plan((Choice(), Choice(cores=(1,)))), "process 0 are on different cores"),
        (lambda: workload((0, 1)), "rate is 0, expected a positive number"),
        (lambda: workload((1, math.nan)), "deadline is nan"),
        (lambda: workload(), "models are none"),
        (lambda: workload((1, 1), cores=0), "cores is 0"),
        (lambda: workload((1, 1), batches=(4,)), "expected 1 and"),
        (lambda: workload((1, 1), memory_cap=0), "memory cap is 0"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(make, words):
    with pytest.raises(ScheduleError, match=words):
        make()
