"""Temperature scaling: one number for all classes."""

from dataclasses import dataclass

import numpy as np

from projectkit.errors import UncertaintyError
from projectkit.uncertainty.probabilities import labelled_logits, softmax

COLDEST, HOTTEST = 1e-2, 1e2


@dataclass(frozen=True, slots=True)
class Temperature:
    """softmax(logits / value): above 1 less sure, below 1 surer, in the same order."""

    value: float

    def __post_init__(self) -> None:
        if not 0 < self.value < np.inf:
            raise UncertaintyError(f"Received the temperature {self.value}; expected a number above 0. Give for example 2.")

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """(n, classes) logits → (n, classes) probabilities."""
        return softmax(np.asarray(logits) / self.value)


def temperature(logits: np.ndarray, y: np.ndarray) -> Temperature:
    """The T in [0.01, 100] with the least NLL of softmax(logits / T) (Guo et al., "On calibration of modern neural networks",
    2017).

    The NLL is convex in 1/T, so its slope, mean(E_p[z] − z_y), has one change of sign, which is found by halving ln(1/T). Give
    images that the network was not trained on: on those it knows it is right to be sure. Raises UncertaintyError.
    """
    logits, y = labelled_logits(logits, y)
    of_label = logits[np.arange(len(y)), y]
    low, high = -np.log(HOTTEST), -np.log(COLDEST)
    for _ in range(60):  # the interval of ln(1/T) shrinks below what a float64 resolves
        middle = (low + high) / 2
        slope = ((softmax(logits * np.exp(middle)) * logits).sum(axis=1) - of_label).mean()
        low, high = (low, middle) if slope > 0 else (middle, high)
    return Temperature(float(np.exp(-(low + high) / 2)))
