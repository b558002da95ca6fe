"""What a student is told whose file answers otherwise from call to call, in company, or with shapes that only the run knows; and
that honest files with a free batch axis, or for one image a call, are measured."""

import importlib
import io
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import helper

from grading.courses import inputs_of
from grading.hidden.data import Hidden
from grading.hidden.probes import no_probes, order_of
from grading.measuring.remeasure import MeasuringTask, measure
from grading.types import Limits
from grading.workers.pool import Workers
from models_by_hand import linear_onnx, linear_tflite, linear_weights, onnx_model, saved, slow_onnx
from projectkit.data import load
from projectkit.types import Artifact

sys.path.append(str(Path(__file__).parent / "gaming"))
answers, shapes = importlib.import_module("answers"), importlib.import_module("shapes")
BASELINE = Path(__file__).parents[2] / "grading" / "baselines" / "digits_convnet.tflite"
node = helper.make_node


@pytest.fixture(scope="module")
def hidden():
    data = load("digits")
    return Hidden(data.test.take(120), 10, "hidden", data.test.take(40), data.val.take(40), "altered")


@pytest.fixture(scope="module")
def measured(hidden, tmp_path_factory):
    """All files in one job: (slot → its Slot, slot → why there is none)."""
    folder = tmp_path_factory.mktemp("files")
    files = {name: saved(folder / name, f"m{suffix}", content) for name, (suffix, content) in made().items()}
    for name, cheat in (answers.CHEATS | shapes.CHEATS).items():
        if not name.endswith("ONNX") and name not in ("nothing after some calls, by a seed", "surer in a company of digits"):
            (folder / name).mkdir()
            files[name] = cheat.build(BASELINE, folder / name)
    wanted = ("accuracy", "macs", "peak_activations", "latency_p50")
    artifacts = {f"slot{number}": Artifact.of(path) for number, path in enumerate(files.values())}
    limits = Limits(seconds=30, budget=0.05)
    task = MeasuringTask(artifacts, dict.fromkeys(artifacts, wanted), hidden, inputs_of(hidden), limits)
    with Workers(1) as workers:
        found = measure(task, workers.run)
    names = dict(zip(artifacts, files, strict=True))
    return {names[slot]: one for slot, one in found.slots.items()}, {names[slot]: one for slot, one in found.problems.items()}


def made() -> dict[str, tuple[str, bytes]]:
    w, b = linear_weights()
    logits = [node("Flatten", ["x"], ["flat"], axis=1), node("Gemm", ["flat", "w", "b"], ["logits"])]

    def behind(*nodes, **constants) -> tuple[str, bytes]:
        return ".onnx", onnx_model([*logits, *nodes], {"w": w, "b": b} | constants)

    three = np.array(3, np.float32)
    mean = [node("ReduceMean", ["logits"], ["mean"], axes=[0]), node("Mul", ["mean", "three"], ["m"])]
    first = [
        node("ReduceMax", ["logits"], ["column"], axes=[1]),
        node("Mul", ["column", "zero"], ["zeros"]),
        node("Add", ["zeros", "one"], ["ones"]),
        node("CumSum", ["ones", "rows"], ["place"]),
    ]
    numbers = {"zero": np.array(0, np.float32), "one": np.array(1, np.float32), "rows": np.array(0, np.int64)}
    return {
        "honest": (".onnx", linear_onnx()),
        "honest lite": (".tflite", linear_tflite()),
        "for one": (".onnx", with_batch(1)),
        "for one lite": (".tflite", for_one()),
        "for eight": (".onnx", with_batch(8)),
        "neighbours": behind(*mean, node("Add", ["logits", "m"], ["y"]), three=three),
        "place": behind(*first, node("Mul", ["logits", "place"], ["y"]), **numbers),
        "random": behind(node("RandomNormalLike", ["logits"], ["n"], seed=1.0), node("Add", ["logits", "n"], ["y"])),
        "dropout": behind(node("Dropout", ["logits", "half", "yes"], ["y"]), half=np.array(0.5, np.float32), yes=np.array(True)),
        "loop": (".onnx", slow_onnx(turns=2)),
        "cut by data": behind(
            node("Greater", ["x", "less"], ["all"]),
            node("Reshape", ["all", "flat_"], ["chosen"]),
            node("Compress", ["x", "chosen"], ["pixels"]),
            node("Reshape", ["pixels", "to"], ["again"]),
            node("Gemm", ["again", "w", "b"], ["y"]),
            less=np.array(-1, np.float32),
            flat_=np.array([-1], np.int64),
            to=np.array([-1, 64], np.int64),
        ),
    }


