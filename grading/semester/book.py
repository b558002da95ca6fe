"""The gradebook: sources joined by exact key, nobody dropped, every mark explained."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from grading.errors import GradingError
from grading.semester.labs import read_labs
from grading.semester.marks import final_mark
from grading.semester.names import suspects
from grading.semester.sources import read_scores, read_students
from grading.semester.types import LABS, Book, FinalMark, Item, Scheme, Scores, Source


def read_sources(scheme: Scheme, labs: Sequence[Path], files: Mapping[str, Path], times: Path | None = None) -> dict[str, Source]:
    """The source of every component: a CSV of `files`, or the folders `labs` where the scheme says so.

    Raises GradingError when a component has no source or two, or a source no component.
    """
    ids = [component.id for component in scheme.components]
    unknown = sorted(set(files) - set(ids))
    if unknown:
        raise GradingError(f"--component {unknown[0]}: no such component, expected one of {', '.join(ids)}. Correct the name.")
    from_labs = [component.id for component in scheme.components if component.source == LABS and component.id not in files]
    if bool(labs) != bool(from_labs):
        wanted = f"--labs OUT (for {', '.join(from_labs)})" if from_labs else "a scheme with a component that takes labs"
        raise GradingError(f"--labs: {len(labs)} folders, expected {wanted}. Add or drop the option.")
    if times is not None and not labs:
        raise GradingError("--times: the times of labs without labs, expected --labs OUT too. Add or drop an option.")
    absent = [component.id for component in scheme.components if component.id not in {*from_labs, *files}]
    if absent:
        raise GradingError(f"component {absent[0]}: no scores, expected --component {absent[0]}=FILE.csv. Add the option.")
    return {
        component.id: read_scores(files[component.id], component, scheme.points)
        if component.id in files
        else read_labs(labs, component, times)
        for component in scheme.components
    }


def make_book(scheme: Scheme, sources: Mapping[str, Source], students: Path | None = None) -> Book:
    """The marks of everybody who is in any source, or in the list `students`, sorted by key.

    Raises GradingError when nobody is in any of them, or when best-of would drop every item.
    """
    roster = read_students(students) if students else None
    lists = [*sources.values(), *([roster] if roster else [])]
    names = {key: name for one in reversed(lists) for key, name in one.names.items()}
    if not names:
        raise GradingError("the sources hold no student, expected at least one. Check the files.")
    items = {part.id: part.items or sources[part.id].items for part in scheme.components}
    marks = []
    for key in sorted(names):
        found = {part: tuple(_item(sources[part], key, item) for item in items[part]) for part in sources}
        marks.append(final_mark(scheme, Scores(names[key], found)))
    presence = {key: frozenset(one.title for one in lists if key in one.names) for key in names}
    lacks = [(names[key], _missing(key, mark, sources, roster)) for key, mark in zip(sorted(names), marks, strict=True)]
    notes = [note for one in sources.values() for note in one.notes]
    notes += _uncounted(sources, items) + _rare(sources, items) + _extensions(scheme, names, items)
    return Book(scheme, tuple(marks), tuple(lack for lack in lacks if lack[1]), suspects(presence, names), tuple(notes))


def _item(source: Source, key: str, item: str) -> Item:
    found = source.scores.get(key, {}).get(item)
    return found or Item(item, None, Fraction(1))


def _missing(key: str, mark: FinalMark, sources: Mapping[str, Source], roster: Source | None) -> tuple[str, ...]:
    """What the student lacks: a whole list, or single items of one."""
    lacks = []
    for part in mark.parts:
        title = part.component.title
        if key not in sources[part.component.id].names or part.absent == (part.component.id,):
            lacks.append(title)
        elif part.absent:
            lacks.append(f"{title}: {', '.join(part.absent)}")
    return (*lacks, roster.title) if roster and key not in roster.names else tuple(lacks)


def _uncounted(sources: Mapping[str, Source], items: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [
        f"{source.title}: {item} is in the scores but not among the scheme's items, so it does not count."
        for part, source in sources.items()
        for item in source.items
        if item not in items[part]
    ]


def _rare(sources: Mapping[str, Source], items: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Items that most lack: a voluntary one, or a typing error, that costs the others marks."""
    notes = []
    for part, source in sources.items():
        for item in items[part]:
            having = sum(item in found and found[item].earned is not None for found in source.scores.values())
            if len(items[part]) > 1 and 2 * having < len(source.names):
                notes.append(
                    f"{source.title}: only {having} of {len(source.names)} students have {item}, the others get 0 for it. "
                    "If it should not count, list the `items` that do in the scheme."
                )
    return notes


def _extensions(scheme: Scheme, names: Mapping[str, str], items: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Extensions that move nobody's deadline, most likely for a typing error."""
    known = {"", *items, *(item for found in items.values() for item in found)}
    return [
        f"The extension of {more.student}{f' for {more.item}' if more.item else ''} applies to nobody: no such student or item."
        for more in scheme.late.extensions
        if more.student not in names or more.item not in known
    ]
