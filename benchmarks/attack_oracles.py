"""The attacks of two other libraries, foolbox and the Adversarial Robustness Toolbox (ART), as functions like ours.

PAIRS["pgd"] has ours and theirs with equal budgets: steps, step sizes, starts, queries. `robustness.evaluate` counts for all.
"""

import projectkit  # noqa: F401 — chooses Keras 2 before TensorFlow is loaded

# isort: split
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import foolbox
import numpy as np
import tf_keras as keras
from art.attacks import evasion
from art.estimators.classification import TensorFlowV2Classifier

from projectkit import robustness
from projectkit.quiet import quiet
from projectkit.robustness.decisions import starting_points

ITERATIONS, STEPS, QUERIES = 10, 40, 500


@dataclass(frozen=True, slots=True)
class Pair:
    """One attack, ours and theirs by library, in one norm. `budget`: what all of them may spend, in words."""

    norm: str
    ours: Callable
    theirs: Mapping[str, Callable]
    budget: str


def from_foolbox(make: Callable, *, started: bool = False) -> Callable:
    """make: epsilon -> a foolbox attack. A smallest change is looked for without a limit: `evaluate` sets it.

    started: it begins where ours does; its own search for a start gives up on some images, and then on all.
    """

    def attack(model: keras.Model, x: np.ndarray, y: np.ndarray, epsilon: float) -> np.ndarray:
        import tensorflow as tf

        made = make(epsilon)
        limit = None if isinstance(made, foolbox.attacks.base.MinimizationAttack) else epsilon
        bounded = foolbox.TensorFlowModel(model, bounds=(0, 1))
        start = tf.constant(starting_points(model, x, y, np.random.default_rng(0))[0])
        options = {"starting_points": start} if started else {}
        _, x_adv, _ = made(bounded, tf.constant(x), tf.constant(y), epsilons=limit, **options)
        return x_adv.numpy()

    return attack


def foolbox_carlini_wagner(searches: int, steps: int) -> Callable:
    """foolbox's attack with as many constants and steps as `robustness.carlini_wagner` of the same arguments."""
    return from_foolbox(
        lambda epsilon: foolbox.attacks.L2CarliniWagnerAttack(
            binary_search_steps=searches, steps=steps, stepsize=0.1, initial_const=0.01
        )
    )


def from_art(make: Callable, *, targeted: bool = False) -> Callable:
    """make: (classifier, epsilon) -> an ART attack; targeted: it is given the most probable other class."""

    def attack(model: keras.Model, x: np.ndarray, y: np.ndarray, epsilon: float) -> np.ndarray:
        labels = _most_probable_other(model, x, y) if targeted else y
        return make(classifier(model), epsilon).generate(x, np.eye(model.output_shape[-1], dtype=np.float32)[labels])

    def quietly(*arguments) -> np.ndarray:
        with quiet():
            return attack(*arguments)

    return quietly


def in_turn(*attacks: Callable) -> Callable:
    """Each attack on the images that those before it did not fool (ART's own AutoAttack needs a package more)."""

    def attack(model: keras.Model, x: np.ndarray, y: np.ndarray, epsilon: float) -> np.ndarray:
        best, left = x.copy(), np.arange(len(x))
        for each in attacks:
            if len(left):
                best[left] = robustness.attacked(model, x[left], y[left], each, epsilon, norm="linf")
                left = left[robustness.margins(robustness.logits(model, best[left]), y[left]) > 0]
        return best

    return attack


def art_apgd(loss: str, starts: int) -> Callable:
    """ART's Auto-PGD of 100 steps."""
    return from_art(
        lambda model, epsilon: evasion.AutoProjectedGradientDescent(
            model,
            eps=epsilon,
            eps_step=2 * epsilon,
            max_iter=100,
            nb_random_init=starts,
            batch_size=256,
            loss_type=loss,
            verbose=False,
        )
    )


ART_SQUARE = from_art(lambda model, epsilon: evasion.SquareAttack(model, eps=epsilon, max_iter=QUERIES, verbose=False))


def classifier(model: keras.Model) -> TensorFlowV2Classifier:
    """The model as ART sees it."""
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    return TensorFlowV2Classifier(
        model=model, nb_classes=model.output_shape[-1], input_shape=model.input_shape[1:], loss_object=loss, clip_values=(0, 1)
    )


