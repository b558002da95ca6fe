"""Every published figure comes from a recorded measurement, and the README shows exactly these."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))


def test_the_readme_shows_the_recorded_figures():
    done = subprocess.run([sys.executable, ROOT / "benchmarks" / "figures.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_figure_has_its_range_its_command_and_its_device(path):
    for row in json.loads(path.read_text("utf-8")):
        assert row["low"] <= row["value"] <= row["high"]
        assert row["n"] >= 3
        assert row["device"] and row["note"]
        program = row["command"].split()[1]
        assert (ROOT / program).is_file(), f"{row['what']} names {program}"


def test_no_figure_is_there_twice():
    keys = [row["what"] for path in RESULTS for row in json.loads(path.read_text("utf-8"))]
    assert len(keys) == len(set(keys)) > 0


def test_the_peers_are_timed_as_we_time():
    """They run without projectkit, so that what must be equal is written there again."""
    from grading.types import Limits
    from projectkit.measure import timing

    text = (ROOT / "benchmarks" / "peers" / "lab_checks.py").read_text("utf-8")
    constants = dict(re.findall(r"^(BUDGET) = ([0-9.]+)", text, re.MULTILINE))
    names, values = re.search(r"^(OPENINGS.*) = ([0-9, ]+)$", text, re.MULTILINE).groups()
    constants |= dict(zip(names.split(", "), values.split(", "), strict=True))
    assert float(constants["BUDGET"]) == Limits().budget
    for name in ("OPENINGS", "ROUNDS_LEAST", "ROUNDS_MOST", "EXAMPLES", "UNTIMED"):
        assert int(constants[name]) == getattr(timing, name)
