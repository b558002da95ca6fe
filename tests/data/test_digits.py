from pathlib import Path

import numpy as np

from projectkit.data import digits

DIGEST = "23fc65fc69621db636ab4c06e5f2de36143e9e9b951c5a9705cd320555d7f1e9"


def rows(pixels, labels):
    """The rows of a table with their labels, sorted, so that two tables with the same rows compare equal."""
    table = np.column_stack([np.asarray(pixels).reshape(len(labels), -1), labels])
    return table[np.lexsort(table.T)]


def test_the_splits_together_are_scikit_learns_digits_each_image_once():
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    dataset = digits.load()
    parts = (dataset.train, dataset.val, dataset.test)
    together = rows(np.concatenate([part.x for part in parts]) * 16, np.concatenate([part.y for part in parts]))
    np.testing.assert_array_equal(together, rows(pixels, labels))


def test_each_digit_is_dealt_out_three_to_one_to_one():
    dataset = digits.load()
    counts = np.array([np.bincount(part.y, minlength=10) for part in (dataset.train, dataset.val, dataset.test)])
    shares = counts / counts.sum(axis=0)
    assert np.abs(shares - [[0.6], [0.2], [0.2]]).max() < 0.01


def test_the_public_interface_gives_the_same_table_where_the_file_is_elsewhere():
    for own, public in zip(digits.read(digits._scikit_learn() / digits.TABLE), digits.read(Path("nowhere")), strict=True):
        np.testing.assert_array_equal(own, public)


def test_content_is_the_published_one():
    assert digits.load().digest == DIGEST
