"""The affine numerics against TensorFlow, ONNX Runtime, a real file's integers, and their own algebra."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from projectkit.errors import MeasureError
from projectkit.quantize import dequantize, fake_quantize, quantize, scale_and_zero_point
from projectkit.quantize.affine import integer_range

ENDS = st.floats(-1000, 1000, width=32, allow_subnormal=False)
RANGES = st.tuples(ENDS, ENDS).map(sorted).filter(lambda ends: ends[1] - ends[0] > 1e-3)
VALUES = arrays.arrays(np.float32, st.integers(1, 50), elements=st.floats(-2000, 2000, width=32))
GRIDS = st.tuples(st.integers(2, 16), st.booleans())


def near_tie(x, scale, margin=1e-3):
    """Where x lies so close to the middle between two integers that float32 and float64 may round it apart."""
    steps = np.asarray(x, np.float64) / scale
    return np.abs(steps - np.floor(steps) - 0.5) < margin


@settings(deadline=None, max_examples=60)
@given(ends=RANGES.filter(lambda ends: ends[0] < -1e-3 and ends[1] > 1e-3), x=VALUES)
def test_the_asymmetric_grid_is_tensorflows(ends, x):
    import tensorflow as tf

    low, high = ends
    scale, zero_point = scale_and_zero_point(low, high)
    assume(not near_tie(low, scale) and -low / scale % 1 > 1e-3)  # there the zero points may differ: both grids are as good
    expected = tf.quantization.fake_quant_with_min_max_vars(x, low, high).numpy()
    got = dequantize(quantize(x, scale, zero_point), scale, zero_point)
    clear = ~near_tie(x, scale)
    np.testing.assert_allclose(got[clear], expected[clear], atol=1e-3 * scale, rtol=1e-5)
    assert np.all(np.abs(got - expected) <= 1.01 * scale)


def onnx_quantize(x, scale, zero_point, axis=None):
    """(stored, real again) by ONNX Runtime's operators."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    scale, zero_point = np.float32(scale), np.int8(zero_point)
    options = {} if axis is None else {"axis": axis}
    graph = helper.make_graph(
        [
            helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["stored"], **options),
            helper.make_node("DequantizeLinear", ["stored", "scale", "zero"], ["real"], **options),
        ],
        "oracle",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [
            helper.make_tensor_value_info("stored", TensorProto.INT8, x.shape),
            helper.make_tensor_value_info("real", TensorProto.FLOAT, x.shape),
        ],
        [numpy_helper.from_array(np.asarray(scale), "scale"), numpy_helper.from_array(np.asarray(zero_point), "zero")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})


@pytest.mark.parametrize(("low", "high"), [(-1.0, 3.0), (0.0, 6.0), (-5.0, -1.0), (2.0, 5.0), (-0.01, 900.0)])
def test_integers_are_those_of_onnx_runtime(low, high):
    x = np.random.default_rng(0).uniform(low - 2, high + 2, 5000).astype(np.float32)
    scale, zero_point = scale_and_zero_point(low, high)
    stored, real = onnx_quantize(x, scale, zero_point)
    got = quantize(x, scale, zero_point)
    clear = ~near_tie(x, scale)
    assert np.array_equal(got[clear], stored[clear])
    np.testing.assert_allclose(dequantize(stored, scale, zero_point), real, rtol=1e-5, atol=1e-6 * scale)


def test_halves_round_to_even_like_onnx_runtime():
    x = np.arange(-10, 10, 0.25, dtype=np.float32)
    stored, real = onnx_quantize(x, 0.5, 3)
    assert np.array_equal(quantize(x, 0.5, 3), stored)
    assert np.array_equal(dequantize(stored, 0.5, 3), real)


def test_per_channel_integers_are_those_of_onnx_runtime():
    w = (np.random.default_rng(1).normal(size=(3, 3, 4, 6)) * [0.01, 0.1, 1, 3, 10, 100]).astype(np.float32)
    scale, zero_point = scale_and_zero_point(w.min(axis=(0, 1, 2)), w.max(axis=(0, 1, 2)), symmetric=True)
    stored, real = onnx_quantize(w, scale, zero_point, axis=3)
    clear = ~near_tie(w, scale)
    assert np.array_equal(quantize(w, scale, zero_point, symmetric=True)[clear], stored[clear])
    np.testing.assert_allclose(fake_quantize(w, per_channel=True)[clear], real[clear], rtol=1e-5)


def test_the_weights_in_a_file_are_the_ones_derived_here(digits, tmp_path):
    """litert-quantizer stores dense weights as (out, in) with one symmetric scale per output channel."""
    from ai_edge_litert.interpreter import Interpreter

    from projectkit import models
    from projectkit.export import EXPORTERS

    model = models.build("mlp", digits, widths=(24,))
    artifact = EXPORTERS["litert"](model, tmp_path / "m.tflite", precision={"*": 8})
    interpreter = Interpreter(model_path=artifact.path)
    stored = {
        tuple(detail["shape"]): (interpreter.get_tensor(detail["index"]), detail["quantization_parameters"]["scales"])
        for detail in interpreter.get_tensor_details()
        if detail["dtype"] == np.int8
    }
    kernels = [array for array in model.get_weights() if array.ndim == 2]
    assert len(stored) == len(kernels) == 2
    for kernel in kernels:
        scale, zero_point = scale_and_zero_point(kernel.min(axis=0), kernel.max(axis=0), symmetric=True)
        integers, scales = stored[kernel.T.shape]
        np.testing.assert_allclose(scales, scale, rtol=1e-5)
        apart = quantize(kernel, scale, zero_point, symmetric=True).astype(int) - integers.T.astype(int)
        assert not apart[~near_tie(kernel, scale)].any()


