"""Supermask files: anyone can draw the network again, nothing else is in them, and what is hostile is refused before it costs."""

import struct
import tracemalloc
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from models_by_hand import saved
from projectkit import runtimes
from projectkit.errors import ArtifactError, SubmissionError
from projectkit.measure import check_shapes, live_constants, profile, read_graph
from projectkit.runtimes.supermask import SEEDS, Supermask, draw, kept_kernels, logits, parse_supermask, write_supermask
from projectkit.submit import pack, read
from projectkit.submit.limits import LIMITS
from projectkit.types import Artifact, Measurement

FIRST_FOUR = [0.0564484373, -0.0700603873, -0.0215451196, -0.0405872874]


def some_masks(*units, share=0.4, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(rng.random(count) < share for count in units)


@pytest.fixture
def supermask():
    return Supermask((8, 8, 1), 3, some_masks(300, 100))


@pytest.fixture
def artifact(supermask, tmp_path):
    return write_supermask(supermask, tmp_path / "some.supermask")


def file_of(*, mark=b"SMSK", version=1, shape=(8, 8, 1), seed=0, classes=10, hidden=(16, 8), bits=b"\xff\xff\xff"):
    """The bytes as the format is described, written apart from the code under test."""
    header = mark + bytes([version]) + struct.pack("<5H", *shape, seed, classes) + bytes([len(hidden)])
    return header + struct.pack(f"<{len(hidden)}H", *hidden) + bits


def test_the_network_is_the_documented_one():
    """The first numbers of NumPy's PCG64 stream for seed 0, times √(2/784); they must never change, or old masks mean nothing."""
    first, second, last = draw((784, 300, 100, 10), 0)
    assert first.dtype == np.float32 and first.shape == (784, 300) and second.shape == (300, 100) and last.shape == (100, 10)
    stream = np.random.Generator(np.random.PCG64(0))
    for kernel in (first, second, last):
        drawn = stream.standard_normal(kernel.shape, dtype=np.float32)
        assert np.array_equal(kernel, drawn * np.float32((2 / len(kernel)) ** 0.5))
    np.testing.assert_allclose(first[0, :4], FIRST_FOUR, rtol=1e-6)
    assert abs(first.std() / (2 / 784) ** 0.5 - 1) < 0.01 and abs(first.mean()) < 1e-3


def test_a_file_holds_what_was_written_and_a_bit_a_unit(supermask, artifact):
    again = parse_supermask(Path(artifact.path).read_bytes())
    assert (again.shape, again.seed, again.classes) == ((8, 8, 1), 3, 10)
    assert all(np.array_equal(one, other) for one, other in zip(again.masks, supermask.masks, strict=True))
    assert artifact.format == "supermask" and artifact.size == 16 + 2 * 2 + 38 + 13


def test_the_sub_network_is_the_masked_network(supermask, artifact, digits):
    """The oracle multiplies with all units and silences them afterwards."""
    first, second, last = draw(supermask.units, supermask.seed)
    hidden = np.maximum(digits.test.x.reshape(-1, 64) @ first, 0) * supermask.masks[0]
    hidden = np.maximum(hidden @ second, 0) * supermask.masks[1]
    with closing(runtimes.open(artifact)) as session:
        np.testing.assert_allclose(session.run(digits.test.x), hidden @ last, atol=1e-4)


def test_a_single_unit_a_layer_is_enough(tmp_path, digits):
    masks = tuple(np.arange(units) == 3 for units in (16, 8, 5))
    with closing(runtimes.open(write_supermask(Supermask((8, 8, 1), 9, masks), tmp_path / "one.supermask"))) as session:
        assert session.run(digits.test.x[:7]).shape == (7, 10)


def test_counts_are_those_of_what_is_left(supermask, artifact):
    kept = [int(mask.sum()) for mask in supermask.masks]
    graph = read_graph(artifact)
    expected = 64 * kept[0] + kept[0] * kept[1] + kept[1] * 10
    assert graph.parameters == graph.macs == graph.nonzero_parameters == supermask.parameters == expected
    assert [layer.macs for layer in graph.layers] == [64 * kept[0], kept[0] * kept[1], kept[1] * 10]
    assert graph.weight_bits is None, "no weight is stored"
    assert supermask.removed == pytest.approx(1 - expected / (64 * 300 + 300 * 100 + 100 * 10))
    check_shapes(artifact, np.zeros((1, 8, 8, 1), np.float32))


def test_everything_that_is_measured_of_a_model_is_measured_of_it(artifact, digits):
    one = profile(artifact, digits.test.take(100), budget=0.05, baseline=artifact)
    assert {"accuracy", "size", "parameters", "macs", "latency_p50", "latency_ratio", "peak_memory"} <= set(one.values)
    assert all(isinstance(value, Measurement) for value in one.values.values())
    assert "stores weights" in one.missing["weight_bits"]


def test_equal_seeds_and_masks_have_one_name(supermask, artifact, tmp_path):
    same = write_supermask(supermask, tmp_path / "same.supermask")
    other = write_supermask(Supermask((8, 8, 1), 4, supermask.masks), tmp_path / "other.supermask")
    assert live_constants(same) == live_constants(artifact) != live_constants(other)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "mark SMSK"),
        (b"SMSK", "cut off"),
        (file_of(mark=b"TFL3"), "mark SMSK"),
        (file_of(version=2), "version 2"),
        (file_of(seed=10), "seed 10"),
        (file_of(seed=65535), "a seed from 0 to 9"),
        (file_of(classes=1), "1 classes"),
        (file_of(classes=60000), "classes"),
        (file_of(shape=(0, 8, 1)), "images of"),
        (file_of(shape=(60000, 60000, 3)), "images of"),
        (file_of(shape=(1024, 1024, 1024), hidden=(4096, 4096)), "weights, expected at most"),
        (file_of(hidden=(65535, 65535, 65535, 65535)), "units"),
        (file_of(hidden=(4096, 4096, 4096, 4096)), "weights, expected at most"),
        (file_of(hidden=(4,) * 255), "255 hidden layers"),
        (file_of(hidden=(), bits=b""), "hidden layers"),
        (file_of(hidden=(0, 8), bits=b"\xff"), "units"),
        (file_of(bits=b"\xff\xff"), "bytes, expected"),
        (file_of(bits=b"\xff\xff\xff\xff"), "bytes, expected"),
        (file_of(bits=b"\x00\x00\xff"), "keeps 0 units"),
        (file_of(hidden=(15, 8)), "behind the last unit"),
    ],
)
def test_what_is_hostile_is_refused_before_anything_is_drawn(tmp_path, content, sentence):
    artifact = Artifact.of(saved(tmp_path, "bad.supermask", content))
    tracemalloc.start()
    for look in (runtimes.open, read_graph):
        with pytest.raises(ArtifactError, match=sentence) as error:
            look(artifact)
        assert "bad.supermask" in str(error.value)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_the_largest_network_that_is_allowed_stays_small(tmp_path):
    largest = Supermask((32, 32, 3), 0, some_masks(2048, 1000, seed=1))
    artifact = write_supermask(largest, tmp_path / "large.supermask")
    tracemalloc.start()
    with closing(runtimes.open(artifact)) as session:
        session.run(np.zeros((200, 32, 32, 3), np.float32))
    assert tracemalloc.get_traced_memory()[1] < 120e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"seed": len(SEEDS)}, "seed"),
        ({"masks": (np.ones(16), np.ones(8, bool))}, "expected bool"),
        ({"masks": (np.zeros(16, bool), np.ones(8, bool))}, "keeps 0"),
        ({"masks": ()}, "hidden layers"),
        ({"masks": (np.ones((4, 4), bool), np.ones(8, bool))}, r"shape \(4, 4\)"),
    ],
)
def test_what_no_file_can_hold_is_refused_when_it_is_made(fields, sentence):
    with pytest.raises(ArtifactError, match=sentence):
        Supermask(**({"shape": (8, 8, 1), "seed": 0, "masks": some_masks(16, 8, share=1.1)} | fields))


