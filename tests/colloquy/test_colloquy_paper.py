"""From a list of students to their scores, through the files that people handle."""

import csv
from collections import Counter
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from grading.colloquy.bank import BANK, COMPUTED, TOPICS
from grading.colloquy.check import check
from grading.colloquy.cli import app
from grading.colloquy.formula import show, to_html
from grading.colloquy.paper import Choice, choose, draw_paper, read_paper, read_students, write_paper
from grading.colloquy.types import Computed
from grading.errors import GradingError

STUDENTS = ("Zoë Ng", "<b>Bob</b>", "=cmd()|A1")


@pytest.fixture
def folder(tmp_path):
    write_paper(draw_paper(STUDENTS, "First", Choice(12, 3), "secret"), tmp_path)
    return tmp_path


def rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def fill(folder, answer):
    """answers.csv with `answer(item)` for everyone, with semicolons and a byte order mark as a spreadsheet saves it."""
    items = {(student, item.number): item for student, sheet in read_paper(folder).sheets.items() for item in sheet}
    path = folder / "filled.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream, delimiter=";")
        writer.writerow(["student", "number", "answer"])
        for (student, number), item in items.items():
            writer.writerow([student, number, answer(item)])
    return path


def test_right_answers_earn_all_computed_points_and_open_ones_wait(folder):
    path = fill(folder, lambda item: show(item.answer).replace(".", ",") if item.kind == "computed" else "My thoughts.")
    check(path, folder, folder / "marks")
    scores = rows(folder / "marks" / "scores.csv")
    assert [row["student"] for row in scores] == ["Zoë Ng", "<b>Bob</b>", "'=cmd()|A1"]
    for row in scores:
        assert (row["right"], row["wrong"], row["to mark"]) == ("9", "0", "3")
        assert 0 < float(row["score"]) < float(row["possible"])


def test_points_of_a_person_are_added_and_stay_only_with_their_answer(folder):
    out, marks = folder / "marks", folder / "marks" / "to_mark.csv"
    path = fill(folder, lambda item: show(item.answer) if item.kind == "computed" else "My thoughts.")
    check(path, folder, out)
    waiting = rows(marks)
    assert all(row["guide"] for row in waiting)
    marks.write_text(
        "student,number,answer,points\n"
        + "".join(f'"{row["student"]}",{row["number"]},{row["answer"]},{row["possible"]}\n' for row in waiting),
        encoding="utf-8",
    )
    for _ in range(2):  # the file is written again with the points in it
        check(path, folder, out)
        assert all(row["score"] == row["possible"] and row["to mark"] == "0" for row in rows(out / "scores.csv"))
    check(fill(folder, lambda item: "Something else."), folder, out)
    assert all(float(row["score"]) == 0 for row in rows(out / "scores.csv"))


def test_a_known_mistake_is_named_and_an_unreadable_number_waits(folder):
    path = fill(folder, lambda item: repr(next(iter(item.wrong.values()))) if item.kind == "computed" else "")
    results = check(path, folder, folder / "marks")
    computed = [result for result in results if result.item.kind == "computed"]
    assert {result.verdict for result in computed} == {"wrong"}
    assert all(next(iter(result.item.wrong)) in result.message for result in computed)
    results = check(fill(folder, lambda item: "see overleaf"), folder, folder / "marks")
    assert {result.verdict for result in results} == {"to mark"}


def test_points_beyond_the_question_stop_with_a_sentence(folder):
    path = fill(folder, lambda item: "text")
    check(path, folder, folder / "marks")
    first = rows(folder / "marks" / "to_mark.csv")[0]
    (folder / "marks" / "to_mark.csv").write_text(f"student,number,answer,points\n{first['student']},{first['number']},text,99\n")
    with pytest.raises(GradingError, match="expected 0 to"):
        check(path, folder, folder / "marks")


@pytest.mark.parametrize("row", ["Nobody,1,5", "Zoë Ng,99,5", "Zoë Ng,1,5\nZoë Ng,1,6", "Zoë Ng,x,5"])
def test_rows_that_do_not_fit_the_paper_stop_with_a_sentence(folder, row):
    path = folder / "filled.csv"
    path.write_text(f"student,number,answer\n{row}\n", encoding="utf-8")
    with pytest.raises(GradingError, match="expected"):
        check(path, folder, folder / "marks")


def test_a_missing_key_or_column_stops_with_a_sentence(folder, tmp_path):
    with pytest.raises(GradingError, match="key"):
        read_paper(tmp_path / "nowhere")
    (folder / "filled.csv").write_text("name,answer\nZoë Ng,5\n", encoding="utf-8")
    with pytest.raises(GradingError, match="no column student"):
        check(folder / "filled.csv", folder, folder / "marks")


