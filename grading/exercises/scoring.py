"""Compares handed-in arrays with the reference solution's."""

import numpy as np

from grading.exercises import SOLUTIONS
from grading.types import Answer, Rubric
from projectkit.submit import Intake, exercise_inputs
from projectkit.types import Arrays

RELATIVE = 1e-4  # of the entry: a float32 computation stays well below, another formula does not
ABSOLUTE = 1e-6  # of the array's largest entry: for entries that are nearly zero


def score_answers(intake: Intake, rubric: Rubric) -> dict[str, Answer]:
    """Every exercise of the rubric that was answered, compared with the reference on this student's own inputs."""
    submission = intake.submission
    return {
        exercise: score(submission.answers[exercise], reference_answer(submission.student, submission.lab, exercise))
        for exercise in rubric.exercises
        if exercise in submission.answers
    }


def reference_answer(student: str, lab: str, exercise: str) -> Arrays:
    """The right answer to this student's own inputs."""
    return SOLUTIONS[lab][exercise](exercise_inputs(student, lab, exercise))


def score(answer: Arrays | None, reference: Arrays) -> Answer:
    """The share of right entries, averaged over the arrays of `reference` so that a scalar counts as much as a tensor.

    A float entry is right within 1e-4 of itself plus 1e-6 of its array's largest; an integer entry only if equal.
    A missing array and a wrong shape earn nothing for that array.
    """
    if answer is None:
        return Answer(0.0, "no answer was handed in")
    shares, wrong = [], []
    for name, expected in reference.items():
        share, sentence = _compare(answer.get(name), np.asarray(expected))
        shares.append(share)
        if share < 1:
            wrong.append(f"{name}: {sentence}")
    right = len(reference) - len(wrong)
    return Answer(sum(shares) / len(shares), "; ".join([f"{right} of {len(reference)} arrays are right", *wrong]))


def _compare(given: np.ndarray | None, expected: np.ndarray) -> tuple[float, str]:
    if given is None:
        return 0.0, "is missing"
    given = np.asarray(given)
    if np.squeeze(given).shape != np.squeeze(expected).shape:
        return 0.0, f"has shape {given.shape}, expected {expected.shape}"
    with np.errstate(all="ignore"):  # NaN and infinities count as wrong, silently
        given = given.reshape(expected.shape).astype(np.float64)
        expected_float = expected.astype(np.float64)
        allowed = 0.0
        if not np.issubdtype(expected.dtype, np.integer):
            allowed = RELATIVE * np.abs(expected_float) + ABSOLUTE * np.abs(expected_float).max()
        share = float(np.mean(np.abs(given - expected_float) <= allowed))
    return share, "is wrong" if expected.size == 1 else f"{100 * share:.0f} % of {expected.size} entries are right"
