"""Constants are named so that copies are found although their files differ."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as some

from models_by_hand import linear_onnx, linear_tflite, saved
from projectkit.measure import alike, live_constants
from projectkit.measure.constants import LEAST_PROJECTED, MOST, NEAR, distance, named
from projectkit.types import Artifact


def kernel(seed, *shape):
    return np.random.default_rng(seed).normal(0, 0.1, shape).astype(np.float32)


def quantized(values, bits=8, axis=-1):
    """As exported: one step a channel, rounded, and read back as it is meant."""
    step = np.abs(values).max(axis=tuple(a for a in range(values.ndim) if a != axis % values.ndim), keepdims=True)
    step = step / (2 ** (bits - 1) - 1)
    return (np.round(values / step) * step).astype(np.float32)


@given(seed=some.integers(0, 10**6), rows=some.integers(4, 40), columns=some.integers(4, 40))
def test_neither_order_nor_type_nor_layout_hides_a_copy(seed, rows, columns):
    values = kernel(seed, rows, columns)
    rng = np.random.default_rng(seed)
    for changed in (
        values.astype(np.float16),
        values.T,
        values[rng.permutation(rows)][:, rng.permutation(columns)],
        values.reshape(1, rows, 1, columns),
    ):
        assert named(changed).exact == named(values).exact
    assert named(values * 1.01).exact != named(values).exact


@pytest.mark.parametrize("shape", [(8, 8), (3, 3, 16, 32), (64, 10), (512, 300)])
def test_eight_bits_hide_no_copy_and_another_training_is_none(shape):
    near = far = 0
    for seed in range(40):
        values = kernel(seed, *shape)
        near += alike(named(values), named(quantized(values)))
        far += alike(named(values), named(kernel(seed + 1000, *shape)))
    assert near >= 39 and far == 0


def test_a_network_trained_from_the_same_start_is_another():
    """Half of what it was plus half of something new: an angle of 45 degrees, which changes a quarter of the projections."""
    changed = [
        distance(named(one).near, named(one + kernel(seed + 99, 40, 40)).near)
        for seed in range(20)
        for one in [kernel(seed, 40, 40)]
    ]
    assert 10 < np.mean(changed) < 22 and min(changed) > NEAR


def test_what_has_few_values_or_only_zeros_is_compared_exactly():
    assert named(kernel(0, LEAST_PROJECTED - 1)).near == "" == named(np.zeros((40, 40))).near
    assert named(np.zeros((5, 5))).exact == named(-np.zeros((5, 5))).exact
    assert named(np.float32([np.nan, np.inf, 1e30] * 30)).exact  # what a hostile file may hold


@pytest.mark.parametrize("name, content", [("m.tflite", linear_tflite), ("m.onnx", linear_onnx)])
def test_both_formats_give_the_same_names(tmp_path, name, content):
    found = live_constants(Artifact.of(saved(tmp_path, name, content())))
    other = live_constants(Artifact.of(saved(tmp_path / "other", "m.onnx", linear_onnx())))
    assert found and {one.exact for one in found} == {one.exact for one in other}


def test_what_nobody_reads_is_not_there(tmp_path):
    model = onnx.load_from_string(linear_onnx())
    model.graph.initializer.append(onnx.numpy_helper.from_array(kernel(0, 100, 10), "nobody"))
    padded = live_constants(Artifact.of(saved(tmp_path, "m.onnx", model.SerializeToString())))
    assert padded == live_constants(Artifact.of(saved(tmp_path / "other", "m.onnx", linear_onnx())))


def test_a_bias_that_was_never_trained_is_nobodys(tmp_path):
    model = onnx.load_from_string(linear_onnx())
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((1, 10, 8), np.float32), "zeros"))
    model.graph.node[-1].output[0] = "z"
    model.graph.node.append(onnx.helper.make_node("ReduceSum", ["zeros", "last"], ["nothing"], keepdims=0))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.int64([2]), "last"))
    model.graph.node.append(onnx.helper.make_node("Add", ["z", "nothing"], ["y"]))
    found = live_constants(Artifact.of(saved(tmp_path, "m.onnx", model.SerializeToString())))
    assert found == live_constants(Artifact.of(saved(tmp_path / "other", "m.onnx", linear_onnx())))


def test_their_number_is_bounded(tmp_path):
    names = [f"w{number}" for number in range(2 * MOST)]
    nodes = [onnx.helper.make_node("Sum", ["x", *names], ["y"])]
    values = [onnx.numpy_helper.from_array(kernel(number, 20), name) for number, name in enumerate(names)]
    info = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 20]) for name in "xy"]
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "sum", info[:1], info[1:], values))
    assert len(live_constants(Artifact.of(saved(tmp_path, "m.onnx", model.SerializeToString())))) == MOST
