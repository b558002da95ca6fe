"""Grades into the instructor's worksheet: which row, which number, and a sentence for each row that Moodle would not take."""

import zipfile

import pytest

from grading.errors import GradingError
from grading.moodle.feedback import pack_feedback
from grading.moodle.fill import comment_of, fill
from grading.moodle.join import read_join, write_join
from grading.moodle.names import place_of
from grading.moodle.outcome import Outcome, outcomes
from grading.moodle.worksheet import read_worksheet
from grading.results.files import write_overview

RUSSIAN = (
    "Идентификатор,Полное имя,Индивидуальный номер,Адрес электронной почты,Состояние,Группа,Оценка,Максимальная оценка,"
    "Оценка может быть изменена,Последнее изменение (ответ),Последнее изменение (оценка),Отзыв в виде комментария"
)
UNKNOWN = "Id,Nomo,Numero,Retposxto,Stato,Grupo,Noto,Plej alta noto,Sxangxebla,Lasta (laboro),Lasta (noto),Komentoj"


def cells(filled, number):
    """The grade and the comment in the row of participant `number`."""
    import csv
    import io

    rows = list(csv.reader(io.StringIO(filled.content.decode("utf-8-sig"), newline="")))
    found = next(row for row in rows if row[0].endswith(f" {number}"))
    return found[6], found[11]


def test_points_are_a_share_of_moodles_maximum_with_its_decimal_sign(sheet, outcome):
    filled = fill(read_worksheet(sheet({"number": 1, "name": "Ann Lee"})), [outcome(2.5)])
    assert cells(filled, 1) == ("62,50", comment_of(outcome(2.5).grade)) and filled.grades == 1
    assert b',"62,50","100,00",' in filled.content
    path = sheet({"number": 1, "name": "Ann Lee"})
    path.write_bytes(path.read_bytes().replace(b'"100,00"', b"10.00"))
    assert cells(fill(read_worksheet(path), [outcome(2.5)]), 1)[0] == "6.25"


def test_russian_headers_and_the_locked_word_are_known(sheet, outcome):
    path = sheet({"number": 1, "name": "Ann Lee"}, {"number": 2, "name": "Bob Ray", "open": "Нет"}, header=RUSSIAN)
    filled = fill(read_worksheet(path), [outcome(), outcome(identifier="2", name="Bob Ray")])
    assert cells(filled, 1)[0] == "75,00" and cells(filled, 1)[1].startswith("<p>Lab: 3 of 4 points.")
    assert cells(filled, 2) == ("", "") and any("Bob Ray (2): Moodle would skip" in remark for remark in filled.remarks)


def test_other_languages_are_read_by_content_and_by_named_columns(sheet, outcome):
    """The words are Polish, the headers of a language that is not known."""
    people = {"number": 1, "name": "Ann Lee", "open": "Tak"}, {"number": 2, "grade": '"80,00"', "open": "Nie"}
    path = sheet(*people, header=UNKNOWN)
    filled = fill(read_worksheet(path), [outcome(), outcome(identifier="2")])
    assert cells(filled, 1) == ("75,00", "") and any("--comment-column" in remark for remark in filled.remarks)
    assert cells(filled, 2)[0] == "80,00" and any("cannot be changed" in remark for remark in filled.remarks)
    named = fill(read_worksheet(path, grade_column="Noto", comment_column="Komentoj"), [outcome()])
    assert cells(named, 1) == ("75,00", comment_of(outcome().grade))
    with pytest.raises(GradingError, match="'Points', expected one of Id, Nomo"):
        read_worksheet(path, grade_column="Points")
    path.write_bytes(path.read_bytes().replace(b'"100,00"', b"?").replace(b"Tak", b"Jes"))
    assert "open" not in read_worksheet(path).columns
    with pytest.raises(GradingError, match="--grade-column"):
        fill(read_worksheet(path), [outcome()])


def test_rows_that_moodle_would_skip_are_named_and_left(sheet, outcome, made_grade, row):
    people = [
        {"number": 1, "name": "Locked", "open": "No"},
        {"number": 2, "name": "Unchanged", "grade": '"75,00"'},
        {"number": 3, "name": "Too Much"},
        {"number": 4, "name": "Nothing"},
        {"number": 5, "name": "Unknown"},
        {"number": 6, "name": "Regraded", "grade": '"10,00"'},
    ]
    names = {str(person["number"]): person["name"] for person in people[:3] + people[5:]}
    found = [outcome(9.0 if name == "Too Much" else 3.0, identifier=number, name=name) for number, name in names.items()]
    found.append(Outcome(row(identifier="4", name="Nothing", file="", handed_in=""), None, "Handed in nothing."))
    found.append(outcome(identifier="77", name="Stranger"))
    path = sheet(*people)
    filled = fill(read_worksheet(path), found)
    said = {remark.split(" (")[0]: remark for remark in filled.remarks}
    assert "cannot be changed" in said["Locked"] and "75,00 already" in said["Unchanged"]
    assert "225 is not between 0 and 100" in said["Too Much"] and "no grade. Handed in nothing." in said["Nothing"]
    assert "not in the join table" in said["Unknown"] and "not in the worksheet" in said["Stranger"]
    assert "10,00 becomes 75,00" in said["Regraded"] and len(filled.remarks) == 7
    assert [cells(filled, number)[0] for number in range(1, 7)] == ["", "75,00", "", "", "", "75,00"]
    assert cells(filled, 4)[1] == cells(filled, 1)[1] == "" and filled.grades == 1


