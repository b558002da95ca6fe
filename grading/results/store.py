"""What is kept of a grading run, as JSON: measurements (so that a second run need not repeat them) and results (for appeals)."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grading.errors import OutputError
from grading.types import Answer, Check, ClaimFinding, Layers, Slot, StoredSlot, Verdict
from projectkit.files import PART, write_whole
from projectkit.measure import Constant
from projectkit.types import Artifact, Measurement, Profile

FORMAT = 4


def write_atomically(path: Path, content: str) -> None:
    """Writes the file whole or not at all: a killed run leaves no half result. Raises OutputError on a full or read-only disk."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content.encode())
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror or error}). Make room, or choose another --out. What was finished is "
            "intact, and the same command goes on from there."
        ) from error


def remove_unfinished(out: Path) -> None:
    """Removes what a killed run had begun to write."""
    for part in [*out.glob(f"{PART}*"), *out.glob(f"*/{PART}*")]:
        part.unlink(missing_ok=True)


def dump(value: object) -> str:
    """JSON in a form that is equal for equal values, and refuses NaN."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def digest_of(value: object) -> str:
    """SHA-256 of a JSON value, in hexadecimal."""
    return hashlib.sha256(dump(value).encode()).hexdigest()


def slot_to_json(slot: Slot) -> StoredSlot:
    """The slot as JSON values; `slot_from_json` undoes it."""
    stored: Any = dataclasses.asdict(slot)
    return stored


def slot_from_json(raw: StoredSlot) -> Slot:
    """The slot from JSON values. Raises KeyError, TypeError or MeasureError when they are none."""
    profile = raw["profile"]
    values = {metric: Measurement(**number) for metric, number in profile["values"].items()}
    ratios = {metric: Measurement(**number) for metric, number in raw["ratios"].items()}
    classes = tuple(Measurement(**one) if one else None for one in raw["classes"])
    plain = Measurement(**raw["plain"]) if raw["plain"] else None
    found = Profile(Artifact(**profile["artifact"]), profile["device"], values, profile["missing"])
    known = {name: Measurement(**one) for name, one in raw["known"].items()}
    weights = tuple(Constant(**one) for one in raw["weights"])
    table = {name: Measurement(**one) for name, one in raw["looked_up"].items()}
    layers = layers_from_json(raw["layers"]) if raw["layers"] else None
    return Slot(
        found,
        ratios,
        classes,
        plain,
        weights,
        tuple(raw["remarks"]),
        known,
        layers,
        raw["unfit"],
        table,
        raw["as_started"],
    )


def layers_from_json(raw: Mapping[str, Any]) -> Layers:
    """The layers from JSON values, every field checked. Raises ValueError, LookupError or TypeError when they are none."""
    kernels = tuple(_kernel(kernel) for kernel in raw["kernels"])
    kin = None if raw["kinship"] is None else float(raw["kinship"])
    operators = tuple(str(name)[:40] for name in raw["operators"])
    return Layers(kernels, operators, int(raw["computed"]), kin, str(raw["problem"])[:400])


def _kernel(raw: Sequence[Any]) -> tuple[int, int, int]:
    filters, positions, channels = map(int, raw)
    return filters, positions, channels


def verdict_to_json(verdict: Verdict) -> dict[str, object]:
    """The verdict as JSON values; `verdict_from_json` undoes it."""
    return dataclasses.asdict(verdict)


def verdict_from_json(raw: Mapping[str, Any]) -> Verdict:
    """The verdict from JSON values."""
    measured = Measurement(**raw["measured"]) if raw["measured"] else None
    return Verdict(Check(**raw["check"]), raw["status"], raw["points"], measured, raw["message"])


def answer_from_json(raw: Mapping[str, Any]) -> Answer:
    """The scored answer from JSON values."""
    return Answer(raw["fraction"], raw["sentence"])


def finding_from_json(raw: Mapping[str, Any]) -> ClaimFinding:
    """What was found about a claim, from JSON values."""
    return ClaimFinding(raw["value"], raw["sentence"])
