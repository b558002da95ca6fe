"""What every kind of this folder earns in every lab, beside the honest network inside it, as a table in Markdown.

    python tests/hostile/gaming/earned.py                            # all labs, by the grader of this checkout
    python tests/hostile/gaming/earned.py --labs l02 l06 --out after.json
    PYTHONPATH=OLD_CHECKOUT python tests/hostile/gaming/earned.py --out before.json      # by another grader
    python tests/hostile/gaming/earned.py --beside before.json after.json                # both in one table

Points are those of the slots that a kind changes; with studies, those of the study. The same files are built for every grader.
"""

import argparse
import dataclasses
import hashlib
import importlib
import io
import json
import sys
import tempfile
import traceback
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
TESTS = HERE.parents[1]
sys.path[:0] = [str(HERE)]
sys.path += [str(TESTS), str(TESTS.parent)]  # behind PYTHONPATH, which chooses the grader

from cheats import NotApplicable  # noqa: E402

from grading.engine import Options, grade  # noqa: E402
from grading.rubrics.loading import RUBRICS, load_rubric  # noqa: E402
from grading.types import Grade, Rubric  # noqa: E402
from projectkit.submit import pack  # noqa: E402
from rubrics_by_hand import unoptimized_model  # noqa: E402

OWN = ("cheats", "rewrite", "conftest", "test_gaming", Path(__file__).stem)
LABS = sorted(path.stem for path in RUBRICS.glob("*.toml"))
REFERENCES = TESTS / "grading" / "references"
Points = Mapping[str, tuple[float, float]]  # kind → points of the kind and of the honest file


def kinds() -> dict[str, object]:
    """Every module's table; one that cannot be loaded with this grader is told and left out."""
    found = {}
    for path in sorted(HERE.glob("*.py")):
        if path.stem in OWN or path.stem.startswith("test_"):
            continue
        try:
            found |= {f"{path.stem}: {name}": cheat for name, cheat in importlib.import_module(path.stem).CHEATS.items()}
        except Exception:
            traceback.print_exc()
    return found


def files_of(lab: str, rubric: Rubric, folder: Path) -> dict[str, dict[str, Path]]:
    """kind → slot → the file that it makes of the honest one; "" → the honest ones."""
    honest = {slot: unoptimized_model(slot, rubric, folder) for slot in rubric.slots}
    files: dict[str, dict[str, Path]] = {"": honest}
    for number, (name, cheat) in enumerate(kinds().items()):
        own = folder / str(number)
        own.mkdir()
        try:
            changed = {slot: cheat.build(honest[slot], own) for slot in cheat.slots.get(lab, ()) if slot in honest}
        except NotApplicable:
            continue
        except Exception:
            traceback.print_exc()
            continue
        if changed:
            files[name] = changed
    return files


def points_of(lab: str, folder: Path) -> Points:
    """Of the kinds that change a network."""
    rubric = load_rubric(lab, "quick")
    files = files_of(lab, rubric, folder)
    (folder / "in").mkdir()
    for number, changed in enumerate(files.values()):
        models = files[""] | changed
        pack(folder / "in" / f"{number:03}.zip", student=f"s{number}@example.edu", lab=lab, artifacts=models, answers={})
    if len(files) == 1:
        return {}
    grades = {one.file: one for one in grade(folder / "in", folder / "out", Options("quick", "a salt"))}
    earned = {name: grades[f"{number:03}.zip"] for number, name in enumerate(files)}
    return {name: tuple(_earned(earned[whose], [*files[name]], study=False) for whose in (name, "")) for name in files if name}


def _earned(one: Grade, slots: list[str], *, study: bool) -> float:
    return sum(v.points for v in one.verdicts if v.check.slot in slots and (v.check.metric == "study") == study)


def studies_of(lab: str, folder: Path, ways: tuple[str, ...] = ("", "recheck_trials")) -> Points:
    """Of the kinds that change the study of a reference and leave its network as it is. ways: options of the grader, in turn;
    one that it does not have is left out."""
    reference = REFERENCES / f"{lab}.zip"
    with zipfile.ZipFile(reference) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    if "study.json" not in files:
        return {}
    (folder / "in").mkdir()
    studies = dict(_studies(json.loads(files["study.json"])))
    for number, study in enumerate(studies.values()):
        _write(folder / "in" / f"{number:03}.zip", files, json.dumps(study).encode(), f"s{number}@example.edu")
    slots = list(load_rubric(lab, "quick").slots)
    points: dict[str, tuple[float, float]] = {}
    asked = {f.name for f in dataclasses.fields(Options)}
    for how in ways:
        if how and how not in asked:
            continue
        options = Options("quick", "a salt", **({how: True} if how else {}))
        grades = {one.file: _earned(one, slots, study=True) for one in grade(folder / "in", folder / f"out{how}", options)}
        for number, name in list(enumerate(studies))[1:]:
            points[f"records: {name}" + ", trained again" * bool(how)] = (grades[f"{number:03}.zip"], grades["000.zip"])
    return points


