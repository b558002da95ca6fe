"""How good a model's answers are, from its outputs and the labels that it never saw."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from grading.hidden.data import Hidden
from grading.hidden.probes import Probes
from projectkit.errors import MeasureError, UncertaintyError
from projectkit.measure import accuracy
from projectkit.types import Measurement, Split

SCORED = ("nll", "ece", "brier")


@dataclass(frozen=True, slots=True)
class Quality:
    """`values` by metric; accuracy in each class (None for one without images) and on the public part, where there is one."""

    values: Mapping[str, Measurement]
    classes: tuple[Measurement | None, ...]
    plain: Measurement | None


def quality(outputs: np.ndarray, hidden: Hidden, probes: Probes, wanted: Collection[str], name: str) -> Quality:
    """What the outputs to hidden, public, corrupted and strange images, one after the other, are worth: accuracy always, the
    rest as far as `wanted`. The worker could not tell the parts from each other.

    `name` is the file's. Raises MeasureError when the outputs are no logits for these images.
    """
    parts = np.cumsum([len(hidden.split), len(hidden.plain), len(probes.corrupted), len(probes.strange)])
    if outputs.shape != (parts[-1], hidden.classes):
        raise MeasureError(
            f"{name}: its outputs have shape {outputs.shape}, expected {(int(parts[-1]), hidden.classes)}: one logit a class for "
            "each input."
        )
    if np.isfinite(outputs).all() and np.ptp(outputs, axis=0).max() == 0:
        raise MeasureError(f"{name}: it gives the same output for every input, expected outputs that depend on the image.")
    on_hidden, on_plain, on_corrupted, on_strange = np.split(outputs, parts[:-1])
    try:
        y = hidden.split.y
        of = [y == label for label in range(hidden.classes)]
        classes = tuple(accuracy(on_hidden[here], y[here]) if here.any() else None for here in of)
        values = [accuracy(on_hidden, y), *_scores(on_hidden, hidden.split, wanted)]
        values += _under_corruption(on_corrupted, probes.corrupted, wanted)
        values += [_told_apart(on_hidden, on_strange)] if "ood_auroc" in wanted else []
        plain = accuracy(on_plain, hidden.plain.y) if len(hidden.plain) else None
    except (MeasureError, UncertaintyError) as error:
        raise MeasureError(f"{name}: {error}") from error
    return Quality({value.metric: value for value in values}, classes, plain)


def _scores(logits: np.ndarray, split: Split, wanted: Collection[str]) -> list[Measurement]:
    """The scores of the probabilities, with bootstrap intervals."""
    metrics = [metric for metric in SCORED if metric in wanted]
    if not metrics:
        return []
    from projectkit.uncertainty import SCORES, score_interval, softmax

    probabilities = softmax(logits)
    return [score_interval(SCORES[metric], probabilities, split.y, metric=metric) for metric in metrics]


def _under_corruption(logits: np.ndarray, split: Split, wanted: Collection[str]) -> list[Measurement]:
    found = []
    if "corrupted_accuracy" in wanted:
        share = accuracy(logits, split.y)
        found.append(Measurement("corrupted_accuracy", share.value, share.low, share.high, share.n))
    if "corrupted_nll" in wanted:
        from projectkit.uncertainty import SCORES, score_interval, softmax

        found.append(score_interval(SCORES["nll"], softmax(logits), split.y, metric="corrupted_nll"))
    return found


def _told_apart(inside: np.ndarray, outside: np.ndarray) -> Measurement:
    """How often a strange image gets a smaller largest probability than a hidden one (Hendrycks and Gimpel, 2017)."""
    from projectkit.uncertainty import NOVELTIES, auroc, detection_interval

    strange = NOVELTIES["max_probability"]
    return detection_interval(auroc, strange(inside), strange(outside), metric="ood_auroc")
