"""The logits of whatever can be asked for them: a Keras model, an open session of projectkit.runtimes, a function."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from projectkit.errors import UncertaintyError
from projectkit.types import Session
from projectkit.uncertainty.probabilities import two_axes

if TYPE_CHECKING:
    import tf_keras as keras

# A keras.Model (its module is not imported here), an open Session, or (n, height, width, channels) -> logits (n, classes).
Model = Callable[..., Any] | Session


def logits(model: Model, x: np.ndarray) -> np.ndarray:
    """The model's answers to x: (n, classes) float64. Raises UncertaintyError where x does not fit, and for NaN among them."""
    x = images(x)
    if hasattr(model, "predict"):
        from projectkit import train

        refuse_other_images(model, x)
        return answers(train.logits(model, x), len(x))
    if hasattr(model, "run"):
        return answers(model.run(x), len(x))
    if callable(model):
        return answers(model(x), len(x))
    raise UncertaintyError(
        f"Received a {type(model).__name__} as model; expected a Keras model, an open session or a function from images to "
        "logits. Open a file first: runtimes.open(Artifact.of(path))."
    )


def answers(values: object, count: int) -> np.ndarray:
    """`values` as logits (count, classes), float64. Raises UncertaintyError for another shape and for NaN."""
    values = two_axes(np.asarray(values))
    if len(values) != count:
        raise UncertaintyError(
            f"Received {len(values)} rows of logits for {count} images; expected one row an image. Look at the model's output."
        )
    return values


def images(x: np.ndarray) -> np.ndarray:
    """`x` as (n, …) float32. Raises UncertaintyError when there is no image or no number."""
    x = np.asarray(x)
    if x.ndim < 2 or not len(x) or x.dtype.kind not in "fiu":
        raise UncertaintyError(
            f"Received images of shape {x.shape} and type {x.dtype}; expected (n, height, width, channels) floats with n ≥ 1. "
            "Give dataset.test.x, or x[None] for a single image."
        )
    return x.astype(np.float32)


def keras_model(model: object, method: str) -> "keras.Model":
    """`model`, which must be a Keras model for `method`. Raises UncertaintyError for anything else."""
    import tf_keras as keras

    if not isinstance(model, keras.Model):
        raise UncertaintyError(
            f"{method}: received a {type(model).__name__}; expected a Keras model, because its layers are needed. Give the model "
            "before its export; `plain`, `ensemble` and `augmented` are content with files and functions."
        )
    return model


def refuse_other_images(model: "keras.Model", x: np.ndarray) -> None:
    """Raises UncertaintyError unless the Keras model takes images of the size of x."""
    expected = tuple(model.input_shape[1:])
    if x.ndim != len(expected) + 1 or any(want not in (None, size) for want, size in zip(expected, x.shape[1:], strict=True)):
        raise UncertaintyError(
            f"{model.name}: received images of {x.shape[1:]}; expected {expected}. Give images of the set it was trained on."
        )


def refuse_count(what: str, count: int, at_least: int = 1) -> None:
    """Raises UncertaintyError unless `count` is a whole number of at least `at_least`."""
    if not isinstance(count, (int, np.integer)) or count < at_least:
        raise UncertaintyError(f"Received {count} {what}; expected a whole number of at least {at_least}. Give more.")


def refuse_other(posterior: object, kind: type, give: str) -> None:
    """Raises UncertaintyError unless `posterior` is what the method's fitting function returns."""
    if not isinstance(posterior, kind):
        raise UncertaintyError(f"Received a {type(posterior).__name__}; expected a fitted {kind.__name__}. Give {give}.")
