"""Which single weights go: masks by magnitude, layer by layer or by one threshold for all, and training that keeps the zeros.

sparse = masked(model, global_masks(model, 0.8))
fit(sparse, dataset, Recipe(epochs=5))
write(unmasked(sparse), "sparse.tflite", compare=val.x)
"""

import base64
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import tf_keras as keras

from projectkit.errors import ModelError

if TYPE_CHECKING:
    import tensorflow as tf

Masks = dict[str, np.ndarray]


def layerwise_masks(model: keras.Model, sparsity: float, *, layers: Collection[str] | None = None) -> Masks:
    """{layer: mask of its kernel's shape, bool} that drops the same share of the smallest weights in every layer.

    `layers`: which ones, every layer with a kernel unless given. Raises ModelError for a sparsity outside [0, 1), for other
    layers, for weights that are not finite, and where a layer would lose all its weights.
    """
    return {name: largest(np.abs(kernel), sparsity, name) for name, kernel in _arrays(model, sparsity, layers).items()}


def global_masks(model: keras.Model, sparsity: float, *, layers: Collection[str] | None = None) -> Masks:
    """Like `layerwise_masks`, but all layers share one threshold: it drops the smallest weights of the network, wherever they
    are, so that wide layers lose more than narrow ones."""
    kernels = _arrays(model, sparsity, layers)
    flat = largest(np.concatenate([np.abs(kernel).reshape(-1) for kernel in kernels.values()]), sparsity, model.name)
    parts = np.split(flat, np.cumsum([kernel.size for kernel in kernels.values()])[:-1])
    masks = {name: part.reshape(kernels[name].shape) for name, part in zip(kernels, parts, strict=True)}
    empty = [name for name, mask in masks.items() if not mask.any()]
    if empty:
        raise ModelError(
            f"{model.name}: one threshold for a sparsity of {sparsity} takes every weight of {', '.join(empty)}; expected at "
            "least one to stay. Lower the sparsity, or leave these layers out of `layers`."
        )
    return masks


def largest(scores: np.ndarray, sparsity: float, name: str) -> np.ndarray:
    """True at the entries of `scores` that stay when the round(sparsity · size) smallest go; of equal ones the first go."""
    dropped = round(sparsity * scores.size)
    if dropped >= scores.size:
        raise ModelError(
            f"{name}: a sparsity of {sparsity} takes all its {scores.size} weights. Lower it, or leave the layer out."
        )
    mask = np.ones(scores.size, bool)
    mask[np.argsort(scores, axis=None, kind="stable")[:dropped]] = False
    return mask.reshape(scores.shape)


def masked(model: keras.Model, masks: Mapping[str, np.ndarray]) -> keras.Model:
    """A new model whose kernels are 0 where the mask is False and stay so through every step of training.

    The other weights are those of `model`, which stays as it was. Raises ModelError for an unknown layer or another shape.
    """
    kernels = kernels_of(model, masks)
    for name, mask in masks.items():
        if np.shape(mask) != tuple(kernels[name].shape):
            raise ModelError(
                f"{name}: got a mask of shape {np.shape(mask)}, its kernel has {tuple(kernels[name].shape)}. "
                "Make the masks from this model."
            )

    def constrained(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if layer.name in masks:
            config["kernel_constraint"] = KeepZeros(masks[layer.name])
        return type(layer).from_config(config)

    twin = keras.models.clone_model(model, clone_function=constrained)
    twin.set_weights(model.get_weights())
    for name, kernel in kernels_of(twin, masks).items():
        kernel.assign(kernel * masks[name])
    return twin


@keras.saving.register_keras_serializable("projectkit")
class KeepZeros(keras.constraints.Constraint):
    """Puts 0 where the mask is False, after every step of the optimizer."""

    def __init__(self, mask: np.ndarray):
        self.mask = np.asarray(mask, bool)

    def __call__(self, kernel: "tf.Variable") -> "tf.Tensor":
        return kernel * self.mask.astype(np.float32)

    def get_config(
        self,
    ) -> dict[str, object]:  # as text: Keras turns an array in a layer's configuration into millions of numbers
        return {"bits": base64.b64encode(np.packbits(self.mask).tobytes()).decode(), "shape": list(self.mask.shape)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "KeepZeros":
        bits = np.frombuffer(base64.b64decode(config["bits"]), np.uint8)
        return cls(np.unpackbits(bits, count=int(np.prod(config["shape"]))).reshape(config["shape"]))


def unmasked(model: keras.Model) -> keras.Model:
    """A plain copy of a `masked` model: the zeros are there, and nothing keeps them any more."""

    def plain(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if isinstance(getattr(layer, "kernel_constraint", None), KeepZeros):
            config["kernel_constraint"] = None
        return type(layer).from_config(config)

    twin = keras.models.clone_model(model, clone_function=plain)
    twin.set_weights(model.get_weights())
    return twin


def layer_sparsity(model: keras.Model) -> dict[str, float]:
    """{layer: the share of its kernel's weights that are 0}; biases and batch normalization do not count."""
    return {name: float(np.mean(kernel.numpy() == 0)) for name, kernel in kernels_of(model).items()}


def kernels_of(model: keras.Model, layers: Collection[str] | None = None) -> dict[str, "tf.Variable"]:
    """{layer: kernel variable} of the convolutions and fully connected layers, or of those named in `layers`.

    Depthwise kernels are not among them: they are few and every one of them counts, so that TFMOT does not prune them
    either. Raises ModelError for a name without a kernel and for a model that is neither functional nor sequential.
    """
    if not isinstance(model, keras.Sequential) and not getattr(model, "_is_graph_network", False):
        raise ModelError(
            f"{model.name} is a subclassed model; its layers cannot be replaced. Build it with the functional API, as in "
            "projectkit.models."
        )
    found = {layer.name: layer.kernel for layer in model.layers if getattr(layer, "kernel", None) is not None}
    if layers is None:
        return found
    unknown = sorted(set(layers) - set(found))
    if unknown or not layers:
        raise ModelError(
            f"{model.name}: got the layers {', '.join(unknown) or '(none)'}; those with a kernel to prune are {', '.join(found)}."
        )
    return {name: kernel for name, kernel in found.items() if name in layers}


def refuse_sparsity(sparsity: float) -> None:
    """Raises ModelError unless 0 ≤ sparsity < 1."""
    if not 0 <= sparsity < 1:
        raise ModelError(f"A sparsity is the share of weights that become zero, in [0, 1); got {sparsity}. Give 0.8 for 80 %.")


def _arrays(model: keras.Model, sparsity: float, layers: Collection[str] | None) -> Masks:
    refuse_sparsity(sparsity)
    kernels = {name: kernel.numpy() for name, kernel in kernels_of(model, layers).items()}
    spoilt = [name for name, kernel in kernels.items() if not np.all(np.isfinite(kernel))]
    if spoilt:
        raise ModelError(f"{model.name}: weights of {', '.join(spoilt)} are NaN or infinite. Train it again with a lower rate.")
    return kernels
