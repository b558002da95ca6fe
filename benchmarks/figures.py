"""Writes benchmarks/README.md and the README's table from benchmarks/results/*.json: `make figures`; `--check` for stale ones.

benchmarks/README.md has every figure, program by program; the README those that say most of the project.
"""

import ast
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- figures: begin (make figures) -->", "<!-- figures: end -->"
MEDIAN, MEAN = "median, range", "mean, range"
OVER_SEEDS = "mean, 95 % over seeds"
OVER_BLOCKS, OVER_SEARCHES = "mean, 95 % over blocks", "mean, 95 % over searches"
OVER_IMAGES = "share, 95 % over images"
OVER_BOTH = "median of seeds, 95 % over images"


@dataclass(frozen=True)
class Table:
    """A table of the README: figures of one unit, shown as `factor` times what is recorded. figures: key → (what it says, what
    its value and its interval are)."""

    title: str
    recorded: tuple[str, ...]  # the units in which its figures may be recorded
    figures: dict[str, tuple[str, str]]
    factor: float = 1.0


HEADLINES = (
    Table(
        "Accuracy of a pruned convnet, % of the digits' test images",
        ("%",),
        {
            "structured.digits_50.l1.cut": ("Half of the work cut, filters by L1, as it is", MEAN),
            "structured.digits_50.l1.recalibrated": ("… its batch normalization recalibrated, nothing trained", MEAN),
            "structured.digits_50.l1.fine_tuned": ("… fine-tuned", MEAN),
            "structured.digits_85.pgbp.recalibrated": ("85 % of the work cut, filters by PGBP, recalibrated", MEAN),
            "structured.digits_85.pgbp.fine_tuned": ("… fine-tuned", MEAN),
        },
    ),
    Table(
        "Accuracy, % of MNIST's test images",
        ("%",),
        {
            "robust.mnist.pgd_trained.pgd40": ("Under PGD-40, ε = 0.3, of a convnet trained adversarially by PGD", OVER_BOTH),
            "robust.mnist.pgd_trained.strongest": ("… under the strongest attack", OVER_BOTH),
            "robust.compressed.pruned.square": ("… pruned and fine-tuned on clean images, under Square", OVER_IMAGES),
            "smoothing.mnist.certified": ("Certified at an L2 radius of 0.5, randomized smoothing", OVER_BOTH),
        },
    ),
    Table(
        "Shares, %",
        ("",),
        {
            "supermask.lenet300.lfe.iterative": ("MNIST accuracy of an untrained LeNet-300-100 under a mask by LFE", MEAN),
            "supermask.lenet300.lfe_layers.oneshot": ("… scored once, layer by layer", MEAN),
            "supermask.lenet300.pgbp_loss.iterative": ("… by PGBP", MEAN),
            "schedule.misses.naive": (
                "Deadlines missed by three models on two cores in float32, the better of two naive plans",
                OVER_BLOCKS,
            ),
            "schedule.misses.planned_float32": ("… by the plan that `projectkit schedule` finds among those files", OVER_BLOCKS),
            "schedule.misses.naive_int8": ("… the better naive plan, the camera's file in int8", OVER_BLOCKS),
            "schedule.misses.planned": ("… by the plan that may choose between both files", OVER_BLOCKS),
            "estimate.error": ("Error of a latency estimated from a roofline, on this machine", MEDIAN),
        },
        factor=100,
    ),
    Table(
        "Differences of accuracy, percentage points",
        ("points",),
        {
            "distill.cifar10.gain": ("Gain of a ResNet-8 distilled from a ResNet-20, CIFAR-10, 10 epochs", OVER_SEEDS),
            "nas.regret.gp": ("Regret of Bayesian search (Gaussian process) after 50 different of 342 networks", OVER_SEARCHES),
        },
    ),
    Table(
        "Ratios",
        ("", "×"),
        {
            "l01.mnist.int8.latency_ratio": ("Latency of an int8 file over float32's, LiteRT, MNIST", MEDIAN),
            "deploy.resnet8.litert.int8.latency_ratio": ("… of a ResNet-8", MEDIAN),
            "deploy.mobilenet.litert.float32.latency_ratio_unfused": (
                "Latency of a MobileNet (0.25) whose layers are not fused, over fused",
                MEDIAN,
            ),
            "structured.digits_50.any.latency_ratio": (
                "Latency of the pruned convnet with half of its work, over the whole one's",
                MEAN,
            ),
            "masks.lenet300.ratio": ("Masks a second, over a loop in Keras, both in float32, LeNet-300-100", MEDIAN),
            "masks.resnet20.ratio": ("… ResNet-20", MEDIAN),
            "masks.resnet20.ratio_bfloat16": ("… ResNet-20, the layers behind the mask as a copy in bfloat16", MEDIAN),
            "masks.resnet20.ratio_race": ("… ResNet-20, the best of 64 masks a layer, few images first, in bfloat16", MEDIAN),
            "calibration.mnist.ratio_debiased": (
                "Calibration error (debiased) after temperature scaling, over before, MNIST",
                MEAN,
            ),
            "grading.ratio.nbgrader": ("nbgrader's time for one submission, over ours", MEDIAN),
            "grading.ratio.otter": ("otter-grader's time for one submission, over ours", MEDIAN),
        },
    ),
    Table(
        "Seconds",
        ("s",),
        {
            "grading.hundred": ("Grading 100 submissions of four models each", MEDIAN),
            "start.grading": ("Start of the grader", MEDIAN),
        },
    ),
    Table(
        "Differences of the negative log-likelihood, nats",
        ("",),
        {"uncertainty.expected.cifar10_ensemble_minus_mc_dropout": ("Ensemble of five minus MC-dropout, CIFAR-10", MEAN)},
    ),
)
ALL = """# Figures

Made by `make figures` from [results/](results), which also has the raw samples. Each section names the program that
measures it again. A value is the median, beside its range, where nothing else is said; `n` is the number of measurements."""


