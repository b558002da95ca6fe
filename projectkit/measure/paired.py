"""Two models on the same images: on how many is only the one right, and does that tell them apart?"""

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from projectkit.errors import MeasureError
from projectkit.measure.quality import accuracy
from projectkit.runtimes import open as open_model
from projectkit.types import Z95, Artifact, Measurement, Split


@dataclass(frozen=True, slots=True)
class Paired:
    """Two models on the same `n` images: on how many only the first or only the second is right.

    difference: the second's accuracy minus the first's, with its 95 % interval; p: of McNemar's exact test.
    """

    only_first: int
    only_second: int
    difference: Measurement
    p: float

    @property
    def n(self) -> int:
        """How many images there were."""
        return self.difference.n


def paired(first: np.ndarray, second: np.ndarray) -> Paired:
    """Compares which of the same images two models are right on: (n,) bool each, in the same order.

    Images on which both are right, or both wrong, say nothing about which is better. Of the others, equally good models share
    half each: p is the exact two-sided probability of a division at least as uneven (McNemar, "Note on the sampling error of the
    difference between correlated proportions or percentages", 1947). The interval is Wald's after half an image more in each of
    the four cells (Agresti and Min, "Simple improved confidence intervals for comparing matched proportions", 2005).

    Raises MeasureError for other shapes or types, and for no image.
    """
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape or first.ndim != 1 or not first.size or first.dtype != bool or second.dtype != bool:
        raise MeasureError(
            f"paired: got {first.dtype} {first.shape} and {second.dtype} {second.shape}, expected twice (n,) bool, n ≥ 1: which "
            "of the same images each model is right on. Give logits.argmax(axis=1) == y of both."
        )
    n, lost, won = len(first), int(np.count_nonzero(first & ~second)), int(np.count_nonzero(second & ~first))
    uneven, total = won - lost, won + lost + 1
    center, half = uneven / (n + 2), Z95 * math.sqrt(total - uneven**2 / (n + 2)) / (n + 2)
    value = uneven / n
    difference = Measurement(
        "accuracy_difference", value, max(-1.0, min(center - half, value)), min(1.0, max(center + half, value)), n
    )
    return Paired(lost, won, difference, mcnemar(lost, won))


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p: how likely fair coins divide only_first + only_second images at least as unevenly."""
    n, less = only_first + only_second, min(only_first, only_second)
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(less + 1)) / 2**n)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several comparisons, adjusted so that one below 0.05 among them is a false alarm in at most 5 % of cases.

    The smallest is multiplied by how many there are, the next by one less, and so on; none may fall below a smaller one (Holm,
    "A simple sequentially rejective multiple test procedure", 1979).
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def compare_answers(artifacts: Sequence[Artifact], data: Split, baseline: Artifact | None = None) -> list[str]:
    """One sentence for each of `artifacts` but the first, or for each beside a `baseline`: on the same images, is it better?

    Raises ArtifactError when a file cannot be run, MeasureError when its outputs are no logits for these labels.
    """
    others = list(artifacts) if baseline else list(artifacts[1:])
    reference = baseline or artifacts[0]
    others = [other for other in others if other.sha256 != reference.sha256]
    if not others:
        return []
    right = [_right(artifact, data) for artifact in (reference, *others)]
    found = [paired(right[0], mine) for mine in right[1:]]
    adjusted = holm([one.p for one in found])
    names = [Path(artifact.path).name for artifact in (reference, *others)]
    test = "McNemar's exact test" + (f", Holm over {len(found)} comparisons" if len(found) > 1 else "")
    lines = [f"On the same {len(data):,} images, against {names[0]} (p: {test}):"]
    return lines + [f"  {name}: {sentence(one, p)}" for name, one, p in zip(names[1:], found, adjusted, strict=True)]


def sentence(found: Paired, p: float | None = None) -> str:
    """What was found, for people; `p`: another than found.p, such as one adjusted for many comparisons."""
    p = found.p if p is None else p
    value, low, high = (
        f"{100 * number:+.1f}" for number in (found.difference.value, found.difference.low, found.difference.high)
    )
    verdict = "no difference shown" if p >= 0.05 else "better" if found.difference.value > 0 else "worse"
    return (
        f"right where the other is wrong {found.only_second}, the other way round {found.only_first}; difference {value} points "
        f"(95 % {low} … {high}), p = {p:.2g}: {verdict}"
    )


def _right(artifact: Artifact, data: Split) -> np.ndarray:
    """(n,) bool: which images the file is right on."""
    with closing(open_model(artifact)) as session:
        logits = session.run(data.x)
    accuracy(logits, data.y)  # refuses what is no answer
    return logits.argmax(axis=1) == data.y
