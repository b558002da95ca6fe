"""Checks of l11_multi_model."""

import numpy as np

from checks import close, reached, right


def progress(student) -> None:
    """student(alone, shared) -> (throughput, turnaround)"""
    alone, shared = np.array([0.01, 0.02, 0.03]), np.array([0.02, 0.02, 0.12])
    found = student(alone, shared)
    assert np.shape(found) == (2,), (
        f"Expected two numbers, the throughput and the turnaround; you return shape {np.shape(found)}."
    )
    close(found[0], 1.75, "the system throughput", "The sum of alone / shared: how many models' worth of work is done at a time.")
    close(found[1], 7 / 3, "the normalized turnaround", "The mean of shared / alone: how much longer a request takes.")
    right("models that share a machine slow each other down.")


def wait(student) -> None:
    """student(seconds, rate) -> mean wait"""
    hint = "ρ = rate · seconds; the mean wait is ρ · seconds / (2 · (1 − ρ))."
    close(student(0.02, 25.0), 0.01, "half busy", hint)
    close(student(0.02, 45.0), 0.09, "busy for nine tenths", hint)
    assert student(0.02, 50.0) == float("inf"), "ρ = 1: the queue grows without end. Return float('inf') for ρ ≥ 1."
    assert student(0.02, 60.0) == float("inf"), (
        "ρ > 1: more work comes than is done, yet you return a finite wait. Return float('inf')."
    )
    right("from 50 % to 90 % busy the mean wait grows to nine times as long.")


def serve(student) -> None:
    """student(arrival, seconds, deadline, order) -> (n,) latencies"""
    arrival, seconds = np.array([0.0, 0.1, 0.2, 5.0]), np.array([1.0, 2.0, 0.5, 0.5])
    deadline = np.array([9.0, 9.0, 1.5, 9.0])
    close(
        student(arrival, seconds, deadline, "fifo"),
        [1.0, 2.9, 3.3, 0.5],
        "first in, first out",
        "A call begins when its request is there and the process is free; latency = end − arrival. After a pause the process "
        "waits for the next arrival.",
    )
    close(
        student(arrival, seconds, deadline, "edf"),
        [1.0, 3.4, 1.3, 0.5],
        "earliest deadline first",
        "Of the requests that have arrived take the smallest arrival + deadline; the first call is not interrupted, and "
        "later arrivals are not known yet.",
    )
    late = student(np.array([0.0, 1.0, 1.9]), np.array([2.0, 1.0, 1.0]), np.array([9.0, 3.0, 2.5]), "edf")
    close(
        late,
        [2.0, 2.0, 2.1],
        "the deadlines of two that wait",
        "The deadline counts from the arrival: compare arrival + deadline.",
    )
    right("the order takes no extra time and decides which requests are late.")


def fairness(student) -> None:
    """student(values) -> Jain's index"""
    hint = "(Σx)² / (n · Σx²)."
    close(student(np.array([0.5, 0.5, 0.5])), 1.0, "all equal", hint)
    close(student(np.array([1.0, 0.0, 0.0, 0.0])), 0.25, "one gets everything", hint)
    close(student(np.array([1.0, 0.5])), 0.9, "two unequal ones", hint)
    assert student(np.zeros(3)) == 1.0, "Nobody gets anything: all are equal. Return 1.0 where the squares sum to 0."
    right("1 when all get the same, 1/n when one gets everything.")


def best_plan(student) -> None:
    """student(choices, orders, evaluate) -> (score, plan, evaluated)"""
    from projectkit.schedule import Choice, Plan

    choices = tuple(
        tuple(Choice(variant, cores=(core,), process=core) for core in (0, 1) for variant in (0, 1)) for _ in range(2)
    )

    def evaluate(plan: Plan) -> tuple[float, float]:
        apart = plan.choices[0].cores != plan.choices[1].cores
        return (0.0 if apart else 0.5, sum(choice.variant for choice in plan.choices) + (plan.order == "fifo"))

    score, plan, played = student(choices, ("fifo", "edf"), evaluate)
    assert played == 32, f"4 choices for each of 2 models and 2 orders are 32 plans; you tried {played}. See itertools.product."
    assert tuple(score) == (0.0, 0), (
        f"The best of them scores (0.0, 0), yours {tuple(score)}. Less is better, the first number decides."
    )
    assert evaluate(plan) == tuple(score), "The plan that you return does not have the score that you return."
    right("all plans were evaluated, and the best one found.")


def budget(camera, keyword, baseline, accuracies) -> None:
    """Artifacts of the two files and of the float network, and the two files' accuracies on the validation images."""
    share = (camera.size + keyword.size) / baseline.size
    assert share <= 1 / 3, (
        f"Together they have {share:.0%} of the bytes of the float32 camera network; the device has room for a third. "
        "Write the camera network as int8, and a keyword network of few channels."
    )
    for name, accuracy in zip(("camera", "keyword"), accuracies, strict=True):
        reached(
            accuracy >= 0.9,
            f"The {name} network is right on {accuracy:.1%} of the images; 90 % are asked for. Train it longer.",
            accuracy,
        )
    right(f"both fit: {share:.0%} of the bytes of one.")