def main() -> int:
    sections = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("*.json"))}
    rows = {row["what"]: row for section in sections.values() for row in section}
    new = {ROOT / "README.md": _readme(rows), ROOT / "benchmarks" / "README.md": _everything(sections)}
    stale = [path for path, text in new.items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)}: its figures are stale. Run: make figures")
        return int(bool(stale))
    for path in stale:
        path.write_text(new[path], "utf-8")
    return 0


def _readme(rows: dict[str, dict]) -> str:
    """The README with a new table of HEADLINES between its two marks."""
    before, _, rest = (ROOT / "README.md").read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    if not rest or not after:
        raise SystemExit(f"README.md lacks the lines {BEGIN!r} and {END!r}.")
    absent = [key for table in HEADLINES for key in table.figures if key not in rows]
    if absent:
        raise SystemExit(f"No file of benchmarks/results has {', '.join(absent)}: measure it, or take it out of HEADLINES.")
    tables = "\n\n".join(_headlines(table, rows) for table in HEADLINES)
    shown = [rows[key] for table in HEADLINES for key in table.figures]
    return f"{before}{BEGIN}\n\n{tables}\n\n{_devices(shown)}\n\n{END}{after}"


def _headlines(table: Table, rows: dict[str, dict]) -> str:
    """One unit in all columns of numbers, so that none has to be written beside them."""
    lines = [f"| {table.title} | value | interval | what these are | beside | measured by |", "|---|---:|---:|---|---|---|"]
    for key, (words, statistic) in table.figures.items():
        row = rows[key]
        if row["unit"] not in table.recorded:
            raise SystemExit(f"{key} is in {row['unit'] or 'no unit'!r}, its table in {' or '.join(table.recorded)!r}.")
        value, low, high = (number(table.factor * row[end], "") for end in ("value", "low", "high"))
        beside = "; ".join(f"{name} {number(table.factor * other, '')}" for name, other in row["beside"].items())
        lines.append(f"| {words} | {value} | {low} – {high} | {statistic} of {row['n']} | {beside} | `{row['command']}` |")
    return "\n".join(lines)


def _everything(sections: dict[str, list[dict]]) -> str:
    parts = [ALL]
    for rows in sections.values():
        command = rows[0]["command"]
        parts.append(f"## {_title(ROOT / command.split()[1])}\n\n    {command}")
        parts += [_group(group) for group in _groups(rows)]
    parts.append(_devices(row for rows in sections.values() for row in rows))
    return "\n\n".join(parts) + "\n"