def _most_probable_other(model: keras.Model, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    answers = robustness.logits(model, x)
    answers[np.arange(len(y)), y] = -np.inf
    return answers.argmax(axis=1)


PAIRS = {
    "fgsm": Pair(
        "linf",
        robustness.fgsm,
        {
            "foolbox": from_foolbox(lambda epsilon: foolbox.attacks.LinfFastGradientAttack()),
            "art": from_art(lambda model, epsilon: evasion.FastGradientMethod(model, eps=epsilon)),
        },
        "one step",
    ),
    "bim": Pair(
        "linf",
        partial(robustness.bim, steps=ITERATIONS),
        {
            "foolbox": from_foolbox(
                lambda epsilon: foolbox.attacks.LinfBasicIterativeAttack(
                    abs_stepsize=2.5 * epsilon / ITERATIONS, steps=ITERATIONS
                )
            ),
            "art": from_art(
                lambda model, epsilon: evasion.BasicIterativeMethod(
                    model, eps=epsilon, eps_step=2.5 * epsilon / ITERATIONS, max_iter=ITERATIONS, batch_size=256, verbose=False
                )
            ),
        },
        f"{ITERATIONS} steps of 2.5 ε/{ITERATIONS}",
    ),
    "mim": Pair(
        "linf",
        partial(robustness.mim, steps=ITERATIONS),
        {
            "foolbox": from_foolbox(
                lambda epsilon: foolbox.attacks.LinfMomentumIterativeFastGradientMethod(
                    abs_stepsize=2.5 * epsilon / ITERATIONS, steps=ITERATIONS
                )
            ),
        },
        f"{ITERATIONS} steps of 2.5 ε/{ITERATIONS}, decay 1",
    ),
    "pgd": Pair(
        "linf",
        partial(robustness.pgd, steps=STEPS),
        {
            "foolbox": from_foolbox(
                lambda epsilon: foolbox.attacks.LinfProjectedGradientDescentAttack(
                    abs_stepsize=2.5 * epsilon / STEPS, steps=STEPS
                )
            ),
            "art": from_art(
                lambda model, epsilon: evasion.ProjectedGradientDescent(
                    model,
                    eps=epsilon,
                    eps_step=2.5 * epsilon / STEPS,
                    max_iter=STEPS,
                    num_random_init=1,
                    batch_size=256,
                    verbose=False,
                )
            ),
        },
        f"{STEPS} steps of 2.5 ε/{STEPS} from one random start",
    ),
    "universal": Pair(
        "linf",
        robustness.universal,
        {
            "art": from_art(
                lambda model, epsilon: evasion.UniversalPerturbation(
                    model,
                    attacker="deepfool",
                    attacker_params={"max_iter": 20, "nb_grads": 10, "verbose": False},
                    delta=0.0,
                    max_iter=2,
                    eps=epsilon,
                    verbose=False,
                )
            )
        },
        "100 passes; ART: two, each with DeepFool on the images that are still right",
    ),
    "apgd_ce": Pair("linf", robustness.apgd_ce, {"art": art_apgd("cross_entropy", 1)}, "100 steps from one random start"),
    "apgd_targeted": Pair(
        "linf",
        robustness.apgd_targeted,
        {"art": art_apgd("difference_logits_ratio", 9)},
        "100 steps towards each of 9 classes; ART, which has no targeted ratio: from each of 9 random starts",
    ),
    "square": Pair("linf", partial(robustness.square, queries=QUERIES), {"art": ART_SQUARE}, f"{QUERIES} queries"),
    "strongest": Pair(
        "linf",
        partial(robustness.strongest, queries=QUERIES),
        {"art": in_turn(art_apgd("cross_entropy", 1), art_apgd("difference_logits_ratio", 9), ART_SQUARE)},
        "the three attacks above in turn",
    ),
    "carlini_wagner": Pair(
        "l2",
        partial(robustness.carlini_wagner, steps=100, searches=7),
        {
            "foolbox": foolbox_carlini_wagner(7, 100),
        },
        "7 constants, 100 steps of Adam each",
    ),
    "deepfool": Pair(
        "l2",
        robustness.deepfool,
        {
            "foolbox": from_foolbox(lambda epsilon: foolbox.attacks.L2DeepFoolAttack(steps=50, candidates=10, overshoot=0.02)),
            "art": from_art(
                lambda model, epsilon: evasion.DeepFool(
                    model, max_iter=50, epsilon=0.02, nb_grads=10, batch_size=256, verbose=False
                )
            ),
        },
        "50 steps",
    ),
    "boundary": Pair(
        "l2",
        partial(robustness.boundary, steps=1000),
        {"foolbox": from_foolbox(lambda epsilon: foolbox.attacks.BoundaryAttack(steps=1000), started=True)},
        "1000 steps",
    ),
    "hop_skip_jump": Pair(
        "l2",
        partial(robustness.hop_skip_jump, steps=10),
        {"art": from_art(lambda model, epsilon: evasion.HopSkipJump(model, max_iter=10, init_eval=100, verbose=False))},
        "10 steps with 100·√step samples",
    ),
    "jsma": Pair(
        "l0",
        partial(robustness.jsma, targets=1),
        {
            "art": from_art(
                lambda model, epsilon: evasion.SaliencyMapMethod(model, theta=1.0, gamma=epsilon, batch_size=256, verbose=False),
                targeted=True,
            )
        },
        "the most probable other class",
    ),
}
