"""What on this machine can read energy or power: RAPL, NVML and the Jetson's INA3221.

A reader only reads. Integrating power over time and dealing with counters that start again is `joules`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

from projectkit.errors import NotHere
from projectkit.install_hint import install_hint

PERIOD = 0.01  # seconds between two readings of a power sensor; an INA3221 averages over about as long
BOARD_RAILS = ("VDD_IN", "POM_5V_IN")  # the rails through which everything else on a Jetson module is supplied


@dataclass(frozen=True, slots=True)
class Reader:
    """`read()` gives joules since some start when `unit` is "J" (starting again at `wraps`), the present watts when "W".

    `covers`: "cpu" (a whole processor package), "gpu" (a whole card) or "board" (everything).
    """

    name: str
    covers: str
    unit: str
    read: Callable[[], float]
    wraps: float = float("inf")


def readers(root: str | Path = "/sys") -> tuple[tuple[Reader, ...], tuple[str, ...]]:
    """(the readers of this machine, why each of the other kinds is absent). `root`: where sysfs is mounted."""
    found: list[Reader] = []
    absent: list[str] = []
    for kind in (partial(rapl, root), partial(ina3221, root), nvml):
        try:
            found.extend(kind())
        except NotHere as reason:
            absent.append(str(reason))
    return tuple(found), tuple(absent)


def rapl(root: str | Path) -> list[Reader]:
    """One reader per processor package (Intel and AMD). Raises NotHere.

    Linux, Documentation/power/powercap: energy_uj counts microjoules up to max_energy_range_uj and starts again at 0. The
    zones inside a package (core, uncore) are parts of it, and psys contains it: adding them would count twice.
    """
    found = []
    for zone in sorted(Path(root).glob("class/powercap/intel-rapl:*")):
        counter = zone / "energy_uj"
        try:
            name = (zone / "name").read_text().strip()
            if not name.startswith("package"):
                continue
            wraps = int((zone / "max_energy_range_uj").read_text()) * 1e-6
            int(counter.read_text())
        except PermissionError as error:
            raise NotHere(f"RAPL: only root may read {counter}; allow it with `sudo chmod o+r {counter}`") from error
        except (OSError, ValueError) as error:
            raise NotHere(f"RAPL: {counter} cannot be read ({error})") from error
        found.append(Reader(f"RAPL {name}", "cpu", "J", partial(_microjoules, counter), wraps))
    if not found:
        raise NotHere(f"no RAPL ({Path(root) / 'class/powercap'} shows no processor package, as in most virtual machines)")
    return found


def _microjoules(counter: Path) -> float:
    """What the file `counter` stands at, in joules."""
    return int(counter.read_text()) * 1e-6


def ina3221(root: str | Path) -> list[Reader]:
    """One reader for the rail that supplies a whole Jetson module. Raises NotHere.

    Linux, Documentation/hwmon/ina3221: in<i>_label names a rail, in<i>_input is in millivolts, curr<i>_input in milliamperes.
    """
    labels = sorted(Path(root).glob("bus/i2c/drivers/ina3221*/*/hwmon/hwmon*/in*_label"))
    rails = {label.read_text().strip(): label for label in labels}
    board = next((rails[rail] for rail in BOARD_RAILS if rail in rails), None)
    if board is not None:
        number = board.name.removeprefix("in").removesuffix("_label")
        voltage, current = board.with_name(f"in{number}_input"), board.with_name(f"curr{number}_input")
        name = f"INA3221 {board.read_text().strip()}"
        return [Reader(name, "board", "W", lambda: int(voltage.read_text()) * int(current.read_text()) * 1e-6)]
    if rails:
        raise NotHere(f"no INA3221 rail that supplies the whole board (found {', '.join(rails)})")
    raise NotHere("no INA3221 power sensor (this is not a Jetson)")


def nvml() -> list[Reader]:
    """One reader per NVIDIA GPU (Volta and later count millijoules). Raises NotHere."""
    try:
        import pynvml
    except ImportError as error:
        raise NotHere(f"no NVIDIA GPU can be asked ({install_hint('nvidia')})") from error
    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        for handle in handles:
            pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError as error:
        raise NotHere(f"no NVIDIA GPU that counts energy (NVML: {error})") from error
    if not handles:
        raise NotHere("no NVIDIA GPU (NVML finds none)")

    def millijoules(handle: object) -> float:
        """What the counter of a GPU stands at, in joules."""
        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) * 1e-3

    return [Reader(f"NVML GPU {index}", "gpu", "J", partial(millijoules, handle)) for index, handle in enumerate(handles)]


def joules(sources: Sequence[Reader], work: Callable[[], None]) -> float:
    """The energy in joules that `sources` saw while `work()` ran, idle power included.

    A counter may start again once. Power is read every 10 ms and integrated by the trapezoidal rule.
    """
    counters = [source for source in sources if source.unit == "J"]
    sensors = [source for source in sources if source.unit == "W"]
    before = [counter.read() for counter in counters]
    total = 0.0
    if sensors:
        total = _integrated(sensors, work)
    else:
        work()
    for counter, start in zip(counters, before, strict=True):
        used = counter.read() - start
        total += used if used >= 0 else used + counter.wraps
    return total


def _integrated(sensors: Sequence[Reader], work: Callable[[], None]) -> float:
    """Joules of all `sensors` over the time that `work()` takes."""
    readings: list[tuple[float, float]] = []
    stop = Event()

    def sample() -> None:
        readings.append((time.perf_counter(), sum(sensor.read() for sensor in sensors)))

    def watch() -> None:
        while not stop.wait(PERIOD):
            sample()

    watcher = Thread(target=watch, daemon=True)
    sample()
    watcher.start()
    try:
        work()
    finally:
        stop.set()
        watcher.join()
    sample()
    return sum((later - earlier) * (first + second) / 2 for (earlier, first), (later, second) in pairwise(readings))
