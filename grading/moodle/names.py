"""The names in Moodle's zips: `{name}_{number}_assignsubmission_{plugin}`, as a folder or in front of each file's name.

Source: mod/assign/classes/downloader.php (what writes them) and feedback/file/importziplib.php (what reads them back). The
number is the participant's in this assignment, a group's id, or absent for the group of those who are in no group.
"""

import re
import unicodedata
from dataclasses import dataclass

# The leftmost match counts, so a student's file called "Bob Ray_7_assignsubmission_file_x.zip" stays that student's.
_PLACE = re.compile(r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_(?P<plugin>[a-z]+)(?:_(?P<rest>.*))?", re.DOTALL)
_PLACE_WITHOUT_NUMBER = re.compile(r"(?P<name>.+?)_assignsubmission_(?P<plugin>[a-z]+)(?:_(?P<rest>.*))?", re.DOTALL)
_LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True, slots=True)
class Place:
    """Whose a member of the zip is: the `name` in front, the `number` behind it ("" where there is none), the plugin that it
    was handed in through ("file", "onlinetext", …), and its own name `file`."""

    name: str
    number: str
    plugin: str
    file: str


def place_of(member: str) -> Place | None:
    """Whose a member is, by the outermost part of its path that has Moodle's form; None when no part has."""
    parts = member.replace("\\", "/").split("/")
    for index, part in enumerate(parts):
        found = _PLACE.fullmatch(part) or _PLACE_WITHOUT_NUMBER.fullmatch(part)
        if found:
            inside = "/".join([*filter(None, [found["rest"]]), *parts[index + 1 :]])
            return Place(found["name"], found.groupdict().get("number", ""), found["plugin"], inside)
    return None


def is_litter(member: str) -> bool:
    """Whether an operating system left this file behind when somebody packed the zip again."""
    return any(part in _LITTER or part.startswith("._") for part in member.split("/"))


def comparable(name: str) -> str:
    """Letters and digits only, in one case: Moodle takes signs out of the names that it uses for files."""
    return "".join(letter for letter in unicodedata.normalize("NFKC", name).casefold() if letter.isalnum())


def same_name(one: str, other: str) -> bool:
    """Whether two spellings mean one person: equal letters, or all words of one among the words of the other."""
    if comparable(one) == comparable(other):
        return bool(comparable(one))
    words, others = ({comparable(word) for word in name.split()} - {""} for name in (one, other))
    return bool(words and others) and (words <= others or others <= words)


def feedback_folder(name: str, number: str) -> str:
    """The folder that brings a file back to the participant with this number; Moodle reads the number and ignores the name."""
    plain = "".join(letter for letter in name if letter.isprintable() and letter not in '_/\\:*?"<>|')
    return f"{plain.strip(' .')[:80] or 'Participant'}_{number}_assignfeedback_file"


def file_stem(name: str, number: str) -> str:
    """A file name for a submission that is safe on every system and sorts by name; 0 stands for no number."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()).strip("_")
    return f"{plain[:35].strip('_') or 'student'}_{number or 0}"


def natural(name: str) -> list[str | int]:
    """Sorts x_2 before x_10."""
    parts = re.split(r"([0-9]+)", name)  # texts and numbers in turn
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def printable(text: str, limit: int = 80) -> str:
    """A stranger's text, safe on a terminal: one line, no control codes, at most `limit` characters."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
