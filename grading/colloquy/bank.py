"""The bank: every question of the colloquy by its id, and the drawing of a student's own numbers."""

import math
from collections.abc import Mapping

from grading.colloquy import (
    distillation,
    hardware,
    lowrank,
    measurement,
    noise,
    open_questions,
    pruning,
    quantization,
    robustness,
    search,
    structure,
    uncertainty,
)
from grading.colloquy.draw import Draw
from grading.colloquy.types import Computed, Item, Open, Problem, Question
from grading.errors import GradingError

COMPUTED = (
    *measurement.QUESTIONS,
    *quantization.QUESTIONS,
    *structure.QUESTIONS,
    *pruning.QUESTIONS,
    *lowrank.QUESTIONS,
    *distillation.QUESTIONS,
    *search.QUESTIONS,
    *hardware.QUESTIONS,
    *noise.QUESTIONS,
    *uncertainty.QUESTIONS,
    *robustness.QUESTIONS,
)
BANK: Mapping[str, Question] = {question.id: question for question in (*COMPUTED, *open_questions.QUESTIONS)}
TOPICS = tuple(dict.fromkeys(question.topic for question in BANK.values()))

ATTEMPTS = 200
APART = 2.5  # tolerances between the right answer and a known wrong one


def place(question: Question) -> str:
    """Where the courses teach it, for people: the lab, and the week where there is one."""
    return f"{question.lab}, week {question.week}" if question.week else question.lab


def tolerance(question: Computed, answer: float) -> float:
    """How far from `answer` is still right."""
    return 0.0 if question.whole else question.relative * abs(answer)


def problem_for(question: Computed, student: str, paper: str, seed: str = "") -> Problem:
    """The question with the student's own numbers, the same on every machine.

    Drawn again until the answer is not trivial and every known mistake shows. Raises GradingError when no draw does."""
    draw = Draw(seed, student, paper, question.id)
    for _ in range(ATTEMPTS):
        problem = question.make(draw)
        if _worth_asking(question, problem):
            return problem
    raise GradingError(
        f"Question {question.id!r}: {ATTEMPTS} draws without usable numbers, expected one. Widen what its function draws from."
    )


def _worth_asking(question: Computed, problem: Problem) -> bool:
    answer = problem.answer
    if not math.isfinite(answer) or abs(answer) < 1e-3 or abs(answer - 1) < 1e-3:
        return False
    nearest = max(APART * tolerance(question, answer), 0.5 if question.whole else 1e-9)
    return all(math.isfinite(value) and abs(value - answer) > nearest for value in problem.wrong.values())


def item(question: Question, number: int, student: str, paper: str, seed: str = "") -> Item:
    """The question as it stands on a student's paper."""
    common = (question.topic, place(question), question.outcome, question.points)
    if isinstance(question, Open):
        return Item(number, question.id, "open", *common, text=question.text, guide=question.guide)
    problem = problem_for(question, student, paper, seed)
    return Item(
        number,
        question.id,
        "computed",
        *common,
        text=problem.text,
        table=problem.table,
        unit=question.unit,
        whole=question.whole,
        answer=float(problem.answer),
        tolerance=tolerance(question, problem.answer),
        solution=problem.solution,
        wrong={name: float(value) for name, value in problem.wrong.items()},
    )
