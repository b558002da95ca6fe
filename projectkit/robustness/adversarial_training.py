"""Training on attacked images: the one defense that has stood up to every attack so far, at the price of clean accuracy.

All functions train `model` in place, as `train.fit` does, against changes of at most `epsilon` of each pixel (the L∞ norm), and
give its History: `loss` and `accuracy` of the attacked training images, `val_loss` and `val_accuracy` of the first 1000
validation images under PGD of 10 steps at the whole epsilon. `train.accuracy(model, dataset.val)` has the clean accuracy.

What they share. epsilon: in [0, 1], 0 trains on clean images. warm_up: epochs over which epsilon grows from nothing, where the
whole of it at once would keep the network from learning. checkpoint, progress: those of `train.fit`; two runs with equal
arguments give equal weights. They raise RobustnessError for an option that makes no sense, for a label that is no class and for a
recipe with label smoothing, which flattens the logits until attacks find little to hold on to; and ModelError as `train.fit`.
"""

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from projectkit.errors import RobustnessError
from projectkit.robustness.pgd import refuse_counts
from projectkit.types import Dataset, Recipe

if TYPE_CHECKING:
    import tf_keras as keras

    from projectkit.train import History


class AdversarialTraining(Protocol):
    """Trains the model in place on attacked images.

    model: a Keras model that ends in logits; epsilon: the radius of the ball that it is to hold in, as a share of a pixel's
    range. Further options have a default. Raises RobustnessError for a radius that makes no sense.
    """

    def __call__(self, model: "keras.Model", dataset: Dataset, recipe: Recipe, /, *, epsilon: float) -> "History": ...


def pgd_training(
    model: "keras.Model",
    dataset: Dataset,
    recipe: Recipe,
    *,
    epsilon: float,
    steps: int = 7,
    warm_up: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> "History":
    """min over weights of the mean of max over |x′ − x| ≤ ε of the cross-entropy of x′; the maximum by PGD from a random start.

    steps: of PGD, each of 2.5·ε/steps. An epoch costs steps + 1 ones of `train.fit`.
    Madry et al., "Towards deep learning models resistant to adversarial attacks", 2018, equation 2.1.
    """
    from projectkit.robustness.perturbed_training import TrainingMethod, attacked_alone, fit_perturbed, pgd_on_cross_entropy

    refuse_epsilon(epsilon)
    refuse_counts(steps=steps)
    attack = partial(pgd_on_cross_entropy, steps=steps, stride=2.5 / steps)
    method = TrainingMethod(f"pgd_training(epsilon={epsilon}, steps={steps})", epsilon, attack, attacked_alone)
    return fit_perturbed(model, dataset, recipe, method, warm_up=warm_up, checkpoint=checkpoint, progress=progress)


def fgsm_training(
    model: "keras.Model",
    dataset: Dataset,
    recipe: Recipe,
    *,
    epsilon: float,
    step: float = 1.25,
    warm_up: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> "History":
    """As `pgd_training` with one step, of `step`·ε, from a random start: an epoch costs two of `train.fit`.

    Within an epoch, a network can learn to fool that one step while PGD goes through: "catastrophic overfitting". So an epoch
    after which the accuracy under PGD is more than 20 points below that before is taken back: weights and the optimizer's
    memory are those of its beginning again, and the next one starts from there. The history keeps the fall.
    Wong, Rice, Kolter, "Fast is better than free: revisiting adversarial training", 2020, algorithm 3; they stop at a fall.
    """
    from projectkit.robustness.perturbed_training import TrainingMethod, attacked_alone, fit_perturbed, pgd_on_cross_entropy

    refuse_epsilon(epsilon)
    if not 0 < step < math.inf:
        raise RobustnessError(f"Received a step of {step} ε; expected a finite number above 0. Give 1.25.")
    attack = partial(pgd_on_cross_entropy, steps=1, stride=step)
    method = TrainingMethod(f"fgsm_training(epsilon={epsilon}, step={step})", epsilon, attack, attacked_alone, undo_collapse=True)
    return fit_perturbed(model, dataset, recipe, method, warm_up=warm_up, checkpoint=checkpoint, progress=progress)


def free_training(
    model: "keras.Model",
    dataset: Dataset,
    recipe: Recipe,
    *,
    epsilon: float,
    replays: int = 4,
    warm_up: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> "History":
    """Every batch `replays` times in a row; each backward pass moves the weights and, by ε·sign of the gradient, the attack.

    So the attack costs nothing beside the training, and the change that one batch ends with begins the next. An epoch takes
    `replays` steps of the optimizer a batch and costs as many of `train.fit`: give the recipe fewer of them.
    Shafahi et al., "Adversarial training for free!", 2019, algorithm 1.
    """
    from projectkit.robustness.perturbed_training import TrainingMethod, attacked_alone, fit_perturbed

    refuse_epsilon(epsilon)
    refuse_counts(replays=replays)
    method = TrainingMethod(
        f"free_training(epsilon={epsilon}, replays={replays})", epsilon, None, attacked_alone, replays=replays
    )
    return fit_perturbed(model, dataset, recipe, method, warm_up=warm_up, checkpoint=checkpoint, progress=progress)


def trades(
    model: "keras.Model",
    dataset: Dataset,
    recipe: Recipe,
    *,
    epsilon: float,
    beta: float = 6.0,
    steps: int = 10,
    warm_up: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> "History":
    """Cross-entropy of the clean image + β · max over |x′ − x| ≤ ε of KL(p(x) ‖ p(x′)): being right and staying so, weighed by β.

    beta: 1 to 10; more of it is more robust and less accurate. steps: of PGD on the divergence, each of 2.5·ε/steps. In the
    history, `accuracy` is that of the attacked images.
    Zhang et al., "Theoretically principled trade-off between robustness and accuracy", 2019, equation 5 and algorithm 1.
    """
    from projectkit.robustness.perturbed_training import TrainingMethod, clean_and_smooth, fit_perturbed, pgd_on_divergence

    refuse_epsilon(epsilon)
    refuse_counts(steps=steps)
    if not 0 <= beta < math.inf:
        raise RobustnessError(f"Received beta {beta}; expected a finite weight of 0 or more. Give 6; 0 trains on clean images.")
    attack = partial(pgd_on_divergence, steps=steps, stride=2.5 / steps)
    name = f"trades(epsilon={epsilon}, beta={beta}, steps={steps})"
    method = TrainingMethod(name, epsilon, attack, partial(clean_and_smooth, beta=beta))
    return fit_perturbed(model, dataset, recipe, method, warm_up=warm_up, checkpoint=checkpoint, progress=progress)


def refuse_epsilon(epsilon: float) -> None:
    """Raises RobustnessError unless 0 ≤ epsilon ≤ 1."""
    if not 0 <= epsilon <= 1:
        raise RobustnessError(
            f"Received epsilon {epsilon}; expected the largest change of a pixel, in [0, 1] as pixels are. Give for example 0.1."
        )
