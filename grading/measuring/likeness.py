"""How alike a model's answers are to those of a table of public images, which looks up its answer."""

from collections.abc import Mapping

import numpy as np

from projectkit.measure import correlations, wrong_classes
from projectkit.types import Dataset, Measurement

IMAGES = 300  # hidden ones that are compared with the table's answers
TABLE = 10_000  # public training images in the table, at most


def neighbours(dataset: Dataset, x: np.ndarray) -> np.ndarray:
    """The answers of a table of the dataset's public images to the first IMAGES of x, (n, classes): for each class minus the
    squared distance to its nearest image; of a class without images, minus the largest distance."""
    parts = (dataset.train.take(TABLE), dataset.val, dataset.test)
    table = np.concatenate([part.x.reshape(len(part), -1) for part in parts]).astype(np.float32)
    labels = np.concatenate([part.y for part in parts])
    images = x[:IMAGES].reshape(len(x[:IMAGES]), -1).astype(np.float32)
    distances = (images**2).sum(axis=1)[:, None] - 2 * images @ table.T + (table**2).sum(axis=1)
    columns = [distances[:, labels == label].min(axis=1, initial=distances.max()) for label in range(len(dataset.classes))]
    return -np.stack(columns, axis=1)


def looked_up(logits: np.ndarray, labels: np.ndarray, table: np.ndarray) -> Mapping[str, Measurement]:
    """How alike a model's answers are to a table's: "likeness", the mean correlation for the wrong classes, and "runner_up", the
    share of images whose likeliest wrong class is the same. Nothing where there is no table, or no choice of wrong classes."""
    if not len(table) or table.shape[1] < 3:
        return {}
    mine, truth = logits[: len(table)], labels[: len(table)]
    each = correlations(mine, table, truth)
    same = wrong_classes(mine, truth).argmax(axis=1) == wrong_classes(table, truth).argmax(axis=1)
    return {
        "likeness": Measurement.exact("likeness", float(each.mean())),
        "runner_up": Measurement.share("runner_up", int(same.sum()), len(same)),
    }
