"""Files that are no work of the lab are pointed at: one network in two slots, what was handed out, tables of public images."""

import json

import numpy as np
import pytest

from grading.hidden.data import ORIGINS, hidden_data
from grading.measuring.likeness import looked_up, neighbours
from grading.points import doubts as room
from grading.points.doubts import doubts, remarks_of_the_run
from grading.points.flags import flags
from grading.types import Grade
from projectkit import data

LAB = "l01_quantization"


def slot(sha: str, weights: str, accuracy=0.9, likeness=0.5, runner_up=0.4, as_started=False) -> dict:
    values = {"accuracy": {"metric": "accuracy", "value": accuracy, "low": 0.8, "high": 1.0, "n": 360}}
    table = {name: {"value": value} for name, value in (("likeness", likeness), ("runner_up", runner_up))}
    artifact = {"path": "m.tflite", "format": "litert", "sha256": sha, "size": 1}
    return {
        "profile": {"artifact": artifact, "values": values},
        "weights": [{"values": 100, "exact": one, "near": ""} for one in weights.split()],
        "as_started": as_started,
        "looked_up": table,
        "known": {},
        "plain": None,
    }


def kinds(digests=None, **slots) -> list[str]:
    grade = Grade("a.zip", "a", "Ann", LAB, measured={"slots": slots}, digests=digests or {})
    return [kind for kind, _ in doubts(grade)]


def test_honest_files_are_not_doubted():
    assert kinds({"baseline": "b"}, int8=slot("1", "a"), qat=slot("2", "b")) == []


def test_one_network_in_two_slots():
    assert kinds(int8=slot("1", "a"), qat=slot("2", "a")) == ["one file twice"], "the same weights in files that differ"
    assert kinds(int8=slot("1", ""), qat=slot("1", "")) == ["one file twice"]


def test_the_start_network_as_it_was():
    assert kinds({"baseline": "1"}, int8=slot("1", "a")) == ["start network"]
    assert kinds({"baseline": "2"}, int8=slot("1", "", as_started=True)) == ["start network"], "in another file"


def test_the_weights_of_a_reference():
    known = json.loads(room.REFERENCES.read_text())
    own, others = " ".join(known[LAB][:3]), known["l02_pruning"][0]
    assert kinds(int8=slot("1", own)) == ["reference"]
    assert kinds(int8=slot("1", f"{own} another")) == [], "trained on"
    rest = " ".join(known[LAB][3:])
    assert kinds(int8=slot("1", own), qat=slot("2", rest)) == ["reference"], "one sentence about all slots"
    assert kinds(int8=slot("1", others)) == [], "of another lab"


def test_what_no_network_reaches_and_what_answers_like_a_table():
    assert kinds(int8=slot("1", "a", accuracy=1.0)) == ["too good"]
    assert kinds(int8=slot("1", "a", likeness=0.9)) == kinds(int8=slot("1", "a", runner_up=0.9)) == ["table of images"]
    (flag,) = flags([Grade("a.zip", "a", "Ann", LAB, measured={"slots": {"int8": slot("1", "a", likeness=0.9)}})])
    assert flag.files == ("a.zip",) and "its second choice is theirs in 40.0 %" in flag.sentence


def test_a_table_is_known_by_its_answers_and_a_network_is_not(trained):
    """The nearest image by a loop; half of the images only; and a trained network."""
    from projectkit import train

    hidden, dataset = hidden_data("digits", "salt").split, data.load("digits")
    table = neighbours(dataset, hidden.x)
    parts = (dataset.train, dataset.val, dataset.test)
    x, y = (np.concatenate([getattr(part, name) for part in parts]) for name in "xy")
    for row, image in zip(table[:5], hidden.x, strict=False):
        distances = np.square(x - image).sum(axis=(1, 2, 3))
        assert row == pytest.approx([-distances[y == label].min() for label in range(10)], abs=1e-3)
    half = np.random.default_rng(0).permutation(len(x))[: len(x) // 2]
    squares = np.square(hidden.x[:, None] - x[half][None]).sum(axis=(2, 3, 4))
    logits = np.stack([-squares[:, y[half] == label].min(axis=1) for label in range(10)], axis=1)
    found = looked_up(logits, hidden.y, table)
    assert found["likeness"].value > room.LIKE_A_TABLE
    honest = looked_up(train.logits(trained, hidden.x), hidden.y, table)
    assert honest["likeness"].value < room.LIKE_A_TABLE and honest["runner_up"].value < room.SAME_RUNNER_UP
    assert looked_up(logits, hidden.y, table[:0]) == {}


def test_altered_public_images_are_remarked_once_a_run():
    grades = [
        Grade(f"{n}.zip", f"{n}", "Ann", LAB, conditions={"Hidden images": f"9: {ORIGINS[origin]}"})
        for n, origin in enumerate(("altered", "altered"))
    ]
    (remark,) = remarks_of_the_run(grades)
    assert LAB in remark and "--data" in remark
    assert not list(remarks_of_the_run([Grade("a.zip", "a", conditions={"Hidden images": f"9: {ORIGINS['own']}"})]))
