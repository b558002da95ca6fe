"""Parameters, non-zero parameters and MACs against counts by hand, in every kind of file."""

from dataclasses import dataclass

import numpy as np
import pytest
from onnx import helper

from models_by_hand import onnx_model, saved
from projectkit.measure import read_graph
from projectkit.types import Artifact

ZEROS = 2  # that the fixture puts into every kernel


@dataclass(frozen=True)
class Hand:
    parameters: int
    kernels: int
    macs: tuple[int, ...]  # layer by layer
    zero_biases: int = 0  # LiteRT's convolutions cannot do without: the converter stores zeros for one without a bias


BY_HAND = {
    # 64 inputs, 32 hidden units, 10 classes
    "mlp": Hand((64 + 1) * 32 + (32 + 1) * 10, 2, (64 * 32, 32 * 10)),
    # 9x9x3 → 3x3 filters, stride 2, same: ceil(9 / 2) = 5 → 5x5x8 → (3, 2) filters, valid: 3x4x12, no bias
    # → 2x2 pooling: 1x2x12 = 24 → 7 classes
    "conv": Hand(
        (3 * 3 * 3 + 1) * 8 + 3 * 2 * 8 * 12 + (24 + 1) * 7,
        3,
        (5 * 5 * 8 * 3 * 3 * 3, 3 * 4 * 12 * 3 * 2 * 8, 24 * 7),
        zero_biases=12,
    ),
    # 8x8x3 → 3x3, 16 filters → depthwise 3x3 → 1x1, 16 filters, added to what went in → mean → 4 classes.
    # Both batch normalizations are folded: each becomes a bias of 16.
    "residual": Hand(
        3 * 3 * 3 * 16 + 16 + 3 * 3 * 16 + 16 + (16 + 1) * 16 + (16 + 1) * 4,
        4,
        (8 * 8 * 16 * 3 * 3 * 3, 8 * 8 * 16 * 3 * 3, 8 * 8 * 16 * 16, 16 * 4),
    ),
}
BITS = {
    "float32.tflite": 32,
    "float16.tflite": 16,
    "int8.tflite": 8,
    "float32.onnx": 32,
    "float16.onnx": 16,
    "qdq.onnx": 8,
    "qoperator.onnx": 8,
    "dynamic.onnx": 8,
}


@pytest.mark.parametrize("kind", BITS)
@pytest.mark.parametrize("model", BY_HAND)
def test_counts_equal_those_by_hand(files, model, kind):
    hand, graph = BY_HAND[model], read_graph(Artifact.of(files[f"{model}-{kind}"]))
    filled = hand.zero_biases if kind.endswith(".tflite") else 0
    assert graph.parameters == hand.parameters + filled
    assert graph.nonzero_parameters == hand.parameters - hand.kernels * ZEROS
    assert graph.sparsity == pytest.approx((hand.kernels * ZEROS + filled) / (hand.parameters + filled))
    assert tuple(layer.macs for layer in graph.layers) == hand.macs
    assert graph.macs == sum(hand.macs)
    assert {layer.bits for layer in graph.layers} == {BITS[kind]}
    assert graph.weight_bits == BITS[kind]


@pytest.mark.parametrize("kind", ["float32.tflite", "float32.onnx"])
def test_operators_are_counted(files, kind):
    operators = dict(read_graph(Artifact.of(files[f"residual-{kind}"])).operators)
    names = {"tflite": {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 1, "ADD": 1}, "onnx": {"Conv": 3}}[kind.split(".")[1]]
    assert {name: operators.get(name) for name in names} == names


def test_bits_a_weight_are_a_mean_over_the_kernels(tmp_path):
    stored = np.ones((64, 100), np.int8)
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("DequantizeLinear", ["stored", "scale"], ["w"]),
        helper.make_node("Gemm", ["flat", "w", "bias"], ["h"]),
        helper.make_node("MatMul", ["h", "v"], ["y"]),
    ]
    constants = {
        "stored": stored,
        "scale": np.array(0.1, np.float32),
        "bias": np.ones(100, np.float32),
        "v": np.ones((100, 10), np.float32),
    }
    graph = read_graph(Artifact.of(saved(tmp_path, "mixed.onnx", onnx_model(nodes, constants))))
    assert graph.weight_bits == pytest.approx((6400 * 8 + 1000 * 32) / 7400)
    assert [layer.weights for layer in graph.layers] == [6400, 1000]


def test_litert_int4_and_sparse_weights(tmp_path):
    """Two to a byte, and compressed: 70 % zeros stay 70 % zeros."""
    import contextlib
    import io

    import tensorflow as tf
    import tf_keras as keras
    from litert_quantizer import quantizer, recipe

    layers = keras.layers
    model = keras.Sequential([layers.Input((31,)), layers.Dense(64, activation="relu"), layers.Dense(9)])
    rng = np.random.default_rng(0)
    values = [rng.uniform(0.5, 1, weight.shape) * rng.choice([-1, 1], weight.shape) for weight in model.weights]
    for value in values[::2]:
        value.reshape(-1)[rng.permutation(value.size)[: int(0.7 * value.size)]] = 0
    model.set_weights(values)
    nonzero = sum(int(np.count_nonzero(value)) for value in values)
    total = 31 * 64 + 64 + 64 * 9 + 9

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    plain = tmp_path / "plain.tflite"
    plain.write_bytes(converter.convert())
    converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
    sparse = tmp_path / "sparse.tflite"
    sparse.write_bytes(converter.convert())
    four = tmp_path / "int4.tflite"
    with contextlib.redirect_stdout(io.StringIO()):
        made = quantizer.Quantizer(str(plain))
        made.load_quantization_recipe(recipe.weight_only_wi4_afp32())
        four.write_bytes(bytes(made.quantize().quantized_model))

    assert sparse.stat().st_size < plain.stat().st_size
    for path, bits in ((plain, 32), (sparse, 32), (four, 4)):
        graph = read_graph(Artifact.of(path))
        assert (graph.parameters, graph.nonzero_parameters) == (total, nonzero)
        assert graph.macs == 31 * 64 + 64 * 9
        assert [layer.bits for layer in graph.layers] == [bits, bits]
