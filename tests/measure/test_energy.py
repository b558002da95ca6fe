"""Record and replay: the trees that RAPL and the INA3221 show in sysfs, made in a folder."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from models_by_hand import linear_onnx, saved
from projectkit.errors import NotHere
from projectkit.measure.energy_meter import energy_of
from projectkit.measure.energy_readers import Reader, ina3221, joules, rapl, readers
from projectkit.runtimes import open as open_model
from projectkit.types import Artifact


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def zone(number: str, name: str, microjoules: int, wraps: int = 262_143_328_850) -> dict[str, str]:
    folder = f"class/powercap/intel-rapl:{number}"
    return {f"{folder}/name": name, f"{folder}/energy_uj": str(microjoules), f"{folder}/max_energy_range_uj": str(wraps)}


def test_rapl_adds_packages_and_nothing_that_lies_inside_or_around_them(tmp_path):
    zones = [("0", "package-0"), ("1", "package-1"), ("0:0", "core"), ("2", "psys")]
    for number, name in zones:
        write(tmp_path, zone(number, name, 1_000_000))

    def work():
        for number, name in zones:
            write(tmp_path, zone(number, name, 1_000_000 + {"0": 2_500_000, "1": 500_000}.get(number, 9_000_000)))

    found = rapl(tmp_path)
    assert [reader.name for reader in found] == ["RAPL package-0", "RAPL package-1"]
    assert joules(found, work) == pytest.approx(3.0)


def test_a_counter_that_starts_again(tmp_path):
    write(tmp_path, zone("0", "package-0", 9_900_000, wraps=10_000_000))
    found = rapl(tmp_path)
    assert joules(found, lambda: write(tmp_path, zone("0", "package-0", 400_000, wraps=10_000_000))) == pytest.approx(0.5)


def test_a_counter_that_only_root_may_read_names_the_command_that_helps(tmp_path):
    write(tmp_path, zone("0", "package-0", 1))
    (tmp_path / "class/powercap/intel-rapl:0/energy_uj").chmod(0)
    for folder in (tmp_path, *tmp_path.parents):  # so that nobody gets as far as the file
        if folder.owner() == "root" and folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(NotHere, match=r"sudo chmod o\+r .*energy_uj"):
            rapl(tmp_path)
    finally:
        if root:
            os.seteuid(0)


def test_a_damaged_counter_is_a_reason(tmp_path):
    write(tmp_path, zone("0", "package-0", 1))
    (tmp_path / "class/powercap/intel-rapl:0/energy_uj").write_text("lots")
    with pytest.raises(NotHere, match="cannot be read"):
        rapl(tmp_path)


def jetson(volts: int, milliamperes: int, rails=("VDD_IN", "VDD_CPU_GPU_CV")) -> dict[str, str]:
    folder = "bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    files = {}
    for number, rail in enumerate(rails, 1):
        files |= {f"{folder}/in{number}_label": rail}
        files |= {f"{folder}/in{number}_input": str(volts * 1000), f"{folder}/curr{number}_input": str(milliamperes)}
    return files


def test_ina3221_integrates_the_power_of_the_whole_board(tmp_path):
    write(tmp_path, jetson(5, 2000))
    (reader,) = ina3221(tmp_path)
    assert (reader.name, reader.covers, reader.read()) == ("INA3221 VDD_IN", "board", pytest.approx(10.0))
    start = time.perf_counter()
    used = joules([reader], lambda: time.sleep(0.1))
    assert 0 < used <= 10.0 * (time.perf_counter() - start)


def test_power_between_two_readings_is_their_mean():
    readings = iter([4.0, *[6.0] * 10_000])
    sensor = Reader("sensor", "board", "W", lambda: next(readings))
    start = time.perf_counter()
    used = joules([sensor], lambda: None)
    assert 0 < used <= 6.0 * (time.perf_counter() - start)


def test_a_rail_of_a_part_is_not_taken_for_the_whole(tmp_path):
    write(tmp_path, jetson(5, 2000, rails=("VDD_GPU_SOC",)))
    with pytest.raises(NotHere, match="VDD_GPU_SOC"):
        ina3221(tmp_path)


def test_readers_say_what_is_absent(tmp_path):
    write(tmp_path, zone("0", "package-0", 1))
    found, absent = readers(tmp_path)
    assert "RAPL package-0" in [reader.name for reader in found]
    assert any("INA3221" in reason for reason in absent) and not any("RAPL" in reason for reason in absent)


class Counted:
    """A session whose every inference moves a counter on by some joules."""

    def __init__(self, session, counter, joules):
        self._session, self._counter, self._joules = session, counter, joules
        self.run, self.set_input, self.close = session.run, session.set_input, session.close

    def invoke(self):
        self._counter[0] += self._joules
        self._session.invoke()


def test_energy_of_an_inference_is_what_it_adds_to_the_idle_machine_s(tmp_path):
    """A counter that gains 5 W by itself, and one or three millijoules at every inference of the two files."""
    counter, start = [0.0], time.perf_counter()
    artifact = Artifact.of(saved(tmp_path, "m.onnx", linear_onnx()))
    order = []

    def opened(name, joules):
        order.append(name)
        return Counted(open_model(artifact), counter, joules)

    source = Reader("replayed", "cpu", "J", lambda: counter[0] + 5 * (time.perf_counter() - start))
    x = np.zeros((3, 8, 8, 1), np.float32)
    files = [lambda: opened("a", 1e-3), lambda: opened("b", 3e-3)]
    one, three = energy_of(files, x, [source], seconds=0.02, idle=0.02)
    assert (one.value, three.value) == pytest.approx((1e-3, 3e-3), rel=0.05)
    assert one.low <= one.value <= one.high and one.n == 6
    assert "".join(order) == "abba" * 3


def test_meters_that_show_nothing_are_a_reason(tmp_path):
    artifact, x = Artifact.of(saved(tmp_path, "m.onnx", linear_onnx())), np.zeros((1, 8, 8, 1), np.float32)
    still = Reader("RAPL package-0", "cpu", "J", lambda: 7.0)
    with pytest.raises(NotHere, match="stood still"):
        energy_of([lambda: open_model(artifact)], x, [still], seconds=0.01, idle=0.01)
    readings = iter(range(10**6))  # a joule at every reading: over the idle time as much as over the work
    busy = Reader("RAPL package-0", "cpu", "J", lambda: float(next(readings)))
    with pytest.raises(NotHere, match="no more power than the idle"):
        energy_of([lambda: open_model(artifact)], x, [busy], seconds=0.05, idle=0.001)
