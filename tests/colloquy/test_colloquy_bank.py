"""Every computed question, for many students: right by another way of computing it, worth asking, and printable."""

import json
import math
import os
import subprocess
import sys

import pytest
from colloquy_oracles import ORACLES

from grading.colloquy.answers import read_number
from grading.colloquy.bank import BANK, COMPUTED, TOPICS, item, problem_for, tolerance
from grading.colloquy.check import is_right
from grading.colloquy.formula import show, to_html
from grading.colloquy.open_questions import QUESTIONS as OPEN
from grading.colloquy.types import LEGAL, MADE, Computed

STUDENTS = [f"student {i}" for i in range(200)]
every_computed = pytest.mark.parametrize("question", COMPUTED, ids=lambda question: question.id)


def numbers_in(value):
    if isinstance(value, tuple):
        for part in value:
            yield from numbers_in(part)
    else:
        yield value


def test_the_bank_is_large_enough_and_ids_are_unique():
    assert len(COMPUTED) >= 35 and len(OPEN) >= 20 and len(BANK) == len(COMPUTED) + len(OPEN) >= 60
    assert {question.outcome for question in BANK.values()} >= {LEGAL, MADE}
    assert len(TOPICS) >= 12


@every_computed
def test_answers_agree_with_an_independent_oracle(question):
    for student in STUDENTS:
        problem = problem_for(question, student, "paper")
        assert problem.answer == pytest.approx(ORACLES[question.id](problem.numbers), rel=1e-9, abs=1e-9), problem.text


@every_computed
def test_numbers_are_worth_asking(question):
    answers = set()
    for student in STUDENTS:
        problem = problem_for(question, student, "paper")
        assert math.isfinite(problem.answer) and abs(problem.answer) > 1e-3 and abs(problem.answer - 1) > 1e-3
        assert not question.whole or problem.answer == int(problem.answer)
        assert problem.wrong, "a question without known mistakes tells nobody what went wrong"
        answers.add(show(problem.answer))
    assert len(answers) >= 15 or question.id in ("accumulator-bits", "pareto-front", "two-four-size"), len(answers)
    assert len(answers) >= 8


@every_computed
def test_the_text_holds_all_numbers_and_the_solution_the_answer(question):
    for student in STUDENTS[:40]:
        problem = problem_for(question, student, "paper")
        shown = problem.text + " ".join(cell for row in problem.table for cell in row)
        for number in numbers_in(tuple(problem.numbers.values())):
            percent = show(100 * number)
            assert str(number) in shown or show(number) in shown or f"{percent} %" in shown, (number, shown)
        assert show(problem.answer) in problem.solution
        assert "e-" not in problem.text and "None" not in problem.text and "00000" not in problem.text.replace("000000", "")
        assert "_[" not in to_html(problem.text) and "^[" not in to_html(problem.text)


@every_computed
def test_a_rounded_right_answer_passes_and_known_mistakes_fail(question):
    for student in STUDENTS:
        one = item(question, 1, student, "paper")
        digits = f"{one.answer:.4g}" if not one.whole else show(one.answer)
        for spelling in (digits, digits.replace(".", ","), f" {digits} {one.unit} ".replace("fraction", "")):
            assert is_right(read_number(spelling, one.unit, one.whole), one), (spelling, one.answer)
        for mistake, value in one.wrong.items():
            assert not is_right(value, one), (mistake, one.text)
        assert one.tolerance == tolerance(question, one.answer)


def test_students_get_different_numbers_and_the_same_on_every_run():
    program = (
        "import json, sys\nfrom grading.colloquy.bank import COMPUTED, problem_for\n"
        "print(json.dumps([problem_for(q, 'Ann', 'p', 's').text for q in COMPUTED]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=environment)
    here = [problem_for(question, "Ann", "p", "s").text for question in COMPUTED]
    assert json.loads(done.stdout) == here
    for other in (("Bob", "p", "s"), ("Ann", "q", "s"), ("Ann", "p", "t")):
        assert sum(a == problem_for(q, *other).text for a, q in zip(here, COMPUTED, strict=True)) <= 3


def test_open_questions_say_what_is_expected():
    for question in OPEN:
        assert not isinstance(question, Computed) and question.text.endswith((".", "?"))
        assert len(question.guide) >= 3 and all(points > 0 for _, points in question.guide)
