"""Checks of l06_nas."""

import numpy as np

from checks import close, reached, right
from projectkit import nas


def size(student) -> None:
    """student(depths, filters, strides) -> how many architectures"""
    for depths, filters, strides in (((1,), (4, 8, 16), (1, 2)), ((2,), (4, 8), (1,)), ((1, 2, 3), (4, 8), (1, 2))):
        fixed = {"kernel": (3,), "depthwise": (False,), "activation": ("relu",), "skip": (False, True)}
        expected = sum(1 for _ in nas.Space(depth=depths, filters=filters, stride=strides, **fixed).architectures())
        found = student(depths, len(filters), len(strides))
        assert found == expected, (
            f"Depths {depths}, {len(filters)} filters, {len(strides)} strides: you count {found}, written out it is {expected}. "
            "The first block has filters·strides choices, each later one filters·strides + 1; depths are added."
        )
    right("the formula agrees with lists of all architectures.")


def regret(student) -> None:
    """student(accuracies, best) -> (n,)"""
    close(
        student(np.array([0.5, 0.8, 0.7, 0.9]), 0.95),
        [0.45, 0.15, 0.15, 0.05],
        "the regret",
        "best minus the highest accuracy *so far*: a later, worse trial does not raise it.",
    )
    right("the regret falls with each better architecture and never rises.")


def accept(student) -> None:
    """student(worse, temperature, luck) -> bool"""
    cases = (
        (-0.1, 0.01, 0.999, True, "a better one is always taken"),
        (0.0, 0.01, 0.999, True, "an equal one is always taken"),
        (-0.1, 0.0, 0.5, True, "at temperature 0 a better one is still taken"),
        (0.1, 0.0, 0.0, False, "at temperature 0 a worse one never is: hill climbing; do not divide by 0"),
        (0.02, 0.02, 0.36, True, "exp(−1) is 0.368, and luck is below"),
        (0.02, 0.02, 0.38, False, "exp(−1) is 0.368, and luck is above"),
    )
    for worse, temperature, luck, expected, why in cases:
        found = bool(student(worse, temperature, luck))
        assert found == expected, f"worse by {worse}, temperature {temperature}, luck {luck}: expected {expected}, because {why}."
    right("a high temperature accepts almost any step, a low one only better ones.")


def one_round(student) -> None:
    """student(population, drawn, child_of) -> the next population"""
    population = [(0.99, "oldest", ()), (0.5, "b", ()), (0.7, "c", ()), (0.6, "youngest", ())]
    found = list(student(list(population), np.array([1, 3, 2]), lambda parent: (0.1, f"child of {parent[1]}", ())))
    names = [member[1] for member in found]
    assert "child of c" in names, f"Of b, c and youngest, c has the highest accuracy and is the parent; you have {names}."
    assert "oldest" not in names, "The oldest is removed, also when it is the best: leave out population[0]."
    assert names == ["b", "c", "youngest", "child of c"], (
        f"Keep the others in their order and append the child; you have {names}."
    )
    right("the best of the tournament has a child, the oldest is removed.")


def policy_gradient(student) -> None:
    """student(logits, choice, advantage) -> (choices,)"""
    logits = np.log([0.5, 0.3, 0.2])
    hint = "advantage · (one-hot − p), p = exp(logits) / Σ exp(logits)."
    close(student(logits, 1, 2.0), [-1.0, 1.4, -0.4], "with an advantage of 2", hint)
    close(
        student(logits + 5, 0, -1.0),
        [-0.5, 0.3, 0.2],
        "with an advantage of −1",
        hint + " A constant added to all logits changes nothing.",
    )
    right("choices that did better than average become more probable; the entries sum to 0.")


def front(student) -> None:
    """student(points) -> (n,) bool"""
    points = np.array([[0.1, 0.9], [0.5, 0.5], [0.5, 0.5], [0.5, 0.7], [0.9, 0.1], [0.9, 0.5]])
    found = np.asarray(student(points)).astype(bool)
    assert found.shape == (6,), f"Expected (6,), one bool per point; got shape {found.shape}."
    expected = [True, True, True, False, True, False]
    assert found.tolist() == expected, (
        f"{points.tolist()}: expected {expected}, you have {found.tolist()}. Equal points do not dominate each other; a point "
        "that is equal in one number and worse in the other is dominated."
    )
    right("no point of the front is dominated.")


def hypervolume(student) -> None:
    """student(points) -> area"""
    hint = "Each strip is as wide as the way to the next x (the last to 1) and 1 − y high; dominated points add nothing."
    close(student(np.array([[0.2, 0.5]])), 0.4, "one point", hint)
    close(
        student(np.array([[0.5, 0.2], [0.2, 0.5], [0.6, 0.6], [0.2, 0.5]])),
        0.55,
        "four points",
        hint,
    )
    right("one number for a whole front.")


def chosen(trial, study) -> None:
    """The trial to hand in, and the study that it is of."""
    front_numbers = sorted(one.number for one in study.best_trials)
    assert trial.number in front_numbers, f"Trial {trial.number} is beaten by another. The front: {front_numbers}."
    accuracy, latency = trial.values
    reached(
        accuracy >= 0.9,
        f"Trial {trial.number} is right on {accuracy:.1%}; choose a more accurate one, or search longer.",
        accuracy,
    )
    right(f"trial {trial.number} of the front: {accuracy:.1%}, {latency:.2f} times the reference's latency.")
