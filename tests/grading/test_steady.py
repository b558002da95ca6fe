"""One answer for one image: what is compared, and with which tolerance."""

import numpy as np
import pytest

from grading.measuring.steady import ALONE, TOGETHER, check_steady
from grading.worker.frames import pack_placed
from grading.workers.results import read_outputs
from projectkit.errors import MeasureError

OUTPUTS = np.random.default_rng(0).normal(3, 2, (200, 10)).astype(np.float32)


def rows(answers: np.ndarray, places=range(30)) -> np.ndarray:
    """As a child sends them."""
    found = read_outputs(pack_placed(list(places), [answers[[place]] for place in places]))
    assert found is not None and found.shape == (len(places), 11)
    return found


def test_equal_answers_pass_in_any_order():
    check_steady(OUTPUTS, [rows(OUTPUTS), rows(OUTPUTS, range(199, 150, -1))], [rows(OUTPUTS)], "m.onnx")
    check_steady(OUTPUTS, [], [], "m.onnx")


def test_rounding_passes_and_one_other_answer_does_not():
    noise = np.random.default_rng(1).uniform(-1, 1, OUTPUTS.shape).astype(np.float32)
    check_steady(OUTPUTS, [rows(OUTPUTS + ALONE * noise)], [], "m.onnx")
    one = OUTPUTS.copy()
    one[7, 3] += 0.1
    with pytest.raises(MeasureError, match=r"m\.onnx: it answers the same image differently when it is asked again or timed"):
        check_steady(OUTPUTS, [rows(OUTPUTS), rows(one)], [], "m.onnx")


def test_in_company_a_little_more_may_change():
    noise = np.random.default_rng(1).uniform(-1, 1, OUTPUTS.shape).astype(np.float32)
    check_steady(OUTPUTS, [], [rows(OUTPUTS + TOGETHER * noise)], "m.onnx")
    beside = OUTPUTS - OUTPUTS.mean(axis=1, keepdims=True)
    with pytest.raises(MeasureError, match="beside other images than alone"):
        check_steady(OUTPUTS, [], [rows(beside)], "m.onnx")


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        np.zeros((3, 7), np.float32),
        np.zeros(11, np.float32),
        np.full((1, 11), np.nan, np.float32),
        np.concatenate([[[200.0]], OUTPUTS[:1]], axis=1),
        np.concatenate([[[-1.0]], OUTPUTS[-1:]], axis=1),
        np.concatenate([[[0.5]], OUTPUTS[:1]], axis=1),
    ],
)
def test_what_is_no_answer_to_an_input_is_none(wrong):
    with pytest.raises(MeasureError):
        check_steady(OUTPUTS, [wrong], [], "m.onnx")