def test_everyone_answers_the_same_questions_with_other_numbers():
    sheets = list(draw_paper(STUDENTS, "First").sheets.values())
    assert len({tuple(item.question for item in sheet) for sheet in sheets}) == 1
    for one, other in zip(sheets[0], sheets[1], strict=True):
        assert one.kind == "open" or one.text != other.text
    varied = draw_paper(STUDENTS, "First", Choice(12, 3, vary=True)).sheets.values()
    assert len({tuple(item.question for item in sheet) for sheet in varied}) == 3


def test_a_folder_keeps_its_paper_and_its_filled_answers(folder):
    (folder / "answers.csv").write_text("filled in", encoding="utf-8")
    write_paper(draw_paper(STUDENTS, "First", Choice(12, 3), "secret"), folder)
    assert (folder / "answers.csv").read_text(encoding="utf-8") == "filled in"
    key = (folder / "key.json").read_bytes()
    with pytest.raises(GradingError, match="another paper"):
        write_paper(draw_paper(STUDENTS, "First", Choice(12, 3), "other secret"), folder)
    assert (folder / "key.json").read_bytes() == key


def test_topics_are_balanced_and_the_draw_is_repeatable():
    for name in map(str, range(30)):
        questions = choose(Choice(12, 3), name)
        assert questions == choose(Choice(12, 3), name)
        assert sum(isinstance(question, Computed) for question in questions) == 9
        assert max(Counter(question.topic for question in questions).values()) == 1
    assert len({choose(Choice(12, 3), str(i)) for i in range(30)}) == 30
    assert {q.topic for q in choose(Choice(4, 1, ("pruning", "quantization")), "a")} == {"pruning", "quantization"}
    everything = choose(Choice(len(BANK), len(BANK) - len(COMPUTED)), "a")
    assert len(everything) == len(BANK)


@pytest.mark.parametrize("choice", [Choice(3, 5), Choice(500, 3), Choice(5, 1, ("cooking",)), Choice(0, 0)])
def test_an_impossible_choice_stops_with_a_sentence(choice):
    with pytest.raises(GradingError):
        choose(choice, "a")


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.text = Counter(), ""

    def handle_starttag(self, tag, attributes):
        self.seen[tag] += 1

    def handle_data(self, data):
        self.text += data


def test_pages_show_every_question_escaped_and_no_answer_to_students(folder):
    paper = read_paper(folder)
    page, key = (folder / "papers.html").read_text(encoding="utf-8"), (folder / "key.html").read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert tags.seen["main"] == 3 and tags.seen["section"] == 36 and "<b>Bob</b>" in tags.text
    assert len(list((folder / "papers").glob("*.html"))) == 3
    for sheet in paper.sheets.values():
        for item in sheet:
            assert to_html(item.text) in page.replace("&#34;", "&quot;") and to_html(item.text) in key
            assert item.kind == "open" or (to_html(item.solution) in key and to_html(item.solution) not in page)


def test_lists_of_students(tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("\ufeffgroup;student\nA;Ann\nB;'=x\n;\n", encoding="utf-8")
    assert read_students(table) == ("Ann", "=x")
    for content in ("", "Ann\nBob\nAnn\n"):
        (tmp_path / "b.txt").write_text(content)
        with pytest.raises(GradingError, match="every student once"):
            read_students(tmp_path / "b.txt")


def test_the_commands(tmp_path):
    (tmp_path / "s.txt").write_text("Ann\nBob\n")
    run = CliRunner().invoke
    made = run(
        app, ["make", "--students", str(tmp_path / "s.txt"), "--paper", "P", "--out", str(tmp_path / "o"), "--questions", "8"]
    )
    assert made.exit_code == 0 and "2 papers" in made.output
    marked = run(
        app, ["check", "--answers", str(tmp_path / "o/answers.csv"), "--paper", str(tmp_path / "o"), "--out", str(tmp_path)]
    )
    assert marked.exit_code == 0 and [row["empty"] for row in rows(tmp_path / "scores.csv")] == ["8", "8"]
    listed = run(app, ["topics"])
    assert listed.exit_code == 0 and len(listed.output.splitlines()) == len(TOPICS)
    wrong = run(app, ["check", "--answers", "absent.csv", "--paper", str(tmp_path / "o"), "--out", str(tmp_path)])
    assert wrong.exit_code == 2 and "Traceback" not in wrong.output
