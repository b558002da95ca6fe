"""Filling a worksheet changes the bytes of the grade and comment cells and no other, whatever the file looks like."""

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grading.errors import GradingError
from grading.moodle.cells import read_table, replace_cells
from grading.moodle.fill import comment_of, fill
from grading.moodle.worksheet import read_worksheet

HEADERS = ("Identifier", "Full name", "Status", "Grade", "Maximum grade", "Grade can be changed", "Notes", "Feedback comments")
GRADE, COMMENT = 3, 7
TEXT = st.text(st.sampled_from("ab é'=@;,\t\"\r\n\\😀"), max_size=8)


def quoted(value):
    return '"' + value.replace('"', '""') + '"'


@st.composite
def raw_cell(draw, value, delimiter):
    """A cell's text with quotes where it needs them, and sometimes where it does not."""
    needed = value.startswith('"') or any(sign in value for sign in (delimiter, "\r", "\n"))
    return quoted(value) if needed or draw(st.booleans()) else value


@st.composite
def worksheets(draw):
    """(raw cells by row, what follows each row, byte-order mark or not, delimiter, people's fields)"""
    delimiter = draw(st.sampled_from(",;\t"))
    people = []
    for number in range(draw(st.integers(1, 4))):
        grade = draw(st.sampled_from(["", "75.00", "75", "12.5"]))
        people.append([f"Participant {number}", draw(TEXT), draw(TEXT), grade, "100.00", draw(st.sampled_from(["Yes", "No"]))])
        people[-1] += [draw(TEXT), draw(TEXT)]
    rows = [[draw(raw_cell(value, delimiter)) for value in line] for line in (HEADERS, *people)]
    ends = [draw(st.sampled_from(["\r\n", "\n", "\r", "\r\n\r\n", "\n\n"])) for _ in rows]
    ends[-1] = draw(st.sampled_from(["", ends[-1]]))
    return rows, ends, draw(st.booleans()), delimiter, people


def assembled(rows, ends, mark, delimiter):
    body = "".join(delimiter.join(row) + end for row, end in zip(rows, ends, strict=True))
    return ("\ufeff" * mark + body).encode()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=worksheets())
def test_only_grades_and_comments_change(made, outcome):
    rows, ends, mark, delimiter, people = made
    found = [outcome(3.0, identifier=str(number), name="") for number in range(len(people))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.csv"
        path.write_bytes(assembled(rows, ends, mark, delimiter))
        filled = fill(read_worksheet(path), found, replace_comments=True)
    expected = [list(row) for row in rows]
    for raw, person, one in zip(expected[1:], people, found, strict=True):
        if person[5] == "No":
            continue
        if person[GRADE] not in ("75.00", "75"):
            raw[GRADE] = quoted("75.00") if raw[GRADE].startswith('"') else "75.00"
        raw[COMMENT] = quoted(comment_of(one.grade))
    assert filled.content == assembled(expected, ends, mark, delimiter)
    assert filled.grades == sum(person[5] == "Yes" and person[GRADE] not in ("75.00", "75") for person in people)


@settings(max_examples=200, deadline=None)
@given(values=st.lists(st.lists(TEXT, min_size=3, max_size=3), min_size=1, max_size=4), end=st.sampled_from(["\n", "\r\n"]))
def test_cells_are_what_another_reader_reads(values, end):
    headers = ["Identifier", "Full name", "Grade"]
    stream = io.StringIO()
    csv.writer(stream, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([headers, *values])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.csv"
        path.write_bytes(stream.getvalue().encode())
        table = read_table(path, lambda header: header in headers)
        changed = replace_cells(table, {(1, 1): 'new "one", here'}).decode()
    assert [[cell.value for cell in row] for row in table.rows] == [headers, *values]
    expected = [list(row) for row in values]
    expected[0][1] = 'new "one", here'
    assert list(csv.reader(io.StringIO(changed, newline=""))) == [headers, *expected]


def test_a_quote_behind_a_backslash_is_not_doubled_by_moodle_and_ends_no_cell(tmp_path):
    (tmp_path / "w.csv").write_bytes(b'Identifier,Full name\r\nParticipant 1,"Ann \\"Bo\\" Lee"\r\n')
    table = read_table(tmp_path / "w.csv", lambda header: header == "Identifier")
    assert table.rows[1][1].value == 'Ann \\"Bo\\" Lee'


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_is_known_by_its_mark_and_kept(tmp_path, encoding):
    content = "\ufeffIdentifier\tПолное имя\r\nParticipant 1\tАнна\r\n".encode(encoding)
    (tmp_path / "w.csv").write_bytes(content)
    table = read_table(tmp_path / "w.csv", lambda header: header == "Identifier")
    assert table.headers == ["Identifier", "Полное имя"] and replace_cells(table, {}) == content
    assert replace_cells(table, {(1, 1): "Ева"}) == content.replace("Анна".encode(encoding), "Ева".encode(encoding))


def test_another_encoding_must_be_named_and_is_kept(tmp_path):
    content = "Identifier,Full name\r\nParticipant 1,Łucja Żak\r\n".encode("cp1250")
    (tmp_path / "w.csv").write_bytes(content)
    with pytest.raises(GradingError, match="--encoding cp1250"):
        read_table(tmp_path / "w.csv", lambda header: True)
    table = read_table(tmp_path / "w.csv", lambda header: True, "cp1250")
    assert table.rows[1][1].value == "Łucja Żak"
    assert replace_cells(table, {(1, 1): "→Ż"}) == content.replace("Łucja Żak".encode("cp1250"), "?Ż".encode("cp1250"))
    with pytest.raises(GradingError, match="no-such"):
        read_table(tmp_path / "w.csv", lambda header: True, "no-such")


def test_an_open_quote_is_refused_with_its_line(tmp_path):
    (tmp_path / "w.csv").write_bytes(b'Identifier,Full name\nParticipant 1,"Ann\n')
    with pytest.raises(GradingError, match=r"opens in line 2 and never closes"):
        read_table(tmp_path / "w.csv", lambda header: header == "Identifier")