def _title(program: Path) -> str:
    """The first line of the program's docstring."""
    return ast.get_docstring(ast.parse(program.read_text("utf-8"))).splitlines()[0].rstrip(".")


def _groups(rows: list[dict]) -> list[list[dict]]:
    """Rows whose keys begin alike, where there are at least three of them; the others together after these."""
    alike: dict[tuple[str, ...], list[dict]] = {}
    for row in rows:
        parts = row["what"].split(".")
        alike.setdefault(tuple(parts[: min(2, len(parts) - 1)]), []).append(row)
    alone = [row for group in alike.values() if len(group) < 3 for row in group]
    return [group for group in alike.values() if len(group) >= 3] + ([alone] if alone else [])


def _group(rows: list[dict]) -> str:
    """What the notes of all rows share, and a table with what they don't. Keys of more than three parts become a matrix."""
    clauses = [_clauses(row["note"]) for row in rows]
    shared = [clause for clause in clauses[0] if all(clause in others for others in clauses)] if len(rows) > 1 else []
    own = ["; ".join(clause for clause in of_row if clause not in shared) for of_row in clauses]
    words = f"{'; '.join(shared)}."
    if rows[0]["what"].count(".") >= 3:
        family = ".".join(rows[0]["what"].split(".")[:2])
        parts = [f"`{family}.*`: {words}" if shared else "", _matrix(rows)]
        notes = [f"- `{row['what']}`: {note}" for row, note in zip(rows, own, strict=True) if note]
        parts += ["<details><summary>Each figure's own note</summary>", "\n".join(notes), "</details>"] if notes else []
    else:
        lines = ["| | value | low – high | n | beside | |", "|---|---|---|---|---|---|"]
        for row, note in zip(rows, own, strict=True):
            lines.append(f"| `{row['what']}` | {_value(row)} | {_span(row)} | {row['n']} | {_beside(row)} | {note} |")
        parts = [words[0].upper() + words[1:] if shared else "", "\n".join(lines)]
    return "\n\n".join(part for part in parts if part)


def _clauses(note: str) -> list[str]:
    return [clause.rstrip(".") for clause in re.split(r"; |\. (?=[A-Z])", note)]


def _matrix(rows: list[dict]) -> str:
    """Variants down, metrics across."""
    by_key = {tuple(row["what"].split(".", 2)[2].rsplit(".", 1)): row for row in rows}
    metrics = list(dict.fromkeys(metric for _, metric in by_key))
    units = {metric: next(row["unit"] for (_, other), row in by_key.items() if other == metric) for metric in metrics}
    heads = [f"`{metric}`" + (f" [{units[metric]}]" if units[metric] else "") for metric in metrics]
    lines = ["| | " + " | ".join(heads) + " |", "|---" * (len(metrics) + 1) + "|"]
    for variant in dict.fromkeys(variant for variant, _ in by_key):
        texts = [_cell(by_key[variant, metric]) if (variant, metric) in by_key else "" for metric in metrics]
        lines.append(f"| `{variant}` | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def _cell(row: dict) -> str:
    value, low, high = (f"{row[name]:.3g}" for name in ("value", "low", "high"))
    beside = "".join(f"; {name} {other:.3g}" for name, other in row["beside"].items())
    return (value if low == high else f"{value} ({low} – {high})") + beside


def _value(row: dict) -> str:
    return number(row["value"], row["unit"])


def _span(row: dict) -> str:
    if row["low"] == row["high"]:
        return ""
    low, high = number(row["low"], row["unit"]), number(row["high"], row["unit"])
    unit = high.partition(" ")[2]
    return f"{low.removesuffix(unit).rstrip()} – {high}"


def _beside(row: dict) -> str:
    return ", ".join(f"{name} {number(other, row['unit'])}" for name, other in row["beside"].items())


def _devices(rows) -> str:
    return f"Measured on: {'; '.join(dict.fromkeys(row['device'] for row in rows))}."


def number(value: float, unit: str) -> str:
    """A value for a table: three digits, its unit behind it; bytes by the million."""
    if unit == "B" and value >= 1e6:
        value, unit = value / 1e6, "MB"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".strip()


if __name__ == "__main__":
    sys.exit(main())
