"""Variational Bayes: every weight has a mean and a deviation of its own, and training finds both."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import UncertaintyError
from projectkit.types import Dataset, Recipe
from projectkit.uncertainty.forward import keras_model
from projectkit.uncertainty.random_passes import random_passes

if TYPE_CHECKING:
    import tf_keras as keras

ESTIMATORS = ("reparameterization", "flipout")


def variational_twin(
    model: "keras.Model",
    examples: int,
    *,
    estimator: str = "flipout",
    prior: float = 1.0,
    deviation: float = 0.01,
    kl_weight: float = 1.0,
) -> "keras.Model":
    """A Keras model like `model` whose kernels are normal distributions, with the model's weights as means.

    `deviation` is that of every weight before training. Biases and batch normalization stay numbers. estimator:
    "reparameterization" draws one kernel a batch, w = μ + softplus(ρ) ε (Blundell et al., "Weight uncertainty in neural
    networks", 2015: Bayes by backprop), "flipout" as good as one an image (Wen et al., "Flipout", 2018), with less noise in the
    gradient. The layers are TensorFlow Probability's.

    Its losses are kl_weight · KL(q | N(0, prior²)) / examples, so that with a mean cross-entropy the sum of both over an epoch's
    images is the negative evidence bound; `examples` is the number of training images. A kl_weight below 1 trusts the data more
    than Bayes does (a tempered posterior). Raises UncertaintyError for an unknown estimator, numbers that are not positive, or a
    model without a dense or convolutional layer.
    """
    import tf_keras as keras

    if estimator not in ESTIMATORS:
        raise UncertaintyError(
            f"Received the estimator {estimator!r}; expected one of {', '.join(ESTIMATORS)}. Give one of them."
        )
    for name, value in {"examples": examples, "prior": prior, "deviation": deviation, "kl_weight": kl_weight}.items():
        if not 0 < value < math.inf:
            raise UncertaintyError(f"Received {name} {value}; expected a finite number above 0. Give a larger one.")
    make, made = _layer_maker(estimator, kl_weight / examples, prior, deviation), []

    def twin(layer: "keras.layers.Layer") -> "keras.layers.Layer":
        random = make(layer)
        if random is None:
            return layer.__class__.from_config(layer.get_config())
        made.append(layer)
        return random

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow Probability calls Keras by old names
        network = keras.models.clone_model(keras_model(model, "variational_twin"), clone_function=twin)
    if not made:
        raise UncertaintyError(f"{model.name}: received no dense or convolutional layer; expected one. Give a mlp or a convnet.")
    for layer in model.layers:
        _take_means(network.get_layer(layer.name), layer, random=layer in made)
    return network


def fit_variational(
    model: "keras.Model",
    dataset: Dataset,
    recipe: Recipe,
    *,
    estimator: str = "flipout",
    prior: float = 1.0,
    deviation: float = 0.01,
    kl_weight: float = 1.0,
) -> "keras.Model":
    """A `variational_twin` of `model`, trained by `recipe` on dataset.train; `model` itself stays as it was.

    Its history's loss is the negative evidence bound an image. Raises as `variational_twin` and `train.fit` do.
    """
    from projectkit import train

    network = variational_twin(
        model, len(dataset.train), estimator=estimator, prior=prior, deviation=deviation, kl_weight=kl_weight
    )
    train.fit(network, dataset, recipe, progress=False)
    return network


def variational(model: "keras.Model", x: np.ndarray, *, samples: int = 20, seed: int = 0) -> np.ndarray:
    """`samples` passes of a `variational_twin`, each with kernels of its own: (samples, n, classes).

    Raises UncertaintyError for a model without variational layers, and for NaN logits.
    """
    if not any(hasattr(layer, "kernel_posterior") for layer in keras_model(model, "variational").layers):
        raise UncertaintyError(
            f"{model.name}: received a model whose weights are numbers; expected one with variational layers. Give "
            "fit_variational(model, dataset, recipe)."
        )
    return random_passes(model, x, samples, seed)


def divergence(model: "keras.Model") -> float:
    """KL(q | prior) of all kernels of a `variational_twin` together, in nats: what its weights have learned from the data."""
    random = [layer for layer in model.layers if hasattr(layer, "kernel_posterior")]
    parts = [(layer.kernel_posterior.distribution, layer.kernel_prior.distribution) for layer in random]
    return sum(kl_divergence(q.loc.numpy(), q.scale.numpy(), p.scale.numpy()) for q, p in parts)


def kl_divergence(mean: np.ndarray, deviation: np.ndarray, prior: float = 1.0) -> float:
    """KL(N(mean, deviation²) | N(0, prior²)) in nats, summed over all entries; never negative, 0 for the prior itself."""
    ratio = (np.square(deviation) + np.square(mean)) / prior**2
    return float(np.sum(0.5 * (ratio - 1) - np.log(np.asarray(deviation) / prior)))


def _layer_maker(
    estimator: str, kl_share: float, prior: float, deviation: float
) -> Callable[["keras.layers.Layer"], "keras.layers.Layer"]:
    """layer -> its variational twin, None for a layer that has no kernel to vary."""
    import tensorflow as tf
    import tensorflow_probability as tfp
    from tf_keras import initializers, layers

    names = {"reparameterization": "Reparameterization", "flipout": "Flipout"}
    dense, convolution = (getattr(tfp.layers, f"{kind}{names[estimator]}") for kind in ("Dense", "Convolution2D"))

    def normal(
        dtype: "tf.DType", shape: Sequence[int], name: str, trainable: bool, add_variable_fn: Callable[..., "tf.Variable"]
    ) -> "tfp.distributions.Distribution":
        spread = tf.constant(prior, dtype)
        return tfp.distributions.Independent(tfp.distributions.Normal(tf.zeros(shape, dtype), spread), len(shape))

    def make(layer: "keras.layers.Layer") -> "keras.layers.Layer":
        if type(layer) not in (layers.Dense, layers.Conv2D) or getattr(layer, "groups", 1) != 1:
            return None
        options = {
            "kernel_posterior_fn": tfp.layers.default_mean_field_normal_fn(
                loc_initializer=initializers.Zeros(),
                untransformed_scale_initializer=initializers.Constant(math.log(math.expm1(deviation))),
            ),
            "kernel_prior_fn": normal,
            "kernel_divergence_fn": lambda posterior, prior, _: kl_share * tfp.distributions.kl_divergence(posterior, prior),
            "activation": layer.activation,
            "name": layer.name,
        }
        if not layer.use_bias:
            options["bias_posterior_fn"] = None
        if type(layer) is layers.Dense:
            return dense(layer.units, **options)
        same = {"strides": layer.strides, "padding": layer.padding, "dilation_rate": layer.dilation_rate}
        return convolution(layer.filters, layer.kernel_size, **same, **options)

    return make


def _take_means(twin: "keras.layers.Layer", layer: "keras.layers.Layer", *, random: bool) -> None:
    """Puts the weights of `layer` into its twin, a random one's kernel as the mean."""
    if not random:
        twin.set_weights(layer.get_weights())
        return
    twin.kernel_posterior.distribution.loc.assign(layer.kernel)
    if layer.use_bias:
        twin.bias_posterior.distribution.loc.assign(layer.bias)
