"""A trained network with units put in at random: whoever scores units should find them."""

import functools

import numpy as np
from sklearn.metrics import roc_auc_score

from projectkit import data, models, train
from projectkit.types import Recipe

UNITS = 32
LAYER = "dense"


@functools.cache
def network(seed: int = 0):
    """(model, inserted): 64-64-10 on digits, of whose 64 hidden units those with `inserted` have weights of trained units,
    shuffled: their norms say nothing."""
    digits = data.load("digits")
    small = models.build("mlp", digits, seed=seed, widths=(UNITS,))
    train.fit(small, digits, Recipe(epochs=15, learning_rate=3e-3, seed=seed), progress=False)
    wide = models.build("mlp", digits, widths=(2 * UNITS,))
    rng = np.random.default_rng(seed)
    kernel, bias = small.get_layer(LAYER).get_weights()
    out, out_bias = small.get_layer("logits").get_weights()
    order = rng.permutation(2 * UNITS)
    inserted = np.repeat([False, True], UNITS)[order]
    wide.get_layer(LAYER).set_weights(
        [
            np.concatenate([kernel, rng.permuted(kernel, axis=0)], axis=1)[:, order],
            np.concatenate([bias, rng.permutation(bias)])[order],
        ]
    )
    wide.get_layer("logits").set_weights([np.concatenate([out, rng.permuted(out, axis=1)])[order], out_bias])
    return wide, inserted


def auroc(scores: np.ndarray, inserted: np.ndarray) -> float:
    """How well low scores point out the inserted units: 0.5 is chance, 1 perfect."""
    return float(roc_auc_score(inserted, -scores))
