"""The signatures of the families of this room: what a member of each table takes and gives."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from projectkit.types import Dataset, Recipe
from projectkit.uncertainty.conformal import PredictionSets

if TYPE_CHECKING:
    import tf_keras as keras


class PredictiveSampler(Protocol):
    """Probabilities of the images x (n, height, width, channels) by several samples of a model: (samples, n, classes), rows that
    sum to one.

    model: what the sampler is made for, of another type for each: a Keras model, or what FITTERS gives under its name. Further
    options have a default. Raises UncertaintyError for a model or images that do not fit.
    """

    def __call__(self, model: Any, x: np.ndarray, /) -> np.ndarray: ...


class Fitter(Protocol):
    """What the sampler of the same name takes as its model, fitted on the dataset; the Keras model that is given stays as it was.
    Further options have a default."""

    def __call__(self, model: "keras.Model", dataset: Dataset, recipe: Recipe, /) -> object: ...


class ProbabilityScore(Protocol):
    """One number for probabilities (n, classes) and their labels y (n,). Further options have a default. Raises UncertaintyError
    for what are no probabilities, or labels that do not fit them."""

    def __call__(self, probs: np.ndarray, y: np.ndarray, /) -> float: ...


class OodScore(Protocol):
    """How much each image seems to be from elsewhere, (n,), larger outside, from logits (n, classes)."""

    def __call__(self, logits: np.ndarray, /) -> np.ndarray: ...


class Conformal(Protocol):
    """Fits sets of classes that miss the label of at most a share `alpha` of the images, on probabilities (n, classes) and labels
    y (n,) that the model was not trained on."""

    def __call__(self, probs: np.ndarray, y: np.ndarray, alpha: float, /) -> PredictionSets: ...


class Calibration(Protocol):
    """Fits a calibrator on logits (n, classes) and labels y (n,) that the model was not trained on. A calibrator turns logits
    (n, classes) into probabilities (n, classes). Raises UncertaintyError for logits or labels that do not fit."""

    def __call__(self, logits: np.ndarray, y: np.ndarray, /) -> Callable[[np.ndarray], np.ndarray]: ...
