"""Randomized smoothing: the class that wins under Gaussian noise, with a radius within which nothing can change it.

The smoothed classifier g(x) answers with the class that the model gives to x + N(0, σ²I) most often. Where that class has a
probability of at least pA > 1/2, g gives it to every image at an L2 distance of less than R = σ·Φ⁻¹(pA): a proof, not the
failure of some attack. pA is bounded from samples, so the proof holds with probability 1 − α. Noisy images are not clipped.
Cohen, Rosenfeld, Kolter, "Certified adversarial robustness via randomized smoothing", 2019.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import RobustnessError
from projectkit.robustness.answers import Model, logits
from projectkit.robustness.ball import checked
from projectkit.robustness.evaluate import share
from projectkit.robustness.pgd import refuse_counts
from projectkit.types import Dataset, Measurement, Recipe

if TYPE_CHECKING:
    import tf_keras as keras

    from projectkit.train import History

ABSTAIN = -1  # in place of a label
NOISY = 1000  # noisy images at a time


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """labels (n,) int64: the smoothed class of each image, or ABSTAIN. radii (n,): the L2 distance in which it holds, else 0."""

    labels: np.ndarray
    radii: np.ndarray
    sigma: float

    def accuracy(self, y: np.ndarray, radius: float = 0.0) -> Measurement:
        """The share of the images with the right class and a radius above `radius`, with its 95 % Wilson interval."""
        if np.shape(y) != self.labels.shape:
            raise RobustnessError(
                f"Received labels of shape {np.shape(y)}; expected {self.labels.shape}. Give those of the certified images."
            )
        return share("certified_accuracy", (self.labels == y) & (self.radii > radius))


def certify(
    model: Model, x: np.ndarray, *, sigma: float, n0: int = 100, n: int = 1000, alpha: float = 0.001, seed: int = 0
) -> Certificate:
    """The smoothed class of each image and the radius in which it is proven, each with probability 1 − alpha.

    x: (images, height, width, channels); n0 noisy copies of each choose the class, n others bound its probability from below
    (Clopper and Pearson, 1934). So no radius is larger than σ·Φ⁻¹(alpha^(1/n)): 2.46 σ with 1000 copies, 3.20 σ with 10 000.
    Where the bound is 1/2 or less there is no class. An image's noise depends on the seed and its place only.
    Cohen et al. 2019, CERTIFY. Raises RobustnessError for options out of range and for a model that does not answer.
    """
    x = _checked(x, sigma, alpha)
    refuse_counts(n0=n0, n=n)
    labels, radii = np.full(len(x), ABSTAIN, np.int64), np.zeros(len(x))
    for index, image in enumerate(x):
        rng = np.random.default_rng((seed, index))
        chosen = int(votes(model, image, sigma, n0, rng).argmax())
        # The copies that chose the class would flatter it.
        bound = lower_bound(int(votes(model, image, sigma, n, rng)[chosen]), n, alpha)
        if bound > 0.5:
            labels[index], radii[index] = chosen, radius(bound, sigma)
    return Certificate(labels, radii, sigma)


def predict(model: Model, x: np.ndarray, *, sigma: float, n: int = 100, alpha: float = 0.001, seed: int = 0) -> np.ndarray:
    """The smoothed class of each image, (images,) int64, or ABSTAIN where n noisy copies do not tell it.

    A class is told when it beats the second one in a two-sided binomial test at level alpha: it is wrong with probability alpha
    at most. Cohen et al. 2019, PREDICT. Raises RobustnessError as `certify`.
    """
    from scipy.stats import binom

    x = _checked(x, sigma, alpha)
    refuse_counts(n=n)
    labels = np.full(len(x), ABSTAIN, np.int64)
    for index, image in enumerate(x):
        counts = votes(model, image, sigma, n, np.random.default_rng((seed, index)))
        second, first = np.sort(counts)[-2:]
        if 2 * binom.sf(first - 1, first + second, 0.5) <= alpha:
            labels[index] = counts.argmax()
    return labels


def votes(model: Model, image: np.ndarray, sigma: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """How often the model gives each class to `count` noisy copies of one image (height, width, channels): (classes,) int64."""
    counted = [_histogram(logits(model, noisy)) for noisy in _noisy(image, sigma, count, rng)]
    return np.sum(counted, axis=0)


def lower_bound(hits: int, n: int, alpha: float) -> float:
    """The one-sided Clopper–Pearson bound: the probability at which `hits` or more of n come up with probability alpha."""
    from scipy.stats import beta

    return float(beta.ppf(alpha, hits, n - hits + 1)) if hits else 0.0


def radius(probability: float, sigma: float) -> float:
    """σ·Φ⁻¹(probability): the L2 distance at which a class with that probability under noise can fall to 1/2."""
    from scipy.special import ndtri

    return float(sigma * ndtri(probability))


def noise_training(
    model: "keras.Model",
    dataset: Dataset,
    recipe: Recipe,
    *,
    sigma: float,
    warm_up: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> "History":
    """Trains `model` in place on images with Gaussian noise, for `certify` with the same sigma (Cohen et al. 2019, section 3.3).

    In the history, all numbers are those of noisy images. The arguments and errors are those of the adversarial trainings; with
    `warm_up`, sigma grows over that many epochs.
    """
    from projectkit.robustness.perturbed_training import TrainingMethod, attacked_alone, fit_perturbed, with_noise

    _refuse_sigma(sigma)
    method = TrainingMethod(f"noise_training(sigma={sigma})", sigma, with_noise, attacked_alone, validation_attack=with_noise)
    return fit_perturbed(model, dataset, recipe, method, warm_up=warm_up, checkpoint=checkpoint, progress=progress)


def _noisy(image: np.ndarray, sigma: float, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    for start in range(0, count, NOISY):
        shape = (min(NOISY, count - start), *image.shape)
        yield image + np.float32(sigma) * rng.standard_normal(shape, np.float32)


def _histogram(answers: np.ndarray) -> np.ndarray:
    return np.bincount(answers.argmax(axis=1), minlength=answers.shape[1])


def _checked(x: np.ndarray, sigma: float, alpha: float) -> np.ndarray:
    _refuse_sigma(sigma)
    if not 0 < alpha < 1:
        raise RobustnessError(f"Received alpha {alpha}; expected the probability of a wrong answer, in (0, 1). Give 0.001.")
    return checked(x, np.zeros(len(x), np.int64), 0.0)[0]


def _refuse_sigma(sigma: float) -> None:
    if not 0 < sigma < math.inf:
        raise RobustnessError(f"Received sigma {sigma}; expected the noise's standard deviation, above 0. Give for example 0.5.")
