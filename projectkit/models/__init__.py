"""The network architectures of the labs: `(shape, classes) -> keras.Model`, all ending in logits.

model = build("convnet", dataset, seed=0)
"""

from projectkit import tensorflow_quietly  # noqa: F401 — before anything below imports tf_keras

# isort: split
import inspect
from collections.abc import Mapping
from typing import Any, Protocol

import tf_keras as keras

from projectkit.errors import ModelError
from projectkit.models.branched import branched
from projectkit.models.convnet import convnet
from projectkit.models.dsconv import dsconv
from projectkit.models.mlp import lenet300, mlp
from projectkit.models.resnet import resnet, resnet8
from projectkit.types import Dataset

__all__ = [
    "BUILDERS",
    "Builder",
    "branched",
    "build",
    "convnet",
    "copy",
    "dsconv",
    "lenet300",
    "mlp",
    "resnet",
    "resnet8",
]


class Builder(Protocol):
    """Builds an untrained network for images of `shape` (height, width, channels) that ends in `classes` logits. Its own options
    are keyword arguments with a default. Raises ModelError, TypeError or ValueError where there is no such network."""

    def __call__(self, shape: tuple[int, int, int], classes: int, /) -> keras.Model: ...


BUILDERS: Mapping[str, Builder] = {
    "mlp": mlp,
    "lenet300": lenet300,
    "convnet": convnet,
    "resnet": resnet,
    "resnet8": resnet8,
    "dsconv": dsconv,
    "branched": branched,
}


def build(name: str, dataset: Dataset, *, seed: int = 0, **options: Any) -> keras.Model:
    """A fresh model for `dataset` whose initial weights depend on `seed` only, and its layers' names on the architecture.

    `options` are the builder's own keyword arguments, for example `widths=(8, 16)`. Raises ModelError for an unknown
    name or option and for a value that gives no model. Seeds Python's, NumPy's and TensorFlow's global generators.
    """
    if name not in BUILDERS:
        raise ModelError(f"There is no model {name!r}; known are {', '.join(BUILDERS)}.")
    builder = BUILDERS[name]
    known = [option for option in inspect.signature(builder).parameters if option not in ("shape", "classes")]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ModelError(f"{name} has no option {', '.join(unknown)}; its options are {', '.join(known) or 'none'}.")
    keras.utils.set_random_seed(seed)
    keras.backend.reset_uids()  # layers are named alike in every build: conv2d, conv2d_1, …
    try:
        return builder(dataset.shape, len(dataset.classes), **options)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name}: Keras cannot build it with {options} for images of {dataset.shape} ({error}).") from error


def copy(model: keras.Model) -> keras.Model:
    """A model of the same architecture and weights that shares no variable with `model`.

    TFMOT's wrappers share the layers of the model they are given, and some destroy it: every compression step works on
    a copy.
    """
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    return twin
