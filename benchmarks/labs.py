"""How long each solved lab takes at quick scale, as a notebook in a fresh kernel."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from record import Raw, row, write_rows

COMMAND = "python benchmarks/labs.py"
LABS = Path(__file__).parent.parent / "labs"
ROUNDS = 3


def seconds(stem: str) -> float:
    """Wall-clock seconds of one run."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run([sys.executable, LABS / "build.py", "--run", stem, folder], check=True, capture_output=True)
        return time.perf_counter() - start


def main() -> None:
    raw, stems = Raw("labs"), [path.stem for path in sorted((LABS / "src").glob("l*.py"))]
    samples = {stem: [] for stem in stems}
    for index in range(ROUNDS):
        for stem in stems:
            samples[stem].append(raw.take(f"{stem}.{index}", lambda stem=stem: seconds(stem)))
    note = "solved notebook, kernel start and TensorFlow's import included"
    write_rows("labs", [row(f"labs.{stem[:3]}.seconds", samples[stem], "s", COMMAND, note) for stem in stems])


if __name__ == "__main__":
    main()
