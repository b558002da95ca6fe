"""Whether a model file's answers are chance. What is measured of such a file in one run says nothing of the next."""

from projectkit.errors import ArtifactError
from projectkit.measure import random_operators
from projectkit.types import Artifact


def refuse_chance(artifact: Artifact) -> None:
    """Raises ArtifactError for a file that draws random numbers."""
    if found := random_operators(artifact):
        raise ArtifactError(
            f"{artifact.path}: holds {', '.join(found)[:200]}, so that it answers the same image differently each time; expected "
            "a model without random operators. Export it for inference, not for training."
        )
