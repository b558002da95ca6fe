"""What a device is like while it measures: its temperature, its clocks, its power mode, where the system shows them."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from projectkit.types import Measurement

# What each reading is called, and why it may be missing.
READINGS = {
    "temperature": "no sensor under /sys/class/thermal can be read here",
    "clock": "no clock under /sys/devices/system/cpu/*/cpufreq can be read here",
}
NO_MODE = "nvpmodel is not here; only a Jetson has power modes"
HOTTEST_BELIEVED = 200.0  # °C; a broken sensor says more


def read_conditions(root: Path = Path("/")) -> dict[str, float]:
    """The readings there are: temperature (°C, of the hottest sensor) and clock (Hz, the mean of the processors')."""
    temperatures = [value / 1000 for value in _numbers(root, "sys/class/thermal/thermal_zone*/temp")]  # in millidegrees
    clocks = [1000 * value for value in _numbers(root, "sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq")]  # in kHz
    believed = [value for value in temperatures if 0 < value < HOTTEST_BELIEVED]
    found = {"temperature": max(believed, default=None), "clock": mean(clocks) if clocks else None}
    return {name: value for name, value in found.items() if value is not None}


def summarize(readings: Sequence[dict[str, float]]) -> tuple[list[Measurement], dict[str, str]]:
    """(each reading's mean from its least to its most, why others are missing) of some `readings`, at least one."""
    values, missing = [], {}
    for name, reason in READINGS.items():
        seen = [reading[name] for reading in readings if name in reading]
        if seen:
            least, most = min(seen), max(seen)
            values.append(Measurement(name, min(max(mean(seen), least), most), least, most, len(seen)))
        else:
            missing[name] = reason
    return values, missing


def power_mode() -> str:
    """Such as "MAXN", as a Jetson's nvpmodel says it; "" where there is none."""
    command = shutil.which("nvpmodel")
    if command is None:
        return ""
    try:
        answer = subprocess.run([command, "-q"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return parse_power_mode(answer)


def parse_power_mode(answer: str) -> str:
    """The mode in what `nvpmodel -q` prints: "NV Power Mode: 15W" and the mode's number below."""
    modes = [line.partition(":")[2].strip() for line in answer.splitlines() if line.startswith("NV Power Mode:")]
    return modes[0] if modes else ""


def _numbers(root: Path, pattern: str) -> list[float]:
    found = []
    for path in sorted(root.glob(pattern)):
        try:
            found.append(float(path.read_text()))
        except (OSError, ValueError):  # a sensor that sleeps
            continue
    return found
