"""Robust accuracy of files: what the attack finds, and what does not help a file against it."""

import functools
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from grading.engine import Options, grade
from grading.hidden.data import hidden_data
from grading.hidden.probes import Probes
from grading.measuring.black_box import BlackBox
from grading.types import Attack
from grading.worker.frames import pack_array
from models_by_hand import linear_onnx, linear_tflite, linear_weights, onnx_model, saved
from projectkit.errors import MeasureError
from projectkit.submit import pack
from rubrics_by_hand import rubric

LAB = "l01_quantization"
SALT, EPSILON, QUERIES, IMAGES = "pepper", 0.1, 200, 100
CHECKS = [
    {"id": f"{slot}_{metric}", "slot": slot, "metric": metric, "floor": 0.0, "target": 1.0}
    for slot in ("first", "second")
    for metric in ("accuracy", "robust_accuracy")
]


def rubric_text(epsilon: float = EPSILON, queries: int = QUERIES) -> str:
    attack = f"[scale.quick.attack]\nepsilon = {epsilon}\nqueries = {queries}\nimages = {IMAGES}\n"
    return rubric(LAB, "Under attack", CHECKS, seconds=20).replace("[[", attack + "[[", 1)


@pytest.fixture
def graded(tmp_path):
    """Grades two files, the second of which is an honest linear model when it is not given: (values, reasons) by slot."""

    def run(
        first: bytes, second: bytes = b"", *, name: str = "first.onnx", salt: str = SALT, measured=("first", "second"), **attack
    ) -> tuple[dict, dict]:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        saved(folder / "rubrics", f"{LAB}.toml", rubric_text(**attack).encode())
        models = {"first": saved(folder, name, first), "second": saved(folder, "second.onnx", second or linear_onnx())}
        path = pack(folder / "s.zip", student="s", lab=LAB, artifacts=models, answers={})
        (one,) = grade(path, folder / "out", Options(rubrics=folder / "rubrics", salt=salt, workers=1))
        assert one.error is None and "under a black-box attack" in Path(folder / "out" / "results" / "s.html").read_text()
        found = {v.check.slot: v for v in one.verdicts if v.check.metric == "robust_accuracy"}
        assert [v.check.slot for v in one.verdicts if v.check.metric == "accuracy" and v.measured] == list(measured)
        return {slot: v.measured for slot, v in found.items()}, {slot: v.message for slot, v in found.items()}

    return run


def behind(*nodes, **constants: np.ndarray) -> bytes:
    """Logistic regression with `nodes` behind it, which turn "logits" into "y"."""
    w, b = linear_weights()
    before = [helper.make_node("Flatten", ["x"], ["flat"], axis=1), helper.make_node("Gemm", ["flat", "w", "b"], ["logits"])]
    return onnx_model([*before, *nodes], {"w": w, "b": b} | constants)


node = helper.make_node
THOUSAND = {"k": np.array(1000, np.float32)}
MASKED = {
    "large": behind(node("Mul", ["logits", "k"], ["y"]), **THOUSAND),
    "saturated": behind(node("Mul", ["logits", "k"], ["z"]), node("Softmax", ["z"], ["y"], axis=1), **THOUSAND),
    "rounded": behind(node("Round", ["logits"], ["y"])),
    "named": behind(node("Hardmax", ["logits"], ["y"], axis=1)),
}


@functools.cache
def exactly_robust(epsilon: float) -> np.ndarray:
    """Which of the attacked images no change at all of at most epsilon takes from the linear model: against each other class the
    worst change is known, each pixel as far as it may go against the difference of the two classes' weights."""
    w, b = (part.astype(np.float64) for part in linear_weights())
    split = hidden_data("digits", SALT).split.take(IMAGES)
    x, held = split.x.reshape(IMAGES, -1).astype(np.float64), np.ones(IMAGES, bool)
    for other in range(10):
        lead = w[:, split.y] - w[:, [other]]
        worst = np.clip(x - epsilon * np.sign(lead.T), 0, 1)
        held &= (split.y == other) | ((worst * lead.T).sum(axis=1) + b[split.y] - b[other] > 0)
    return held


@pytest.mark.parametrize("epsilon", [0.03, 0.06, 0.1])
def test_it_comes_close_to_what_is_exactly_known_of_a_linear_model(graded, epsilon):
    found = graded(linear_onnx(), epsilon=epsilon)[0]["first"]
    exact = exactly_robust(epsilon).mean()
    assert exact <= found.value <= exact + 0.06
    assert found.low < found.value < found.high and found.n == IMAGES


def test_the_salt_decides_and_nothing_else(graded):
    first, again = graded(linear_onnx()), graded(linear_onnx())
    assert first == again
    assert first[0]["first"] == first[0]["second"], "two slots are attacked alike"
    # A share of 100 images may be the same by chance.
    assert any(graded(linear_onnx(), salt=salt)[0]["first"] != first[0]["first"] for salt in ("another", "a third", "a fourth"))


