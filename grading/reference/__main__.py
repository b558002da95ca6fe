"""Builds the kept references anew, at quick scale: `python -m grading.reference [LAB …]`, some minutes for all."""

import subprocess
import sys

from grading.reference.build import KEPT
from grading.rubrics.loading import RUBRICS

if __name__ == "__main__":
    for lab in sys.argv[1:] or sorted(path.stem for path in RUBRICS.glob("*.toml")):
        # In a process of its own, as an instructor would run it: so no lab's training depends on another's.
        subprocess.run([sys.executable, "-m", f"grading.reference.{lab}", KEPT / f"{lab}.zip", "quick"], check=True)
