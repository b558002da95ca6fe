"""The Laplace approximation of the last layer: a normal distribution around the weights that training found."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import UncertaintyError
from projectkit.types import Dataset, Recipe
from projectkit.uncertainty.forward import answers, images, keras_model, refuse_count, refuse_other, refuse_other_images
from projectkit.uncertainty.plain import predictive
from projectkit.uncertainty.precisions import STRUCTURES, Precision
from projectkit.uncertainty.probabilities import softmax
from projectkit.uncertainty.scores import nll

if TYPE_CHECKING:
    import tf_keras as keras

LARGEST = 3000  # weights of a last layer whose whole matrix is kept: 72 MB, and its spectrum takes seconds
PRIORS = np.logspace(-4, 5, 91)


@dataclass(frozen=True, slots=True, eq=False)
class Laplace:
    """weights ~ N(mean, (H + prior · I)⁻¹), H being `precision`.

    body: the Keras model from images to the features under the last layer; mean: that layer's weights with the bias as last row,
    (d, c).
    """

    body: object
    mean: np.ndarray
    precision: Precision
    prior: float


def fit_laplace(
    model: "keras.Model",
    dataset: Dataset,
    recipe: Recipe | None = None,
    *,
    structure: str = "kronecker",
    prior: float | str = "marginal likelihood",
) -> Laplace:
    """The posterior of the last layer of `model`, a trained Keras model (Daxberger et al., "Laplace redux", 2021).

    H is the generalized Gauss-Newton matrix of the cross-entropy, summed over dataset.train: "full", "kronecker" or "diagonal".
    prior: the precision of a normal prior around 0, or how to choose it: "marginal likelihood" asks the training images alone
    (MacKay, "Bayesian interpolation", 1992), "validation" takes the best negative log-likelihood of dataset.val, by the probit
    link. Nothing is trained, so `recipe` is not used: it makes the signature that of FITTERS.

    Raises UncertaintyError for an unknown structure or prior, for a model that does not end in a dense layer without activation,
    and for a full matrix over more than LARGEST weights.
    """
    from projectkit import models

    body, mean = _split(models.copy(keras_model(model, "fit_laplace")))  # a copy: who trains on must not change the posterior
    if structure not in STRUCTURES:
        raise UncertaintyError(
            f"Received the structure {structure!r}; expected one of {', '.join(STRUCTURES)}. Give one of them."
        )
    if structure == "full" and mean.size > LARGEST:
        raise UncertaintyError(
            f'Received a last layer of {mean.size} weights for structure "full"; expected at most {LARGEST}. Give "kronecker".'
        )
    features = _features(body, dataset.train.x)
    precision = STRUCTURES[structure].of(features, softmax(features @ mean))
    posterior = Laplace(body, mean, precision, 1.0)
    return replace(posterior, prior=_chosen(prior, posterior, dataset))


def laplace(posterior: Laplace, x: np.ndarray, *, samples: int = 20, link: str = "samples", seed: int = 0) -> np.ndarray:
    """Predictions under the posterior. link "samples": (samples, n, classes), each with last-layer weights of its own.

    link "probit": (1, n, classes), the mean in closed form, softmax(z / √(1 + π/8 · Var z)) (MacKay, "The evidence framework
    applied to classification networks", 1992). With more than two classes it is too unsure: it also counts the variance that all
    logits share, of which softmax sees nothing. Raises UncertaintyError for another link and for NaN logits.
    """
    if link not in ("samples", "probit"):
        raise UncertaintyError(f'Received the link {link!r}; expected "samples" or "probit". Give one of them.')
    refuse_other(posterior, Laplace, "fit_laplace(model, dataset)")
    refuse_count("samples", samples)
    features = _features(posterior.body, images(x))
    if link == "probit":
        return _probit(posterior, features)
    weights = posterior.mean + _drawn(posterior, samples, seed)
    return np.stack([softmax(answers(features @ each, len(features))) for each in weights])


def log_marginal_likelihood(posterior: Laplace, prior: float) -> float:
    """ln p(data | prior) but for what does not depend on the prior: −½ (ln det(H + prior · I) − p ln prior + prior · |mean|²)."""
    evidence = posterior.precision.log_determinant(prior) - posterior.mean.size * math.log(prior)
    return -0.5 * (evidence + prior * float((posterior.mean**2).sum()))


def _chosen(prior: float | str, posterior: Laplace, dataset: Dataset) -> float:
    if prior == "marginal likelihood":
        return float(max(PRIORS, key=lambda value: log_marginal_likelihood(posterior, value)))
    if prior == "validation":
        features = _features(posterior.body, dataset.val.x)
        return float(
            min(PRIORS, key=lambda value: nll(predictive(_probit(replace(posterior, prior=value), features)), dataset.val.y))
        )
    if isinstance(prior, str) or not 0 < prior < math.inf:
        raise UncertaintyError(
            f'Received the prior {prior!r}; expected a precision above 0, "marginal likelihood" or "validation". Give for '
            "example 1.0."
        )
    return float(prior)


def _probit(posterior: Laplace, features: np.ndarray) -> np.ndarray:
    logits = answers(features @ posterior.mean, len(features))
    variances = posterior.precision.variances(posterior.prior, features)
    return softmax(logits / np.sqrt(1 + np.pi / 8 * variances))[None]


def _drawn(posterior: Laplace, samples: int, seed: int) -> np.ndarray:
    noise = posterior.precision.draw(posterior.prior, samples, np.random.default_rng(seed))
    return noise.reshape(samples, *posterior.mean.shape)


def _split(model: "keras.Model") -> tuple["keras.Model", np.ndarray]:
    """The model up to its last layer, and that layer's kernel and bias as one (d, c) matrix."""
    import tf_keras as keras

    head = model.layers[-1]
    if not isinstance(head, keras.layers.Dense) or head.activation is not keras.activations.linear:
        raise UncertaintyError(
            f"{model.name}: received a model that ends in {head.name} ({type(head).__name__}); expected a dense layer that "
            "gives the logits. Build it as the builders of projectkit.models do."
        )
    if not head.use_bias:
        raise UncertaintyError(f"{model.name}: received a last layer without a bias; expected one. Build it with use_bias=True.")
    kernel, bias = (weight.numpy().astype(np.float64) for weight in (head.kernel, head.bias))
    return keras.Model(model.inputs, head.input), np.vstack([kernel, bias])


def _features(body: "keras.Model", x: np.ndarray) -> np.ndarray:
    """The features under the last layer and a 1 for the bias: (n, d) float64."""
    refuse_other_images(body, x)
    found = np.asarray(body.predict(x, batch_size=256, verbose=0), dtype=np.float64)
    return np.hstack([found, np.ones((len(found), 1))])