def test_both_formats_are_attacked_alike(graded):
    found, _ = graded(linear_tflite(), name="first.tflite")
    assert found["first"].value == pytest.approx(found["second"].value, abs=0.02)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.proof] if kind in ("saturated", "rounded") else []) for kind in MASKED]
)
def test_hiding_the_logits_earns_nothing(graded, kind):
    """Behind each of them stands the same linear model: no more of it can be robust, and what shows nothing is told so."""
    found, reasons = graded(MASKED[kind])
    if found["first"] is None:
        assert kind != "large" and "Export the model without softmax, argmax" in reasons["first"]
    else:
        assert found["first"].value <= found["second"].value + 0.03


@pytest.mark.parametrize("after", [0, 1, 20])
def test_who_answers_the_same_images_differently_is_told_so(after):
    """From the question `after` on, otherwise than before; 0: than when its answers were graded."""
    hidden, (w, b) = hidden_data("digits", SALT), linear_weights()
    attack = Attack(EPSILON, QUERIES, IMAGES)
    graded_before = hidden.split.x.reshape(len(hidden.split), -1) @ w + b
    box = BlackBox(hidden.split, 10, Probes(hidden.split.take(0), hidden.split.x[:0], attack, seed=1), graded_before)
    question, number = box.reply(b""), 0
    while question:
        images = np.frombuffer(question, "<f4").reshape(-1, 64)
        question, number = box.reply(pack_array((images @ w + b) * (1 if number < after else -1))), number + 1
    with pytest.raises(MeasureError, match="answers the same images differently"):
        box.result()
    assert number == after + 1


def test_what_is_no_number_off_the_usual_images_earns_nothing(graded):
    """Finite on every image as it is, NaN where the pixels are brighter than any image's: a way to end the search early."""
    constants = {"most": np.array(0.5, np.float32)}
    nodes = [
        node("ReduceMean", ["x"], ["light"], axes=[1, 2, 3], keepdims=0),
        node("Sub", ["most", "light"], ["room"]),
        node("Sqrt", ["room"], ["root"]),  # NaN of what is below 0
        node("Unsqueeze", ["root", "last"], ["column"]),
        node("Mul", ["column", "none"], ["nothing"]),
        node("Add", ["logits", "nothing"], ["y"]),
    ]
    constants |= {"last": np.array([1], np.int64), "none": np.array(0, np.float32)}
    found, reasons = graded(behind(*nodes, **constants), epsilon=0.5)
    assert found["first"] is None and "NaN or infinite" in reasons["first"]


def test_a_tie_is_no_answer(graded):
    """Of a model whose answers are all equal but for images that it saw to be zeros: right by chance, robust nowhere."""
    nodes = [node("Mul", ["logits", "none"], ["zeros"]), node("ReduceMax", ["x"], ["most"], axes=[1, 2, 3], keepdims=0)]
    nodes += [node("Unsqueeze", ["most", "last"], ["column"]), node("Add", ["zeros", "column"], ["y"])]
    found, _ = graded(behind(*nodes, none=np.array(0, np.float32), last=np.array([1], np.int64)))
    assert found["first"].value == 0


def test_what_can_remember_is_not_attacked(graded):
    """A variable tensor beside the honest graph; the runtime does not mind it."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(linear_tflite(), 0)
    memory = schema.TensorT()
    memory.name, memory.shape, memory.type, memory.buffer, memory.isVariable = b"memory", [1], schema.TensorType.FLOAT32, 0, True
    model.subgraphs[0].tensors.append(memory)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    found, reasons = graded(bytes(builder.Output()), name="first.tflite", measured=("second",))
    assert found["first"] is None and "variable tensors" in reasons["first"] and "/" not in reasons["first"].split("0 of")[0]


def test_an_adversarially_trained_network_keeps_what_a_plain_one_loses(graded, digits, trained, tmp_path):
    from projectkit import export, models
    from projectkit.robustness.adversarial_training import fgsm_training
    from projectkit.types import Recipe

    hardened = models.copy(trained)
    fgsm_training(hardened, digits, Recipe(epochs=6, learning_rate=2e-3), epsilon=0.15, progress=False)
    files = []
    for name, model in (("hardened", hardened), ("plain", trained)):
        export.write(model, tmp_path / f"{name}.onnx", compare=digits.val.x[:50])
        files.append((tmp_path / f"{name}.onnx").read_bytes())
    found, _ = graded(*files, epsilon=0.14)
    assert found["second"].value < 0.25
    assert found["first"].value > found["second"].value + 0.25


def test_an_int8_file_is_attacked_like_the_float_one(graded, digits, trained, tmp_path):
    """Its few hundred levels are coarse, but no mask."""
    from projectkit import export

    export.write(trained, tmp_path / "small.tflite", compare=digits.val.x[:50], precision="int8", calibrate=digits.train.x[:200])
    export.write(trained, tmp_path / "plain.onnx", compare=digits.val.x[:50])
    small, plain = ((tmp_path / name).read_bytes() for name in ("small.tflite", "plain.onnx"))
    found, _ = graded(small, plain, name="first.tflite", epsilon=0.06)
    assert found["first"].value == pytest.approx(found["second"].value, abs=0.1)