def test_another_suffix_is_refused(supermask, tmp_path):
    with pytest.raises(ArtifactError, match=r"ends in \.supermask, this one in '\.npz'"):
        write_supermask(supermask, tmp_path / "masks.npz")


def test_it_can_be_handed_in_and_is_what_its_suffix_says(supermask, artifact, tmp_path):
    zipped = pack(tmp_path / "a.zip", student="ann@x.edu", lab="l04_supermasks", artifacts={"accurate": artifact.path})
    intake = read(zipped, tmp_path / "out")
    assert intake.problems == {} and intake.submission.artifacts["accurate"].sha256 == artifact.sha256
    assert artifact.size < LIMITS.file_bytes
    disguised = saved(tmp_path, "disguised.onnx", Path(artifact.path).read_bytes())
    with pytest.raises(SubmissionError, match="this is a supermask, expected an ONNX model"):
        pack(tmp_path / "b.zip", student="ann@x.edu", lab="l04_supermasks", artifacts={"accurate": disguised})
    with pytest.raises(SubmissionError, match="expected a supermask"):
        wrong = saved(tmp_path, "wrong.supermask", b"\x80\x04")
        pack(tmp_path / "c.zip", student="ann@x.edu", lab="l04_supermasks", artifacts={"accurate": wrong})


def test_threads_are_held_and_answers_stay_the_same(supermask, artifact, digits):
    kernels = kept_kernels(supermask)
    for threads in (1, 2):
        with closing(runtimes.open(artifact, threads=threads)) as session:
            np.testing.assert_allclose(session.run(digits.test.x), logits(kernels, digits.test.x), atol=1e-5)
