"""Pruning: which weights or channels a network can do without, and the network without them.

Zeros (the shape stays): sparsity, weight_masks, clustering, collaborative, lottery. Channels (a smaller network comes back):
groups finds what must go together, SCORES say what matters, surgery removes, recalibrate fits batch normalization to what is
left, schedules say when.

scores = SCORES["lfe"](model, "conv2d_1", dataset.val)
smaller = recalibrate(remove(model, {"conv2d_1": keep_best(scores, ratio=0.5)}), dataset.train.x[:512])
"""

from projectkit import tensorflow_quietly  # noqa: F401 — before anything below imports tf_keras

# isort: split
from collections.abc import Mapping

from projectkit.prune.contract import check_score
from projectkit.prune.fpgm import fpgm
from projectkit.prune.groups import groups
from projectkit.prune.lfe import lfe
from projectkit.prune.magnitude import l1, l2
from projectkit.prune.pgbp import pgbp_accuracy, pgbp_exponential, pgbp_loss
from projectkit.prune.recalibration import recalibrate
from projectkit.prune.scores import Score, compute, keep_by_validation, random
from projectkit.prune.surgery import keep_best, remove
from projectkit.prune.taylor import taylor
from projectkit.prune.types import Group, Place

__all__ = [
    "SCORES",
    "Group",
    "Place",
    "Score",
    "check_score",
    "compute",
    "fpgm",
    "groups",
    "keep_best",
    "keep_by_validation",
    "l1",
    "l2",
    "lfe",
    "pgbp_accuracy",
    "pgbp_exponential",
    "pgbp_loss",
    "random",
    "recalibrate",
    "remove",
    "taylor",
]


SCORES: Mapping[str, Score] = {
    "random": random,
    "l1": l1,
    "l2": l2,
    "fpgm": fpgm,
    "taylor": taylor,
    "lfe": lfe,
    "pgbp_loss": pgbp_loss,
    "pgbp_accuracy": pgbp_accuracy,
    "pgbp_exponential": pgbp_exponential,
}
