"""A calibration that travels in the model's file."""

from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import UncertaintyError
from projectkit.uncertainty.calibrators.affine import Affine
from projectkit.uncertainty.calibrators.temperature import Temperature

if TYPE_CHECKING:
    import tf_keras as keras


def fold(model: "keras.Model", calibrator: Temperature | Affine) -> "keras.Model":
    """A new model whose logits are already calibrated: softmax of them is calibrator(logits of `model`), at no cost.

    Temperature, vector and matrix scaling are linear, and so is the last layer: its kernel K and bias b become K·Wᵀ and W·b + β.
    Preserves everything but these two. Raises UncertaintyError for another calibrator, for a model whose last layer is no Dense
    without an activation, and for a bias where that layer has none.
    """
    from projectkit import tensorflow_quietly  # noqa: F401 — before tf_keras is imported

    # isort: split
    import tf_keras as keras

    from projectkit.models import copy

    last = model.layers[-1]
    if not isinstance(last, keras.layers.Dense) or last.activation is not keras.activations.linear:
        raise UncertaintyError(
            f"{model.name}: received a model that ends in {type(last).__name__} {last.name!r}; expected a Dense layer of logits "
            "without an activation, to fold the calibration into. Give the model before it was wrapped or ended in a softmax."
        )
    weights, bias = _linear(calibrator, last.units)
    kernel, *rest = last.get_weights()
    if not rest and bias.any():
        raise UncertaintyError(
            f"{model.name}: received a calibrator with a bias for a layer without; expected use_bias=True. Fit a temperature."
        )
    folded = copy(model)
    folded.layers[-1].set_weights([kernel @ weights.T, *(weights @ old + bias for old in rest)])
    return folded


def _linear(calibrator: Temperature | Affine, classes: int) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(calibrator, Temperature):
        return np.eye(classes) / calibrator.value, np.zeros(classes)
    if not isinstance(calibrator, Affine):
        raise UncertaintyError(
            f"Received a calibrator {type(calibrator).__name__}; expected one that is linear in the logits. Fit a temperature, a "
            "vector or a matrix."
        )
    if len(calibrator.bias) != classes:
        raise UncertaintyError(
            f"Received a calibrator for {len(calibrator.bias)} classes; expected {classes}. Fit it to this model's logits."
        )
    return calibrator.weights, calibrator.bias
