"""The exercises of l10 against other programs: the rooms measure and runtimes, the course's Optuna, and brute force."""

import itertools

import numpy as np
import optuna
import pytest

from exercises_by_hand import cases_of
from projectkit.measure import Buffer, live_bytes, plan
from projectkit.runtimes.tensorrt import parse_summary

STUDENTS = ("Ann", "Bob", "Cyd", "Dan")
CASE = cases_of("l10_deployment")


def case(student, exercise):
    return CASE(student, exercise)


@pytest.mark.parametrize("student", STUDENTS)
def test_lifetimes(student):
    inputs, found = case(student, "lifetimes")
    assert len(set(inputs["sizes"].tolist())) == 9
    buffers = [
        Buffer(str(tensor), int(size), max(tensor - 1, 0), int(last))
        for tensor, (size, last) in enumerate(zip(inputs["sizes"], found["last"], strict=True))
    ]
    assert all(found["last"][tensor] == np.nonzero((inputs["reads"] == tensor).any(axis=1))[0][-1] for tensor in range(8))
    assert live_bytes(buffers) == found["live"].tolist()
    assert plan(buffers)[1] == found["arena"] >= found["peak"] == found["live"].max()


@pytest.mark.parametrize("student", STUDENTS)
def test_two_branches(student):
    inputs, found = case(student, "two_branches")
    edges = [("in", 0), (0, 1), (1, 2), (0, 3), (3, 4), (2, 5), (4, 5), (5, 6)]
    for order, peak in zip(inputs["orders"].tolist(), found["peaks"].tolist(), strict=True):
        assert all(a == "in" or order.index(a) < order.index(b) for a, b in edges)
        sizes = {"in": int(inputs["input"])} | dict(enumerate(inputs["sizes"].tolist()))
        most = 0
        for step in range(7):  # what is there: made already, and read now or later
            made, rest = ["in", *order[: step + 1]], order[step:]
            needed = [tensor for tensor in made if tensor in (order[step], 6) or any(a == tensor and b in rest for a, b in edges)]
            most = max(most, sum(sizes[tensor] for tensor in needed))
        assert peak == most
    assert found["best"] == found["peaks"].argmin() and found["peaks"].min() < found["peaks"].max()


@pytest.mark.parametrize("student", STUDENTS)
def test_the_drawn_output_is_read_by_the_course_s_own_parser(student):
    inputs, found = case(student, "trtexec_output")
    summary = parse_summary(str(inputs["text"]))
    assert found["throughput"] == pytest.approx(summary.throughput)
    assert found["compute"] == pytest.approx(summary.compute.median)
    assert found["latency_99"] == pytest.approx(summary.latency.percentiles[99.0])
    assert found["transfers"] == pytest.approx(summary.to_device.median + summary.from_device.median)
    assert found["busy"] == pytest.approx(summary.compute_total / summary.walltime) and 0.5 < found["busy"] < 1
    assert summary.latency.median == pytest.approx(summary.compute.median + float(found["transfers"]), rel=1e-4)


@pytest.mark.parametrize("student", STUDENTS)
def test_fallback_by_dynamic_programming(student):
    inputs, found = case(student, "fallback")
    crossing, best = float(inputs["crossing"]), {0: 0.0, 1: np.inf}
    for able, dla, gpu in zip(inputs["supported"], inputs["dla"], inputs["gpu"], strict=True):
        on_gpu = gpu + min(best[0], best[1] + crossing)
        on_dla = dla + min(best[1], best[0] + crossing) if able else np.inf
        best = {0: on_gpu, 1: on_dla}
    assert found["best"] == pytest.approx(min(best[0], best[1] + crossing))
    assert found["best"] <= min(found["seconds"], found["gpu_only"]) + 1e-12
    runs = [able for able, _ in itertools.groupby(inputs["supported"].tolist())]
    assert found["crossings"] == 2 * sum(runs)
    assert found["gpu_only"] == pytest.approx(inputs["gpu"].sum())


@pytest.mark.parametrize("student", STUDENTS)
def test_ram_budget(student):
    inputs, found = case(student, "ram_budget")
    assert (inputs["memory"][found["feasible"]] <= inputs["budget"]).all() and 7 <= len(found["feasible"]) <= 10
    study = optuna.create_study(directions=["maximize", "minimize"])
    for number in found["feasible"].tolist():
        study.add_trial(optuna.create_trial(values=[inputs["accuracy"][number], inputs["latency"][number]]))
    assert found["front"].tolist() == [int(found["feasible"][trial.number]) for trial in study.best_trials]
    assert found["best"] in found["front"]
    assert found["price"] == pytest.approx(inputs["accuracy"].max() - inputs["accuracy"][found["best"]]) and found["price"] >= 0
