"""Temperature, clock and power mode as systems show them: recorded layouts of /sys, no hardware needed."""

import numpy as np
import pytest

from models_by_hand import linear_tflite, saved
from projectkit.devices.conditions import parse_power_mode, power_mode, read_conditions, summarize
from projectkit.devices.here import measure_here
from projectkit.types import Artifact, Measurement


@pytest.fixture
def lite(tmp_path) -> Artifact:
    random = np.random.default_rng(0)
    content = linear_tflite(w=random.normal(size=(64, 10)), b=random.normal(size=10))
    return Artifact.of(saved(tmp_path, "linear.tflite", content))


@pytest.fixture
def board(tmp_path):
    """A board with three sensors, one of them broken, and two processors."""
    files = {
        "sys/class/thermal/thermal_zone0/temp": "45500\n",
        "sys/class/thermal/thermal_zone1/temp": "51250\n",
        "sys/class/thermal/thermal_zone2/temp": "-256000\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
        "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "600000\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(content)
    return tmp_path


def test_the_hottest_sensor_and_the_mean_clock(board):
    assert read_conditions(board) == {"temperature": 51.25, "clock": 1.05e9}


def test_a_sensor_that_says_nothing_is_left_out(board):
    (board / "sys/class/thermal/thermal_zone1/temp").write_text("")
    assert read_conditions(board)["temperature"] == 45.5


def test_several_readings_have_a_range_and_absent_ones_a_reason(tmp_path):
    values, missing = summarize([{"clock": 1e9}, {"clock": 2e9}])
    assert values == [Measurement("clock", 1.5e9, 1e9, 2e9, 2)]
    assert set(missing) == {"temperature"} and "/sys/class/thermal" in missing["temperature"]
    assert read_conditions(tmp_path) == {}
    assert summarize([{}])[0] == []


@pytest.mark.parametrize(
    ("answer", "mode"),
    [("NV Power Mode: MAXN\n0\n", "MAXN"), ("NV Fan Mode:quiet\nNV Power Mode: 15W\n2\n", "15W"), ("", ""), ("nonsense", "")],
)
def test_the_power_mode_of_a_jetson(answer, mode):
    assert parse_power_mode(answer) == mode


def test_the_mode_is_asked_of_the_tool_and_stands_with_the_device(tmp_path, monkeypatch, lite):
    tool = tmp_path / "nvpmodel"
    tool.write_text("#!/bin/sh\necho 'NV Power Mode: 30W'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert power_mode() == "30W"
    (profile,) = measure_here([lite], np.zeros((2, 8, 8, 1), np.float32), budget=0.05, name="jetson-1")
    assert profile.device.startswith("jetson-1: ") and profile.device.endswith(", power mode 30W")
    assert "power_mode" not in profile.missing
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert power_mode() == ""
    tool.write_text("#!/bin/sh\nexit 3\n")
    assert power_mode() == ""
