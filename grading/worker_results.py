"""Reads what the sandboxed worker wrote, as what it is: bytes that a hostile model may have written."""

import json
import os
import stat
from pathlib import Path

import numpy as np

from projectkit.errors import ProjectkitError
from projectkit.submit import load_array
from projectkit.types import METRICS, Measurement

RECORD_BYTES = 64 * 1024
OUTPUT_BYTES = 512 * 1024**2


def read_record(path: Path) -> dict | None:
    """A slot's record as the worker wrote it, with every field checked: a hostile model may have written it. None: unusable."""
    content = _read_file(path, RECORD_BYTES)
    try:
        raw = json.loads(content or b"")
        return {
            "step": _text(raw["step"]),
            "values": _measurements(raw["values"]),
            "ratios": _measurements(raw["ratios"], "_ratio"),
            "missing": {metric: _text(raw["missing"][metric]) for metric in METRICS if metric in raw["missing"]},
            "problem": None if raw["problem"] is None else _text(raw["problem"]),
            "done": raw["done"] is True,
        }
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError, ProjectkitError):
        return None


def _measurements(raw: dict, suffix: str = "") -> dict[str, Measurement]:
    if not isinstance(raw, dict):
        raise TypeError
    # Accuracy and size are the parent's to say.
    names = [metric for metric in METRICS if metric in raw and metric not in ("accuracy", "size")]
    return {metric: Measurement(metric + suffix, *map(float, raw[metric][:3]), int(raw[metric][3])) for metric in names}


def _text(value: object) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in str(value)[:400])


def read_outputs(path: Path) -> np.ndarray | None:
    """The outputs that the worker saved; None when there are none that can be trusted to be an array."""
    content = _read_file(path, OUTPUT_BYTES)
    try:
        return None if content is None else load_array(content, path.name)
    except ProjectkitError:
        return None


def _read_file(path: Path, limit: int) -> bytes | None:
    """A regular file of at most `limit` bytes; None for anything else, such as a link to a file of ours."""
    try:
        descriptor = os.open(
            path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(stream.fileno())
            return stream.read() if stat.S_ISREG(status.st_mode) and status.st_size <= limit else None
    except OSError:
        return None
