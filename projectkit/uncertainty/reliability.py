"""The reliability diagram: how often answers of each confidence are right."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from projectkit.uncertainty.bins import BINS, equal_width, in_bins
from projectkit.uncertainty.calibration_error import top_answers

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """A reliability diagram as data. edges: (bins + 1,); count, confidence, accuracy: (bins,), the last two 0 in empty bins."""

    edges: np.ndarray
    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def ece(self) -> float:
        """The expected calibration error of these bins."""
        return float(self.count @ np.abs(self.accuracy - self.confidence) / self.count.sum())


def reliability(probs: np.ndarray, y: np.ndarray, *, bins: int = BINS) -> Reliability:
    """The largest probabilities of (n, classes) `probs` in equally wide bins, with the share of right answers in each."""
    edges = equal_width(bins)
    binned = in_bins(*top_answers(probs, y), edges)
    return Reliability(edges, binned.count, binned.confidence, binned.frequency)


def plot_reliability(found: Reliability, axis: "Axes | None" = None, *, title: str = "", color: str = "tab:blue") -> "Axes":
    """Draws `found` into `axis`, or a new figure: a bar is the accuracy of a bin, red what it lacks of its confidence, green
    what it has above it, and the black steps are the share of examples. On the dotted diagonal forecasts are calibrated."""
    from matplotlib import pyplot as plt

    axis = axis or plt.subplots(figsize=(3.6, 3.6), layout="constrained")[1]
    some = found.count > 0
    left, width = found.edges[:-1][some], np.diff(found.edges)[some]
    accuracy, confidence = found.accuracy[some], found.confidence[some]
    draw = partial(axis.bar, left, width=width, align="edge", edgecolor="white", linewidth=0.5)
    draw(accuracy, color=color, label="accuracy")
    missing = np.maximum(confidence - accuracy, 0)
    draw(missing, bottom=accuracy, color="tab:red", alpha=0.5, label="too confident")
    beyond = np.maximum(accuracy - confidence, 0)
    draw(beyond, bottom=accuracy - beyond, color="tab:green", label="too modest")
    axis.stairs(found.count / found.count.sum(), found.edges, color="black", alpha=0.6, linewidth=1, label="share of examples")
    axis.plot([0, 1], [0, 1], ":", color="gray")
    axis.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy", aspect="equal")
    axis.set_title(f"{title}\nECE {found.ece:.3f}".strip(), fontsize=10)
    return axis
