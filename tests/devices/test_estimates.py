"""Estimated devices: layers calculated by hand, what falls back, what grows with what."""

import math
from dataclasses import replace

import numpy as np
import pytest
from onnx import helper
from typer.testing import CliRunner

from models_by_hand import linear_tflite, onnx_model, saved
from projectkit.cli import app
from projectkit.devices import KNOWN, Estimated, Here, Remote, Roofline, calibrate, estimate, profile_estimate, read_device
from projectkit.errors import ArtifactError, DeviceError
from projectkit.types import Artifact

# 1 kMAC/ms and 1 kB/ms are easy to calculate with.
PLAIN = Estimated(Roofline("plain", 1e6, {"float32": 1e6}, overhead=1e-3), memory=10**6)


@pytest.fixture
def linear(tmp_path) -> Artifact:
    """64 → 10 in one operator: 640 multiply-accumulates; 4 · (64 + 640 + 10 + 10) bytes."""
    random = np.random.default_rng(1)
    content = linear_tflite(w=random.normal(size=(64, 10)), b=random.normal(size=10))
    return Artifact.of(saved(tmp_path, "linear.tflite", content))


@pytest.fixture
def staged(tmp_path) -> Artifact:
    """Flatten (64 floats), Gemm 64 → 10, Softmax, Gemm 10 → 10, as ONNX."""
    random = np.random.default_rng(0)
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "w"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["shares"], axis=1),
        helper.make_node("Gemm", ["shares", "v"], ["y"]),
    ]
    constants = {"w": random.normal(size=(64, 10)), "v": random.normal(size=(10, 10))}
    content = onnx_model(nodes, {name: value.astype(np.float32) for name, value in constants.items()})
    return Artifact.of(saved(tmp_path, "staged.onnx", content))


def total(device: Estimated, artifact: Artifact, **options) -> float:
    return sum(layer.seconds for layer in estimate(device, artifact, **options))


def test_a_layer_by_hand(linear):
    fully = estimate(PLAIN, linear)[-1]
    moved = 4 * (64 + 640 + 10 + 10)
    assert (fully.kind, fully.macs, fully.moved_bytes, fully.device) == ("FULLY_CONNECTED", 640, moved, "plain")
    assert fully.seconds == pytest.approx(moved / 1e6 + 1e-3) and fully.bound == "memory" and fully.transfer == 0
    slow = replace(PLAIN, roofline=Roofline("slow", 1e6, {"float32": 1e5}))
    fully = estimate(slow, linear)[-1]
    assert fully.seconds == pytest.approx(640 / 1e5) and fully.bound == "compute"


def test_a_layer_that_the_device_lacks_goes_to_the_other_and_pays_the_way(staged):
    """Host: Flatten; accelerator: Gemm; host: Softmax; accelerator: Gemm; and the answer goes back."""
    host = Estimated(Roofline("host", 1e5, {"float32": 1e5}), memory=10**6)
    fast = Roofline("fast", 1e6, {"float32": 1e6})
    device = Estimated(fast, 10**6, operators=frozenset({"Gemm"}), fallback=host, link=1e4, crossing=0.5)
    layers = estimate(device, staged)
    assert [(layer.kind, layer.device) for layer in layers] == [
        ("Flatten", "host"),
        ("Gemm", "fast"),
        ("Softmax", "host"),
        ("Gemm", "fast"),
    ]
    ways = [0, 0.5 + 256 / 1e4, 0.5 + 40 / 1e4, 2 * (0.5 + 40 / 1e4)]  # bytes: 64 floats there, 10 back, 10 there, 10 back
    assert [layer.transfer for layer in layers] == pytest.approx(ways)
    assert layers[1].seconds == pytest.approx(4 * (64 + 640 + 10) / 1e6 + ways[1]) and layers[1].bound == "transfer"
    assert layers[2].seconds == pytest.approx(4 * 20 / 1e5 + ways[2])


def test_a_type_that_the_device_lacks_goes_to_the_other(linear):
    integers = Estimated(Roofline("integers", 1e6, {"int8": 1e9}), 10**6, fallback=PLAIN)
    assert {layer.device for layer in estimate(integers, linear) if layer.macs} == {"plain"}
    halves = Estimated(Roofline("floats", 1e6, {"float16": 1e9, "float32": 1e6}), 10**6)
    assert estimate(halves, linear)[-1].dtype == "float32"
    with pytest.raises(DeviceError, match=r"nothing of it runs FULLY_CONNECTED in float32"):
        estimate(replace(integers, fallback=None), linear)


@pytest.mark.parametrize("name", KNOWN)
def test_estimates_of_known_devices(name, linear, staged):
    device = KNOWN[name]
    for artifact in (linear, staged):
        assert 0 < total(device, artifact) < 1
        profile = profile_estimate(device, artifact)
        assert profile.values["latency_estimate"].value == pytest.approx(total(device, artifact))
        assert profile.values["memory_fits_estimate"].value == 1 and "latency_p50" in profile.missing
    numbers = {*device.roofline.peaks, "bandwidth", "memory"}
    assert numbers <= set(device.sources), "a number without its source"
    if device.fallback:
        assert {"link", "operators"} <= set(device.sources) and math.isfinite(device.link)


