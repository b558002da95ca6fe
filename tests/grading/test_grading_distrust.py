"""What a worker that was taken over may write, and what the parent makes of it."""

import json

import numpy as np
import pytest

from grading.worker_results import read_outputs, read_record

RECORD = {
    "step": "timing",
    "values": {"latency_p50": [1e-3, 9e-4, 2e-3, 50]},
    "ratios": {"latency_p50": [0.5, 0.4, 0.6, 50]},
    "missing": {"energy": "no meter"},
    "problem": None,
    "done": True,
}


def record(tmp_path, **changes):
    path = tmp_path / "slot.json"
    path.write_text(json.dumps(RECORD | changes))
    return read_record(path)


def test_an_honest_record(tmp_path):
    found = record(tmp_path)
    assert found["values"]["latency_p50"].value == 1e-3 and found["ratios"]["latency_p50"].metric == "latency_p50_ratio"
    assert found["missing"] == {"energy": "no meter"} and found["done"] is True


@pytest.mark.parametrize(
    "changes",
    [
        {"values": {"latency_p50": [float("nan")] * 3 + [1]}},
        {"values": {"latency_p50": [3, 1, 2, 1]}},
        {"values": {"latency_p50": [1, 1]}},
        {"values": {"latency_p50": {"a": 1}}},
        {"values": []},
        {"values": None},
        {"values": {"latency_p50": [10**400, 0, 0, 1]}},
        {"step": "x" * 100_000},
        {"missing": 5},
    ],
)
def test_a_record_that_makes_no_sense_is_no_record(tmp_path, changes):
    assert record(tmp_path, **changes) is None


def test_what_the_parent_measures_itself_is_not_taken_from_the_worker(tmp_path):
    found = record(tmp_path, values={"accuracy": [1, 1, 1, 1], "size": [1, 1, 1, 1], "made_up": [1, 1, 1, 1]})
    assert found["values"] == {}


def test_control_codes_do_not_get_through(tmp_path):
    assert record(tmp_path, problem="a\x1b[2Jb\n")["problem"] == "a [2Jb "


def test_links_and_other_things_are_not_followed(tmp_path):
    (tmp_path / "secret.json").write_text(json.dumps(RECORD))
    (tmp_path / "slot.json").symlink_to(tmp_path / "secret.json")
    assert read_record(tmp_path / "slot.json") is None
    (tmp_path / "folder.npy").mkdir()
    assert read_outputs(tmp_path / "folder.npy") is None
    assert read_outputs(tmp_path / "absent.npy") is None


def test_outputs_are_arrays_or_nothing(tmp_path):
    np.save(tmp_path / "good.npy", np.ones((3, 2), np.float32))
    assert read_outputs(tmp_path / "good.npy").shape == (3, 2)
    np.save(tmp_path / "pickle.npy", np.array([print], dtype=object), allow_pickle=True)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "good.npy").read_bytes()[:-3])
    (tmp_path / "text.npy").write_text("hello")
    assert [read_outputs(tmp_path / f"{name}.npy") for name in ("pickle", "cut", "text")] == [None, None, None]
