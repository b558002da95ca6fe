"""What the jury asks: the most remarkable of the student's own numbers, then open questions of the bank, spread over outcomes."""

from collections import Counter

from grading.colloquy.bank import BANK
from grading.colloquy.draw import Draw
from grading.colloquy.types import Open
from grading.defense import asked_costs, asked_quality
from grading.defense.types import Asked, Work

TEMPLATES = (*asked_quality.TEMPLATES, *asked_costs.TEMPLATES)
LEAST = 0.4  # below this a number is not remarkable


def questions(work: Work, count: int, seed: str = "") -> tuple[Asked, ...]:
    """`count` questions: up to two thirds about the student's numbers, the most remarkable first, the rest drawn from the bank.

    The same project, count and seed give the same questions on every machine.
    """
    own = own_questions(work)[: -(-2 * count // 3)]
    return (*own, *bank_questions(work.student, count - len(own), seed))


def own_questions(work: Work) -> tuple[Asked, ...]:
    """Every question that the numbers give rise to, the most remarkable first."""
    found = [asked for template in TEMPLATES if (asked := template(work)) and asked.remarkable >= LEAST]
    return tuple(sorted(found, key=lambda asked: -asked.remarkable))


def bank_questions(student: str, count: int, seed: str = "") -> tuple[Asked, ...]:
    """Open questions of the bank, drawn for the student: no outcome twice before every outcome came once, nor any topic."""
    pool = Draw("defense", seed, student).shuffled([question for question in BANK.values() if isinstance(question, Open)])
    outcomes, topics = Counter[str](), Counter[str]()
    chosen: list[Asked] = []
    for _ in range(min(count, len(pool))):
        best = min(pool, key=lambda question: (outcomes[question.outcome], topics[question.topic]))
        pool.remove(best)
        outcomes[best.outcome] += 1
        topics[best.topic] += 1
        guide = tuple(f"{idea} ({points:g})" for idea, points in best.guide)
        chosen.append(Asked(best.id, best.text, guide, f"{best.outcome} · {best.topic}"))
    return tuple(chosen)
