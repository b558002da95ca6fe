"""Builds the reference submissions of all labs, or of some, at quick scale: `python -m grading.reference FOLDER [LAB …]`."""

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from grading.points.doubts import REFERENCES
from grading.rubrics.loading import RUBRICS
from projectkit.files import written_whole
from projectkit.measure import live_constants
from projectkit.submit import read


def deflate(path: Path) -> None:
    """Packs the zip anew, compressed: pruned and clustered networks take a fifth of the bytes, and the repository keeps them."""
    with zipfile.ZipFile(path) as stored:
        files = {name: stored.read(name) for name in stored.namelist()}
    with written_whole(path, suffix=".zip") as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def note_weights(folder: Path) -> None:
    """Writes down which weights the references in `folder` have, so that the grader knows them again: REFERENCES of
    grading.points.doubts."""
    known = {}
    for path in sorted(folder.glob("*.zip")):
        with tempfile.TemporaryDirectory() as scratch:
            artifacts = read(path, scratch).submission.artifacts
            known[path.stem] = sorted({one.exact for artifact in artifacts.values() for one in live_constants(artifact)})
    REFERENCES.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit("Usage: python -m grading.reference FOLDER [LAB …]")
    folder = Path(sys.argv[1])
    for lab in sys.argv[2:] or sorted(path.stem for path in RUBRICS.glob("*.toml")):
        # Each in a process of its own, as an instructor would run it: no training depends on the labs before.
        subprocess.run([sys.executable, "-m", f"grading.reference.{lab}", folder / f"{lab}.zip", "quick"], check=True)
        deflate(folder / f"{lab}.zip")
    note_weights(folder)