def _studies(honest: dict) -> Iterator[tuple[str, dict]]:
    """The honest study first. The file's own trial is the best; the others are changed."""
    best = max((trial for trial in honest["trials"] if trial["state"] == "complete"), key=lambda trial: trial["values"][0])
    rng = np.random.default_rng(0)

    def invented(low: float, high: float) -> dict:
        trials = [
            trial
            if trial["number"] == best["number"]
            else trial | {"values": [best["values"][0] * float(rng.uniform(low, high))]}
            for trial in honest["trials"]
            if trial["state"] == "complete"
        ]
        return honest | {"trials": trials}

    yield "honest", honest
    yield "a study of the one trial that is handed in", honest | {"trials": [best]}
    disguises = [_disguised(best, number, name) for number, name in enumerate(("relu", "relu6", "swish"))]
    yield "one network under the names of three activations", honest | {"trials": disguises}
    yield "one trial under many numbers", honest | {"trials": [best | {"number": number} for number in range(12)]}
    yield "accuracies that somebody made up, far too low", invented(0.1, 0.5)
    yield "accuracies that somebody made up, near what is usual", invented(0.93, 1.0)


def _disguised(trial: dict, number: int, activation: str) -> dict:
    """The trial with another activation in its first block, which costs the same; its digest made right again."""
    first, *others = trial["architecture"]["blocks"]
    architecture = {"blocks": [first | {"activation": activation}, *others]}
    digest = hashlib.sha256(json.dumps(architecture, sort_keys=True).encode()).hexdigest()[:16]
    return trial | {"number": number, "architecture": architecture, "digest": digest}


def _write(path: Path, files: Mapping[str, bytes], study: bytes, student: str) -> None:
    manifest = json.loads(files["manifest.json"])
    manifest["study"] = {"file": "study.json", "sha256": hashlib.sha256(study).hexdigest(), "size": len(study)}
    manifest["student"] = student
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in (dict(files) | {"study.json": study, "manifest.json": json.dumps(manifest).encode()}).items():
            archive.writestr(name, content)
    path.write_bytes(stream.getvalue())


def markdown(found: Mapping[str, Mapping[str, list]], titles: tuple[str, ...]) -> str:
    """A row a kind and lab. found: kind → lab → points in the order of `titles`, None where nothing was measured."""
    lines = ["| kind | lab | " + " | ".join(titles) + " |", "|" + "---|" * (2 + len(titles))]
    for kind in sorted(found):
        for lab, points in sorted(found[kind].items()):
            cells = ["–" if one is None else f"{one:.1f}".removesuffix(".0") for one in points]
            lines.append(f"| {kind} | {lab[:3]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def beside(before: Path, after: Path) -> str:
    first, second = (json.loads(path.read_text("utf-8")) for path in (before, after))
    joined: dict[str, dict[str, list]] = {}
    for kind in first | second:
        for lab in first.get(kind, {}) | second.get(kind, {}):
            old, new = first.get(kind, {}).get(lab, [None, None]), second.get(kind, {}).get(lab, [None, None])
            joined.setdefault(kind, {})[lab] = [*old, *new]
    return markdown(joined, ("before", "honest then", "after", "honest now"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labs", nargs="*", default=[], help="beginnings of labs' names; all, if none are given")
    parser.add_argument("--out", type=Path, help="also write {kind: {lab: [points, honest points]}} here")
    parser.add_argument("--beside", nargs=2, type=Path, metavar=("BEFORE", "AFTER"), help="join two such files and end")
    parser.add_argument("--no-studies", action="store_true", help="leave out what changes a study")
    given = parser.parse_args()
    if given.beside:
        print(beside(*given.beside))
        return
    found: dict[str, dict[str, list]] = {}
    for lab in LABS:
        if given.labs and not lab.startswith(tuple(given.labs)):
            continue
        with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
            points = dict(points_of(lab, Path(first)))
            points |= {} if given.no_studies else studies_of(lab, Path(second))
        for kind, pair in points.items():
            found.setdefault(kind, {})[lab] = list(pair)
        if given.out:  # after each lab, so that what was measured is there when a run is ended
            given.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(markdown(found, ("cheat", "honest")))


if __name__ == "__main__":
    main()
