"""Whether an evaluation is fooled: signs that the gradients of a model lead attacks astray, while the model is as weak as any.

for finding in signs_of_masking(model, x, y, 0.1):
    print(finding.sentence)

After Athalye, Carlini, Wagner, "Obfuscated gradients give a false sense of security", 2018, section 3.1, and Carlini et al., "On
evaluating adversarial robustness", 2019. A model without a sign may be masked all the same; one with a sign has robust
accuracies that mean nothing, except those of the black box.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from projectkit.errors import RobustnessError
from projectkit.robustness.answers import Model, gradient, logits, margins
from projectkit.robustness.attacks import Attack
from projectkit.robustness.ball import checked
from projectkit.robustness.evaluate import attacked, share
from projectkit.robustness.fgsm import fgsm
from projectkit.robustness.losses import cross_entropy
from projectkit.robustness.pgd import pgd
from projectkit.robustness.square import square

TOLERATED = 0.05  # of the images: PGD on the cross-entropy is not the best of attacks, and some luck
FEW, MANY = 5, 40  # steps of PGD
STRIDE = 0.1  # of ε: few steps cannot cross the ball, many can


@dataclass(frozen=True, slots=True)
class MaskingFinding:
    """One check: whether its outcome is a sign of masked gradients, the shares or logits that were compared, and a sentence."""

    check: str
    suspicious: bool
    numbers: Mapping[str, float]
    sentence: str


def signs_of_masking(
    model: Model, x: np.ndarray, y: np.ndarray, epsilon: float, *, queries: int = 500, seed: int = 0
) -> tuple[MaskingFinding, ...]:
    """Five checks of a Keras model on the images x (n, height, width, channels) that it classifies rightly; epsilon in L∞.

    one_step: FGSM must not beat PGD. black_box: Square, with `queries` forward passes an image, must not beat PGD by far.
    unbounded: with epsilon 1 nothing can stay robust. more_steps: more steps of PGD must bring the label's logit down further.
    zero_gradients: images whose gradient is exactly 0 everywhere leave PGD where it began.

    100 to 200 images are enough. Raises RobustnessError for a model without gradients, an epsilon of 0, and when no image is
    classified rightly.
    """
    x, y = checked(x, y, epsilon)
    if epsilon == 0:
        raise RobustnessError("Received epsilon 0; expected a radius that attacks can use. Give that of the evaluation.")
    right = margins(logits(model, x), y) > 0
    if not right.any():
        raise RobustnessError(f"Received {len(x)} images, none classified rightly; expected some. Give images of its task.")
    x, y = x[right], y[right]

    def led(attack: Attack, radius: float = epsilon) -> np.ndarray:
        return margins(logits(model, attacked(model, x, y, attack, radius, norm="linf")), y)

    climb = partial(pgd, step_size=STRIDE * epsilon, seed=seed)
    few, many = led(partial(climb, steps=FEW)), led(partial(climb, steps=MANY))
    return (
        _one_step(led(fgsm) > 0, many > 0),
        _black_box(led(partial(square, queries=queries, seed=seed)) > 0, many > 0),
        _unbounded(led(partial(pgd, steps=MANY, seed=seed), 1.0) > 0),
        _more_steps(few, many),
        _zero_gradients(gradient(model, cross_entropy, x, y)[0]),
    )


def _one_step(fgsm_held: np.ndarray, pgd_held: np.ndarray) -> MaskingFinding:
    one, many = float(fgsm_held.mean()), float(pgd_held.mean())
    suspicious = _surely_more(pgd_held, fgsm_held)
    tail = "one step should never do more harm than many" if suspicious else "as it should be"
    sentence = f"After one step (FGSM) {one:.1%} are still right, after {MANY} (PGD) {many:.1%}: {tail}."
    return MaskingFinding("one_step", suspicious, {"fgsm": one, "pgd": many}, sentence)


def _black_box(square_held: np.ndarray, pgd_held: np.ndarray) -> MaskingFinding:
    black, white = float(square_held.mean()), float(pgd_held.mean())
    suspicious = _surely_more(pgd_held, square_held)
    tail = "random search finds what the gradient should have shown" if suspicious else "the gradient is no worse a guide"
    sentence = f"Without gradients (Square) {black:.1%} are still right, with them (PGD) {white:.1%}: {tail}."
    return MaskingFinding("black_box", suspicious, {"square": black, "pgd": white}, sentence)


def _unbounded(held: np.ndarray) -> MaskingFinding:
    left = share("robust_accuracy", held)
    suspicious = left.low > TOLERATED
    tail = "such an attack can paint any image, so it does not find its way" if suspicious else "as it should be"
    sentence = f"With epsilon 1, PGD leaves {left.value:.1%} right: {tail}."
    return MaskingFinding("unbounded", suspicious, {"pgd": left.value}, sentence)


def _more_steps(few: np.ndarray, many: np.ndarray) -> MaskingFinding:
    gained = few - many
    before, after = float(few.mean()), float(many.mean())
    error = float(gained.std()) / len(gained) ** 0.5
    suspicious = not float(gained.mean()) > 2 * error
    tail = "further steps lead nowhere" if suspicious else "as it should be"
    sentence = f"The label leads by {before:.3g} after {FEW} steps of PGD and by {after:.3g} after {MANY}: {tail}."
    return MaskingFinding("more_steps", suspicious, {"few": before, "many": after}, sentence)


def _zero_gradients(slopes: np.ndarray) -> MaskingFinding:
    flat = share("zero_gradients", np.asarray(~slopes.any(axis=(1, 2, 3))))
    suspicious = flat.low > TOLERATED
    tail = "there PGD moves nowhere" if suspicious else "PGD has a way to go"
    sentence = f"The gradient is exactly 0 for {flat.value:.1%} of the images: {tail}."
    return MaskingFinding("zero_gradients", suspicious, {"zero": flat.value}, sentence)


def _surely_more(held: np.ndarray, others: np.ndarray) -> bool:
    """Whether `held` is more often true than `others` of the same images, by more than TOLERATED and two standard errors."""
    difference = held.astype(float) - others
    return bool(difference.mean() - 2 * difference.std() / len(difference) ** 0.5 > TOLERATED)
