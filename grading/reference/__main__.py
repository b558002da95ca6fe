"""Builds the reference submissions of all labs, or of some, at quick scale: `python -m grading.reference FOLDER [LAB …]`."""

import subprocess
import sys
from pathlib import Path

from grading.rubrics.loading import RUBRICS

if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit("Usage: python -m grading.reference FOLDER [LAB …]")
    folder = Path(sys.argv[1])
    for lab in sys.argv[2:] or sorted(path.stem for path in RUBRICS.glob("*.toml")):
        # Each in a process of its own, as an instructor would run it: no training depends on the labs before.
        subprocess.run([sys.executable, "-m", f"grading.reference.{lab}", folder / f"{lab}.zip", "quick"], check=True)
