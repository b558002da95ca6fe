"""Which of several files in one name counts: the one that came first, until the instructor chooses another."""

from collections.abc import Collection, Mapping, Sequence

from grading.errors import GradingError
from grading.semester.names import key_of
from grading.types import Grade

LATEST = "latest"  # chooses the last file of every name
SECONDS = 60  # times of files that are nearer to each other come from copying them, and say nothing


def one_name(grades: Sequence[Grade]) -> list[list[Grade]]:
    """The files that were graded, by name and lab, where there are several: the one that came first in front.

    They are in the order of the times at which they were last changed, if those lie a minute apart; else in that of `grades`,
    which is that of their names.
    """
    groups: dict[tuple[str, str], list[Grade]] = {}
    for grade in grades:
        if grade.student and grade.error is None:
            groups.setdefault((key_of(grade.student), grade.lab), []).append(grade)
    return [_in_order(group) for group in groups.values() if len(group) > 1]


def superseded(grades: Sequence[Grade], chosen: Collection[str] = ()) -> Mapping[str, str]:
    """Which files do not count, and the file that does: of several in one name the first, or the one that is `chosen` by its
    file's name, or the last where LATEST is chosen. Raises GradingError where two are chosen in one name."""
    replaced: dict[str, str] = {}
    for group in one_name(grades):
        wanted = [grade.file for grade in group if grade.file in chosen]
        if len(wanted) > 1:
            raise GradingError(f"--counts {wanted[1]}: {wanted[0]} is in the same name, expected one of them. Choose one.")
        counts = wanted[0] if wanted else group[-1 if LATEST in chosen else 0].file
        replaced |= {grade.file: counts for grade in group if grade.file != counts}
    return replaced


def check_chosen(chosen: Collection[str], files: Collection[str]) -> None:
    """Raises GradingError for a choice that is the name of no file."""
    unknown = sorted(set(chosen) - set(files) - {LATEST})
    if unknown:
        raise GradingError(f"--counts {unknown[0]}: no such file was handed in, expected a file's name or {LATEST}. Correct it.")


def _in_order(group: list[Grade]) -> list[Grade]:
    times = [grade.changed for grade in group]
    return sorted(group, key=lambda grade: grade.changed) if max(times) - min(times) >= SECONDS else group
