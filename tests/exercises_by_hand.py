"""What a student gets and what the grader expects back."""

from collections.abc import Callable

from grading.exercises import SOLUTIONS
from projectkit.submit import exercise_inputs


def cases_of(lab: str) -> Callable[[str, str], tuple[dict, dict]]:
    """(student, exercise) -> the student's inputs and the grader's answers."""

    def case(student: str, exercise: str) -> tuple[dict, dict]:
        inputs = exercise_inputs(student, lab, exercise)
        return inputs, SOLUTIONS[lab][exercise](inputs)

    return case
