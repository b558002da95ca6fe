"""What is inside the ONNX files: which types the presets choose, and what ONNX Runtime makes of them."""

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from projectkit import models
from projectkit.errors import ExportError
from projectkit.export import write


def constants(model):
    return {constant.name: numpy_helper.to_array(constant) for constant in model.graph.initializer}


def activation_zero_points(model):
    """Zero points of every QuantizeLinear, and of every DequantizeLinear whose input is computed."""
    known = constants(model)
    return [
        known[node.input[2]]
        for node in model.graph.node
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[0] not in known
    ]


def fused(path, folder):
    """How often each operator occurs in the graph that ONNX Runtime executes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)


def convolutions(model):
    return sum("Conv2D" in type(getattr(layer, "layer", layer)).__name__ for layer in model.layers)


@pytest.fixture(scope="module")
def dsconv(digits):
    return models.build("dsconv", digits, widths=(8, 16, 16))


def exported(model, digits, folder, **options):
    calibrate = None if options.pop("aware", False) else digits.train.x[:50]
    file = write(model, folder / "m.onnx", precision="int8", calibrate=calibrate, compare=digits.val.x, **options)
    onnx.checker.check_model(file.artifact.path, full_check=True)
    return file


def test_the_x86_preset_is_fused_into_integer_convolutions(trained, dsconv, digits, tmp_path):
    for model in (trained, dsconv):
        file = exported(model, digits, tmp_path)
        zero_points = activation_zero_points(onnx.load(file.artifact.path))
        assert zero_points
        assert all(zero_point.dtype == np.uint8 for zero_point in zero_points)
        counted = fused(file.artifact.path, tmp_path)
        assert counted["QLinearConv"] == convolutions(model)
        assert counted["Conv"] == 0


def test_a_quantization_aware_model_is_fused_into_integer_convolutions(aware, digits, tmp_path):
    file = exported(aware, digits, tmp_path, aware=True)
    zero_points = activation_zero_points(onnx.load(file.artifact.path))
    assert zero_points
    assert all(zero_point.dtype == np.uint8 for zero_point in zero_points)
    counted = fused(file.artifact.path, tmp_path)
    assert counted["QLinearConv"] == convolutions(aware) == 3
    assert counted["Conv"] == 0


def test_the_tensorrt_preset_is_symmetric_and_signed(trained, digits, tmp_path):
    file = exported(trained, digits, tmp_path, preset="tensorrt")
    model = onnx.load(file.artifact.path)
    known = constants(model)
    zero_points = [known[node.input[2]] for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert len(zero_points) > 8
    assert all(zero_point.dtype == np.int8 and not zero_point.any() for zero_point in zero_points)
    weights = [node for node in model.graph.node if node.op_type == "QuantizeLinear" and node.input[0] in known]
    assert {known[node.input[0]].ndim for node in weights} == {2, 4}  # kernels, in float before their Q/DQ pair, and no biases


def test_weights_have_a_scale_per_output_channel(trained, digits, tmp_path):
    model = onnx.load(exported(trained, digits, tmp_path).artifact.path)
    known = constants(model)
    scales = [
        (known[node.input[0]].shape[0], known[node.input[1]].shape)
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in known and known[node.input[0]].ndim == 4
    ]
    assert sorted(scales) == [(16, (16,)), (32, (32,)), (64, (64,))]


def input_range(path):
    """The largest input value that the file can tell apart."""
    model = onnx.load(path)
    known = constants(model)
    first = next(node for node in model.graph.node if node.input[0] == model.graph.input[0].name)
    while first.op_type != "QuantizeLinear":
        first = next(node for node in model.graph.node if first.output[0] in node.input)
    return float(known[first.input[1]]) * 255


def test_the_calibration_methods_disagree_about_an_outlier(trained, digits, tmp_path):
    """One pixel twenty times too bright: minmax keeps it, the other two cut it off."""
    calibrate = digits.train.x[:60].copy()
    calibrate[30, 4, 4] = 20
    ranges = {}
    for method in ("minmax", "entropy", "percentile"):
        path = tmp_path / f"{method}.onnx"
        write(trained, path, precision="int8", calibrate=calibrate, method=method, compare=digits.val.x[:50])
        ranges[method] = input_range(path)
    assert ranges["minmax"] == pytest.approx(20, rel=1e-3)
    assert 0.9 < ranges["percentile"] < 5
    assert 0.9 < ranges["entropy"] < 10


@pytest.mark.parametrize(
    ("name", "options"),
    [("m.onnx", {"precision": "float32"}), ("m.onnx", {"precision": "int8", "preset": "tensorrt"})]
    + [("m.tflite", {"precision": precision}) for precision in ("float32", "float16", "dynamic", "int16x8", "int4", {"*": 8})],
)
def test_a_quantization_aware_model_is_written_as_int8_only(aware, digits, tmp_path, name, options):
    with pytest.raises(ExportError, match="trained_weights"):
        write(aware, tmp_path / name, calibrate=digits.train.x[:20], compare=digits.val.x[:20], **options)
    assert not list(tmp_path.iterdir())
