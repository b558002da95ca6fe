"""How good a model's answers are, from its outputs and the labels that it never saw."""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from grading.hidden.data import Hidden
from grading.hidden.probes import Probes
from grading.measuring.known import better_known
from grading.measuring.likeness import looked_up
from projectkit.errors import MeasureError, UncertaintyError
from projectkit.measure import accuracy, fidelity
from projectkit.types import Measurement


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """A model's logits (n, classes) to the hidden and the corrupted images with their labels (n,), and to the images out of
    distribution, which have none; `start`, `table`: those of the start network, and of a table of public images to the first of
    them, to the hidden images."""

    hidden: np.ndarray
    labels: np.ndarray
    corrupted: np.ndarray
    corrupted_labels: np.ndarray
    out_of_distribution: np.ndarray
    start: np.ndarray | None = None
    table: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """`values` by metric; accuracy in each class (None for one without images) and on the public part, where there is one;
    `known`: see grading.measuring.known; `looked_up`: see grading.measuring.likeness."""

    values: Mapping[str, Measurement]
    classes: tuple[Measurement | None, ...]
    plain: Measurement | None
    known: Mapping[str, Measurement]
    looked_up: Mapping[str, Measurement]


def quality(outputs: np.ndarray, hidden: Hidden, probes: Probes, wanted: Collection[str], name: str) -> Quality:
    """What the outputs to hidden, public test and validation, corrupted and out-of-distribution images, one after the other, are
    worth: accuracy always, the rest as far as `wanted`. The worker could not tell the parts from each other.

    `name` is the file's. Raises MeasureError when the outputs are no logits for these images.
    """
    sizes = [len(hidden.split), len(hidden.plain), len(hidden.val), len(probes.corrupted), len(probes.out_of_distribution)]
    ends = np.cumsum(sizes)
    if outputs.shape != (ends[-1], hidden.classes):
        raise MeasureError(
            f"{name}: its outputs have shape {outputs.shape}, expected {(int(ends[-1]), hidden.classes)}: one logit a class for "
            "each input."
        )
    if np.isfinite(outputs).all() and np.ptp(outputs, axis=0).max() == 0:
        raise MeasureError(f"{name}: it gives the same output for every input, expected outputs that depend on the image.")
    on_hidden, on_plain, on_val, on_corrupted, on_others = np.split(outputs, ends[:-1])
    answers = Answers(on_hidden, hidden.split.y, on_corrupted, probes.corrupted.y, on_others, probes.start, probes.neighbours)
    try:
        y = hidden.split.y
        of = [y == label for label in range(hidden.classes)]
        classes = tuple(accuracy(on_hidden[here], y[here]) if here.any() else None for here in of)
        values = {metric: measure(answers) for metric, measure in QUALITIES.items() if metric in {"accuracy", *wanted}}
        plain = accuracy(on_plain, hidden.plain.y) if len(hidden.plain) else None
        if len(hidden.val):
            accuracy(on_val, hidden.val.y)  # refuses what is no answer
        public = {"test": (on_plain, hidden.plain.y)}
        # Images of the instructor's own may be easier than the set's without anybody having seen them.
        parts = public if hidden.origin == "own" else {"hidden": (on_hidden, y), **public}
        known = better_known(parts, (on_val, hidden.val.y))
    except (MeasureError, UncertaintyError) as error:
        raise MeasureError(f"{name}: {error}") from error
    table = probes.neighbours
    return Quality(values, classes, plain, known, {} if table is None else looked_up(on_hidden, y, table))


def _accuracy(answers: Answers) -> Measurement:
    return accuracy(answers.hidden, answers.labels)


def _score(metric: str, answers: Answers) -> Measurement:
    return _probability_score(metric, metric, answers.hidden, answers.labels)


def _calibration_error(answers: Answers) -> Measurement:
    """The plain ECE is not offered: on hundreds of images most of it is chance, and no interval mends that."""
    from projectkit.uncertainty import calibration_interval, softmax

    return calibration_interval(softmax(answers.hidden), answers.labels)


def _corrupted_accuracy(answers: Answers) -> Measurement:
    share = accuracy(answers.corrupted, answers.corrupted_labels)
    return Measurement("corrupted_accuracy", share.value, share.low, share.high, share.n)


def _corrupted_nll(answers: Answers) -> Measurement:
    return _probability_score("corrupted_nll", "nll", answers.corrupted, answers.corrupted_labels)


def _ood_auroc(answers: Answers) -> Measurement:
    """How often an image out of distribution gets a smaller largest probability than a hidden one (Hendrycks and Gimpel, "A
    baseline for detecting misclassified and out-of-distribution examples in neural networks", 2017)."""
    from projectkit.uncertainty import OOD_SCORES, auroc, detection_interval

    score = OOD_SCORES["max_probability"]
    return detection_interval(auroc, score(answers.hidden), score(answers.out_of_distribution), metric="ood_auroc")


def _table_likeness(answers: Answers) -> Measurement:
    """Fidelity to a table of public images, which looks up the nearest one: networks have 0.4 to 0.8, tables 0.86 and more."""
    if answers.table is None:
        raise MeasureError("there is no table of public images to compare with")
    count = len(answers.table)
    found = fidelity(answers.hidden[:count], answers.table, answers.labels[:count])
    return dataclasses.replace(found, metric="table_likeness")


def _fidelity(answers: Answers) -> Measurement:
    if answers.start is None:
        raise MeasureError("there are no answers of a start network to compare with")
    return fidelity(answers.hidden, answers.start, answers.labels)


def _probability_score(metric: str, score: str, logits: np.ndarray, labels: np.ndarray) -> Measurement:
    """The score of the probabilities, with its bootstrap interval. The room is loaded where a rubric asks for it."""
    from projectkit.uncertainty import SCORES, score_interval, softmax

    return score_interval(SCORES[score], softmax(logits), labels, metric=metric)


# Every metric of the answers but robust_accuracy, for which the model is asked again and again (grading.measuring.black_box).
QUALITIES: Mapping[str, Callable[[Answers], Measurement]] = {
    "accuracy": _accuracy,
    "nll": partial(_score, "nll"),
    "ece_debiased": _calibration_error,
    "brier": partial(_score, "brier"),
    "corrupted_accuracy": _corrupted_accuracy,
    "corrupted_nll": _corrupted_nll,
    "ood_auroc": _ood_auroc,
    "fidelity": _fidelity,
    "table_likeness": _table_likeness,
}
