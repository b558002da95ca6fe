"""How sure a network is, and whether it should be: samplers, scores, calibration, conformal prediction.

samples = ensemble(fit_ensemble(model, dataset, recipe), x)          # SAMPLERS: (model, x) -> probs (samples, n, classes)
calibrated = temperature(logits_of_val, dataset.val.y)(logits)       # CALIBRATORS: (logits, y) -> what turns logits into probs
found = score_interval(nll, calibrated, dataset.test.y)              # SCORES: (probs (n, classes), y) -> float
error = calibration_interval(calibrated, dataset.test.y)             # the debiased calibration error
in_set = raps(probs_of_val, dataset.val.y, alpha=0.1)(calibrated)    # CONFORMAL: (probs, y, alpha) -> what turns probs into sets
outside = OOD_SCORES["energy"](logits)                               # OOD_SCORES: logits (n, classes) -> (n,), larger outside
"""

from collections.abc import Mapping

from projectkit.uncertainty.augmentation import SHIFTS, augmented, moved
from projectkit.uncertainty.batch_ensemble import batch_ensemble, batch_ensemble_twin, fit_batch_ensemble
from projectkit.uncertainty.bins import BINS
from projectkit.uncertainty.calibration_error import ece, ece_adaptive, ece_classwise, ece_debiased, mce
from projectkit.uncertainty.calibrators import CALIBRATORS, Affine, Temperature, fold, matrix, temperature, vector
from projectkit.uncertainty.conformal import PredictionSets, aps, conformal_quantile, coverage, lac, raps
from projectkit.uncertainty.dropout import mc_dropout, with_dropout
from projectkit.uncertainty.ensemble import ensemble, fit_ensemble
from projectkit.uncertainty.entropies import EntropySplit, entropy_split
from projectkit.uncertainty.families import Calibration, Conformal, Fitter, OodScore, PredictiveSampler, ProbabilityScore
from projectkit.uncertainty.intervals import calibration_interval, detection_interval, score_interval
from projectkit.uncertainty.joined import joined
from projectkit.uncertainty.laplace import Laplace, fit_laplace, laplace
from projectkit.uncertainty.out_of_distribution import aupr, auroc, energy, entropy, fpr95, max_probability
from projectkit.uncertainty.plain import plain, predictive
from projectkit.uncertainty.probabilities import softmax
from projectkit.uncertainty.reliability import Reliability, plot_reliability, reliability
from projectkit.uncertainty.scores import BrierParts, aurc, brier, brier_parts, nll
from projectkit.uncertainty.snapshot import fit_snapshots
from projectkit.uncertainty.swag import Swag, averaged, fit_swag, swag
from projectkit.uncertainty.variational import divergence, fit_variational, kl_divergence, variational, variational_twin

__all__ = [
    "BINS",
    "CALIBRATORS",
    "CONFORMAL",
    "FITTERS",
    "OOD_SCORES",
    "SAMPLERS",
    "SCORES",
    "SHIFTS",
    "Affine",
    "BrierParts",
    "Calibration",
    "Conformal",
    "EntropySplit",
    "Fitter",
    "Laplace",
    "OodScore",
    "PredictionSets",
    "PredictiveSampler",
    "ProbabilityScore",
    "Reliability",
    "Swag",
    "Temperature",
    "aps",
    "augmented",
    "aupr",
    "aurc",
    "auroc",
    "averaged",
    "batch_ensemble",
    "batch_ensemble_twin",
    "brier",
    "brier_parts",
    "calibration_interval",
    "conformal_quantile",
    "coverage",
    "detection_interval",
    "divergence",
    "ece",
    "ece_adaptive",
    "ece_classwise",
    "ece_debiased",
    "energy",
    "ensemble",
    "entropy",
    "entropy_split",
    "fit_batch_ensemble",
    "fit_ensemble",
    "fit_laplace",
    "fit_snapshots",
    "fit_swag",
    "fit_variational",
    "fold",
    "fpr95",
    "joined",
    "kl_divergence",
    "lac",
    "laplace",
    "matrix",
    "max_probability",
    "mc_dropout",
    "mce",
    "moved",
    "nll",
    "plain",
    "plot_reliability",
    "predictive",
    "raps",
    "reliability",
    "score_interval",
    "softmax",
    "swag",
    "temperature",
    "variational",
    "variational_twin",
    "vector",
    "with_dropout",
]


SCORES: Mapping[str, ProbabilityScore] = {
    "nll": nll,
    "brier": brier,
    "ece": ece,
    "ece_adaptive": ece_adaptive,
    "ece_classwise": ece_classwise,
    "ece_debiased": ece_debiased,
    "mce": mce,
    "aurc": aurc,
}

CONFORMAL: Mapping[str, Conformal] = {"lac": lac, "aps": aps, "raps": raps}

OOD_SCORES: Mapping[str, OodScore] = {"max_probability": max_probability, "entropy": entropy, "energy": energy}

# (model, x) -> probabilities of each sample, (samples, n, classes). Where FITTERS has the name, what it returns is the model.
SAMPLERS: Mapping[str, PredictiveSampler] = {
    "plain": plain,
    "mc_dropout": mc_dropout,
    "ensemble": ensemble,
    "snapshot": ensemble,
    "swag": swag,
    "laplace": laplace,
    "variational": variational,
    "batch_ensemble": batch_ensemble,
    "tta": augmented,
}

# (model, dataset, recipe) -> what the sampler of that name takes. The model is a Keras model and stays as it was; "swag" and
# "laplace" expect a trained one, "ensemble" uses its architecture only.
FITTERS: Mapping[str, Fitter] = {
    "ensemble": fit_ensemble,
    "snapshot": fit_snapshots,
    "swag": fit_swag,
    "laplace": fit_laplace,
    "variational": fit_variational,
    "batch_ensemble": fit_batch_ensemble,
}
