"""Who handed in what: one name in several files, one submission under several names, and copies that were changed a little."""

import csv
import os
import shutil
import warnings
from dataclasses import asdict

import numpy as np
import pytest
from onnx import helper
from sklearn.neural_network import MLPClassifier
from typer.testing import CliRunner

from grading.cli import app
from grading.engine import Options, grade
from grading.errors import GradingError
from grading.points.copies import copies
from grading.points.flags import flags
from grading.points.names import LATEST, SECONDS, one_name, superseded
from grading.results.files import write_overview
from grading.types import Grade
from models_by_hand import onnx_model, saved
from projectkit.data import load
from projectkit.measure import Constant
from projectkit.submit import pack
from rubrics_by_hand import rubric

LAB = "l01_quantization"
RUBRIC = rubric(
    LAB, "Names", [{"id": "accuracy", "slot": "first", "metric": "accuracy", "floor": 0.3, "target": 0.7}], budget=0.02
)
HONEST = ("Ann", "Bea", "Cid", "Dan", "Eve")


def trained(seed: int) -> dict[str, np.ndarray]:
    """The weights of a small network, trained from this seed."""
    digits = load("digits")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = MLPClassifier((48,), max_iter=15, random_state=seed).fit(digits.train.x.reshape(-1, 64), digits.train.y)
    names = ("v", "w", "a", "b")
    return {name: value.astype(np.float32) for name, value in zip(names, network.coefs_ + network.intercepts_, strict=True)}


