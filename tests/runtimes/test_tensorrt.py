"""TensorRT without a GPU: command lines, what each line refuses, output formats, the DLA table, and the names of the API.

The outputs below are written by hand after the formats that NVIDIA's sources print; see the docstrings of the parsers.
"""

import importlib.util
import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from projectkit.errors import ArtifactError, ExportError, NotHere
from projectkit.runtimes import tensorrt as trt
from projectkit.runtimes.tensorrt.lines import gpus, line_of, line_printed
from projectkit.runtimes.tensorrt.trtexec import installed
from projectkit.types import Artifact
from tensorrt_names import FILES, FOUND, names_of

IMAGE = {"image": trt.Shapes.fixed(1, 8, 8, 1)}
FREE = {"image": trt.Shapes((1, 8, 8, 1), (4, 8, 8, 1), (16, 8, 8, 1))}
NO_GPU = pytest.mark.skipif(gpus() > 0, reason="there is an NVIDIA GPU")


# --- command lines ---


def flags(build, line, run=None):
    return trt.command("m.onnx", build, run or trt.Run(), line)[2:]


def test_line_10_gets_its_precisions_and_what_makes_it_time_like_line_11():
    words = flags(trt.Build(shapes=IMAGE, precisions=("fp16", "int8")), 10)
    assert words[:3] == ["--fp16", "--int8", "--shapes=image:1x8x8x1"]
    assert words[-4:] == ["--noDataTransfers", "--useCudaGraph", "--useSpinWait", "--separateProfileRun"]


def test_line_11_gets_neither():
    words = flags(trt.Build(shapes=IMAGE), 11)
    assert words[0] == "--shapes=image:1x8x8x1"
    assert not {"--noDataTransfers", "--useCudaGraph", "--useSpinWait", "--separateProfileRun", "--stronglyTyped"} & set(words)


def test_a_dla_core_goes_without_a_cuda_graph_on_both_lines():
    on_10 = flags(trt.Build(shapes=IMAGE, precisions=("fp16",), dla_core=1), 10)
    assert {"--useDLACore=1", "--allowGPUFallback"} <= set(on_10) and "--useCudaGraph" not in on_10
    on_11 = flags(trt.Build(shapes=IMAGE, dla_core=0, gpu_fallback=False), 11)
    assert {"--useDLACore=0", "--noCudaGraph"} <= set(on_11) and "--allowGPUFallback" not in on_11


def test_every_other_option_becomes_its_flag():
    build = trt.Build(shapes=FREE, workspace=3 * 2**29, timing_cache="t.cache", sparsity=True, level=5, strongly_typed=True)
    run = trt.Run(seconds=0.5, warm_up=0.1, iterations=7, verbose=True, save_engine="e", export_times="t", export_layer_info="l")
    assert flags(build, 10, run)[:16] == [
        *("--stronglyTyped", "--minShapes=image:1x8x8x1", "--optShapes=image:4x8x8x1", "--maxShapes=image:16x8x8x1"),
        *("--memPoolSize=workspace:1536M", "--timingCacheFile=t.cache", "--sparsity=enable", "--builderOptimizationLevel=5"),
        *("--profilingVerbosity=detailed", "--warmUp=100", "--duration=0.5", "--iterations=7", "--verbose"),
        *("--saveEngine=e", "--exportTimes=t", "--exportLayerInfo=l"),
    ]


@pytest.mark.parametrize(
    ("build", "line", "reason"),
    [
        (trt.Build(precisions=("fp16",)), 11, "has no --fp16.*Convert the graph"),
        (trt.Build(precisions=("int8", "bf16")), 11, "has no --int8, --bf16"),
        (trt.Build(calibration="c"), 11, "does not calibrate"),
        (trt.Build(precisions=("int4",)), 10, "'int4' is unknown"),
        (trt.Build(precisions=("fp16",), calibration="c"), 10, "a calibration cache is for int8"),
        (trt.Build(precisions=("fp16",), strongly_typed=True), 10, "exclude each other"),
        (trt.Build(dla_core=0), 10, "computes in fp16 or int8"),
        (trt.Build(dla_core=0, precisions=("bf16",)), 10, "computes in fp16 or int8"),
        (trt.Build(dla_core=0, shapes=FREE), 11, "fixed ones only"),
        (trt.Build(dla_core=0, shapes={"x": trt.Shapes.fixed(1, 3, 9000, 8)}), 11, "too large for a DLA"),
        (trt.Build(shapes={"x": trt.Shapes((2, 8), (1, 8), (4, 8))}), 10, "none smaller"),
        (trt.Build(shapes={"x": trt.Shapes((1,), (1, 8), (4, 8))}), 10, "of one length"),
        (trt.Build(level=6), 10, "level is 6"),
        (trt.Build(workspace=0), 11, "workspace is 0"),
    ],
    ids=str,
)
def test_what_a_line_cannot_build_is_refused_with_a_sentence(build, line, reason):
    with pytest.raises(ExportError, match=reason):
        trt.command("m.onnx", build, trt.Run(), line)


