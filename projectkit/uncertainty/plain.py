"""One network as it is, and what any sampler's answers come to in the end."""

import numpy as np

from projectkit.uncertainty.forward import Model, logits
from projectkit.uncertainty.probabilities import softmax, valid_probabilities


def plain(model: Model, x: np.ndarray) -> np.ndarray:
    """The softmax of the model's logits, as the only sample: (1, n, classes). Raises UncertaintyError for NaN logits."""
    return softmax(logits(model, x))[None]


def predictive(samples: np.ndarray) -> np.ndarray:
    """The mean of `samples`, (samples, n, classes) -> (n, classes): p(y | x) = ∫ p(y | x, w) p(w) dw by Monte Carlo.

    It is the probabilities that are averaged, never the logits. Raises UncertaintyError where there is no probability.
    """
    return valid_probabilities(samples, axes=3).mean(axis=0)
