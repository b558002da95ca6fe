"""A dataset of which only some images have labels."""

import hashlib
from dataclasses import replace

import numpy as np

from projectkit.distill.checks import UNLABELLED
from projectkit.errors import DataError
from projectkit.types import Dataset, Split


def hide_labels(dataset: Dataset, *, keep: int, seed: int = 0) -> Dataset:
    """`dataset` with the labels of `keep` training images, as many of each class as can be; the others' become −1.

    A teacher teaches from all its images. Raises DataError unless classes ≤ keep ≤ the number of labelled images.
    """
    y = dataset.train.y
    counts = np.bincount(y[y >= 0], minlength=len(dataset.classes))
    if not len(dataset.classes) <= keep <= counts.sum():
        raise DataError(
            f"{dataset.name}: received keep = {keep}; expected {len(dataset.classes)} (one a class) to {counts.sum()} labels."
            " Keep more, or fewer."
        )
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(y))
    rank = np.zeros(len(y), int)  # of an image among those of its class
    for label in range(len(dataset.classes)):
        own = shuffled[y[shuffled] == label]
        rank[own] = np.arange(len(own))
    candidates = shuffled[y[shuffled] >= 0]
    kept = candidates[np.argsort(rank[candidates], kind="stable")[:keep]]
    hidden = np.full_like(y, UNLABELLED)
    hidden[kept] = y[kept]
    return replace(dataset, train=Split(dataset.train.x, hidden), digest=_digest(dataset, hidden))


def labelled(dataset: Dataset) -> Dataset:
    """`dataset` with the training images that have a label only: all that a network without a teacher can learn from."""
    known = dataset.train.y >= 0
    if known.all():
        return dataset
    return replace(dataset, train=Split(dataset.train.x[known], dataset.train.y[known]), digest=_digest(dataset, known))


def _digest(dataset: Dataset, change: np.ndarray) -> str:
    return hashlib.sha256(dataset.digest.encode() + change.astype("<i8").tobytes()).hexdigest()
