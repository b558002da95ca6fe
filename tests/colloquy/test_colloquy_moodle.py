"""The question bank as Moodle reads it: element names of docs.moodle.org/en/Moodle_XML_format."""

import xml.etree.ElementTree as ElementTree
from collections import Counter

import pytest

from grading.colloquy.bank import BANK, COMPUTED, item
from grading.colloquy.moodle_xml import _text, moodle_xml
from grading.errors import GradingError


@pytest.fixture(scope="module")
def quiz(tmp_path_factory):
    path = tmp_path_factory.mktemp("moodle") / "bank.xml"
    assert moodle_xml(path, variants=3) == 3 * len(COMPUTED) + len(BANK) - len(COMPUTED)
    return ElementTree.parse(path).getroot()


def test_kinds_and_categories(quiz):
    kinds = Counter(question.get("type") for question in quiz)
    assert quiz.tag == "quiz" and set(quiz) and {child.tag for child in quiz} == {"question"}
    assert kinds == {"category": len(BANK), "numerical": 3 * len(COMPUTED), "essay": len(BANK) - len(COMPUTED)}
    paths = [question.findtext("category/text") for question in quiz if question.get("type") == "category"]
    assert all(path.startswith("$course$/top/") for path in paths)


def test_every_question_has_what_moodle_reads(quiz):
    numbers = [question.findtext("idnumber") for question in quiz if question.get("type") != "category"]
    assert len(set(numbers)) == len(numbers)
    for question in quiz:
        if question.get("type") == "category":
            continue
        assert question.findtext("name/text") and question.find("questiontext").get("format") == "html"
        assert question.findtext("questiontext/text").startswith("<p>") and float(question.findtext("defaultgrade")) > 0
        for name in ("generalfeedback", "penalty", "hidden", "tags"):
            assert question.find(name) is not None


def test_numerical_questions_have_one_right_answer_with_its_tolerance(quiz):
    one = item(COMPUTED[0], 1, "variant 1", "moodle")
    found = next(q for q in quiz if q.findtext("name/text") == f"{COMPUTED[0].id} 01")
    right = found.find("answer")
    assert float(right.findtext("text")) == one.answer and float(right.findtext("tolerance")) == one.tolerance
    for question in quiz.iter("question"):
        if question.get("type") != "numerical":
            continue
        fractions = [answer.get("fraction") for answer in question.findall("answer")]
        assert fractions[0] == "100" and fractions.count("100") == 1
        first, *others = ((float(a.findtext("text")), float(a.findtext("tolerance"))) for a in question.findall("answer"))
        assert all(abs(first[0] - value) > first[1] for value, _ in others)


def test_essays_carry_the_marking_guide_for_graders(quiz):
    for question in quiz.iter("question"):
        if question.get("type") == "essay":
            guide = question.findtext("graderinfo/text")
            assert guide.count("<li>") == len(BANK[question.findtext("name/text")].guide)
            assert question.findtext("responseformat") == "editor" and question.find("attachments") is not None


def test_no_text_can_end_its_cdata_early():
    text = "a ]]> b & <c> ]]>"
    assert ElementTree.fromstring(_text(text)).text == text


def test_an_impossible_export_stops_with_a_sentence(tmp_path):
    for arguments in ({"variants": 0}, {"topics": ("cooking",)}):
        with pytest.raises(GradingError):
            moodle_xml(tmp_path / "x.xml", **arguments)
    assert not (tmp_path / "x.xml").exists()
