"""Knowledge distillation: a student network learns from the answers of a teacher, not from the labels alone.

logits = teacher_logits(teacher, dataset.train, cache="cache")
history = distill(student, logits, dataset, Recipe(epochs=10), loss=partial(hinton, temperature=4, alpha=0.9))

LOSSES compare logits: (student_logits, teacher_logits, labels) -> scalar. FEATURE_LOSSES compare what layers answer:
(student_features, teacher_features) -> scalar, given to `distill` as
`features=[Match("re_lu", "re_lu_2", hints, regressor=True)]`.
"""

from projectkit import tensorflow_quietly  # noqa: F401 — before anything below imports tf_keras

# isort: split
from collections.abc import Mapping

from projectkit.distill.attention import attention_transfer
from projectkit.distill.born_again import Generation, born_again
from projectkit.distill.checks import FeatureLoss, Loss
from projectkit.distill.contract import check_loss
from projectkit.distill.decoupled import decoupled
from projectkit.distill.distill import distill
from projectkit.distill.few_labels import hide_labels, labelled
from projectkit.distill.hinton import hinton
from projectkit.distill.hints import hints
from projectkit.distill.logit_matching import logit_matching
from projectkit.distill.relational import relational, relational_angle, relational_distance
from projectkit.distill.taught import Match
from projectkit.distill.teacher import teacher_logits

__all__ = [
    "FEATURE_LOSSES",
    "LOSSES",
    "FeatureLoss",
    "Generation",
    "Loss",
    "Match",
    "attention_transfer",
    "born_again",
    "check_loss",
    "decoupled",
    "distill",
    "hide_labels",
    "hinton",
    "hints",
    "labelled",
    "logit_matching",
    "relational",
    "relational_angle",
    "relational_distance",
    "teacher_logits",
]


LOSSES: Mapping[str, Loss] = {
    "hinton": hinton,
    "logit_matching": logit_matching,
    "decoupled": decoupled,
}

FEATURE_LOSSES: Mapping[str, FeatureLoss] = {
    "hints": hints,
    "attention_transfer": attention_transfer,
    "relational_distance": relational_distance,
    "relational_angle": relational_angle,
    "relational": relational,
}
