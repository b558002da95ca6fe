"""Measures which protection stops which attack, by switching them on one at a time, and writes the table into SECURITY.md.

python tests/hostile/table.py        about two minutes; needs bubblewrap, Landlock and seccomp
"""

# ruff: noqa: E402 — the path is set first

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE.parent), str(HERE)]

import siege

import hostile_submissions

DOCUMENT = HERE.parent.parent / "grading" / "SECURITY.md"
BEGIN, END = "<!-- table: python tests/hostile/table.py -->", "<!-- end of table -->"
WORKER = "the worker itself"
YES, NO = "stopped", "**not stopped**"
ALONE = {"bubblewrap": (True, "none"), "Landlock": (False, "landlock"), "seccomp": (False, "seccomp"), WORKER: (False, "none")}


def measured() -> str:
    """The table as Markdown, from six sieges."""
    modes = {"bubblewrap": siege.run(True, "all"), "fallback": siege.run(False, "all")}
    alone = {name: siege.run(*how) for name, how in ALONE.items()}
    lines = []
    for family in siege.FAMILIES:
        lines += [f"**{family}**", "", "| attack | bubblewrap | fallback | stopped by each of these alone |", "|---|---|---|---|"]
        for name in siege.kinds():
            if siege.attacks()[name][0] == family:
                both = [NO if siege_of["outcomes"][name]["gained"] else YES for siege_of in modes.values()]
                lines.append(f"| {_shown(name)} | {both[0]} | {both[1]} | {_stoppers(name, alone)} |")
        lines.append("")
    lines += ["**Files that are handed in** (bubblewrap and fallback alike)", "", "| kinds | stopped by |", "|---|---|"]
    for group, protection in hostile_submissions.GROUPS.items():
        names = sorted(hostile_submissions.kinds([group]))
        lines += [f"| {', '.join(map(_shown, names))} | {protection} |"] if protection else []
    return "\n".join(lines)


def rows(document: str) -> dict[str, dict]:
    """What the document's table says of each attack: stopped in which mode, and by which protections alone."""
    found = {}
    for line in document.partition(BEGIN)[2].partition(END)[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[1] in (YES, NO):
            stoppers = set(filter(None, cells[3].split(", ")))
            found[cells[0].replace(" ", "_")] = {
                "bubblewrap": cells[1] == YES,
                "fallback": cells[2] == YES,
                "stopped_by": stoppers,
            }
    return found


def _shown(name: str) -> str:
    return name.replace("_", " ")


def _stoppers(name: str, alone: dict[str, dict]) -> str:
    """What needs no layer is not said of each layer again."""
    stoppers = [layer for layer in ALONE if not alone[layer]["outcomes"][name]["gained"]]
    return WORKER if WORKER in stoppers else ", ".join(stoppers) or "nothing"


if __name__ == "__main__":
    head, _, rest = DOCUMENT.read_text("utf-8").partition(BEGIN)
    DOCUMENT.write_text(f"{head}{BEGIN}\n{measured()}\n{END}{rest.partition(END)[2]}", "utf-8")
