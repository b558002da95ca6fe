"""Writes the README's table of figures from benchmarks/results/*.json: `make figures`; `--check` says whether it is current."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- figures: begin (make figures) -->", "<!-- figures: end -->"


def table() -> str:
    """The Markdown table of all recorded figures."""
    lines = ["| figure | value | range | n | beside | command |", "|---|---|---|---|---|---|"]
    devices = []
    for path in sorted((ROOT / "benchmarks" / "results").glob("*.json")):
        for row in json.loads(path.read_text("utf-8")):
            value, low, high = (number(row[name], row["unit"]) for name in ("value", "low", "high"))
            beside = ", ".join(f"{name} {number(other, row['unit'])}" for name, other in row["beside"].items())
            lines.append(f"| `{row['what']}` | {value} | {low} – {high} | {row['n']} | {beside} | `{row['command']}` |")
            devices.append(row["device"])
    return "\n".join([*lines, "", "Measured on: " + "; ".join(dict.fromkeys(devices)) + "."])


def number(value: float, unit: str) -> str:
    """A value for the table: three digits, its unit behind it."""
    return f"{value:.3g} {unit}".strip()


def main() -> int:
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not rest or not after:
        raise SystemExit(f"README.md lacks the lines {BEGIN!r} and {END!r}.")
    new = f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"
    if "--check" in sys.argv:
        print("README.md's figures are current." if new == text else "README.md's figures are stale. Run: make figures")
        return int(new != text)
    readme.write_text(new, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