def test_the_numbers_of_another_assignment_fill_nothing_and_emails_do(sheet, outcome):
    """Participants' numbers are per assignment: the same number may be somebody else's in the next one."""
    people = [{"number": 1, "name": "Bob Ray", "email": "bob@uni.example"}, {"number": 2, "email": "ANN@uni.example"}]
    one = outcome(identifier="1", name="Ann Lee", email="ann@uni.example")
    path = sheet(*people)
    filled = fill(read_worksheet(path), [one])
    assert filled.content == path.read_bytes() and any("Bob Ray, so nothing is filled" in remark for remark in filled.remarks)
    by_mail = fill(read_worksheet(path), [one], by="email")
    assert cells(by_mail, 1)[0] == "" and cells(by_mail, 2)[0] == "75,00"
    with pytest.raises(GradingError, match="Correct --by"):
        fill(read_worksheet(path), [one], by="name")
    path = sheet({"number": 1, "email": "a@b.example"}, {"number": 2, "email": "a@b.example"})
    with pytest.raises(GradingError, match="Two rows"):
        fill(read_worksheet(path), [one], by="email")


def test_a_persons_own_comment_stays_unless_told(sheet, outcome):
    path = sheet({"number": 1, "name": "Ann Lee"})
    path.write_bytes(path.read_bytes().removesuffix(b"\r\n") + b"See me\r\n")
    kept = fill(read_worksheet(path), [outcome()])
    assert cells(kept, 1) == ("75,00", "See me") and any("already, which is kept" in remark for remark in kept.remarks)
    replaced = fill(read_worksheet(path), [outcome()], replace_comments=True)
    assert cells(replaced, 1)[1] == comment_of(outcome().grade)


def test_comments_escape_everything(made_grade):
    text = comment_of(made_grade())
    assert "Size &lt;small&gt;: 3 of 4. Measured &lt;b&gt;75&lt;/b&gt; &amp; found too large." in text
    assert comment_of(made_grade(error="<img src=x>")) == "<p>&lt;img src=x&gt;</p>"
    assert "Measured" not in comment_of(made_grade(4.0))
    verdict = made_grade().verdicts[0]
    assert len(comment_of(made_grade(verdicts=(verdict,) * 200))) < 4000


def test_a_worksheet_that_makes_no_sense_is_refused(sheet, outcome, tmp_path):
    with pytest.raises(GradingError, match="is there twice"):
        read_worksheet(sheet({"number": 1}, {"number": 1}))
    (tmp_path / "other.csv").write_text("Name,Points\nAnn,3\n")
    with pytest.raises(GradingError, match="no row names a participant"):
        read_worksheet(tmp_path / "other.csv")
    (tmp_path / "scale.csv").write_text("Identifier,Grade,Scale\nParticipant 1,,Good\n")
    with pytest.raises(GradingError, match="type Point"):
        fill(read_worksheet(tmp_path / "scale.csv"), [outcome(name="")])
    (tmp_path / "bare.csv").write_text("Identifier,Grade\nParticipant 1,\nParticipant 2\n")
    bare = read_worksheet(tmp_path / "bare.csv")
    assert bare.remarks == ("Row 3 has 1 cells, expected 2: left as it is.",)
    assert fill(bare, [outcome(name="")]).grades == 0
    assert b"Participant 1,15.00\n" in fill(bare, [outcome(name="")], maximum=20).content


def test_the_last_of_several_files_that_could_be_graded_counts(results, row, made_grade):
    grades = [
        made_grade(1.0, file="a-9.zip", name="a-9"),
        made_grade(2.0, file="a-10.zip", name="a-10"),
        made_grade(file="a-11.zip", name="a-11", error="No zip.", verdicts=()),
        made_grade(file="b.zip", name="b", error="Disk full.", ours=True, verdicts=(), student=""),
        made_grade(file="other.zip", name="other"),
    ]
    rows = [row(file=f"a-{number}.zip") for number in (10, 11, 9)]
    rows += [row("2", "Bob Ray", "b.zip"), row("3", "Cy Poe", "c.zip"), row("4", "Di Fox", "", note="Handed in nothing.")]
    found, remarks = outcomes(results(*grades), rows)
    reasons = {one.row.name: one.grade.score if one.grade else one.reason for one in found}
    assert reasons["Ann Lee"] == 2.0 and reasons["Bob Ray"] == "Disk full."
    assert "grade the folder again" in reasons["Cy Poe"] and reasons["Di Fox"] == "Handed in nothing."
    assert remarks == ["other.zip: graded, but not in the join table."]