def test_more_bandwidth_more_peak_and_more_cores_never_take_longer(staged):
    base = replace(PLAIN, cores=4)
    better = [total(replace(base, roofline=replace(base.roofline, bandwidth=rate)), staged) for rate in (1e4, 1e5, 1e6, 1e9)]
    assert better == sorted(better, reverse=True) and better[0] > better[-1]
    better = [total(replace(base, roofline=replace(base.roofline, peaks={"float32": peak})), staged) for peak in (1e4, 1e5, 1e9)]
    assert better == sorted(better, reverse=True) and better[0] > better[-1]
    bound = replace(base, roofline=Roofline("bound", 1e9, {"float32": 1e5}))
    one, two, four, eight = (total(bound, staged, threads=threads) for threads in (1, 2, 4, 8))
    assert one == pytest.approx(2 * two, rel=0.01) and two == pytest.approx(2 * four, rel=0.01) and eight == four


def test_memory_counts_the_activations_and_the_file_where_they_share_a_memory(staged):
    activations = 4 * (64 + 10)  # while the first Gemm runs; Flatten only shows its input in another shape
    assert profile_estimate(PLAIN, staged).values["memory_estimate"].value == staged.size + activations
    board = replace(PLAIN, memory=activations, storage=staged.size)
    profile = profile_estimate(board, staged)
    assert profile.values["memory_estimate"].value == activations and profile.values["memory_fits_estimate"].value == 1
    for smaller in (replace(board, memory=activations - 1), replace(board, storage=staged.size - 1)):
        assert profile_estimate(smaller, staged).values["memory_fits_estimate"].value == 0


def test_calibration_is_the_error_of_the_same_calculation(linear, staged):
    """A roofline that says half of what is measured has the error −0.5, whatever the machine."""
    x = np.zeros((4, 8, 8, 1), np.float32)
    first = calibrate(PLAIN.roofline, [linear], [x], budget=0.05).comparisons[0]
    assert first.estimate == pytest.approx(total(PLAIN, linear)) and first.measured.metric == "latency_p50"
    assert first.error == pytest.approx(first.estimate / first.measured.value - 1)
    calibration = calibrate(PLAIN.roofline, [linear, staged], [x, x], budget=0.05)
    errors = [abs(one.error) for one in calibration.comparisons]
    assert calibration.error.low == min(errors) and calibration.error.high == max(errors) and calibration.error.n == 2
    factors = [one.measured.value / one.estimate for one in calibration.comparisons]
    assert calibration.factor.low == min(factors) and calibration.factor.n == 2
    with pytest.raises(DeviceError, match="no file"):
        calibrate(PLAIN.roofline, [], [])


def test_texts_name_devices(tmp_path):
    assert read_device("here") == Here()
    assert read_device("tls://10.0.0.1:8786/jetson-1") == Remote("tls://10.0.0.1:8786", "jetson-1")
    assert read_device("tcp://127.0.0.1:8786/") == Remote("tcp://127.0.0.1:8786")
    assert read_device("tls://[::1]:8786") == Remote("tls://[::1]:8786")
    assert read_device("raspberry-pi-5") is KNOWN["raspberry-pi-5"]
    with pytest.raises(DeviceError, match=r"no device 'jetson'.*raspberry-pi-4"):
        read_device("jetson")


BOARD = """
name = "board"
memory = 4e9
bandwidth = 12.8e9
peaks = {float32 = 6e9}
"""


def test_a_description_of_ones_own(tmp_path):
    path = saved(tmp_path, "board.toml", (BOARD + 'operators = ["Conv"]\nfallback = "raspberry-pi-4"\nlink = 1e6\n').encode())
    assert read_device(str(path)) == Estimated(
        Roofline("board", 12.8e9, {"float32": 6e9}),
        4 * 10**9,
        operators=frozenset({"Conv"}),
        fallback=KNOWN["raspberry-pi-4"],
        link=1e6,
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOARD.replace('name = "board"', ""), "'name' is missing"),
        (BOARD + "colour = 3", "unknown name"),
        (BOARD + 'fallback = "moon"', "moon"),
        (BOARD.replace("12.8e9", "-1"), "bandwidth"),
        (BOARD.replace("4e9", "0"), "memory"),
        (BOARD.replace("{float32 = 6e9}", "7"), "wrong kind"),
        (BOARD + "cores = 1.5", "cores"),
        ("name = ", "is not TOML"),
    ],
)
def test_a_description_that_makes_no_device_is_refused(text, reason, tmp_path):
    path = saved(tmp_path, "board.toml", text.encode())
    with pytest.raises(DeviceError, match=reason) as found:
        read_device(str(path))
    assert "board.toml" in str(found.value)


def test_a_description_that_is_not_there():
    with pytest.raises(DeviceError, match="cannot be read"):
        read_device("absent.toml")


def test_files_that_cannot_be_estimated_say_why(tmp_path):
    with pytest.raises(ArtifactError, match=r"broken\.tflite"):
        estimate(PLAIN, Artifact.of(saved(tmp_path, "broken.tflite", b"0000TFL3" + bytes(300))))


def test_the_command_line_estimates_and_says_how_wrong_it_is(linear, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    result = CliRunner().invoke(app, ["measure", linear.path, "--device", "cortex-m7", "--budget", "0.05", "--examples", "20"])
    assert result.exit_code == 0, result.output
    for words in (
        "latency estimate",
        "FULLY_CONNECTED",
        "waits for",
        "Latency estimate",
        "the same calculation for this machine",
    ):
        assert words in result.output
    assert "Latency p50" not in result.output
    result = CliRunner().invoke(app, ["devices"])
    assert result.exit_code == 0 and all(name in result.output for name in KNOWN)
