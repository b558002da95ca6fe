"""What every attack promises, as a check that an attack of one's own can be held to."""

import numpy as np

from projectkit.errors import RobustnessError
from projectkit.robustness.answers import Model, is_keras, logits, margins
from projectkit.robustness.ball import checked, distances, refuse_norm
from projectkit.robustness.evaluate import Attack, images_of, name_of, norm_of

SLACK = 1e-5  # of the radius: what rounding may do


def check_attack(
    attack: Attack,
    model: Model,
    x: np.ndarray,
    y: np.ndarray,
    epsilon: float,
    *,
    norm: str | None = None,
    bounded: bool = True,
) -> np.ndarray:
    """Calls `attack` twice on images of which `model` classifies some rightly, and gives what it made of them, like x.

    Arguments and norm as for `evaluate`, which brings back into the ball what leaves it. bounded: False for an attack that looks
    for the nearest image that fools the model, however far that is, as those of ATTACKS["l2"] do.

    Raises RobustnessError at the first broken promise: finite floats of the shape of x; within [0, 1] and, if bounded, within
    epsilon of x in `norm`; model, images and labels stay as they were; some image is changed; the second call gives the same.
    """
    x, y = checked(x, y, epsilon)
    norm = norm_of(attack) if norm is None else norm
    refuse_norm(norm, epsilon)
    name = name_of(attack)
    if epsilon == 0 or not (margins(logits(model, x), y) > 0).any():
        raise RobustnessError(
            f"Received the radius {epsilon} and {len(x)} images; expected a radius above 0 and an image that the model "
            "classifies rightly, else an attack has nothing to do. Give some of the test split."
        )
    given_x, given_y, weights = x.copy(), y.copy(), _weights(model)
    found = images_of(attack, attack(model, given_x, given_y, epsilon), x)
    if not (np.array_equal(given_x, x) and np.array_equal(given_y, y)):
        raise RobustnessError(
            f"{name}: received images and labels and changed them; expected to find them as they were. Work on x.copy()."
        )
    if not all(map(np.array_equal, weights, _weights(model))):
        raise RobustnessError(f"{name}: received a model and changed its weights; expected them as they were. Change x only.")
    if found.min() < 0 or found.max() > 1:
        raise RobustnessError(
            f"{name}: gave pixels from {found.min():.4g} to {found.max():.4g}; expected [0, 1]: there are no such images. "
            "Clip what you return: np.clip(x_adv, 0, 1)."
        )
    farthest = distances(found, x, norm).max()
    if bounded and farthest > epsilon * (1 + SLACK) + 1e-7:
        raise RobustnessError(
            f"{name}: gave an image outside of the ball, at the distance {farthest:.4g} in {norm}; expected at most epsilon, "
            f"{epsilon:g}. Bring every step back into the ball round x, the image that was given, the last one too."
        )
    if np.array_equal(found, x):
        raise RobustnessError(f"{name}: gave every image as it was; expected changes of up to {epsilon:g}. Return x_adv.")
    again = images_of(attack, attack(model, x.copy(), y.copy(), epsilon), x)
    if not np.array_equal(again, found):
        raise RobustnessError(
            f"{name}: gave other images when called again, by up to {np.abs(again - found).max():.3g} a pixel; expected the "
            "same. Draw from np.random.default_rng(seed) with a seed of your own."
        )
    return found


def _weights(model: Model) -> list[np.ndarray]:
    return model.get_weights() if is_keras(model) else []
