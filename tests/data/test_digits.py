from pathlib import Path

import numpy as np

from projectkit.data import digits

DIGEST = "a9507e61b11efa4e7d4598a5888b46e5ad293eb000665c1ec4eb1dc5f780ad07"


def rows(pixels, labels):
    """The rows of a table with their labels, sorted, so that two tables with the same rows compare equal."""
    table = np.column_stack([np.asarray(pixels).reshape(len(labels), -1), labels])
    return table[np.lexsort(table.T)]


def test_the_splits_and_what_is_withheld_are_scikit_learns_digits_each_image_once():
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    parts = digits.parts()
    together = rows(np.concatenate([part.x for part in parts]) * 16, np.concatenate([part.y for part in parts]))
    np.testing.assert_array_equal(together, rows(pixels, labels))


def test_no_split_hands_out_what_is_withheld():
    dataset = digits.load()
    handed_out = np.concatenate([part.x for part in (dataset.train, dataset.val, dataset.test)])
    assert [len(part) for part in (dataset.train, dataset.val, dataset.test)] == list(digits.COUNTS)
    assert not {image.tobytes() for image in handed_out} & {image.tobytes() for image in digits.parts()[3].x}


def test_each_digit_is_dealt_out_in_equal_shares():
    counts = np.array([np.bincount(part.y, minlength=10) for part in digits.parts()])
    assert np.abs(counts / counts.sum(axis=0) - [[0.6], [0.1], [0.1], [0.2]]).max() < 0.01


def test_the_public_interface_gives_the_same_table_where_the_file_is_elsewhere():
    for own, public in zip(digits.read(digits._scikit_learn() / digits.TABLE), digits.read(Path("nowhere")), strict=True):
        np.testing.assert_array_equal(own, public)


def test_content_is_the_published_one():
    assert digits.load().digest == DIGEST