def network(weights, half=False, unused=0, plus=0.0) -> bytes:
    nodes = [helper.make_node("Flatten", ["x"], ["flat"], axis=1)]
    read = {name: f"{name}_wide" if half else name for name in "vw"}
    if half:
        weights = weights | {name: weights[name].astype(np.float16) for name in "vw"}
        nodes += [helper.make_node("Cast", [name], [read[name]], to=1) for name in "vw"]
    nodes += [
        helper.make_node("Gemm", ["flat", read["v"], "a"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", read["w"], "b"], ["y" if not plus else "z"]),
    ]
    if plus:
        weights = weights | {"little": np.full((1, 10), plus, np.float32)}
        nodes.append(helper.make_node("Add", ["z", "little"], ["y"]))
    if unused:
        weights = weights | {"unused": np.random.default_rng(7).random(unused).astype(np.float32)}
    return onnx_model(nodes, weights)


def permuted(weights):
    order = np.random.default_rng(1).permutation(48)
    return weights | {"v": weights["v"][:, order], "a": weights["a"][order], "w": weights["w"][order]}


def rounded(weights, bits=8):
    """Weights of so many bits, as floats: what a quantized export holds."""

    def one(values):
        step = np.abs(values).max() / (2 ** (bits - 1) - 1)
        return (np.round(values / step) * step).astype(np.float32)

    return weights | {name: one(weights[name]) for name in "vw"}


def scaled(weights, by):
    """The same function: a layer times `by`, the next divided by it."""
    by = np.broadcast_to(np.float32(by), 48)
    return weights | {"v": weights["v"] * by, "a": weights["a"] * by, "w": weights["w"] / by[:, None]}


CHANGED = {
    "64 bytes that nobody reads": lambda own, _: network(own, unused=16),
    "a megabyte that nobody reads": lambda own, _: network(own, unused=250_000),
    "half precision": lambda own, _: network(own, half=True),
    "other channels first": lambda own, _: network(permuted(own)),
    "other channels first, in half precision": lambda own, _: network(permuted(own), half=True),
    "eight bits": lambda own, _: network(rounded(own)),
    "a last layer of one's own": lambda own, other: network(own | {"w": other["w"], "b": other["b"]}),
    "another scale in each layer": lambda own, _: network(scaled(own, 2.7)),
    "trained on for a moment": lambda own, other: network({name: own[name] + other[name] / 50 for name in own}),
    "a constant that changes nothing": lambda own, _: network(own, plus=1e-9),
}
MISSED = {  # SECURITY.md says so
    "other channels first, in eight bits": lambda own, _: network(rounded(permuted(own))),
    "another scale in each channel": lambda own, _: network(scaled(own, 2.0 ** np.random.default_rng(2).uniform(-2, 2, 48))),
    "trained on for long": lambda own, other: network({name: own[name] + other[name] / 2 for name in own}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five honest students, and one file for each way to change Ann's."""
    root = tmp_path_factory.mktemp("identity")
    saved(root / "rubrics", f"{LAB}.toml", RUBRIC.encode())
    (root / "subs").mkdir()
    weights = {name: trained(seed) for seed, name in enumerate(HONEST)}
    files = {name: network(own) for name, own in weights.items()}
    files |= {f"copy {number}": change(weights["Ann"], weights["Bea"]) for number, change in enumerate(CHANGED.values())}
    for name, content in files.items():
        model = saved(root / "models" / name, "m.onnx", content)
        pack(root / "subs" / f"{name}.zip", student=name, lab=LAB, artifacts={"first": model})
    return root


@pytest.fixture(scope="module")
def graded(folder):
    return grade(folder / "subs", folder / "out", Options(rubrics=folder / "rubrics", salt="salt"))


@pytest.mark.parametrize("change", CHANGED)
def test_a_copy_is_found_although_it_was_changed(graded, change):
    """Each beside the honest ones only: together, the copies would be half of the class."""
    file = f"copy {list(CHANGED).index(change)}.zip"
    some = [one for one in graded if not one.student.startswith("copy") or one.file == file]
    found = [flag for flag in flags(some) if flag.kind == "same weights"]
    assert [set(flag.files) for flag in found] == [{file, "Ann.zip"}]


@pytest.mark.parametrize("change", MISSED)
def test_what_is_not_found_is_said(graded, tmp_path, change):
    """SECURITY.md names these. Whoever finds them may move them up."""
    from projectkit.measure import live_constants
    from projectkit.types import Artifact

    own, other = trained(0), trained(1)
    content = MISSED[change](own, other)
    found = live_constants(Artifact.of(saved(tmp_path, "m.onnx", content)))
    weights = [asdict(one) for one in found]
    ann = next(one for one in graded if one.student == "Ann")
    slot = ann.measured["slots"]["first"] | {"weights": weights}
    assert copies([ann, Grade("m.zip", "m", "Mallory", LAB, measured=ann.measured | {"slots": {"first": slot}})]) == []


def test_honest_students_are_not_accused(graded):
    honest = [one for one in graded if one.student in HONEST]
    assert len(honest) == 5 and not flags(honest)


def test_what_more_than_half_of_a_class_has_is_nobodys(graded):
    """A start network, for example, that is no baseline."""
    start = {"values": 5000, "exact": "0" * 16, "near": "1" * 16}

    def with_start(one):
        slots = {"first": one.measured["slots"]["first"] | {"weights": [start, *one.measured["slots"]["first"]["weights"]]}}
        return Grade(one.file, one.name, one.student, one.lab, measured=one.measured | {"slots": slots})

    honest = [with_start(one) for one in graded if one.student in HONEST]
    assert copies(honest) == [] and copies(honest[:2]) != []


def test_a_class_of_hundreds_is_compared_in_no_time():
    rng = np.random.default_rng(0)

    def one(number):
        own = [{"values": 100 + layer, "exact": rng.bytes(8).hex(), "near": rng.bytes(8).hex()} for layer in range(60)]
        profile = {"artifact": {"sha256": str(number)}}
        return Grade(f"{number}.zip", "", str(number), LAB, measured={"slots": {"first": {"profile": profile, "weights": own}}})

    grades = [one(number) for number in range(300)]
    assert copies(grades) == []
    grades.append(Grade("c.zip", "", "c", LAB, measured=grades[7].measured))
    assert [{model.file for model in copy.models} for copy in copies(grades)] == [{"7.zip", "c.zip"}]


def test_a_copy_in_another_format_and_another_slot_is_found(tmp_path):
    from grading.points.copies import Model, _copies

    same = (Constant(640, "a" * 16, "0" * 16), Constant(10, "b" * 16, ""))
    models = [Model("a.zip", "Ann", "first", "1", same), Model("b.zip", "Ben", "second", "2", same[:1])]
    assert [copy.share for copy in _copies(models)] == [1.0]


@pytest.fixture
def class_of(tmp_path):
    """Packs a student's linear model, of which a part is left out so that it is worse, and gives the folder."""
    saved(tmp_path / "rubrics", f"{LAB}.toml", RUBRIC.encode())
    (tmp_path / "subs").mkdir()

    def hand_in(file, student, classes=10, when=None):
        model = saved(
            tmp_path / file, "m.onnx", network(trained(0) | {"b": np.float32([9.0 * (n >= classes) for n in range(10)])})
        )
        zipped = pack(tmp_path / "subs" / file, student=student, lab=LAB, artifacts={"first": model})
        if when is not None:
            os.utime(zipped, (when, when))
        return zipped

    hand_in.root = tmp_path
    return hand_in


def run(root, **changes):
    return grade(root / "subs", root / "out", Options(rubrics=root / "rubrics", salt="salt", **changes))


def table(root):
    return {row["file"]: row for row in csv.DictReader((root / "out" / "grades.csv").open(newline=""))}


def test_a_second_file_in_one_name_replaces_nothing_until_the_instructor_chooses_it(class_of):
    root = class_of.root
    class_of("ann.zip", "Ann@Example.edu")
    class_of("zoe.zip", " ann@example.edu", classes=5)  # another's file, in Ann's name but for blanks and letters
    found = run(root)
    rows = table(root)
    assert rows["ann.zip"]["counts"] == "yes" and rows["zoe.zip"]["counts"] == "no, ann.zip is in the same name"
    assert float(rows["zoe.zip"]["score"]) < float(rows["ann.zip"]["score"]), "both are graded"
    [flag] = [flag for flag in flags(found) if flag.kind == "one name"]
    assert flag.files == ("ann.zip", "zoe.zip") and "--counts" in flag.sentence
    page = (root / "out" / "index.html").read_text("utf-8")
    assert flag.sentence in page and "ann.zip is in the same name" in page

    run(root, counts=("zoe.zip",))
    assert table(root)["zoe.zip"]["counts"] == "yes" and table(root)["ann.zip"]["counts"].startswith("no")
    run(root, counts=(LATEST,))
    assert table(root)["zoe.zip"]["counts"] == "yes"
    with pytest.raises(GradingError, match="no such file"):
        run(root, counts=("eve.zip",))
    with pytest.raises(GradingError, match="one of them"):
        run(root, counts=("ann.zip", "zoe.zip"))


def test_the_command_line_says_so(class_of):
    root = class_of.root
    class_of("ann.zip", "Ann")
    class_of("zoe.zip", "Ann", classes=5)
    words = ["run", root / "subs", "--out", root / "out", "--rubrics", root / "rubrics", "--salt", "salt"]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0 and "! Ann stands in 2 files" in done.output and "ann.zip, zoe.zip" in done.output, done.output
    done = CliRunner().invoke(app, [str(word) for word in [*words, "--counts", "zoe.zip"]])
    assert done.exit_code == 0 and table(root)["zoe.zip"]["counts"] == "yes"


def test_first_is_who_was_first_where_times_tell(class_of):
    root = class_of.root
    class_of("a_late.zip", "Ann", when=2_000_000)
    class_of("b_early.zip", "Ann", classes=5, when=1_000_000)
    class_of("c_copied.zip", "Bob", classes=5, when=1_000_000 + SECONDS / 2)
    class_of("d_copied.zip", "Bob", when=1_000_000)
    run(root)
    assert {name: row["counts"][:2] for name, row in table(root).items()} == {
        "a_late.zip": "no",
        "b_early.zip": "ye",
        "c_copied.zip": "ye",
        "d_copied.zip": "no",
    }


def test_one_submission_in_several_files_is_pointed_at(class_of):
    root = class_of.root
    first = class_of("ann.zip", "Ann")
    shutil.copy2(first, root / "subs" / "mallory.zip")  # another's account, the same bytes
    class_of("eve.zip", "Eve")  # another's name, the same content
    found = {flag.kind: flag for flag in flags(run(root))}
    assert found["same submission"].files == ("ann.zip", "eve.zip", "mallory.zip")
    assert "Ann and Eve" in found["same submission"].sentence
    assert "one name" not in found, "the two files in Ann's name do not differ"


def test_ties_and_errors_are_settled_in_one_way(tmp_path):
    def of(file, student="Ann", error=None):
        return Grade(file, file, student, LAB, error=error, digests={"content": file})

    grades = [of("a", error="no zip"), of("b"), of("c"), of("d", "Bob")]
    assert [[one.file for one in group] for group in one_name(grades)] == [["b", "c"]]
    assert superseded(grades) == {"c": "b"} == superseded(grades, ["b"]) and superseded(grades, ["c"]) == {"b": "c"}
    write_overview(grades, tmp_path)
    assert [row["counts"] for row in csv.DictReader((tmp_path / "grades.csv").open(newline=""))][1:3] == [
        "yes",
        "no, b is in the same name",
    ]
