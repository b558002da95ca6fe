"""Unpacks Moodle's download of all submissions: the students' zips into a folder to grade, and a table of who handed in what."""

import contextlib
import datetime
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grading.errors import GradingError
from grading.moodle.archive import open_batch, take
from grading.moodle.join import JoinRow, write_join
from grading.moodle.names import Place, comparable, file_stem, is_litter, natural, place_of, printable, same_name
from grading.moodle.worksheet import Person, Worksheet
from projectkit.errors import SubmissionError
from projectkit.files import write_whole

FOLDER, JOIN = "submissions", "join.csv"
_NOTHING = "Handed in nothing."


@dataclass(frozen=True, slots=True)
class Batch:
    """What was unpacked: the rows of the join table, and sentences about what could not be told or does not belong."""

    rows: tuple[JoinRow, ...]
    remarks: tuple[str, ...]


@dataclass(slots=True)
class _Bundle:
    """All that was handed in under one name: zips, and the names of what is none. Filled while the zip is read."""

    place: Place
    zips: list[tuple[str, zipfile.ZipInfo]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def unpack(archive: str | Path, out: str | Path, worksheet: Worksheet | None = None) -> Batch:
    """Unpacks the zip `archive` into `out`/submissions and writes `out`/join.csv.

    With the assignment's grading worksheet, the table also has e-mail and ID number, names those who handed in nothing, and
    gives a group's file to each of its members. Nobody is dropped: who has no file that can be graded has a row that says
    why. Raises GradingError when the zip is none of Moodle's or `out`/submissions holds files already.
    """
    archive, out = Path(archive), Path(out)
    if (out / FOLDER).is_dir() and any((out / FOLDER).iterdir()):
        raise GradingError(f"{out / FOLDER}: holds files already, expected a new or empty folder. Give another --out.")
    rows, remarks, matched = [], [], set()
    with open_batch(archive) as opened:
        bundles, strays = _bundles(opened)
        if not bundles:
            raise GradingError(
                f"{archive.name}: no file in it has a name like 'Ann Lee_123_assignsubmission_file/…', expected the zip that "
                "Moodle makes of all submissions. In Moodle, choose Submissions, then Download all submissions."
            )
        for bundle in bundles:
            files = _unpack_bundle(opened, bundle, out / FOLDER)
            people = _people(bundle.place, worksheet)
            matched |= {person.number for person in people}
            rows += [_row(person, bundle.place.name, *one) for person in people for one in files]
            rows += [] if people else [_row_of_stranger(bundle.place, *one) for one in files]
            if worksheet and not people:
                remarks.append(f"{printable(bundle.place.name)}: handed in, but the worksheet names nobody who fits.")
    for person in worksheet.people if worksheet else ():
        if person.number not in matched:
            rows.append(_row(person, person.label, "", "", _NOTHING))
    remarks += [f"{printable(stray)}: not named as Moodle names submissions, skipped." for stray in strays]
    remarks += (
        worksheet.remarks
        if worksheet
        else ["Without the grading worksheet, those who handed in nothing are not listed, and a group looks like a student."]
    )
    rows.sort(key=lambda row: (comparable(row.name), row.person, natural(row.file)))
    write_join(rows, out / JOIN)
    return Batch(tuple(rows), tuple(remarks))


def _bundles(archive: zipfile.ZipFile) -> tuple[list[_Bundle], list[str]]:
    bundles: dict[str, _Bundle] = {}
    strays: list[str] = []
    for member in archive.infolist():
        place = place_of(member.filename)
        if place is None and not is_litter(member.filename) and not member.is_dir():
            strays.append(member.filename)
        if place is None:
            continue
        bundle = bundles.setdefault(place.number or place.name, _Bundle(place))
        if member.is_dir() or is_litter(member.filename):
            continue
        if place.plugin == "file" and place.file.casefold().endswith(".zip"):
            bundle.zips.append((place.file, member))
        else:
            bundle.others.append(place.file if place.plugin == "file" else f"text written in Moodle ({place.plugin})")
    for bundle in bundles.values():
        bundle.zips.sort(key=lambda one: natural(one[0]))
    return list(bundles.values()), strays


def _unpack_bundle(archive: zipfile.ZipFile, bundle: _Bundle, folder: Path) -> list[tuple[str, str, str]]:
    """(file, name as handed in, note) of each zip; of one that cannot be unpacked, or of the lack of any, the note alone."""
    stem = file_stem(bundle.place.name, bundle.place.number)
    files = []
    for count, (name, member) in enumerate(bundle.zips, start=1):
        # Numbers for all when there are several, in their order.
        file = f"{stem}.zip" if len(bundle.zips) == 1 else f"{stem}-{count}.zip"
        try:
            content = take(archive, member)
        except SubmissionError as error:
            files.append(("", printable(name), f"Cannot be unpacked: {printable(str(error), 300)}"))
            continue
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / file, content)
        _keep_time(folder / file, member)
        several = f"One of {len(bundle.zips)} zips: see the column counts in grades.csv."
        files.append((file, printable(name), several if len(bundle.zips) > 1 else ""))
    if files:
        return files
    if not bundle.others:
        return [("", "", _NOTHING)]
    others = printable(", ".join(sorted(bundle.others)[:5]), 200)
    return [("", others, "Handed in no zip; expected the one that `projectkit pack` wrote, unchanged.")]


def _keep_time(file: Path, member: zipfile.ZipInfo) -> None:
    """The file's time becomes that of handing in, which Moodle writes into its zip: it says which of several came first."""
    with contextlib.suppress(ValueError, OverflowError, OSError):  # a date such as 31 February
        when = datetime.datetime(*member.date_time).timestamp()
        os.utime(file, (when, when))


def _people(place: Place, worksheet: Worksheet | None) -> Sequence[Person]:
    """Whose the files are. A number alone is no proof: a group's id may be the number of somebody else."""
    if worksheet is None:
        return ()
    name, words = comparable(place.name), {word.casefold() for word in place.name.split()}
    for person in worksheet.people:
        called = [text for text in (person.name, person.label) if text]
        if person.number == place.number and (not called or any(same_name(text, place.name) for text in called)):
            return (person,)
    members = [person for person in worksheet.people if person.group and comparable(person.group) == name]
    if members:
        return members
    # Some sites put other things in front than Moodle does: take what names exactly one person.
    for key in ("email", "id_number", "name"):
        found = [person for person in worksheet.people if _names(getattr(person, key), name, words)]
        if len(found) == 1:
            return found
    return ()


def _names(text: str, name: str, words: set[str]) -> bool:
    return bool(text) and (text.casefold() in words or comparable(text) == name != "")


def _row_of_stranger(place: Place, file: str, handed_in: str, note: str) -> JoinRow:
    """Of a file whose person the worksheet does not name."""
    group = "" if place.number else place.name
    return JoinRow(place.number, place.name, "", "", group, file, handed_in, note)


def _row(person: Person, called: str, file: str, handed_in: str, note: str) -> JoinRow:
    """Of a file of `person`, whom the batch calls `called`."""
    name = person.name or (person.label if person.group else called)
    return JoinRow(person.number, name, person.email, person.id_number, person.group, file, handed_in, note)
