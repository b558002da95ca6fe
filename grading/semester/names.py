"""Who is who: students are joined by exact key; what only looks alike is shown to a person."""

import unicodedata
from collections import Counter
from collections.abc import Mapping

from grading.semester.types import Suspect

SHORT = 8  # in keys up to this length one typing error is allowed, in longer ones two


def key_of(student: str) -> str:
    """What two spellings of one student share: no blanks at the ends, no upper case, Unicode's composed form.

    Taken apart before case is folded (The Unicode Standard 3.13, canonical caseless matching): folding first would keep some
    equal letters different.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", student).casefold()).strip()


def suspects(presence: Mapping[str, frozenset[str]], names: Mapping[str, str]) -> tuple[Suspect, ...]:
    """Pairs of keys that are near each other and that no list has both of. `presence`: the titles of the lists that have a key.

    Neighbours like s1001 and s1002 stand in the same lists, so they are not suspected.
    """
    every = frozenset().union(*presence.values())
    # A key that is in every list shares one with any other.
    keys = sorted(key for key, lists in presence.items() if lists != every)
    bags = {key: Counter(key) for key in keys}
    found = []
    for index, first in enumerate(keys):
        for second in keys[index + 1 :]:
            if not presence[first] & presence[second] and _near(first, second, bags):
                titles = (tuple(sorted(presence[key])) for key in (first, second))
                found.append(Suspect(names[first], names[second], *titles))
    return tuple(found)


def _near(first: str, second: str, bags: Mapping[str, Counter[str]]) -> bool:
    allowed = 1 if max(len(first), len(second)) <= SHORT else 2
    if _words(first) == _words(second):
        return True
    # Cheap and never wrong: a typing error changes at most one letter on either side.
    if (bags[first] - bags[second]).total() > allowed or (bags[second] - bags[first]).total() > allowed:
        return False
    return edits(first, second) <= allowed


def _words(key: str) -> list[str]:
    """The words without accents and order: "Nowak, Ánna" and "Anna Nowak" have the same."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", key) if not unicodedata.combining(letter))
    return sorted("".join(letter if letter.isalnum() else " " for letter in plain).split())


def edits(first: str, second: str) -> int:
    """Letters to insert, delete, replace or swap with their neighbour (Damerau 1964, optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(second, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and b == first[i - 2]:
                best = min(best, last[j - 2] + 1)
            row.append(best)
    return row[-1]
