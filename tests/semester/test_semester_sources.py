"""What is read from files, and how students of several lists are joined."""

import unicodedata
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.errors import GradingError
from grading.semester.names import edits, key_of, suspects
from grading.semester.sources import read_scores, read_students, read_times
from grading.semester.types import Component

EXAM = Component("exam", "Exam", Fraction(30))


def read(folder, text, points=True):
    path = folder / "exam.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_scores(path, EXAM, points)


def earned(source):
    return {key: {name: (one.earned, one.possible) for name, one in items.items()} for key, items in source.scores.items()}


def test_scores_as_spreadsheets_write_them(tmp_path):
    expected = {"ann": {"exam": (Fraction("27.5"), 30)}, "bob": {"exam": (None, 30)}}
    assert earned(read(tmp_path, "student,score\nAnn,27.5\nBob,\n")) == expected
    assert earned(read(tmp_path, "\ufeffScore;Student\r\n27,5;Ann\r\n;;\r\n".replace(";;", ";") + ";Bob\r\n")) == expected
    assert earned(read(tmp_path, 'student\tscore\n"Ann"\t27.5\n\n \nBob\t\n')) == expected
    assert earned(read(tmp_path, "student,score\nAnn,27.5\nBob,\n", points=False))["ann"]["exam"][1] == 100
    assert earned(read(tmp_path, "student,score,possible\nAnn,11,40\n")) == {"ann": {"exam": (11, 40)}}


def test_items_and_times(tmp_path):
    source = read(
        tmp_path,
        "student,item,score,submitted,deadline\nAnn,b,1,2026-11-20 13:00,2026-11-20 12:00\nAnn,a,2,,\nBob,a,3,2026-11-20T11:00Z,"
        "2026-11-20T12:00+01:00\n",
    )
    assert source.items == ("a", "b") and source.names == {"ann": "Ann", "bob": "Bob"}
    late = source.scores["ann"]["b"]
    assert (late.submitted - late.deadline).total_seconds() == 3600
    assert source.scores["ann"]["a"].submitted is None
    assert source.scores["bob"]["a"].submitted == source.scores["bob"]["a"].deadline


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the columns are none"),
        ("name,score\nAnn,1\n", "expected score, student and nothing but"),
        ("student,score,scor\nAnn,1,2\n", "the columns are student, score, scor"),
        ("student,score,score\nAnn,1,2\n", "each once"),
        ("student,score\nAnn,1\nBob\n", "line 3: 1 cells, expected 2"),
        ("student,score\nAnn,1,5\n", "line 2: 3 cells"),
        ("student,score\nAnn,1\n\u212bnn,2\nann ,3\n", "line 4: Ann is there a second time"),
        ("student,score,item\nAnn,1,a\nAnn,2,a\n", "second time for a"),
        ("student,score,item\nAnn,1,\n", "the item is empty"),
        ("student,score\n,1\n", "line 2: student is ''"),
        ("student,score\nA\x07,1\n", "expected an e-mail address or an ID"),
        ("student,score\nAnn,31\n", "score is 31 of 30 possible"),
        ("student,score\nAnn,-1\n", "score is '-1', expected a number of 0 or more"),
        ("student,score\nAnn,nan\n", "score is 'nan'"),
        ("student,score\nAnn,1e999\n", "score is '1e999'"),
        ("student,score\nAnn,absent\n", "leave it empty where there is no score"),
        ("student,score\nAnn,٣\n", "score is '٣'"),
        ("student,score,possible\nAnn,0,0\n", "score is 0 of 0 possible"),
        ("student,score,submitted\nAnn,1,2026-11-20\n", "only one of the columns submitted and deadline"),
        ("student,score,submitted,deadline\nAnn,1,20.11.2026,\n", "submitted is '20.11.2026', expected a time such as"),
        (
            "student,score,submitted,deadline\nAnn,1,2026-11-20T10:00Z,2026-11-20T10:00\n",
            "a time zone, expected both or none",
        ),
        ('student,score\n"Ann,1\n', "not readable as CSV"),
        ("student,score\nJosé,1\n".encode("cp1250"), "not in UTF-8"),
    ],
)
def test_a_broken_list_is_refused_with_its_line(tmp_path, text, says):
    with pytest.raises(GradingError) as caught:
        read(tmp_path, text)
    assert says in str(caught.value) and "exam.csv" in str(caught.value)


def test_lists_of_students_and_times(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("Group,Student\n1,Ann\n2,Bob\n")
    assert read_students(path).names == {"ann": "Ann", "bob": "Bob"}
    path.write_text("student\nAnn\nANN\n")
    with pytest.raises(GradingError, match="line 3: Ann is there a second time"):
        read_students(path)
    path.write_text("student,lab,submitted,deadline\nAnn,l01,2026-11-20,2026-11-19\nAnn,l01,,\n")
    with pytest.raises(GradingError, match="second time for l01"):
        read_times(path)
    with pytest.raises(GradingError, match="cannot be read"):
        read_times(tmp_path / "none.csv")


@given(st.text(max_size=12))
def test_a_key_is_the_same_for_every_spelling(name):
    key = key_of(name)
    forms = [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]
    assert {key_of(other) for other in [*forms, f" {name}\t", key]} == {key}


def test_letters_in_any_case_and_form():
    assert key_of("  ŁUKASZ.ŻÓŁĆ@x.pl ") == key_of("Łukasz.Żo\u0301łć@X.PL") == "łukasz.żółć@x.pl"
    assert key_of("o") != key_of("ó")


def brute(a, b):
    """The recursion of optimal string alignment, from its definition."""
    if not a or not b:
        return len(a) + len(b)
    best = min(brute(a[:-1], b) + 1, brute(a, b[:-1]) + 1, brute(a[:-1], b[:-1]) + (a[-1] != b[-1]))
    swapped = len(a) > 1 and len(b) > 1 and a[-1] == b[-2] and a[-2] == b[-1]
    return min(best, brute(a[:-2], b[:-2]) + 1) if swapped else best


@given(st.text("abc", max_size=5), st.text("abc", max_size=5))
def test_edits_by_the_definition(a, b):
    assert edits(a, b) == brute(a, b)


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("anna.nowak@x.pl", "ana.nowak@x.pl", True),
        ("anna.nowak@x.pl", "anna.nowka@x.pl", True),
        ("anna nowak", "nowak, ánna", True),
        ("s100234", "s100243", True),
        ("s100234", "s100888", False),
        ("anna.nowak@x.pl", "adam.nowak@x.pl", False),
    ],
)
def test_who_is_suspected(first, second, found):
    names = {first: first, second: second}
    pairs = suspects({first: frozenset({"Exam"}), second: frozenset({"Project"})}, names)
    assert [{one.first, one.second} for one in pairs] == ([{first, second}] if found else [])


def test_neighbours_in_one_list_are_two_people():
    exam, project = frozenset({"Exam"}), frozenset({"Project"})
    both = {"s1001": exam, "s1002": exam, "s1003": exam | project, "s1004": exam | project}
    assert suspects(both, {key: key for key in both}) == ()
    pairs = suspects(both | {"s1005": project}, {key: key for key in [*both, "s1005"]})
    assert [(one.first, one.second) for one in pairs] == [("s1001", "s1005"), ("s1002", "s1005")]
