"""What a worker that was taken over may say, and what the grader makes of it."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from grading.worker.frames import MOST_PARTS, OUTPUTS, RECORD, part, parts
from grading.workers.results import RECORD_BYTES, SlotReport, read_outputs, read_record, slot_reports
from projectkit.measure import Constant
from projectkit.metrics import PROFILE_METRICS, QUALITY_METRICS

HONEST = {
    "step": "timing",
    "values": {"latency_p50": [1e-3, 9e-4, 2e-3, 50]},
    "ratios": {"latency_p50": [0.5, 0.4, 0.6, 50]},
    "missing": {"energy": "no meter"},
    "problem": None,
    "weights": [[9, "0123456789abcdef", ""]],
    "layers": {"kernels": [[4, 9, 1]], "operators": ["CONV_2D"], "computed": 0, "kinship": 0.5, "problem": ""},
    "inference": 0.25,
    "timing": 0.5,
    "off_core": 0.01,
    "done": True,
}
WEIGHTS = (Constant(9, "0123456789abcdef", ""),)
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=20),
    lambda inner: (
        some.lists(inner, max_size=5) | some.dictionaries(some.sampled_from([*PROFILE_METRICS, "shape"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def record(**changes):
    return read_record(json.dumps(HONEST | changes).encode())


def outputs(shape, numbers: bytes) -> bytes:
    return json.dumps({"shape": shape}).encode() + b"\n" + numbers


def test_an_honest_record():
    found = record()
    assert found["values"]["latency_p50"].value == 1e-3 and found["ratios"]["latency_p50"].metric == "latency_p50_ratio"
    assert found["missing"] == {"energy": "no meter"} and found["done"] is True
    assert (found["weights"], found["inference"], found["timing"], found["off_core"]) == (WEIGHTS, 0.25, 0.5, 0.01)


@pytest.mark.parametrize(
    "changes",
    [
        {"values": {"latency_p50": [float("nan")] * 3 + [1]}},
        {"values": {"latency_p50": [float("inf")] * 3 + [1]}},
        {"values": {"latency_p50": [1, 1, 1, float("inf")]}},
        {"values": {"latency_p50": [3, 1, 2, 1]}},
        {"values": {"latency_p50": [1, 1]}},
        {"values": {"latency_p50": {"a": 1}}},
        {"values": []},
        {"values": None},
        {"values": {"latency_p50": [10**400, 0, 0, 1]}},
        {"step": "x" * RECORD_BYTES},
        {"missing": 5},
        {"timing": float("nan")},
        {"timing": -1},
        {"inference": 1e300},
        {"off_core": 1.5},
        {"weights": "abc"},
        {"weights": [[9, "0123456789abcdef"]]},
        {"weights": [[9, "<b>0123456789abc", ""]]},
        {"weights": [[9, "0123456789abcdef", "\u202e"]]},
        {"weights": [[True, "0123456789abcdef", ""]]},
        {"weights": [[10**400, "0123456789abcdef", ""]]},
        {"weights": [[0, "0123456789abcdef", ""]]},
        {"weights": [{"values": 9}]},
    ],
)
def test_a_record_that_makes_no_sense_is_no_record(changes):
    assert record(**changes) is None


def test_what_the_grader_measures_itself_is_not_taken_from_the_worker():
    names = ("accuracy", "size", "made_up", *QUALITY_METRICS)
    assert record(values={name: [1, 1, 1, 1] for name in names})["values"] == {}


def test_control_codes_do_not_get_through():
    found = record(problem="a\x1b[2Jb\n\u202e", step="\r", missing={"energy": "\x07"})
    assert found["problem"] == "a [2Jb  "
    assert all(text.isprintable() for text in (found["step"], *found["missing"].values()))


def test_done_is_true_and_nothing_like_it():
    assert [record(done=value)["done"] for value in (True, 1, "true", [0])] == [True, False, False, False]


def test_outputs_are_arrays_or_nothing():
    good = np.arange(6, dtype="<f4").reshape(3, 2)
    np.testing.assert_array_equal(read_outputs(outputs((3, 2), good.tobytes())), good)
    assert read_outputs(outputs((3, 2), good.tobytes()[:-1])) is None
    assert read_outputs(outputs((3, 3), good.tobytes())) is None
    assert read_outputs(outputs((-1, 2), good.tobytes())) is None
    assert read_outputs(outputs((1,) * 9, bytes(4))) is None
    assert read_outputs(b"\x80\x04cos\nsystem\n.") is None


@pytest.mark.parametrize("shape", ["[1e999]", "[0, 100000000000000000000]", "[NaN]", "null", "{}", "[[1]]", "[" * 199, "5"])
def test_a_shape_that_makes_no_sense_is_no_array(shape):
    assert read_outputs(b'{"shape": ' + shape.encode() + b"}\n" + bytes(8)) is None


def test_a_child_speaks_for_its_own_slots_only():
    text = json.dumps(HONEST).encode()
    stream = part(RECORD, 1, text) + part(RECORD, 2, text) + part(OUTPUTS, 255, outputs((1,), bytes(4))) + part(9, 0, text)
    said = slot_reports(stream, ["first", "second"])
    assert set(said) == {"first", "second"}
    assert said["first"] == SlotReport() and said["second"].record["done"] and said["second"].outputs is None


def test_a_bad_record_does_not_undo_a_good_one():
    stream = part(RECORD, 0, json.dumps(HONEST).encode()) + part(RECORD, 0, b"{}") + struct.pack(">BBI", RECORD, 0, 99) + b"{"
    assert slot_reports(stream, ["first"])["first"].record["step"] == "timing"


def test_of_millions_of_parts_a_few_are_read():
    assert sum(1 for _ in parts(part(RECORD, 0, b"") * 100_000)) == MOST_PARTS


@given(stream=some.binary(max_size=300), kind=some.sampled_from([RECORD, OUTPUTS]), cut=some.integers(0, 20))
def test_any_bytes_are_a_checked_record_or_nothing(stream, kind, cut):
    """Raw, framed, and behind an honest start."""
    for said in (stream, part(kind, 0, stream), part(RECORD, 0, json.dumps(HONEST).encode())[: -cut or None] + stream):
        assert_within_bounds(slot_reports(said, ["first"])["first"])


@given(value=VALUES, field=some.sampled_from([*HONEST, "shape"]))
def test_any_json_is_a_checked_record_or_nothing(value, field):
    text = json.dumps(HONEST | {field: value}).encode()
    assert_within_bounds(slot_reports(part(RECORD, 0, text) + part(OUTPUTS, 0, text + b"\n" + bytes(16)), ["first"])["first"])


def assert_within_bounds(said: SlotReport) -> None:
    """That every field is of its type and within its bounds."""
    assert said.outputs is None or said.outputs.dtype == np.dtype("<f4")
    if said.record is None:
        return
    assert set(said.record) == set(HONEST)
    for measurement in (*said.record["values"].values(), *said.record["ratios"].values()):
        numbers = (measurement.low, measurement.value, measurement.high)
        assert np.isfinite(numbers).all() and sorted(numbers) == list(numbers)
    assert set(said.record["values"]) <= set(PROFILE_METRICS) - {"accuracy", "size"} and set(said.record["missing"]) <= set(
        PROFILE_METRICS
    )
    texts = (said.record["step"], said.record["problem"] or "", *said.record["missing"].values())
    assert all(text.isprintable() and len(text) <= 400 for text in texts)
    assert 0 <= said.record["timing"] <= 1e6 and 0 <= said.record["off_core"] <= 1 and said.record["done"] in (True, False)
