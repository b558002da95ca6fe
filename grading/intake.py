"""What a submission is held against before anything of it is opened: the rubric's scale, slots and exercises."""

from collections.abc import Mapping

import numpy as np

from grading.exercises import SOLUTIONS, score
from grading.types import Answer, Rubric
from projectkit.errors import SubmissionError
from projectkit.submit import Intake, exercise_inputs, wrong_format


def problems_of(intake: Intake, rubric: Rubric) -> dict[str, str]:
    """Why a slot, "answers" or "answers/exercise" cannot be graded: what intake refused, slots without a model or with one
    of another format.

    Raises SubmissionError when the submission was made for another scale.
    """
    submission = intake.submission
    if submission.scale != rubric.scale:
        raise SubmissionError(
            f"scale: packed at scale {submission.scale}, this run grades scale {rubric.scale}. "
            f"Run the lab with PROJECTKIT_SCALE={rubric.scale} and pack again."
        )
    problems = dict(intake.problems)
    for slot, artifact in submission.artifacts.items():
        if sentence := wrong_format(slot, artifact, rubric.formats.get(slot)):
            problems[slot] = sentence
    for slot in rubric.slots:
        if slot not in submission.artifacts:
            given = ", ".join(submission.artifacts) or "none"
            problems.setdefault(slot, f"No model was handed in for {slot} (handed in: {given}).")
    return problems


def score_answers(intake: Intake, rubric: Rubric) -> dict[str, Answer]:
    """Every exercise of the rubric that was answered, compared with the reference on this student's own inputs."""
    submission = intake.submission
    return {
        exercise: score(submission.answers[exercise], _reference(submission.student, submission.lab, exercise))
        for exercise in rubric.exercises
        if exercise in submission.answers
    }


def _reference(student: str, lab: str, exercise: str) -> Mapping[str, np.ndarray]:
    return SOLUTIONS[lab][exercise](exercise_inputs(student, lab, exercise))
