"""Several networks as one, for a runtime that opens one file."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from projectkit.errors import UncertaintyError
from projectkit.uncertainty.calibrators.temperature import Temperature

if TYPE_CHECKING:
    import tf_keras as keras


def joined(models: "Sequence[keras.Model]", calibrator: Temperature | None = None) -> "keras.Model":
    """One Keras model whose logits are ln((1/M) Σ_m softmax(z_m)) of its M members, divided by the calibrator's temperature.

    Softmax of them, at temperature 1, is the mean of the members' probabilities. The members are copied; the work of all is done
    for every image. Raises UncertaintyError for no members, or for members whose images or classes differ.
    """
    from projectkit import tensorflow_quietly  # noqa: F401 — before TensorFlow is imported

    # isort: split
    import tensorflow as tf
    import tf_keras as keras

    from projectkit.models import copy

    shapes = {(tuple(model.input_shape), tuple(model.output_shape)) for model in models}
    if len(shapes) != 1:
        raise UncertaintyError(
            f"Received {len(models)} members with {len(shapes)} different shapes of images and classes; expected at least one "
            "member, and equal shapes. Give what fit_ensemble returns."
        )
    image = keras.Input(models[0].input_shape[1:], name="image")
    twins = [copy(model) for model in models]
    # Keras wants the names of the models within a model to differ.
    members = [keras.Model(twin.input, twin.output, name=f"member_{number}") for number, twin in enumerate(twins)]
    log_probs = tf.stack([tf.nn.log_softmax(member(image)) for member in members])
    logits = tf.reduce_logsumexp(log_probs, axis=0)  # and not the ln of a mean: that is −∞ where every member is sure
    value = calibrator.value if calibrator is not None else 1.0
    return keras.Model(image, (logits - tf.math.log(float(len(members)))) / value, name="joined")
