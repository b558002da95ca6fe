"""Random operators are found wherever they stand; what only looks like one is not."""

import numpy as np
import onnx
import pytest
from litert_by_hand import LiteRTByHand
from onnx import TensorProto, helper

from grading.worker.chance import refuse_chance
from models_by_hand import linear_onnx, onnx_model, saved
from projectkit.errors import ArtifactError
from projectkit.measure import random_operators
from projectkit.types import Artifact

node = helper.make_node
FLAT = node("Flatten", ["x"], ["y"])


def of_onnx(folder, nodes, constants=None):
    return random_operators(Artifact.of(saved(folder, "m.onnx", onnx_model(nodes, constants or {}, classes=64))))


@pytest.mark.parametrize("name", ["RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"])
def test_of_onnx(tmp_path, name):
    assert of_onnx(tmp_path, [FLAT, node(name, ["x"], ["unread"])]) == (name,)


@pytest.mark.parametrize("name", ["RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL", "MULTINOMIAL"])
def test_of_litert(tmp_path, name):
    file = LiteRTByHand((1, 64))
    file.add(name, [file.constant(np.array([1, 64], np.int32))], (1, 64))
    path = file.save(tmp_path, file.add("RELU", [0], (1, 64)))
    assert random_operators(Artifact.of(path)) == (name,)
    with pytest.raises(ArtifactError, match=f"holds {name}, so that it answers the same image differently"):
        refuse_chance(Artifact.of(path))


def test_dropout_is_random_in_training_only(tmp_path):
    constants = {"rate": np.array(0.5, np.float32), "no": np.array(False), "yes": np.array(True)}
    assert of_onnx(tmp_path, [node("Dropout", ["x", "rate"], ["d"]), node("Flatten", ["d"], ["y"])], constants) == ()
    assert of_onnx(tmp_path, [node("Dropout", ["x", "rate", "no"], ["d"]), node("Flatten", ["d"], ["y"])], constants) == ()
    training = of_onnx(tmp_path, [node("Dropout", ["x", "rate", "yes"], ["d"]), node("Flatten", ["d"], ["y"])], constants)
    computed = [node("Not", ["no"], ["t"]), node("Dropout", ["x", "rate", "t"], ["d"]), node("Flatten", ["d"], ["y"])]
    assert training == of_onnx(tmp_path, computed, constants) == ("Dropout while training",)


def test_inside_of_loops_and_functions(tmp_path):
    body = helper.make_graph(
        [node("Identity", ["going"], ["still"]), node("RandomNormal", [], ["drawn"], shape=[1])],
        "body",
        [
            helper.make_tensor_value_info(name, kind, [])
            for name, kind in (("turn", TensorProto.INT64), ("going", TensorProto.BOOL))
        ],
        [helper.make_tensor_value_info("still", TensorProto.BOOL, [])],
    )
    assert of_onnx(tmp_path, [FLAT, node("Loop", ["", ""], [], body=body)]) == ("RandomNormal",)
    model = onnx.load_from_string(linear_onnx())
    inner = [node("RandomUniformLike", ["a"], ["b"])]
    model.functions.append(helper.make_function("mine", "F", ["a"], ["b"], inner, [helper.make_opsetid("", 17)]))
    assert random_operators(Artifact.of(saved(tmp_path, "f.onnx", model.SerializeToString()))) == ("RandomUniformLike",)


def test_a_tensor_that_nobody_writes_is_chance(tmp_path):
    file = LiteRTByHand((1, 64))
    logits = file.add("ADD", [0, file.tensor((1, 64), name="memory")], (1, 64))
    assert random_operators(Artifact.of(file.save(tmp_path, logits))) == ("a tensor that nobody writes ('memory')",)


@pytest.mark.parametrize("kind", ["float32.tflite", "int8.tflite", "float32.onnx", "qdq.onnx"])
def test_honest_files_draw_nothing(files, kind):
    assert random_operators(Artifact.of(files[f"residual-{kind}"])) == ()
    refuse_chance(Artifact.of(files[f"residual-{kind}"]))
