"""Reads the bytes that a worker's child wrote, which a hostile model may have made up."""

import dataclasses
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from grading.results.store import layers_from_json
from grading.types import Layers
from grading.worker.frames import AGAIN, OUTPUTS, RECORD, TOGETHER, parts
from projectkit.errors import ProjectkitError
from projectkit.measure import Constant
from projectkit.measure.constants import MOST
from projectkit.metrics import PROFILE_METRICS
from projectkit.types import Measurement

RECORD_BYTES = 64 * 1024
_NAME = re.compile(r"[0-9a-f]{16}")


class SlotRecord(TypedDict):
    """A record of grading.worker.frames after every field was checked: the measurements are Measurements."""

    step: str
    values: dict[str, Measurement]
    ratios: dict[str, Measurement]
    missing: dict[str, str]
    problem: str | None
    weights: tuple[Constant, ...]
    layers: Layers | None
    inference: float
    timing: float
    off_core: float
    done: bool


@dataclass(frozen=True, slots=True)
class SlotReport:
    """The last usable record of a slot, and its outputs; None where there are none. `again`, `together`: answers that were given
    once more, one at a time and several a call, a row each: the input's place, then the outputs."""

    record: SlotRecord | None = None
    outputs: np.ndarray | None = None
    again: tuple[np.ndarray | None, ...] = ()
    together: tuple[np.ndarray | None, ...] = ()


def slot_reports(stream: bytes, slots: Sequence[str]) -> dict[str, SlotReport]:
    """What the stream reports of each slot, every field checked. A part that makes no sense counts as missing."""
    records: dict[str, SlotRecord | None] = {}
    outputs: dict[str, np.ndarray | None] = {}
    more: dict[tuple[str, int], list[np.ndarray | None]] = {}
    for kind, index, content in parts(stream):
        if index < len(slots) and kind == RECORD:
            records[slots[index]] = read_record(content) or records.get(slots[index])
        elif index < len(slots) and kind == OUTPUTS:
            outputs[slots[index]] = read_outputs(content)
        elif index < len(slots) and kind in (AGAIN, TOGETHER):
            more.setdefault((slots[index], kind), []).append(read_outputs(content))

    def all_of(slot: str, kind: int) -> tuple[np.ndarray | None, ...]:
        return tuple(more.get((slot, kind), ()))

    return {slot: SlotReport(records.get(slot), outputs.get(slot), all_of(slot, AGAIN), all_of(slot, TOGETHER)) for slot in slots}


def read_record(content: bytes) -> SlotRecord | None:
    """A slot's record with every field checked; None when it is unusable."""
    try:
        if len(content) > RECORD_BYTES:
            return None
        raw = json.loads(content)
        return {
            "step": _text(raw["step"]),
            "values": _measurements(raw["values"]),
            "ratios": _measurements(raw["ratios"], "_ratio"),
            "missing": {metric: _text(raw["missing"][metric]) for metric in PROFILE_METRICS if metric in raw["missing"]},
            "problem": None if raw["problem"] is None else _text(raw["problem"]),
            "weights": _constants(raw["weights"]),
            "layers": None if raw["layers"] is None else _layers(raw["layers"]),
            "inference": _share(raw["inference"], 1e6),
            "timing": _share(raw["timing"], 1e6),
            "off_core": _share(raw["off_core"], 1.0),
            "done": raw["done"] is True,
        }
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError, ProjectkitError):
        return None


def read_outputs(content: bytes) -> np.ndarray | None:
    """(…) float32 of the shape that stands in front of the numbers; None when the two do not fit."""
    head, _, numbers = content.partition(b"\n")
    try:
        shape = tuple(int(size) for size in json.loads(head[:200])["shape"])
        return np.frombuffer(numbers, "<f4").reshape(shape) if len(shape) <= 8 and min(shape, default=0) >= 0 else None
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError):
        return None


def _measurements(raw: object, suffix: str = "") -> dict[str, Measurement]:
    if not isinstance(raw, dict):
        raise TypeError
    # Accuracy and size are the parent's to say.
    names = [metric for metric in PROFILE_METRICS if metric in raw and metric not in ("accuracy", "size")]
    return {metric: _measurement(metric + suffix, raw[metric]) for metric in names}


def _constants(raw: list[tuple[int, str, str]]) -> tuple[Constant, ...]:
    """The names of the weights. Raises one of half a dozen errors when they are something else."""
    found = []
    for values, exact, near in raw[:MOST]:
        if (
            type(values) is not int
            or not 0 < values < 2**40
            or not _NAME.fullmatch(exact)
            or (near and not _NAME.fullmatch(near))
        ):
            raise ValueError
        found.append(Constant(values, exact, near))
    return tuple(found)


def _measurement(metric: str, numbers: list[float]) -> Measurement:
    """[value, low, high, n]. Raises one of half a dozen errors when it is something else."""
    value, low, high = map(float, numbers[:3])
    return Measurement(metric, value, low, high, int(numbers[3]))


def _layers(raw: dict[str, Any]) -> Layers:
    found = layers_from_json(raw)
    kin = found.kinship if found.kinship is None else _share(found.kinship, 1.0 + 1e-6)
    names = tuple(_text(name) for name in found.operators)
    return dataclasses.replace(found, kinship=kin, operators=names, problem=_text(found.problem))


def _share(given: Any, most: float) -> float:
    number = float(given)
    if not 0 <= number <= most:  # NaN is not
        raise ValueError
    return number


def _text(value: object) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in str(value)[:400])