@given(ends=RANGES, grid=GRIDS)
def test_zero_is_exactly_representable(ends, grid):
    bits, symmetric = grid
    scale, zero_point = scale_and_zero_point(*ends, bits=bits, symmetric=symmetric)
    stored = quantize(np.zeros(1), scale, zero_point, bits=bits, symmetric=symmetric)
    assert dequantize(stored, scale, zero_point) == 0
    assert not symmetric or zero_point == 0


@given(ends=RANGES, grid=GRIDS, share=arrays.arrays(np.float64, 20, elements=st.floats(0, 1)))
def test_inside_the_range_the_error_is_at_most_half_a_step(ends, grid, share):
    bits, symmetric = grid
    x = ends[0] + share * (ends[1] - ends[0])
    scale, zero_point = scale_and_zero_point(*ends, bits=bits, symmetric=symmetric)
    back = dequantize(quantize(x, scale, zero_point, bits=bits, symmetric=symmetric), scale, zero_point)
    assert np.all(np.abs(back - x) <= scale / 2 + 1e-6 * np.abs(x))


@given(ends=RANGES, grid=GRIDS, x=VALUES)
def test_quantization_is_monotone_and_clips_to_the_integers(ends, grid, x):
    bits, symmetric = grid
    scale, zero_point = scale_and_zero_point(*ends, bits=bits, symmetric=symmetric)
    stored = quantize(np.sort(x), scale, zero_point, bits=bits, symmetric=symmetric)
    smallest, largest = integer_range(bits, symmetric=symmetric)
    assert np.all(np.diff(stored.astype(int)) >= 0)
    assert smallest <= stored.min()
    assert stored.max() <= largest
    far = quantize(np.array([-1e9, 1e9]), scale, zero_point, bits=bits, symmetric=symmetric)
    assert far.tolist() == [smallest, largest]


@given(x=VALUES, grid=GRIDS)
def test_what_is_on_the_grid_stays_there(x, grid):
    bits, symmetric = grid
    assume(np.ptp(x) > 1e-3)
    once = fake_quantize(x, bits=bits, symmetric=symmetric)
    scale, zero_point = scale_and_zero_point(x.min(), x.max(), bits=bits, symmetric=symmetric)
    stored = quantize(once, scale, zero_point, bits=bits, symmetric=symmetric)
    assert np.array_equal(dequantize(stored, scale, zero_point), once)


@given(
    w=arrays.arrays(np.float32, (5, 3, 4), elements=st.floats(-100, 100, width=32, allow_subnormal=False)),
    bits=st.integers(2, 8),
)
def test_a_channel_errs_by_at_most_half_its_own_step(w, bits):
    own = np.abs(w).max(axis=(0, 1)) / (2 ** (bits - 1) - 1)
    assert np.all(np.abs(fake_quantize(w, bits=bits, per_channel=True) - w) <= own / 2 + 1e-6 * np.abs(w))


@pytest.mark.parametrize("bits", [3, 4, 8])
@pytest.mark.parametrize("seed", range(5))
def test_per_channel_is_never_worse_than_per_tensor(seed, bits):
    """Up to the luck of rounding in the largest channel, whose two grids are nearly the same."""
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(3, 3, 16, 8)) * np.exp2(rng.uniform(-3, 3, 8))
    per_channel, per_tensor = (
        np.mean((fake_quantize(w, bits=bits, per_channel=choice) - w) ** 2, axis=(0, 1, 2)) for choice in (True, False)
    )
    assert np.all(per_channel <= per_tensor * 1.15)
    assert per_channel.sum() < 0.9 * per_tensor.sum()


def test_known_grids():
    assert scale_and_zero_point(-1.0, 1.55) == (pytest.approx(0.01), -28)
    assert scale_and_zero_point(0.0, 255.0) == (1.0, -128)
    assert scale_and_zero_point(-255.0, 0.0) == (1.0, 127)
    assert scale_and_zero_point(3.0, 255.0) == (1.0, -128)  # widened to contain 0
    assert scale_and_zero_point(-2.54, 1.0, symmetric=True) == (pytest.approx(0.02), 0)
    assert scale_and_zero_point(0.0, 0.0) == (1.0, -128)
    assert integer_range(8, symmetric=False) == (-128, 127)
    assert integer_range(4, symmetric=True) == (-7, 7)


@pytest.mark.parametrize("bits", [1, 0, 17])
def test_other_numbers_of_bits_are_refused(bits):
    with pytest.raises(MeasureError, match=f"2 to 16 bits, got {bits}"):
        scale_and_zero_point(-1, 1, bits=bits)


@pytest.mark.parametrize(("low", "high"), [(2, 1), (np.nan, 1), (0, np.inf), (np.array([-1, 3]), np.array([1, 2]))])
def test_a_range_that_is_none_is_refused(low, high):
    with pytest.raises(MeasureError, match="low ≤ high"):
        scale_and_zero_point(low, high)