def with_batch(count: int) -> bytes:
    model = onnx.load_from_string(linear_onnx())
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = count
    return model.SerializeToString()


def for_one() -> bytes:
    """Without a free batch axis."""
    import flatbuffers

    model = schema.ModelT.InitFromPackedBuf(linear_tflite(), 0)
    for tensor in model.subgraphs[0].tensors:
        tensor.shapeSignature = None
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


SAYS = {
    "for eight": "takes 8 inputs a call, got 1; export it with a free batch axis, or a batch of 1",
    "neighbours": "answers an image differently beside other images than alone",
    "place": "answers an image differently beside other images than alone",
    "random": "holds RandomNormalLike",
    "dropout": "holds Dropout in training",
    "loop": "holds Loop",
    "nothing for an image alone": "same output for every input",
    "nothing after some calls, by a variable": "holds ASSIGN_VARIABLE, CALL_ONCE, READ_VARIABLE, VAR_HANDLE",
    "nothing after some calls, by what a tensor held before": "holds tensors that are read before they are written",
}
UNCOUNTED = {
    "shapes of one pixel": "says that 'convnet",
    "the work of many images at once": "states its shapes for 64 inputs at once, expected those for one",
    "reshaped by data, then shapes of one pixel": "is known only when the model runs",
    "padded by data, then shapes of one pixel": "is known only when the model runs",
    "tiled by data, then shapes of one pixel": "is known only when the model runs",
    "gathered by data, then shapes of one pixel": "is known only when the model runs",
    "cut by data": "holds Compress, whose multiply-accumulates cannot be counted",
}


@pytest.mark.parametrize("name", ["honest", "honest lite", "for one", "for one lite"])
def test_honest_files_are_measured(measured, name):
    profile = measured[0][name].profile
    assert not profile.missing and profile.values["accuracy"].value > 0.9 and profile.values["macs"].value == 640


@pytest.mark.parametrize("name", SAYS)
def test_a_file_with_more_than_one_answer_for_an_image_earns_nothing_and_is_told_so(measured, name):
    assert name not in measured[0] and SAYS[name] in measured[1][name]
    assert measured[1][name].startswith(("m.", BASELINE.name)) and measured[1][name].endswith(".")


@pytest.mark.parametrize("name", UNCOUNTED)
def test_a_file_whose_shapes_only_the_run_knows_is_not_counted_and_told_so(measured, name):
    profile = measured[0][name].profile
    assert profile.values["accuracy"].value > 0.9 and set(profile.missing) == {"macs", "peak_activations"}
    assert UNCOUNTED[name] in profile.missing["macs"] and profile.missing["macs"].isprintable()


def test_nobody_else_is_counted_for_less(measured):
    """Every file of these kinds that is counted at all is counted as what it holds."""
    honest = 48 * 9 * 64 + 96 * 9 * 48 * 16 + 192 * 9 * 96 * 4 + 1920
    for name, one in measured[0].items():
        if name in shapes.CHEATS and "macs" in one.profile.values:
            assert one.profile.values["macs"].value >= honest, name


def test_images_come_mixed_and_are_put_in_order_again(hidden):
    order = order_of(hidden, no_probes(hidden))
    assert sorted(order) == list(range(200)) and (np.diff(order) == 1).mean() < 0.1
    inputs = np.load(io.BytesIO(inputs_of(hidden).content))
    np.testing.assert_array_equal(inputs[np.argsort(order)][:120], hidden.split.x)
