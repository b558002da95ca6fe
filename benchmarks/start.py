"""How long `import projectkit` and the grader's start take, beside TensorFlow's import, in turn in fresh processes."""

import statistics
import subprocess
import sys
import time

from record import Raw, row, write_rows

COMMAND = "python benchmarks/start.py"
STATEMENTS = {
    "python": "pass",
    "projectkit": "import projectkit, projectkit.data, projectkit.runtimes, projectkit.measure, projectkit.submit",
    "grading": "import grading.cli, grading.engine",
    "tensorflow": "import tensorflow",
}
ROUNDS = 11


def seconds(statement: str) -> float:
    """Wall-clock seconds of a fresh interpreter that runs `statement`; it fails when TensorFlow was loaded unasked."""
    guard = "" if "tensorflow" in statement else "; import sys; sys.exit('tensorflow' in sys.modules)"
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement + guard], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    raw = Raw("start")
    samples = {name: [] for name in STATEMENTS}
    for index in range(ROUNDS):
        for name, statement in STATEMENTS.items():
            samples[name].append(raw.take(f"{name}.{index}", lambda statement=statement: seconds(statement)))
    beside = {name: statistics.median(samples[name]) for name in ("tensorflow", "python")}
    note = "wall clock of a fresh process, the interpreter's own start (beside: python) included; no TensorFlow is loaded"
    write_rows("start", [row(f"start.{name}", samples[name], "s", COMMAND, note, beside) for name in ("projectkit", "grading")])


if __name__ == "__main__":
    main()
