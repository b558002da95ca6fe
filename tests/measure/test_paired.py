"""Two models on the same images: McNemar's test, the interval, many comparisons, and how much a comparison needs."""

import itertools

import numpy as np
import pytest
from scipy import stats

from models_by_hand import linear_onnx, saved
from projectkit.data import load
from projectkit.errors import MeasureError
from projectkit.measure import accuracy, compare_answers, holm, images_needed, mcnemar, paired, repeats_needed
from projectkit.types import Artifact, Measurement


def drawn(n, only_first, only_second, rng, both=0.9):
    """Which images two models are right on, only the one or only the other with these probabilities."""
    kind = rng.choice(4, n, p=[both, only_first, only_second, 1 - both - only_first - only_second])
    return (kind == 0) | (kind == 1), (kind == 0) | (kind == 2)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (3, 3), (0, 6), (12, 31), (150, 100)])
def test_the_p_value_is_that_of_the_exact_binomial_test(first, second):
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == mcnemar(second, first) == pytest.approx(expected, rel=1e-9)


def test_only_the_images_count_on_which_one_of_the_two_is_right():
    first, second = np.array([1, 1, 1, 0, 0, 1], bool), np.array([1, 0, 1, 1, 0, 0], bool)
    found = paired(first, second)
    assert (found.only_first, found.only_second, found.n) == (2, 1, 6)
    assert found.difference.value == pytest.approx(second.mean() - first.mean())
    turned = paired(second, first)
    assert (turned.difference.low, turned.difference.high) == pytest.approx((-found.difference.high, -found.difference.low))


@pytest.mark.parametrize(("only_first", "only_second"), [(0.02, 0.02), (0.005, 0.005), (0.01, 0.05), (0.0, 0.02)])
@pytest.mark.parametrize("n", [180, 1000])
def test_the_interval_holds_the_true_difference_and_equal_models_are_seldom_told_apart(only_first, only_second, n):
    rng, trials, held, alarms = np.random.default_rng(n), 1000, 0, 0
    for _ in range(trials):
        found = paired(*drawn(n, only_first, only_second, rng))
        held += found.difference.low <= only_second - only_first <= found.difference.high
        alarms += found.p < 0.05
    assert held >= 920  # of 1000, where it holds 95 % it does so 930 times or more in 99.8 % of cases
    if only_first == only_second:
        assert alarms <= 70  # the exact test is wrong in 5 % at most


def test_models_whose_intervals_overlap_may_be_told_apart():
    """The statement that this room once made: who overlaps widely cannot be told apart."""
    first, second = np.repeat([[True, True, False, False], [True, False, True, False]], [900, 4, 18, 78], axis=1)
    alone = [Measurement.share("accuracy", int(right.sum()), 1000) for right in (first, second)]
    assert alone[0].high > alone[1].value and alone[1].low < alone[0].value
    found = paired(first, second)
    assert found.p < 0.01 and found.difference.low > 0


def test_holm_is_the_closed_test_of_bonferronis():
    """By its definition: a comparison counts if every group that it belongs to has a p below 0.05 over the group's size."""
    rng = np.random.default_rng(0)
    for count in (1, 2, 3, 5):
        p = rng.choice([0.001, 0.004, 0.01, 0.02, 0.02, 0.3], count).tolist()
        groups = [group for size in range(1, count + 1) for group in itertools.combinations(range(count), size)]
        closed = [max(min(1, len(g) * min(p[j] for j in g)) for g in groups if i in g) for i in range(count)]
        assert holm(p) == pytest.approx(closed)
    assert holm([]) == []


@pytest.mark.parametrize(("difference", "disagreement"), [(0.01, 0.03), (0.005, 0.02), (0.02, 0.03), (0.05, 0.2)])
def test_so_many_images_show_the_difference_in_four_of_five_cases(difference, disagreement):
    n, rng = images_needed(difference, disagreement), np.random.default_rng(0)
    first, second = (disagreement - difference) / 2, (disagreement + difference) / 2
    counts = rng.multinomial(n, [first, second, 1 - disagreement], 4000)
    found = np.abs(counts[:, 0] - counts[:, 1]) / np.sqrt(np.maximum(counts[:, 0] + counts[:, 1], 1)) > 1.96
    assert 0.75 < found.mean() < 0.88


@pytest.mark.parametrize("is_paired", [True, False])
@pytest.mark.parametrize("effect", [0.3, 0.5, 1.0])
def test_so_many_repeats_show_the_effect_in_four_of_five_cases(effect, is_paired):
    n = repeats_needed(effect, 1.0, paired=is_paired)
    freedom, center = (n - 1, effect * n**0.5) if is_paired else (2 * n - 2, effect * (n / 2) ** 0.5)
    power = 1 - stats.nct.cdf(stats.t.ppf(0.975, freedom), freedom, center)
    assert 0.78 < power < 0.92  # whole numbers: the smaller n, the more one repeat adds


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: paired(np.ones(3, bool), np.ones(4, bool)), "twice"),
        (lambda: paired(np.ones(3), np.ones(3)), "twice .* bool"),
        (lambda: paired(np.ones(0, bool), np.ones(0, bool)), "n ≥ 1"),
        (lambda: images_needed(0.05, 0.01), "disagree"),
        (lambda: images_needed(0.0, 0.1), "0 < difference"),
        (lambda: repeats_needed(0.0, 1.0), "positive"),
        (lambda: repeats_needed(1.0, float("nan")), "positive"),
    ],
)
def test_what_makes_no_comparison_is_refused(call, words):
    with pytest.raises(MeasureError, match=words):
        call()


def test_files_are_compared_with_the_first_or_with_the_baseline(tmp_path):
    contents = {"a": linear_onnx(), "b": linear_onnx(hidden=64), "c": linear_onnx(hidden=80)}
    a, b, c = (Artifact.of(saved(tmp_path, f"{name}.onnx", content)) for name, content in contents.items())
    test = load("digits").test
    heading, *lines = compare_answers([a, b, c], test)
    assert "against a.onnx" in heading and f"{len(test)} images" in heading and "Holm over 2" in heading
    assert [line.split(":")[0].strip() for line in lines] == ["b.onnx", "c.onnx"]
    heading, line = compare_answers([b, c], test, baseline=b)
    assert "against b.onnx" in heading and "Holm" not in heading and line.strip().startswith("c.onnx")
    assert compare_answers([a], test) == compare_answers([a, a], test) == []


def test_accuracies_of_a_comparison_are_those_of_the_files():
    rng, y = np.random.default_rng(0), np.random.default_rng(1).integers(0, 4, 200)
    logits = [rng.normal(size=(200, 4)) + lead * np.eye(4)[y] for lead in (1, 2)]
    found = paired(*(one.argmax(axis=1) == y for one in logits))
    assert found.difference.value == pytest.approx(accuracy(logits[1], y).value - accuracy(logits[0], y).value)
