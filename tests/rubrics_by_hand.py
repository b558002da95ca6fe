"""Rubrics of the tests' own, as the text of their files."""

import json
import subprocess
import sys
from pathlib import Path

from grading.types import Rubric


def rubric(lab: str, title: str, checks: list[dict], *, baseline: str | None = None, **limits: float) -> str:
    """A rubric at quick scale on digits. A check says what differs: 10 points and its id as its title are given."""
    lines = [f'lab = "{lab}"', f'title = "{title}"', "[limits]", *_fields(limits), "[scale.quick]", 'dataset = "digits"']
    lines += _fields({"baseline": baseline} if baseline else {})
    for check in checks:
        lines += ["[[scale.quick.check]]", *_fields({"title": check["id"], "points": 10} | check)]
    return "\n".join(lines) + "\n"


def _fields(values: dict) -> list[str]:
    # Strings, numbers and truth values are written in TOML as in JSON.
    return [f"{name} = {json.dumps(value)}" for name, value in values.items()]


def unoptimized_model(slot: str, rubric: Rubric, folder: Path) -> Path:
    """The rubric's baseline in the format that the slot asks for."""
    if rubric.formats.get(slot) != "onnx":
        return rubric.baseline
    target = folder / f"{slot}.onnx"
    command = [sys.executable, "-m", "tf2onnx.convert", "--tflite", rubric.baseline, "--output", target, "--opset", "17"]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return target
