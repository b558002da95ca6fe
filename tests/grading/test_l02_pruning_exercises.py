"""The reference answers of l02 against other ways to the same."""

import itertools

import numpy as np
import pytest
from scipy.cluster.vq import kmeans2

from exercises_by_hand import cases_of

LAB = "l02_pruning"
case = cases_of(LAB)


@pytest.mark.parametrize("student", ["Ann", "Bob", "Cyd"])
def test_the_smallest_weights_go(student):
    inputs, found = case(student, "magnitude")
    first, second = (np.abs(inputs[name]).reshape(-1) for name in ("first", "second"))
    share = float(inputs["sparsity"])
    for name, w in (("first", first), ("second", second)):
        stay = found[f"layerwise_{name}"]
        assert len(stay) == w.size - round(share * w.size) and np.all(np.diff(stay) > 0)
        assert w[stay].min() >= np.delete(w, stay).max()
    kept = np.concatenate([first[found["global_first"]], second[found["global_second"]]])
    gone = np.concatenate([np.delete(first, found["global_first"]), np.delete(second, found["global_second"])])
    assert kept.min() >= gone.max() and len(gone) == round(share * (first.size + second.size))
    assert len(found["global_second"]) < 0.7 * len(found["layerwise_second"]), "one threshold must make a difference"


@pytest.mark.parametrize("student", ["Ann", "Bob", "Cyd"])
def test_the_schedule_is_flat_outside_and_falls_behind_nowhere(student):
    inputs, found = case(student, "schedule")
    steps, sparsity = inputs["steps"], found["sparsity"]
    begin, end, initial, final = (float(inputs[name]) for name in ("begin", "end", "initial", "final"))
    np.testing.assert_allclose(sparsity[steps <= begin], initial, rtol=1e-12)
    np.testing.assert_allclose(sparsity[steps >= end], final, rtol=1e-12)
    inside = (steps > begin) & (steps < end)
    assert inside.sum() >= 4 and np.all(np.diff(sparsity[inside]) >= 0)
    left = ((final - sparsity[inside]) / (final - initial)) ** (1 / float(inputs["power"]))
    np.testing.assert_allclose(left, (end - steps[inside]) / (end - begin), rtol=1e-6)


@pytest.mark.parametrize("student", ["Ann", "Bob", "Cyd"])
def test_no_other_pair_of_a_group_is_larger(student):
    inputs, found = case(student, "two_of_four")
    w = inputs["w"].astype(np.float64)
    total = 0.0
    for unit, group in itertools.product(range(6), range(4)):
        four = w[4 * group : 4 * group + 4, unit]
        best = max(itertools.combinations(range(4), 2), key=lambda pair: sum(abs(four[list(pair)])))
        assert tuple(found["positions"][2 * group : 2 * group + 2, unit]) == best
        np.testing.assert_array_equal(found["values"][2 * group : 2 * group + 2, unit], four[list(best)])
        total += abs(four[list(best)]).sum()
    assert found["kept"] == pytest.approx(total / np.abs(w).sum(), rel=1e-12)


@pytest.mark.parametrize("student", ["Ann", "Bob", "Cyd", "Dan", "Eve"])
def test_the_palette_is_k_means(student):
    inputs, found = case(student, "palette")
    w = inputs["w"].astype(np.float64)
    start = np.linspace(w.min(), w.max(), 8)
    values, _ = kmeans2(w[:, None], start[:, None], iter=10, minit="matrix", missing="raise")
    np.testing.assert_allclose(found["values"], values[:, 0], rtol=1e-9)
    apart = np.abs(w[:, None] - found["values"])
    np.testing.assert_array_equal(found["chosen"], apart.argmin(axis=1))
    assert found["error"] == pytest.approx(np.mean(apart.min(axis=1) ** 2))
