"""SWAG: a normal distribution through the weights that training passes at a constant learning rate."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import UncertaintyError
from projectkit.types import Dataset, Recipe
from projectkit.uncertainty.batch_statistics import statistics_of
from projectkit.uncertainty.dropout import without_dropout
from projectkit.uncertainty.forward import images, keras_model, logits, refuse_count, refuse_other
from projectkit.uncertainty.probabilities import softmax

if TYPE_CHECKING:
    import tf_keras as keras

IMAGES = 1024  # that each sample's batch normalization sees


@dataclass(frozen=True, slots=True, eq=False)
class Swag:
    """The distribution of the p trainable numbers of `model`, end to end in its order.

    mean: (p,); variance: (p,), of each number over the epochs; deviations: (p, rank), the last epochs' weights minus the mean of
    their time; images: training images for the statistics of batch normalization.
    """

    model: object
    mean: np.ndarray
    variance: np.ndarray
    deviations: np.ndarray
    images: np.ndarray


def fit_swag(model: "keras.Model", dataset: Dataset, recipe: Recipe, *, rank: int = 20) -> Swag:
    """Trains a copy of `model`, which is trained already, by `recipe` at a constant learning rate, and takes its weights once an
    epoch (Maddox et al., "A simple baseline for Bayesian uncertainty in deep learning", 2019, algorithm 1).

    rank: how many of the last epochs give a deviation. Raises as `train.fit` does, and UncertaintyError for fewer than two epochs
    or a rank below 2.
    """
    from projectkit import models, train

    refuse_count("epochs", recipe.epochs, at_least=2)
    refuse_count("deviations as rank", rank, at_least=2)
    network, passed = models.copy(keras_model(model, "fit_swag")), _Moments(rank)
    train.fit(
        network,
        dataset,
        replace(recipe, schedule="constant"),
        progress=False,
        after_epoch=lambda trained: passed.add(_end_to_end(trained)),
    )
    return Swag(models.copy(network), passed.mean, passed.variance, np.stack(passed.deviations, axis=1), dataset.train.x[:IMAGES])


def swag(posterior: Swag, x: np.ndarray, *, samples: int = 20, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    """The answers of `samples` networks drawn from the posterior: (samples, n, classes).

    weights = mean + scale · (√(variance / 2) z₁ + deviations z₂ / √(2 (rank − 1))) with standard normal z (equation 1 of the
    paper, whose scale is 1); at scale 0 all are the mean. Each sample's batch normalization is computed for it. The posterior
    stays as it was. Raises UncertaintyError for a negative scale and NaN logits.
    """
    refuse_other(posterior, Swag, "fit_swag(model, dataset, recipe)")
    refuse_count("samples", samples)
    if not 0 <= scale < math.inf:
        raise UncertaintyError(f"Received the scale {scale}; expected a finite number ≥ 0. Give 1, or 0 for the mean alone.")
    x, rng = images(x), np.random.default_rng(seed)
    network = without_dropout(posterior.model)
    refresh = statistics_of(network, posterior.images)
    found = []
    for _ in range(samples):
        _assign(network, drawn(posterior, scale, rng))
        refresh()
        found.append(softmax(logits(network, x)))
    return np.stack(found)


def averaged(posterior: Swag) -> "keras.Model":
    """The network with the mean weights, and batch normalization computed for them: SWA (Izmailov et al., 2018)."""
    from projectkit import models

    quiet = without_dropout(posterior.model)
    _assign(quiet, posterior.mean)
    statistics_of(quiet, posterior.images)()
    network = models.copy(posterior.model)
    network.set_weights(quiet.get_weights())
    return network


def drawn(posterior: Swag, scale: float, rng: np.random.Generator) -> np.ndarray:
    """One sample of the weights: (p,) float32."""
    rank = posterior.deviations.shape[1]
    each = np.sqrt(posterior.variance / 2) * rng.standard_normal(len(posterior.mean))
    common = posterior.deviations @ rng.standard_normal(rank) / math.sqrt(2 * (rank - 1))
    return (posterior.mean + scale * (each + common)).astype(np.float32)


class _Moments:
    """Running mean and mean square of the weights, and the last deviations."""

    def __init__(self, rank: int):
        self._rank, self._count = rank, 0
        self.mean = self._square = np.zeros(())  # (p,) from the first weights on
        self.deviations: list[np.ndarray] = []

    def add(self, weights: np.ndarray) -> None:
        self._count += 1
        self.mean = self.mean + (weights - self.mean) / self._count
        self._square = self._square + (weights**2 - self._square) / self._count
        self.deviations = [*self.deviations, weights - self.mean][-self._rank :]

    @property
    def variance(self) -> np.ndarray:
        return np.maximum(self._square - self.mean**2, 0.0)  # rounding could leave −1e-17


def _end_to_end(model: "keras.Model") -> np.ndarray:
    return np.concatenate([variable.numpy().ravel() for variable in model.trainable_variables]).astype(np.float64)


def _assign(model: "keras.Model", weights: np.ndarray) -> None:
    start = 0
    for variable in model.trainable_variables:
        size = math.prod(variable.shape)
        variable.assign(weights[start : start + size].reshape(variable.shape))
        start += size
