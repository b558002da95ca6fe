"""Attacks that were made for one model and shown to another."""

from collections.abc import Mapping, Sequence

import numpy as np

from projectkit.errors import RobustnessError
from projectkit.robustness.answers import Model, logits, margins
from projectkit.robustness.ball import checked
from projectkit.robustness.evaluate import Attack, attacked, share
from projectkit.types import Measurement


def transfer(
    models: Mapping[str, Model],
    x: np.ndarray,
    y: np.ndarray,
    attack: Attack,
    epsilon: float,
    *,
    norm: str | None = None,
    sources: Sequence[str] | None = None,
) -> dict[str, dict[str, Measurement]]:
    """result[source][target]: the share of the images that `target` classifies rightly, as they are and as attacked on `source`.

    models: by name; sources: those to attack, all when None (a file without gradients can be a target of PGD, not a source).
    x, y, attack, epsilon, norm: as of `evaluate`, with which result[name][name] agrees. A file that bears attacks on itself
    and falls to those on its float original has masked gradients (Papernot et al., "Practical black-box attacks against machine
    learning", 2017, attack so, through a substitute). Raises RobustnessError as `evaluate` does, and for unknown sources.
    """
    x, y = checked(x, y, epsilon)
    sources = list(models) if sources is None else list(sources)
    unknown = [name for name in sources if name not in models]
    if unknown or not len(x):
        raise RobustnessError(
            f"Received the sources {', '.join(sources)} and {len(x)} images; expected some of {', '.join(models)}, and images. "
            "Give both."
        )
    right = {name: margins(logits(model, x), y) > 0 for name, model in models.items()}
    matrix = {}
    for source in sources:
        x_adv = attacked(models[source], x, y, attack, epsilon, norm=norm)
        matrix[source] = {
            target: share("robust_accuracy", right[target] & (margins(logits(model, x_adv), y) > 0))
            for target, model in models.items()
        }
    return matrix