def test_the_graders_own_failure_is_not_told_the_student(sheet, row, outcome):
    worksheet = read_worksheet(sheet({"number": 1, "name": "Ann Lee"}))
    filled = fill(worksheet, [Outcome(row(), None, "The grader failed.")])
    assert cells(filled, 1) == ("", "") and "The grader failed." in filled.remarks[0]
    loose = Outcome(row(file="", handed_in="m.tflite"), None, "Handed in no zip.")
    assert cells(fill(worksheet, [loose]), 1) == ("", "<p>Handed in no zip.</p>")


def test_a_submission_in_anothers_name_is_asked_about(results, row, made_grade):
    rows = [row(), row("2", "Bob Ray", "b.zip"), row("3", "Cy Poe", "c.zip"), row("4", "Di Fox", "d.zip")]
    students = {"a": "Ann Lee", "b": "ann lee", "c": "Nick", "d": "nick"}
    folder = results(*(made_grade(file=f"{name}.zip", name=name, student=who) for name, who in students.items()))
    _, remarks = outcomes(folder, rows)
    assert len(remarks) == 2 and remarks[0].startswith("Bob Ray (2): ") and "fits Ann Lee (1)" in remarks[0]
    assert remarks[1].startswith("Di Fox (4): ") and "fits Cy Poe (3)" in remarks[1]
    blind = [row(one.identifier, "Participant", one.file) for one in rows]
    assert [remark.split(":")[0] for remark in outcomes(folder, blind)[1]] == ["Participant (2)", "Participant (4)"]
    namesakes = [row(), row("9", "Ann Lee", "b.zip")]
    assert not any("Ask them" in remark for remark in outcomes(folder, namesakes)[1])
    group = [row("1", "Ann Lee", "a.zip", group="T"), row("2", "Bob Ray", "a.zip", group="T")]
    assert not any("Ask them" in remark for remark in outcomes(folder, group)[1])


def test_each_report_goes_under_the_folder_that_moodle_reads(results, row, made_grade, tmp_path):
    folder = results(made_grade(), made_grade(file="b.zip", name="b"))
    rows = [row(), row("2", "../O'Neil_9\x1b", "b.zip"), row("3", "Cy", "", note="Handed in nothing."), row("", "T", "b.zip")]
    found, _ = outcomes(folder, rows)
    packed = pack_feedback(folder, found)
    (tmp_path / "f.zip").write_bytes(packed.content)
    with zipfile.ZipFile(tmp_path / "f.zip") as archive:
        pages = {name: archive.read(name) for name in archive.namelist()}
    names = {"Ann Lee_1_assignfeedback_file/report.html": "a", "O'Neil9_2_assignfeedback_file/report.html": "b"}
    assert pages == {name: (folder / "results" / f"{page}.html").read_bytes() for name, page in names.items()}
    assert packed.reports == 2 and len(packed.remarks) == 2 and packed == pack_feedback(folder, found)
    # Moodle splits such a name at its underscores and wants a number second.
    assert all(
        name.split("/")[0].split("_", 4)[1:] in (["1", "assignfeedback", "file"], ["2", "assignfeedback", "file"])
        for name in pages
    )
    assert place_of(next(iter(pages))) is None


@pytest.mark.parametrize("name", ["=1+1", " =1", "'quoted", "'=1", "+1", "-", "@x", "\tx", 'a,b\n"c"', "Łucja", ""])
def test_the_join_table_gives_back_every_name_and_no_formula(name, row, tmp_path):
    import csv

    write_join([row(name=name)], tmp_path / "join.csv")
    assert read_join(tmp_path / "join.csv") == [row(name=name)]
    with (tmp_path / "join.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert list(csv.reader(stream))[1][1].lstrip(" ")[:1] not in {*"=+-@\t\r\n"}


def test_what_is_no_join_table_is_refused(tmp_path):
    (tmp_path / "join.csv").write_text("file,name\n")
    for path in (tmp_path / "join.csv", tmp_path / "absent.csv"):
        with pytest.raises(GradingError, match=r"grading moodle in"):
            read_join(path)


def test_nobody_gets_the_grade_of_a_file_that_does_not_count(results, row, made_grade):
    """Bob hands in a file in Ann's name. Hers counts; he has none, and the instructor is told."""
    grades = [
        made_grade(file="a-1.zip", name="a-1"),
        made_grade(1.0, file="b.zip", name="b"),
        made_grade(2.0, file="a-2.zip", name="a-2"),
    ]
    out = results(*grades)
    rows = [row(file="a-1.zip"), row(file="a-2.zip"), row("2", "Bob Ray", "b.zip")]
    assert [one.grade.score for one in outcomes(out, rows)[0]] == [2.0, 1.0], "without a table all count"
    write_overview([grades[0], grades[2], grades[1]], out)
    found, remarks = outcomes(out, rows)
    by_name = {one.row.name: one for one in found}
    assert by_name["Ann Lee"].grade.score == 3.0 and by_name["Bob Ray"].grade is None
    assert "Ann Lee" in by_name["Bob Ray"].reason and "instructor" in by_name["Bob Ray"].reason
    assert any(remark.startswith("Bob Ray (2): no grade") for remark in remarks)