# --- the choice of precisions ---


def graph(tmp_path, kind="float32", quantized=None):
    """A matrix product of `kind`, behind a Q/DQ pair of the integer type `quantized`."""
    dtype = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}[kind]
    values = [helper.make_tensor_value_info(name, dtype, ["n", 4]) for name in "xy"]
    constants = [numpy_helper.from_array(np.ones((4, 4), kind), "w")]
    nodes, source = [], "x"
    if quantized:
        constants += [numpy_helper.from_array(np.array(0.1, kind), "s"), numpy_helper.from_array(np.array(0, quantized), "z")]
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            helper.make_node("DequantizeLinear", list("qsz"), ["d"]),
        ]
        source = "d"
    nodes.append(helper.make_node("MatMul", [source, "w"], ["y"]))
    model = helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:], constants))
    path = tmp_path / f"{kind}-{quantized}.onnx"
    onnx.save(model, path)
    return Artifact.of(path)


def test_what_a_graph_holds(tmp_path):
    assert trt.held(graph(tmp_path)) == {"float32"}
    assert trt.held(graph(tmp_path, "float16")) == {"float16"}
    assert trt.held(graph(tmp_path, quantized="int8")) == {"float32", "int8"}
    assert trt.held(graph(tmp_path, quantized="uint8")) == {"float32", "other integers"}


def test_line_10_allows_and_line_11_reads_the_graph(tmp_path):
    plain, half, pairs = graph(tmp_path), graph(tmp_path, "float16"), graph(tmp_path, quantized="int8")
    assert trt.choose(plain, "float16", 10).build.precisions == ("fp16",)
    assert trt.choose(plain, "bfloat16", 10).build.precisions == ("bf16",)
    assert trt.choose(plain, "float32", 10).build.precisions == ()
    assert trt.choose(pairs, "int8", 10).build.precisions == ("int8", "fp16")
    for artifact, precision in ((half, "float16"), (pairs, "int8"), (plain, "float32")):
        assert trt.choose(artifact, precision, 11).build.precisions == ()
        assert trt.choose(artifact, precision, 10, trt.Build(strongly_typed=True)).build.precisions == ()


def test_a_calibration_cache_stands_for_the_pairs_on_line_10_only(tmp_path):
    build = trt.Build(calibration="ranges")
    assert trt.choose(graph(tmp_path), "int8", 10, build).build == replace(build, precisions=("int8", "fp16"))
    with pytest.raises(ExportError, match="says float32 and not int8"):
        trt.choose(graph(tmp_path), "int8", 11, build)


@pytest.mark.parametrize(
    ("kind", "quantized", "precision", "line", "reason"),
    [
        ("float32", None, "float16", 11, "says float32 and not float16.*precision='float16'"),
        ("float32", None, "bfloat16", 11, "autocast"),
        ("float32", None, "int8", 10, "says float32 and not int8.*preset='tensorrt'"),
        ("float32", None, "int8", 11, "says float32 and not int8.*preset='tensorrt'"),
        ("float32", None, "float8", 10, "quantize_mode fp8"),
        ("float32", "uint8", "float32", 10, "unsigned integers"),
        ("float32", None, "int4", 10, "'int4' is unknown"),
    ],
)
def test_a_graph_that_cannot_give_the_precision_is_told_what_to_write(tmp_path, kind, quantized, precision, line, reason):
    with pytest.raises(ExportError, match=reason):
        trt.choose(graph(tmp_path, kind, quantized), precision, line)


