"""Robustness to adversarial and corrupted images: attacks, defenses, corruptions.

robust = evaluate(model, x, y, partial(pgd, steps=40), 0.1)        # robust.value, robust.low, robust.high

An attack is (model, x, y, epsilon) -> x_adv; ATTACKS has them by the norm in which epsilon counts.
A corruption is (x, severity, rng) -> x; CORRUPTIONS has them by name.
Defenses: TRAININGS are (model, dataset, recipe, *, epsilon) -> History, TRANSFORMATIONS (x, rng) -> x; certify proves a radius.
"""

from collections.abc import Mapping

from projectkit.robustness.adversarial_training import AdversarialTraining, fgsm_training, free_training, pgd_training, trades
from projectkit.robustness.answers import gradient, logits, margins
from projectkit.robustness.apgd import apgd_ce, apgd_targeted
from projectkit.robustness.attacks import ATTACKS, Attack
from projectkit.robustness.ball import NORMS, distances, project
from projectkit.robustness.boundary import boundary
from projectkit.robustness.carlini_wagner import carlini_wagner
from projectkit.robustness.contract import check_attack
from projectkit.robustness.corruptions import COMMON, CORRUPTIONS, MNIST_C, SEVERITIES, Corruption, mean_corruption_error
from projectkit.robustness.deepfool import deepfool
from projectkit.robustness.evaluate import attacked, evaluate
from projectkit.robustness.fgsm import fgsm
from projectkit.robustness.hop_skip_jump import hop_skip_jump
from projectkit.robustness.jsma import jsma
from projectkit.robustness.masking import MaskingFinding, signs_of_masking
from projectkit.robustness.pgd import bim, mim, pgd
from projectkit.robustness.rays import ray_queries, rays
from projectkit.robustness.smoothing import ABSTAIN, Certificate, certify, noise_training
from projectkit.robustness.square import answered, square, square_queries
from projectkit.robustness.strongest import strongest
from projectkit.robustness.transfer import transfer
from projectkit.robustness.transformations import Transformation, bit_depth, defended, jpeg, median, resize_and_pad
from projectkit.robustness.universal import universal

__all__ = [
    "ABSTAIN",
    "ATTACKS",
    "COMMON",
    "CORRUPTIONS",
    "MNIST_C",
    "NORMS",
    "SEVERITIES",
    "TRAININGS",
    "TRANSFORMATIONS",
    "AdversarialTraining",
    "Attack",
    "Certificate",
    "Corruption",
    "MaskingFinding",
    "Transformation",
    "answered",
    "apgd_ce",
    "apgd_targeted",
    "attacked",
    "bim",
    "bit_depth",
    "boundary",
    "carlini_wagner",
    "certify",
    "check_attack",
    "deepfool",
    "defended",
    "distances",
    "evaluate",
    "fgsm",
    "fgsm_training",
    "free_training",
    "gradient",
    "hop_skip_jump",
    "jpeg",
    "jsma",
    "logits",
    "margins",
    "mean_corruption_error",
    "median",
    "mim",
    "noise_training",
    "pgd",
    "pgd_training",
    "project",
    "ray_queries",
    "rays",
    "resize_and_pad",
    "signs_of_masking",
    "square",
    "square_queries",
    "strongest",
    "trades",
    "transfer",
    "universal",
]


TRAININGS: Mapping[str, AdversarialTraining] = {
    "fgsm": fgsm_training,
    "pgd": pgd_training,
    "free": free_training,
    "trades": trades,
}

TRANSFORMATIONS: Mapping[str, Transformation] = {
    "bit_depth": bit_depth,
    "median": median,
    "jpeg": jpeg,
    "resize_and_pad": resize_and_pad,
}
