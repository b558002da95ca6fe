"""The exercises of l09 against other programs: TensorFlow, NumPy's own strides, and projectkit's roofline."""

import numpy as np
import pytest
import tensorflow as tf

from exercises_by_hand import cases_of
from projectkit.devices.roofline import Roofline, ridge, seconds

STUDENTS = ("Ann", "Bob", "Cyd")
case = cases_of("l09_operators")
pytestmark = pytest.mark.parametrize("student", STUDENTS)


def test_merged_branches_answer_as_the_block_does(student):
    inputs, found = case(student, "merge_branches")
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 4))

    def branch(kernel, norm):
        gamma, beta, mean, variance = inputs[norm].astype(np.float64)
        y = tf.nn.conv2d(x, inputs[kernel].astype(np.float64), 1, "SAME")
        return tf.nn.batch_normalization(y, mean, variance, beta, gamma, 1e-3).numpy()

    expected = branch("wide", "wide_norm") + branch("narrow", "narrow_norm") + x
    assert np.allclose(tf.nn.conv2d(x, found["kernel"], 1, "SAME") + found["bias"], expected, atol=1e-9)
    assert found["macs"].tolist() == [inputs["wide"].size + inputs["narrow"].size, inputs["wide"].size]


def test_the_columns_are_tensorflows_patches(student):
    inputs, found = case(student, "im2col")
    stride = int(inputs["stride"])
    x, kernel = inputs["x"][None].astype(np.float64), inputs["kernel"].astype(np.float64)
    patches = tf.image.extract_patches(x, (1, 3, 3, 1), (1, stride, stride, 1), (1, 1, 1, 1), "VALID").numpy()
    assert np.array_equal(found["columns"], patches.reshape(-1, 27))
    assert np.allclose(found["y"], tf.nn.conv2d(x, kernel, stride, "VALID")[0], atol=1e-9)
    assert found["copies"] == pytest.approx(patches.size / x.size)


def test_winograds_transforms_give_the_convolution(student):
    inputs, found = case(student, "winograd")
    a = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], dtype=float)
    assert np.allclose(a @ (found["seen"] * found["filter"]) @ a.T, found["y"], atol=1e-9)
    tile, kernel = (inputs[name].astype(np.float64) for name in ("tile", "kernel"))
    y = tf.nn.conv2d(tile[None, :, :, None], kernel[:, :, None, None], 1, "VALID").numpy().squeeze()
    assert np.allclose(found["y"], y, atol=1e-9)
    direct, fewer = found["multiplications"].tolist()
    assert direct == 9 * inputs["sizes"].prod()
    assert direct / fewer == 2.25


def test_costs_are_those_of_the_layers_that_keras_builds(student):
    import tf_keras as keras

    inputs, found = case(student, "separable_cost")
    for row, (height, width, c, d, k) in enumerate(inputs["layers"].tolist()):
        full = [keras.layers.Conv2D(d, k, padding="same", use_bias=False)]
        pair = [keras.layers.DepthwiseConv2D(k, padding="same", use_bias=False), keras.layers.Conv2D(d, 1, use_bias=False)]
        for column, stack in enumerate((full, pair)):
            model = keras.Sequential([keras.Input((height, width, c)), *stack])
            parameters = model.count_params()
            moved = 4 * (parameters + sum(np.prod(t.shape[1:]) for one in stack for t in (one.input, one.output)))
            assert (found["parameters"][row, column], found["moved"][row, column]) == (parameters, moved)
            assert found["macs"][row, column] == parameters * height * width
            assert found["intensity"][row, column] == pytest.approx(parameters * height * width / moved)


def test_places_are_where_numpy_puts_them(student):
    inputs, found = case(student, "layouts")
    nhwc = np.zeros(inputs["shape"], np.float32)
    nchw = np.zeros(inputs["shape"][[0, 3, 1, 2]], np.float32).transpose(0, 2, 3, 1)
    for name, array in (("nhwc", nhwc), ("nchw", nchw)):
        assert found[f"strides_{name}"].tolist() == list(array.strides)
        start = array.__array_interface__["data"][0]
        for place, offset in zip(inputs["places"].tolist(), found[f"offset_{name}"].tolist(), strict=True):
            n, row, column, channel = place
            one = array[n : n + 1, row : row + 1, column : column + 1, channel : channel + 1]
            assert one.__array_interface__["data"][0] - start == offset
    channels = int(inputs["shape"][3])
    assert found["lines"].tolist() == [-(-4 * channels // 64), channels]


def test_the_roofline_is_projectkits(student):
    inputs, found = case(student, "roofline")
    names = ("float32", "int8")
    roof = Roofline("the exercise's", float(inputs["bandwidth"]), dict(zip(names, inputs["peaks"].tolist(), strict=True)))
    least = [
        seconds(roof, macs, moved, names[narrow])
        for macs, moved, narrow in zip(*(inputs[name].tolist() for name in ("macs", "moved", "narrow")), strict=True)
    ]
    assert np.allclose(found["least"], least, rtol=1e-12)
    assert np.allclose(found["ridge"], [ridge(roof, name) for name in names])
    below = inputs["macs"] / inputs["moved"] < np.array([ridge(roof, names[narrow]) for narrow in inputs["narrow"]])
    assert found["memory"].tolist() == below.astype(int).tolist()
    assert np.all(found["share"] < 1) and float(found["gain"]) > 1
    assert float(found["gain"]) == pytest.approx(inputs["seconds"].sum() / sum(least))
