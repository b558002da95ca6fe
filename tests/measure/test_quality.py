import numpy as np
import pytest
from scipy import stats

from projectkit.errors import MeasureError
from projectkit.measure import accuracy


@pytest.mark.parametrize(("correct", "n"), [(0, 1), (1, 1), (0, 50), (50, 50), (37, 50), (999, 1000)])
def test_interval_is_scipys_wilson_interval(correct, n):
    y = np.zeros(n, np.int64)
    logits = np.tile([0.0, 1.0], (n, 1))
    logits[:correct, 0] = 2
    measured = accuracy(logits, y)
    expected = stats.binomtest(correct, n).proportion_ci(0.95, method="wilson")
    assert (measured.value, measured.n) == (correct / n, n)
    assert (measured.low, measured.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(
    ("logits", "y", "words"),
    [
        (np.full((4, 3), np.nan), np.zeros(4, np.int64), "NaN"),
        (np.array([[0.0, np.inf]]), np.zeros(1, np.int64), "infinite"),
        (np.zeros((4, 3)), np.full(4, 3), "one output per class"),
        (np.zeros((4, 3)), np.full(4, -1), "labels from -1"),
        (np.zeros((4, 3)), np.zeros(5, np.int64), "5 labels"),
        (np.zeros((4, 2, 2)), np.zeros(4, np.int64), "one row of logits"),
        (np.zeros((4, 3)), np.zeros(4), "float64"),
        (np.zeros((0, 3)), np.zeros(0, np.int64), "n ≥ 1"),
        (np.zeros(4), np.zeros(4, np.int64), "one row of logits"),
    ],
)
def test_what_is_no_answer_is_refused(logits, y, words):
    with pytest.raises(MeasureError, match=words):
        accuracy(logits, y)
