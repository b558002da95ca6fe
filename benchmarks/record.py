"""What the benchmarks share: raw samples that survive a kill, and rows for benchmarks/results/NAME.json."""

import json
import statistics
from collections.abc import Callable
from pathlib import Path

from projectkit.files import write_whole, written_whole
from projectkit.measure import device
from projectkit.types import Measurement

RESULTS = Path(__file__).parent / "results"


class Raw:
    """Raw samples by key, written after every one: a benchmark that was killed goes on where it stopped.

    Delete the file to measure anew.
    """

    def __init__(self, name: str):
        self._path = RESULTS / "raw" / f"{name}.json"
        self._samples = json.loads(self._path.read_text()) if self._path.exists() else {}

    def __contains__(self, key: str) -> bool:
        return key in self._samples

    def take(self, key: str, measure: Callable[[], object]):
        """The sample of `key`: the recorded one, else a new one from measure()."""
        if key not in self._samples:
            self._samples[key] = measure()
            write_json(self._path, self._samples)
            print(f"{key}: {self._samples[key]}", flush=True)
        return self._samples[key]


def row(what: str, samples: list[float], unit: str, command: str, note: str = "", beside: dict | None = None) -> dict:
    """One figure: the median of the samples and their range."""
    return {
        "what": what,
        "value": statistics.median(samples),
        "low": min(samples),
        "high": max(samples),
        "n": len(samples),
        "unit": unit,
        "beside": beside or {},
        "command": command,
        "note": note,
    }


def percent(measured: Measurement) -> list[float]:
    """[value, low, high, n] of a share, the first three in percent."""
    return [100 * measured.value, 100 * measured.low, 100 * measured.high, measured.n]


def store_model(model, path: Path) -> None:
    """Writes a Keras model whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path, suffix=".keras") as part:
        model.save(part)


def write_rows(name: str, rows: list[dict]) -> None:
    """Writes benchmarks/results/NAME.json; every row says on which device it was measured: this one, or, where the figure is the
    recorded one, that which is recorded."""
    path = RESULTS / f"{name}.json"
    recorded = {entry["what"]: entry for entry in json.loads(path.read_text("utf-8"))} if path.exists() else {}

    def measured_on(entry: dict) -> str:
        before = recorded.get(entry["what"])
        same = before and all(before[end] == entry[end] for end in ("value", "low", "high", "n"))
        return before["device"] if before and same else device()

    write_json(path, [entry | {"device": measured_on(entry)} for entry in rows])
    for entry in rows:
        print(f"{entry['what']:32} {entry['value']:.4g} [{entry['low']:.4g}, {entry['high']:.4g}] {entry['unit']}")


def write_json(path: Path, value: object) -> None:
    """Writes `path` whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(value, indent=1) + "\n").encode())
