"""What a submission is held against before anything of it is opened: the rubric's scale, slots and exercises."""

from grading.types import Rubric
from projectkit.errors import SubmissionError
from projectkit.submit import Intake, wrong_format


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
