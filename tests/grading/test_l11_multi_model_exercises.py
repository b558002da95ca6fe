"""The exercises of l11 against other programs: the simulator of the room schedule, NumPy, brute force."""

import numpy as np
import pytest

from exercises_by_hand import cases_of
from projectkit.measure import least_samples
from projectkit.schedule import Choice, Plan, draw_arrivals, jain, result, simulate
from projectkit.submit import exercise_inputs
from schedules_by_hand import costs, own_cores, workload

LAB = "l11_multi_model"
STUDENTS = ("Ann", "Bob", "Cyd")
case = cases_of(LAB)


@pytest.mark.parametrize("student", STUDENTS)
def test_utilization_against_a_long_simulation(student):
    inputs, found = case(student, "utilization")
    assert np.all(found["utilization"] < 0.95) and found["cores"] - 1 < found["utilization"].sum() < found["cores"]
    tasks = workload(*zip(inputs["rate"], inputs["deadline"], strict=True), cores=5)
    seconds = 6000 * float(inputs["seconds"].max())
    known = costs(*inputs["seconds"], cores=5)
    trace = simulate(tasks, own_cores(5), known, draw_arrivals(tasks, seconds, seed=0), span=seconds)
    for task in range(5):
        mine = trace.task == task
        busy = (trace.end - trace.begin)[mine].sum() / seconds
        assert busy == pytest.approx(found["utilization"][task], rel=0.1)
        assert np.mean((trace.end - trace.arrival)[mine]) == pytest.approx(found["latency"][task], rel=0.2)
    # At the highest rate the mean latency is the deadline.
    load = found["highest"] * inputs["seconds"]
    assert np.all((load > 0) & (load < 1))
    np.testing.assert_allclose(inputs["seconds"] * (1 + load / (2 * (1 - load))), inputs["deadline"], rtol=1e-9)


def simulated(inputs, choices, order, model):
    """A trace of requests that need one model each, in the order of the inputs: (latencies, lateness)."""
    arrivals = tuple(inputs["arrival"][model == which] for which in range(len(choices)))
    tasks = workload(*((1.0, float(limit)) for limit in inputs["deadline"]), cores=2)
    trace = simulate(tasks, Plan(choices, order), costs(*inputs["seconds"], cores=2), arrivals, span=1.0)
    order_of_arrival = np.argsort(trace.arrival)
    return tasks, trace, (trace.end - trace.arrival)[order_of_arrival]


@pytest.mark.parametrize("student", STUDENTS)
def test_two_orders(student):
    inputs, found = case(student, "two_orders")
    assert np.all(np.diff(inputs["arrival"]) > 0) and not np.array_equal(found["fifo"], found["edf"])
    for place, order in enumerate(("fifo", "edf")):  # every request a model of its own
        _, _, latency = simulated(inputs, (Choice(),) * 14, order, np.arange(14))
        np.testing.assert_allclose(found[order], latency, atol=1e-9)
        assert found["missed"][place] == np.sum(latency > inputs["deadline"])


@pytest.mark.parametrize("student", STUDENTS)
def test_fairness(student):
    inputs, found = case(student, "fairness")
    in_time = np.mean(inputs["latency"] <= inputs["deadline"][:, None], axis=1)
    np.testing.assert_allclose(found["in_time"], in_time, atol=1e-12)
    np.testing.assert_allclose(found["p90"], np.quantile(inputs["latency"], 0.9, axis=1))
    assert found["fewest"] == least_samples(float(inputs["quantile"]))
    assert found["jain"] == pytest.approx(jain(in_time)) and 1 / 3 <= found["jain"] <= 1
    assert found["missed"] == pytest.approx(1 - in_time.mean())


@pytest.mark.parametrize("student", STUDENTS)
def test_interference(student):
    inputs, found = case(student, "interference")
    np.testing.assert_allclose(found["shared"], inputs["alone"] * inputs["slower"].prod(axis=1))
    assert found["throughput"] == pytest.approx(np.sum(inputs["alone"] / found["shared"]))
    assert found["turnaround"] == pytest.approx(np.mean(found["shared"] / inputs["alone"]))
    gain = 1 / inputs["slower"] + 1 / inputs["slower"].T
    np.testing.assert_allclose(found["pairs"], [gain[0, 1] + gain[2, 3], gain[0, 2] + gain[1, 3], gain[0, 3] + gain[1, 2]])
    assert found["pairs"][found["best"]] == found["pairs"].max()


@pytest.mark.parametrize("student", STUDENTS)
def test_placement(student):
    inputs, found = case(student, "placement")
    for plan in range(16):
        cores = [plan >> model & 1 for model in range(4)]
        choices = tuple(Choice(cores=(core,), process=core) for core in cores)
        tasks, trace, _ = simulated(inputs, choices, "fifo", inputs["model"])
        late = [task.misses * task.requests for task in result(tasks, trace).tasks]
        assert round(sum(late)) == found["misses"][plan]
        if plan == found["best"]:
            assert cores == found["cores"].tolist()
            lateness = (trace.end - trace.arrival) / inputs["deadline"][trace.task]
            assert found["worst"] == pytest.approx(lateness.max())
    assert found["misses"][found["best"]] == found["misses"].min() and np.all(
        found["misses"][: found["best"]] > found["misses"].min()
    )


@pytest.mark.parametrize("student", [f"student {number}" for number in range(40)])
def test_no_draw_is_degenerate(student):
    """There is always something to choose, and no result hangs on the last bit of a sum."""
    inputs = exercise_inputs(student, LAB, "two_orders")
    _, found = case(student, "two_orders")
    for order in ("fifo", "edf"):
        assert np.abs(found[order] - inputs["deadline"]).min() > 1e-6
    placed, solved = case(student, "placement")
    assert set(placed["model"].tolist()) == {0, 1, 2, 3} and len(set(solved["misses"].tolist())) > 2
    utilized, answer = case(student, "utilization")
    assert np.abs(answer["utilization"].sum() - np.round(answer["utilization"].sum())) > 1e-9
    assert np.all(utilized["deadline"] > utilized["seconds"])
