"""Writes the README's figures from benchmarks/results/*.json: `make figures`; `--check` says whether it is current."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- figures: begin (make figures) -->", "<!-- figures: end -->"


def tables() -> str:
    """Markdown of all recorded figures. Keys of four parts, family.data.variant.metric, become a matrix: variants down,
    metrics across."""
    rows = [
        row for path in sorted((ROOT / "benchmarks" / "results").glob("*.json")) for row in json.loads(path.read_text("utf-8"))
    ]
    single = [row for row in rows if row["what"].count(".") < 3]
    parts = ["| figure | median | range | n | beside | command |\n|---|---|---|---|---|---|"]
    parts[0] += "".join("\n" + _line(row) for row in single)
    families = dict.fromkeys(tuple(row["what"].split(".")[:2]) for row in rows if row["what"].count(".") == 3)
    parts += [_matrix([row for row in rows if tuple(row["what"].split(".")[:2]) == family]) for family in families]
    devices = "; ".join(dict.fromkeys(row["device"] for row in rows))
    return "\n\n".join([*parts, f"Measured on: {devices}."])


def _line(row: dict) -> str:
    value, low, high = (number(row[name], row["unit"]) for name in ("value", "low", "high"))
    numbers = f"{value} | {low} – {high}" if value != low or low != high else f"{value} |"
    beside = ", ".join(f"{name} {number(other, row['unit'])}" for name, other in row["beside"].items())
    return f"| `{row['what']}` | {numbers} | {row['n']} | {beside} | `{row['command']}` |"


def _matrix(rows: list[dict]) -> str:
    family, data = rows[0]["what"].split(".")[:2]
    metrics = list(dict.fromkeys(row["what"].split(".")[3] for row in rows))
    by_key = {tuple(row["what"].split(".")[2:]): row for row in rows}
    lines = [
        f"`{family}.{data}.*`, `{rows[0]['command']}` ({rows[0]['note']}):",
        "",
        "| | " + " | ".join(f"`{metric}`" for metric in metrics) + " |",
        "|---" * (len(metrics) + 1) + "|",
    ]
    for variant in dict.fromkeys(variant for variant, _ in by_key):
        texts = [_cell(by_key[variant, metric]) if (variant, metric) in by_key else "" for metric in metrics]
        lines.append(f"| `{variant}` | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def _cell(row: dict) -> str:
    value, low, high = (f"{row[name]:.3g}" for name in ("value", "low", "high"))
    beside = "".join(f"; {name} {other:.3g}" for name, other in row["beside"].items())
    return (value if low == high else f"{value} ({low} – {high})") + beside


def number(value: float, unit: str) -> str:
    """A value for the table: three digits, its unit behind it; bytes by the million."""
    if unit == "B" and value >= 1e6:
        value, unit = value / 1e6, "MB"
    return f"{value:.3g} {unit}".strip()


def main() -> int:
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not rest or not after:
        raise SystemExit(f"README.md lacks the lines {BEGIN!r} and {END!r}.")
    new = f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"
    if "--check" in sys.argv:
        print("README.md's figures are current." if new == text else "README.md's figures are stale. Run: make figures")
        return int(new != text)
    readme.write_text(new, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
