"""The runtimes against hand computation, and files that open but cannot serve."""

from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from models_by_hand import linear_onnx, linear_tflite, linear_weights, onnx_model, saved
from projectkit import runtimes
from projectkit.errors import ArtifactError
from projectkit.runtimes.tensors import to_real, to_stored
from projectkit.types import Artifact, Tensor

REALS = st.floats(-1e4, 1e4, width=32)


def opened(folder, name, content):
    return closing(runtimes.open(Artifact.of(saved(folder, name, content))))


@pytest.mark.parametrize(("name", "content"), [("m.onnx", linear_onnx), ("m.tflite", linear_tflite)])
def test_a_linear_model_gives_the_matrix_product(tmp_path, digits, name, content):
    w, b = linear_weights()
    x = digits.test.x[:100]
    with opened(tmp_path, name, content()) as session:
        np.testing.assert_allclose(session.run(x), x.reshape(100, 64) @ w + b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_an_integer_file_is_run_with_its_own_scale_and_zero_point(tmp_path, trained, digits, precision):
    from ai_edge_litert.interpreter import Interpreter

    from projectkit.export import EXPORTERS

    artifact = EXPORTERS["litert"](trained, tmp_path / "m.tflite", precision=precision, calibrate=digits.train.x[:100])
    interpreter = Interpreter(model_path=artifact.path)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    assert source["dtype"] == {"int8": np.int8, "int16x8": np.int16}[precision]
    limits = np.iinfo(source["dtype"])
    by_hand = []
    for x in digits.test.x[:40]:
        scale, zero_point = source["quantization"]
        stored = np.clip(np.rint(x[None].astype(np.float64) / scale) + zero_point, limits.min, limits.max)
        interpreter.set_tensor(source["index"], stored.astype(source["dtype"]))
        interpreter.invoke()
        scale, zero_point = target["quantization"]
        by_hand.append(scale * (interpreter.get_tensor(target["index"])[0].astype(np.float64) - zero_point))
    with closing(runtimes.open(artifact)) as session:
        assert (session.inputs[0].scale, session.inputs[0].zero_point) == source["quantization"]
        np.testing.assert_allclose(session.run(digits.test.x[:40]), by_hand, rtol=1e-6, atol=1e-6)


@given(
    x=st.lists(REALS, min_size=1, max_size=30),
    scale=st.floats(0.0078125, 10, width=32),
    zero_point=st.integers(0, 255),
)
def test_what_fits_the_grid_comes_back_within_half_a_step(x, scale, zero_point):
    tensor = Tensor("x", (), "uint8", scale, zero_point)
    x = np.array(x, np.float32)
    stored = to_stored(x, tensor)
    assert stored.dtype == np.uint8
    low, high = -scale * zero_point, scale * (255 - zero_point)
    back = to_real(stored, tensor)
    assert back.dtype == np.float32
    assert np.all(np.abs(back - np.clip(x, low, high)) <= scale * 0.5 + 1e-6 * np.abs(back))


def test_an_integer_input_without_a_scale_takes_the_numbers_themselves():
    tensor = Tensor("pixels", (), "uint8")
    assert to_stored(np.array([0, 17.4, 300], np.float32), tensor).tolist() == [0, 17, 255]
    assert to_real(np.array([0, 255], np.uint8), tensor).tolist() == [0, 255]


def batch_of_one():
    """Declares a free batch axis and gives one row for any number of inputs."""
    w, b = linear_weights()
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Flatten", ["mean"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "w", "b"], ["y"]),
    ]
    return onnx_model(nodes, {"w": w, "b": b})


def scalar():
    return onnx_model([helper.make_node("ReduceMean", ["x"], ["y"], keepdims=0)], {})


@pytest.mark.parametrize(("content", "sentence"), [(batch_of_one, "3 inputs gave 1 "), (scalar, "3 inputs gave a single number")])
def test_missing_answers_are_an_error(tmp_path, content, sentence):
    with opened(tmp_path, "m.onnx", content()) as session, pytest.raises(ArtifactError, match=sentence):
        session.run(np.zeros((3, 8, 8, 1), np.float32))


def test_a_failure_while_running_is_an_error_of_ours(tmp_path):
    """The reshape's constant fits no input, which only running shows."""
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    content = onnx_model(nodes, {"shape": np.array([7, 7], np.int64)})
    with opened(tmp_path, "m.onnx", content) as session, pytest.raises(ArtifactError, match=r"m\.onnx: the runtime failed on 2"):
        session.run(np.zeros((2, 8, 8, 1), np.float32))


def test_two_inputs_are_refused(tmp_path):
    x, y = (helper.make_tensor_value_info(name, 1, ["n", 2]) for name in "xy")
    z = helper.make_tensor_value_info("z", 1, ["n", 2])
    graph = helper.make_graph([helper.make_node("Add", ["x", "y"], ["z"])], "two", [x, y], [z])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(ArtifactError, match="expected one input and at least one output, found 2 and 1"):
        runtimes.open(Artifact.of(saved(tmp_path, "m.onnx", model.SerializeToString())))


def test_external_data_is_not_read_even_when_it_is_there(tmp_path):
    from models_by_hand import external_onnx

    w, _ = linear_weights()
    saved(tmp_path, "weights.bin", w.tobytes())
    path = saved(tmp_path, "m.onnx", external_onnx("weights.bin"))
    with pytest.raises(ArtifactError, match=r"m\.onnx"):
        runtimes.open(Artifact.of(path))
