"""SECURITY.md says what is there: its tests exist, its table names every attack and every kind of file."""

import re

import siege
import table

from hostile_submissions import kinds

DOCUMENT = table.DOCUMENT.read_text("utf-8")
ROOT = table.HERE.parent.parent


def test_every_promise_names_a_test_that_exists():
    promises = [line for line in DOCUMENT.partition("## Not promised")[0].splitlines() if line.startswith("| ")]
    promises = [line for line in promises if not line.startswith(("| promise", "|---"))]
    assert len(promises) >= 10
    for line in promises:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", line)
        assert named, line
        for path, name in named:
            assert f"\ndef {name}(" in (ROOT / path).read_text("utf-8"), (path, name)


def test_the_table_names_every_attack_and_every_kind_of_file():
    assert set(table.rows(DOCUMENT)) == set(siege.kinds())
    listed = DOCUMENT.partition("**Files that are handed in**")[2]
    assert not {kind for kind in kinds() if not re.search(rf"[| ]{kind.replace('_', ' ')}[, ]", listed)}


def test_what_is_not_stopped_is_explained():
    explained = DOCUMENT.partition("## Not promised")[2].partition("## Which protection")[0]
    open_in_a_mode = [name for name, row in table.rows(DOCUMENT).items() if not (row["bubblewrap"] and row["fallback"])]
    assert open_in_a_mode and all(name.replace("_", " ") in explained for name in open_in_a_mode)
