"""Makes notebooks from the lab sources: `python labs/build.py` writes the students' ones beside this file.

    python labs/build.py                        every labs/lNN_topic.ipynb, with holes and without outputs; project.ipynb
    python labs/build.py --check                says which of them are not what the sources give; exit 1 if any
    python labs/build.py --solved FOLDER        every notebook with its solutions, into FOLDER
    python labs/build.py --run l01_quantization FOLDER    the solved notebook, executed, into FOLDER

A source is a percent-format script. What stands between `# begin solution: SENTENCE` and `# end solution` becomes lines
that stop with the sentence. The project is a template that runs as it stands: it has no holes.
"""

import argparse
import re
import sys
import textwrap
from pathlib import Path

import jupytext
import nbformat

LABS = Path(__file__).parent
TEMPLATE = "project"
BEGIN = re.compile(r"^(?P<indent>\s*)# begin solution: (?P<sentence>.+)$")
END = re.compile(r"^\s*# end solution$")


def student_source(text: str, name: str) -> str:
    """The source with every solution replaced by a line that stops and says what to do."""
    lines, inside = [], None
    for number, line in enumerate(text.splitlines(), 1):
        if begin := BEGIN.match(line):
            if inside is not None:
                raise ValueError(f"{name}:{number}: a solution begins inside the one of line {inside}.")
            inside = number
            lines += hole(begin["indent"], begin["sentence"])
        elif END.match(line):
            if inside is None:
                raise ValueError(f"{name}:{number}: a solution ends that did not begin.")
            if number - inside - 1 > 15:
                raise ValueError(f"{name}:{inside}: the hole has {number - inside - 1} lines; a lab asks for at most 15.")
            inside = None
        elif inside is None:
            lines.append(line)
    if inside is not None:
        raise ValueError(f"{name}:{inside}: the solution does not end.")
    return "\n".join(lines) + "\n"


def hole(indent: str, sentence: str) -> list[str]:
    """The lines that stand where a solution was; narrow enough to be read without scrolling."""
    parts = textwrap.wrap(sentence, 84)
    parts = [part + " " for part in parts[:-1]] + parts[-1:]
    return [
        f"{indent}# Replace these lines.",
        f"{indent}raise NotImplementedError(",
        *(f"{indent}    {part!r}" for part in parts),
        f"{indent})",
    ]


def solved_source(text: str) -> str:
    """The source with its solutions, without the markers."""
    return "\n".join(line for line in text.splitlines() if not BEGIN.match(line) and not END.match(line)) + "\n"


def notebook(source: str) -> nbformat.NotebookNode:
    """The notebook of a percent-format source, the same bytes every time."""
    result = jupytext.reads(source, fmt="py:percent")
    result.metadata = nbformat.from_dict(
        {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}, "language_info": {"name": "python"}}
    )
    for index, cell in enumerate(result.cells):
        cell["id"] = f"cell-{index:02d}"
        cell.metadata = nbformat.from_dict({})
    return result


def sources() -> list[Path]:
    """The lab sources in the order of the course, and the project's template, which ends it."""
    return [*sorted((LABS / "src").glob("l[0-9][0-9]_*.py")), LABS / "src" / f"{TEMPLATE}.py"]


def write_all(folder: Path, convert) -> list[Path]:
    """Writes every lab's notebook, after `convert(text, name)`, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for source in sources():
        target = folder / f"{source.stem}.ipynb"
        target.write_text(nbformat.writes(notebook(convert(source.read_text("utf-8"), source.name))) + "\n", "utf-8")
        written.append(target)
    return written


def stale() -> list[str]:
    """The student notebooks that differ from what their sources give."""
    names = []
    for source in sources():
        expected = nbformat.writes(notebook(student_source(source.read_text("utf-8"), source.name))) + "\n"
        target = LABS / f"{source.stem}.ipynb"
        if not target.exists() or target.read_text("utf-8") != expected:
            names.append(target.name)
    return names


def run(stem: str, folder: Path) -> Path:
    """Executes the solved notebook of a lab in `folder` and writes it there with its outputs; its work/ appears beside it."""
    import os

    from nbclient import NotebookClient

    source = LABS / "src" / f"{stem}.py"
    if not source.exists():
        raise SystemExit(f"There is no lab {stem!r}; known are {', '.join(path.stem for path in sources())}.")
    document = notebook(solved_source(source.read_text("utf-8")))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{stem}.ipynb"
    environment = os.environ | {"PYTHONPATH": str(LABS.resolve())}  # for the check cells' `from checks import …`
    client = NotebookClient(
        document, timeout=3600, resources={"metadata": {"path": str(folder)}}, extra_arguments=["--log-level=40"]
    )
    try:
        client.execute(env=environment)
    finally:
        nbformat.write(document, target)
    return target


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say which student notebooks are out of date")
    parser.add_argument("--solved", type=Path, metavar="FOLDER", help="write the solved notebooks there instead")
    parser.add_argument("--run", nargs=2, metavar=("LAB", "FOLDER"), help="execute one solved notebook into FOLDER")
    arguments = parser.parse_args()
    if arguments.check:
        names = stale()
        for name in names:
            print(f"labs/{name} is not what its source gives. Run: python labs/build.py")
        return 1 if names else 0
    if arguments.run:
        print(run(arguments.run[0], Path(arguments.run[1])))
    elif arguments.solved:
        for path in write_all(arguments.solved, lambda text, _: solved_source(text)):
            print(path)
    else:
        for path in write_all(LABS, student_source):
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