def test_a_dla_takes_half_and_int8_only(tmp_path):
    with pytest.raises(ExportError, match="float16 or int8, not in float32"):
        trt.choose(graph(tmp_path), "float32", 11, trt.Build(dla_core=0))
    assert trt.choose(graph(tmp_path, "float16"), "float16", 11, trt.Build(dla_core=0)).build.dla_core == 0


# --- output ---

SUMMARY = """\
&&&& RUNNING TensorRT.trtexec [TensorRT v101600] [b9] # trtexec --onnx=m.onnx
{0}Created engine with size: 1.5 MiB
{0}Engine built in 2.25 sec.
{0}=== Trace details ===
{0}Average on 10 runs - GPU latency: 0.8 ms - Host latency: 0.9 ms (enqueue 0.02 ms)
{0}
{0}=== Performance summary ===
{0}Throughput: 1250.5 qps
{0}Latency: min = 0.75 ms, max = 1.5 ms, mean = 0.8 ms, median = 0.79 ms, percentile(90%) = 0.9 ms, percentile(99%) = 1.2 ms
{0}Enqueue Time: min = 0.01 ms, max = 0.02 ms, mean = 0.015 ms, median = 0.014 ms
{0}H2D Latency: min = 0 ms, max = 0 ms, mean = 0 ms, median = 0 ms, percentile(90%) = 0 ms
{0}GPU Compute Time: min = 7.5e-01 ms, max = 1.5 ms, mean = 0.8 ms, median = 0.79 ms, percentile(90%) = 0.9 ms
{0}D2H Latency: min = 0 ms, max = 0 ms, mean = 0 ms, median = 0 ms, percentile(90%) = 0 ms
{0}Total Host Walltime: 3.002 s
{0}Total GPU Compute Time: 2.9 s
{1}* GPU compute time is unstable, with coefficient of variance = 4.5%.
{1}  If not already in use, locking GPU clock frequency may improve the stability.
&&&& PASSED TensorRT.trtexec [TensorRT v101600] [b9] # trtexec --onnx=m.onnx
"""


@pytest.mark.parametrize(
    "stamps", [("", ""), ("[11/22/2026-14:00:01] [I] ", "[11/22/2026-14:00:01] [W] ")], ids=["bare", "stamped"]
)
def test_the_summary_in_seconds_and_bytes(stamps):
    found = trt.parse_summary(SUMMARY.format(*stamps))
    assert found.passed
    assert found.latency == trt.Times(0.75e-3, 1.5e-3, 0.8e-3, 0.79e-3, {90.0: 0.9e-3, 99.0: 1.2e-3})
    assert found.compute.least == pytest.approx(0.75e-3) and found.to_device.most == 0
    assert found.enqueue.percentiles == {}
    assert (found.throughput, found.walltime, found.compute_total) == (1250.5, 3.002, 2.9)
    assert (found.build_time, found.engine_size) == (2.25, 1.5 * 2**20)
    assert found.warnings == ("GPU compute time is unstable, with coefficient of variance = 4.5%.",)


def test_a_run_that_failed_has_no_times():
    found = trt.parse_summary("[E] Error[3]: something\n&&&& FAILED TensorRT.trtexec [TensorRT v110100] # trtexec")
    assert found == trt.Summary(passed=False)


def test_the_version_is_read_from_the_first_line():
    assert line_printed(SUMMARY) == 10
    assert line_printed("&&&& RUNNING TensorRT.trtexec [TensorRT v110401] [b6] # trtexec --help") == 11
    assert line_of("10.3.0") == 10 and line_of("11.4.0.106") == 11
    with pytest.raises(ArtifactError, match=r"TensorRT 8: .* 10\.x and 11\.x"):
        line_printed("&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec")
    with pytest.raises(ArtifactError, match="does not begin with its version"):
        line_printed("trtexec: command not found")


def test_the_profile():
    text = """[
  { "count" : 20 }
, { "name" : "conv1 + relu1", "timeMs" : 8.0, "averageMs" : 0.4, "medianMs" : 0.39, "percentage" : 80 }
, { "name" : "dense", "timeMs" : 2.0, "averageMs" : 0.1, "medianMs" : 0.1, "percentage" : 20 }
]"""
    first, last = trt.parse_profile(text)
    assert first == trt.LayerTime("conv1 + relu1", 8e-3, 0.4e-3, 0.39e-3, 0.8)
    assert last.share == 0.2


