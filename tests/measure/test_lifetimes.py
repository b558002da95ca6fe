"""Peak activations of small graphs computed by hand, packing plans, and the interpreter for microcontrollers as an oracle."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from grading.rubrics.loading import RUBRICS
from models_by_hand import linear_tflite, onnx_model, saved, slow_onnx
from projectkit.errors import ArtifactError, NotHere
from projectkit.measure import Buffer, arena, live_bytes, plan, read_arena, read_lifetimes, read_symmetric
from projectkit.measure.lifetimes import VIEWS
from projectkit.types import Artifact

BASELINES = sorted((RUBRICS.parent / "baselines").glob("*.tflite"))
KINDS = ("float32.tflite", "int8.tflite", "float32.onnx")
FLAT = helper.make_node("Flatten", ["x"], ["flat"], axis=1)  # 64 float32: 256 bytes, in the memory of x
SQUARE, NARROW = np.eye(64, dtype=np.float32), np.ones((64, 10), np.float32)


def gemm(source, target, weights="w"):
    return helper.make_node("Gemm", [source, weights], [target])


def lifetimes(folder, nodes, *, in_place=True, **constants):
    content = onnx_model([FLAT, *nodes], {"w": SQUARE, "v": NARROW} | constants)
    return read_lifetimes(Artifact.of(saved(folder, "m.onnx", content)), in_place=in_place)


def alive(found):
    return live_bytes(found.buffers)


def test_a_chain_holds_two_neighbours(tmp_path):
    found = lifetimes(tmp_path, [gemm("flat", "h"), gemm("h", "k"), gemm("k", "y", "v")])
    assert found.operators == ("Flatten", "Gemm", "Gemm", "Gemm")
    assert alive(found) == [256, 512, 512, 296]
    assert found.peak_activations == 512


RESIDUAL = [gemm("flat", "h"), gemm("h", "k"), gemm("k", "m"), helper.make_node("Add", ["m", "h"], ["s"]), gemm("s", "y", "v")]


def test_a_shortcut_waits_and_a_sum_is_written_over_an_input(tmp_path):
    assert alive(lifetimes(tmp_path, RESIDUAL)) == [256, 512, 512, 768, 512, 296]
    assert alive(lifetimes(tmp_path, RESIDUAL, in_place=False)) == [256, 512, 512, 768, 768, 296]


def test_branches_wait_for_each_other(tmp_path):
    joined = helper.make_node("Concat", ["h", "k"], ["j"], axis=1)
    nodes = [gemm("flat", "h"), gemm("flat", "k"), joined, gemm("j", "y", "u")]
    found = lifetimes(tmp_path, nodes, u=np.ones((128, 10), np.float32))
    assert alive(found) == [256, 512, 768, 1024, 552]


def test_what_somebody_still_reads_is_not_written_over(tmp_path):
    relu = helper.make_node("Relu", ["h"], ["r"])
    nodes = [gemm("flat", "h"), relu, helper.make_node("Add", ["r", "h"], ["s"]), gemm("s", "y", "v")]
    assert alive(lifetimes(tmp_path, nodes)) == [256, 512, 512, 512, 296]


def test_the_input_is_not_written_over(tmp_path):
    assert alive(lifetimes(tmp_path, [helper.make_node("Relu", ["flat"], ["r"]), gemm("r", "y", "v")])) == [256, 512, 296]


def pair(source, target, scale="s", zero="z"):
    stored = f"{target}_stored"
    return [
        helper.make_node("QuantizeLinear", [source, scale, zero], [stored]),
        helper.make_node("DequantizeLinear", [stored, scale, zero], [target]),
    ]


GRID = {"s": np.array(0.1, np.float32), "z": np.array(0, np.int8)}


def test_a_tensor_between_a_pair_is_stored_as_integers(tmp_path):
    nodes = [gemm("flat", "h"), helper.make_node("Relu", ["h"], ["r"]), *pair("r", "d"), gemm("d", "y", "v")]
    assert lifetimes(tmp_path, nodes, **GRID).peak_activations == 256 + 64


def test_one_that_is_also_read_as_floats_is_stored_twice(tmp_path):
    nodes = [gemm("flat", "h"), *pair("h", "d"), helper.make_node("Add", ["d", "h"], ["t"]), gemm("t", "y", "v")]
    assert alive(lifetimes(tmp_path, nodes, **GRID))[2:4] == [320, 320]


def test_the_floats_that_come_in_stay_floats(tmp_path):
    found = lifetimes(tmp_path, [*pair("flat", "d"), gemm("d", "y", "v")], **GRID)
    assert alive(found) == [256, 320, 64, 104]


def test_what_depends_on_constants_only_is_no_activation(tmp_path):
    nodes = [*pair("w", "u"), gemm("flat", "h", "u"), gemm("h", "y", "v")]
    found = lifetimes(tmp_path, nodes, **GRID)
    assert found.operators == ("Flatten", "Gemm", "Gemm")
    assert found.peak_activations == 512


def test_a_file_for_a_larger_batch_counts_one_example(tmp_path):
    graph = helper.make_graph(
        [gemm("x", "h"), gemm("h", "y", "v")],
        "four",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 10])],
        [numpy_helper.from_array(SQUARE, "w"), numpy_helper.from_array(NARROW, "v")],
    )
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    assert read_lifetimes(Artifact.of(saved(tmp_path, "m.onnx", content))).peak_activations == 512


def test_a_layer_of_a_tflite_file(tmp_path):
    found = read_lifetimes(Artifact.of(saved(tmp_path, "m.tflite", linear_tflite())))
    assert found.peak_activations == 256 + 40


def test_the_baseline_by_hand():
    """8×8×48 float32 out of the first convolution, and half as many rows and columns out of the pooling behind it."""
    found = read_lifetimes(Artifact.of(RUBRICS.parent / "baselines" / "digits_convnet.tflite"))
    assert found.peak_activations == 4 * (8 * 8 * 48 + 4 * 4 * 48)


def test_both_formats_of_a_model_need_about_the_same(files):
    """The .onnx file turns its images round for its own layout, which is one more tensor for a moment."""
    peaks = {kind: read_lifetimes(Artifact.of(files[f"conv-{kind}"])).peak_activations for kind in KINDS}
    assert peaks["float32.onnx"] == pytest.approx(peaks["float32.tflite"], rel=0.15)
    assert peaks["int8.tflite"] == pytest.approx(peaks["float32.tflite"] / 4, rel=0.05)


def test_loops_and_damaged_files_are_refused(tmp_path):
    with pytest.raises(ArtifactError, match="holds Loop"):
        read_lifetimes(Artifact.of(saved(tmp_path, "slow.onnx", slow_onnx())))
    whole = linear_tflite()
    for content in (whole[:300], whole[: len(whole) // 2], b"x" * 100):
        with pytest.raises(ArtifactError):
            read_lifetimes(Artifact.of(saved(tmp_path, "cut.tflite", content)))


def drawn(seed):
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 20, 30)
    return [
        Buffer(str(number), int(size), int(start), int(start + length))
        for number, (size, start, length) in enumerate(zip(rng.integers(1, 200, 30), first, rng.integers(0, 8, 30), strict=True))
    ]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("alignment", [1, 16])
def test_a_plan_overlaps_nothing_that_lives_together_and_is_no_smaller_than_the_peak(seed, alignment):
    buffers = drawn(seed)
    offsets, size = plan(buffers, alignment=alignment)
    for step, expected in enumerate(live_bytes(buffers)):
        here = [index for index, buffer in enumerate(buffers) if buffer.first <= step <= buffer.last]
        assert sum(buffers[index].size for index in here) == expected
        taken = [byte for index in here for byte in range(offsets[index], offsets[index] + buffers[index].size)]
        assert len(taken) == len(set(taken))
        assert max(taken, default=-1) < size
    assert all(offset % alignment == 0 for offset in offsets)
    assert max(live_bytes(buffers)) <= size <= sum(buffer.size + alignment for buffer in buffers)


def test_a_plan_by_hand():
    """The largest lies at 0; beside it the second; the last takes the place of the first, which is gone by then."""
    buffers = [Buffer("a", 100, 0, 1), Buffer("b", 60, 1, 2), Buffer("c", 40, 2, 3)]
    assert plan(buffers) == ((0, 100, 0), 160)
    assert plan(buffers, alignment=64)[0] == (0, 128, 0)
    assert plan(()) == ((), 0) and live_bytes(()) == []


@pytest.mark.parametrize("path", BASELINES, ids=lambda path: path.stem)
def test_the_interpreter_for_microcontrollers_needs_at_least_the_peak(path):
    artifact = Artifact.of(path)
    found = read_lifetimes(artifact, in_place=False)
    try:
        told = read_arena(artifact)
    except NotHere as reason:
        pytest.skip(str(reason))
    assert told.head >= read_lifetimes(artifact).peak_activations
    assert told.total == told.head + told.tail
    # It packs greedily and writes over nothing: what it adds are scratch buffers, alignment, and an input that is reshaped, which
    # is not its own and which it copies.
    copied = found.buffers[0].size if found.operators[0] in VIEWS else 0
    assert found.peak_activations <= told.head <= 1.5 * plan(found.buffers, alignment=16)[1] + copied


def test_the_arena_of_what_it_cannot_run_is_missing_with_the_reason(tmp_path):
    x = np.zeros((1, 8, 8, 1), np.float32)
    with pytest.raises(NotHere, match=r"runs \.tflite files"):
        arena(Artifact.of(saved(tmp_path, "m.onnx", onnx_model([FLAT, gemm("flat", "y", "v")], {"v": NARROW}))), x)
    pytest.importorskip("tflite_micro")
    with pytest.raises(NotHere, match="cannot load"):
        arena(Artifact.of(saved(tmp_path, "custom.tflite", linear_tflite(custom="Mine"))), x)
    with pytest.raises(NotHere, match="cannot load"):
        arena(Artifact.of(saved(tmp_path, "cut.tflite", linear_tflite()[:500])), x)


# --- symmetric int8 ---


def symmetric(folder, nodes, **constants):
    content = onnx_model([FLAT, *nodes], {"v": NARROW} | constants)
    return read_symmetric(Artifact.of(saved(folder, "m.onnx", content))).symmetric_int8


PER_CHANNEL = {"ps": np.full(10, 0.1, np.float32), "pz": np.zeros(10, np.int8)}


def kernel(axis=1):
    nodes = pair("v", "u", "ps", "pz")
    for node in nodes:
        node.attribute.append(helper.make_attribute("axis", axis))
    return nodes


def test_pairs_with_zero_points_0_and_a_scale_a_channel_are_symmetric(tmp_path):
    nodes = [*pair("flat", "d"), *kernel(), gemm("d", "y", "u")]
    assert symmetric(tmp_path, nodes, **GRID, **PER_CHANNEL) == 1.0


@pytest.mark.parametrize(
    "constants",
    [
        {"z": np.array(3, np.int8)},
        {"z": np.array(0, np.uint8)},
        {"pz": np.array([0] * 9 + [1], np.int8)},
    ],
    ids=["zero point 3", "unsigned", "one channel shifted"],
)
def test_others_are_not(tmp_path, constants):
    nodes = [*pair("flat", "d"), *kernel(), gemm("d", "y", "u")]
    assert symmetric(tmp_path, nodes, **(GRID | PER_CHANNEL | constants)) == 0.0


def test_one_scale_for_the_whole_kernel_or_a_float_input_does_not_count(tmp_path):
    assert symmetric(tmp_path, [*pair("flat", "d"), *pair("v", "u"), gemm("d", "y", "u")], **GRID) == 0.0
    assert symmetric(tmp_path, [*kernel(), gemm("flat", "y", "u")], **PER_CHANNEL) == 0.0
    assert symmetric(tmp_path, [gemm("flat", "y", "v")]) == 0.0


def test_the_share_is_of_the_weights(tmp_path):
    """A float layer of 64 × 64 before a symmetric one of 64 × 10."""
    nodes = [gemm("flat", "h", "w"), *pair("h", "d"), *kernel(), gemm("d", "y", "u")]
    assert symmetric(tmp_path, nodes, w=SQUARE, **GRID, **PER_CHANNEL) == pytest.approx(640 / (640 + 4096))


def test_what_nobody_reads_does_not_count(tmp_path):
    nodes = [*pair("flat", "d"), *kernel(), gemm("d", "unread", "u"), gemm("flat", "y", "v")]
    assert symmetric(tmp_path, nodes, **GRID, **PER_CHANNEL) == 0.0


def test_nothing_hides_from_the_share(tmp_path):
    """A kernel that is computed when the model runs, a loop, and ONNX Runtime's own integer operators."""
    nodes = [helper.make_node("Add", ["v", "v"], ["u"]), gemm("flat", "y", "u")]
    with pytest.raises(ArtifactError, match=r"computes a kernel of Gemm when it runs \(by Add\)"):
        symmetric(tmp_path, nodes)
    with pytest.raises(ArtifactError, match="holds Loop"):
        read_symmetric(Artifact.of(saved(tmp_path, "slow.onnx", slow_onnx())))
    integers = {"v8": np.ones((64, 10), np.int8)}
    nodes = [helper.make_node("QuantizeLinear", ["flat", "s", "z"], ["q"]), helper.make_node("MatMulInteger", ["q", "v8"], ["i"])]
    nodes += [helper.make_node("Cast", ["i"], ["y"], to=TensorProto.FLOAT)]
    assert symmetric(tmp_path, nodes, **GRID, **integers) == 0.0


def test_a_graph_without_kernels_and_other_formats_have_no_share(tmp_path):
    content = onnx_model(
        [FLAT, helper.make_node("Slice", ["flat", "a", "b", "c"], ["y"])],
        {"a": np.array([0]), "b": np.array([10]), "c": np.array([1])},
    )
    assert read_symmetric(Artifact.of(saved(tmp_path, "m.onnx", content))).symmetric_int8 is None
    with pytest.raises(ArtifactError, match=r"only \.onnx files"):
        read_symmetric(Artifact.of(saved(tmp_path, "m.tflite", linear_tflite())))
