"""A solution of l09: the branches of the trained network merged into one convolution a block; and a network with depthwise
separable convolutions in place of the full ones."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from grading.reference.build import main

if TYPE_CHECKING:
    import tf_keras as keras

LAB = "l09_operators"
EPOCHS = {"quick": 14, "full": 1}


def make_models(scale: str, folder: Path) -> dict[str, Path]:
    """The model of every slot, by slot."""
    from grading.baselines.build import BRANCHED, branched_starting_point
    from projectkit import export, models, train

    dataset, model, recipe = branched_starting_point(scale)
    merged = models.build("branched", dataset, widths=BRANCHED[scale], merged=True)
    for layer in merged.layers:
        if layer.name.startswith("block_"):
            layer.set_weights(merge(model, layer.name))
    merged.get_layer("logits").set_weights(model.get_layer("logits").get_weights())

    separable = separable_network(dataset.shape, len(dataset.classes), BRANCHED[scale])
    train.fit(separable, dataset, replace(recipe, epochs=EPOCHS[scale], learning_rate=1e-2))

    compare = dataset.val.x[:200]
    made = {"fused": merged, "separable": separable}
    return {slot: Path(export.write(one, folder / f"{slot}.tflite", compare=compare).artifact.path) for slot, one in made.items()}


def merge(model: "keras.Model", block: str) -> list[np.ndarray]:
    """[kernel (3, 3, in, out), bias (out,)] of one convolution that computes the sum of a block's branches."""
    wide, bias = _folded(model, f"{block}_3x3")
    narrow, more = _folded(model, f"{block}_1x1")
    kernel = wide + np.pad(narrow, ((1, 1), (1, 1), (0, 0), (0, 0)))
    if kernel.shape[2] == kernel.shape[3]:
        kernel[1, 1] += np.eye(kernel.shape[3])
    return [kernel, bias + more]


def _folded(model: "keras.Model", branch: str) -> tuple[np.ndarray, np.ndarray]:
    (kernel,) = model.get_layer(branch).get_weights()
    norm = model.get_layer(f"{branch}_norm")
    gamma, beta, mean, variance = norm.get_weights()
    factor = gamma / np.sqrt(variance + norm.epsilon)
    return kernel * factor, beta - mean * factor


def separable_network(shape: tuple[int, int, int], classes: int, widths: tuple[int, ...]) -> "keras.Model":
    """Two blocks per width as in the network with branches, each a depthwise 3×3 and a 1×1 convolution."""
    import tf_keras as keras
    from tf_keras import layers

    inputs = x = keras.Input(shape)
    for stage, width in enumerate(widths):
        if stage:
            x = layers.MaxPooling2D()(x)
        for _ in range(2):
            x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
            x = layers.Conv2D(width, 1, use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return keras.Model(inputs, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)))


if __name__ == "__main__":
    main(LAB, make_models)