def test_the_times():
    row = {"startEnqMs": 1.0, "endEnqMs": 1.1, "h2dMs": 0.0, "computeMs": 0.5, "d2hMs": 0.25, "latencyMs": 0.75}
    found = trt.parse_times(json.dumps([row, row | {"computeMs": 1.0, "latencyMs": 1.25}]))
    np.testing.assert_allclose(found["latency"], [0.75e-3, 1.25e-3])
    np.testing.assert_allclose(found["compute"], [0.5e-3, 1e-3])
    np.testing.assert_allclose(found["from_device"], [0.25e-3] * 2)


OUTPUT_10 = {"Name": "y", "Location": "Device", "Dimensions": [1, 16, 8, 8], "Format/Datatype": "Channel major FP16 format"}
OUTPUT_11 = {"Name": "y", "Location": "Device", "Dimensions": [1, 16, 8, 8], "Format": "Channel major", "DataType": "Half"}
LAYERS = [
    {"Name": "conv1 + relu1", "LayerType": "CaskConvolution", "TacticName": "sm80_x", "HasSparseWeights": 1},
    {"Name": "{ForeignNode[conv2...pool3]}", "LayerType": "DLA"},
]


def test_the_layers_of_an_engine_in_the_words_of_both_lines():
    on_10 = {"Layers": [LAYERS[0] | {"Outputs": [OUTPUT_10]}, LAYERS[1]], "Bindings": ["image", "logits"]}
    on_11 = {
        "Layers": [LAYERS[0] | {"Outputs": [OUTPUT_11]}, LAYERS[1]],
        "I/O Tensors": [{"Name": "image", "IOMode": "Input"}, {"Name": "logits", "IOMode": "Output"}],
    }
    old, new = trt.parse_layer_info(json.dumps(on_10)), trt.parse_layer_info(json.dumps(on_11))
    assert old.tensors == new.tensors == ("image", "logits")
    assert old.layers[0].formats == ("Channel major FP16 format",) and new.layers[0].formats == ("Half Channel major",)
    assert [layer.sparse for layer in new.layers] == [True, False]
    assert [layer.device for layer in old.layers] == [layer.device for layer in new.layers] == ["GPU", "DLA"]


def test_an_engine_without_details_has_the_names():
    found = trt.parse_layer_info('{"Layers": ["a", "b"], "Bindings": ["x"]}')
    assert [layer.name for layer in found.layers] == ["a", "b"]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"Layers": [{}]}', "[{}]", '[{"count": 1}, {"name": "x"}]', "null", "[1]"])
def test_other_files_are_refused_by_every_parser(text):
    with pytest.raises(ArtifactError, match="exportLayerInfo"):
        trt.parse_layer_info(text)
    with pytest.raises(ArtifactError, match="exportProfile"):
        trt.parse_profile(text)
    if text != "[]":  # no inference, no times
        with pytest.raises(ArtifactError, match="exportTimes"):
            trt.parse_times(text)


# --- DLA ---

LOG = """\
[11/22/2026-14:00:01] [W] [TRT] Layer 'softmax' (SOFTMAX): Unsupported on DLA. Switching this layer's device type to GPU.
[11/22/2026-14:00:01] [V] [TRT] ---------- Layers Running on DLA ----------
[11/22/2026-14:00:01] [V] [TRT] [DlaLayer] {ForeignNode[conv1...relu2]}
[11/22/2026-14:00:01] [V] [TRT] [DlaLayer] {ForeignNode[pool]}
[11/22/2026-14:00:01] [V] [TRT] ---------- Layers Running on GPU ----------
[11/22/2026-14:00:01] [V] [TRT] [GpuLayer] CONVOLUTION: odd + relu_odd
[11/22/2026-14:00:01] [V] [TRT] [GpuLayer] SOFTMAX: softmax
"""
NODES = ["conv1", "relu1", "odd", "relu_odd", "conv2", "relu2", "pool", "flatten", "softmax"]


def test_each_layer_is_found_on_the_dla_or_the_gpu_or_not_at_all():
    groups = trt.placements(LOG)
    assert [group.device for group in groups] == ["GPU", "DLA", "DLA", "GPU", "GPU"]
    places = dict(trt.report(NODES, groups))
    assert [name for name, where in places.items() if where == "DLA"] == ["conv1", "relu1", "conv2", "relu2", "pool"]
    assert [name for name, where in places.items() if where == "GPU"] == ["odd", "relu_odd", "softmax"]
    assert places["flatten"] == "unknown"


def test_a_log_that_says_nothing_gives_nothing():
    assert trt.placements("[I] [TRT] built") == ()
    assert set(dict(trt.report(NODES, ())).values()) == {"unknown"}


@pytest.mark.parametrize(
    ("platform", "software", "version", "dla", "typing"),
    [
        ("Jetson Orin", "JetPack 6", "10.3.0", True, "weak"),
        ("Jetson Orin", "JetPack 6", "10.7.0", True, "weak"),
        ("Jetson Orin", "JetPack 6", "10.8.0", False, ""),
        ("Jetson Orin", "JetPack 6", "11.4.1", False, ""),
        ("Jetson AGX Orin", "JetPack 7.2.2", "11.4.1", True, "strong"),
        ("Jetson AGX Orin", "JetPack 7.2.2", "11.5.0", True, "strong"),
        ("Jetson AGX Orin", "JetPack 7.2.2", "11.4.0", False, ""),
        ("Jetson AGX Orin", "JetPack 7.2.2", "11.3.1", False, ""),
        ("Jetson AGX Orin", "JetPack 6", "10.3.0", True, "weak"),
        ("Jetson Orin NX", "JetPack 7 before 7.2.2", "10.13.0", False, ""),
        ("Jetson Orin Nano", "JetPack 6", "10.3.0", False, ""),
        ("Jetson Thor", "JetPack 7.2.2", "11.4.1", False, ""),
        ("Windows on ARM", "any", "11.4.0", True, "strong"),
        ("x86-64", "any", "11.4.1", False, ""),
    ],
)
def test_the_table_knows_where_there_is_a_dla(platform, software, version, dla, typing):
    row = trt.support(platform, software, version)
    assert (row.dla, row.typing) == (dla, typing)
    assert row.source.startswith(("https://docs.nvidia.com/deeplearning/tensorrt/", "NVIDIA, "))


def test_what_the_table_does_not_know_is_said():
    with pytest.raises(ArtifactError, match=r"nothing is known of TensorRT 8\.6\.1 on Jetson Orin"):
        trt.support("Jetson Orin", "JetPack 6", "8.6.1")
    with pytest.raises(ArtifactError, match="is no version"):
        trt.support("Jetson Orin", "JetPack 6", "newest")


# --- the real thing ---


@NO_GPU
def test_without_a_gpu_everything_that_needs_one_says_so(tmp_path):
    artifact = graph(tmp_path)
    on_dla = trt.Build(dla_core=0, precisions=("fp16",))
    attempts = [
        lambda: trt.open_tensorrt(artifact),
        lambda: trt.build_engine(artifact, trt.Build()),
        lambda: trt.eligible_for_dla(artifact, on_dla),
        lambda: trt.benchmark(artifact, trt.Build()),
        installed,
    ]
    for attempt in attempts:
        with pytest.raises(NotHere, match=r"^no NVIDIA GPU$"):
            attempt()


TABLES = json.loads(FOUND.read_text("utf-8"))


@pytest.mark.parametrize(("file", "package"), FILES.items())
def test_every_name_that_the_code_uses_is_in_the_packages(file, package):
    used = names_of(file)
    tables = {wheel: table for wheel, table in TABLES.items() if wheel.startswith(package)}
    assert used and tables
    for wheel, table in tables.items():
        assert used <= set(table), f"{used - set(table)} were not looked up: run tests/runtimes/tensorrt_names.py again"
        absent = {name for name in used if not table[name]}
        if file != "weak.py" or " 10." in wheel:
            assert not absent, f"{wheel} has no {absent}"


def test_what_line_11_removed_is_used_for_line_10_only():
    removed = {name for name, there in TABLES["tensorrt_cu13_bindings 11.4.0.106"].items() if not there}
    assert {"FP16", "int8_calibrator"} <= removed <= names_of("weak.py")


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is None, reason="the package tensorrt is not installed")
def test_the_installed_package_has_the_classes():
    installed_package = pytest.importorskip("tensorrt")
    old = names_of("weak.py") if line_of(installed_package.__version__) >= 11 else set()
    classes = {
        name for file in ("builder.py", "session.py") for name in names_of(file) if name[0].isupper() and not name.isupper()
    }
    assert not [name for name in classes - old - {"DLA_core"} if not hasattr(installed_package, name)]
