"""At half of the work, nothing trained any further: what each score has kept, right after the cut and recalibrated.

A ResNet-8 on digits, trained for seconds. Half of the channels inside its blocks go at once, scored on 256 training images;
accuracy is that on the test images. Right after the cut, masks (LFE, PGBP) look far better than norms and chance. Most of that is
statistics of batch normalization that no longer fit: estimated anew, chance comes near.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from projectkit import models, train
from projectkit.models.cost import macs
from projectkit.prune import SCORES
from projectkit.prune.lfe import lfe
from projectkit.prune.pgbp import Climb, pgbp
from projectkit.prune.schedules import one_shot, ratio_for_macs
from projectkit.types import Recipe

pytestmark = pytest.mark.proof  # three networks, pruned four times each
SEEDS = (0, 1, 2)
METHODS = {
    "random": SCORES["random"],
    "l1": SCORES["l1"],
    "lfe": lambda model, name, data, *, seed: lfe(
        model, name, data, seed=seed, masks=8 * model.get_layer(name).filters, keep=0.9
    ),
    "pgbp": partial(pgbp, climb=Climb(iterations=40)),
}


@pytest.fixture(scope="module")
def kept(digits):
    """{method: (test accuracy right after the cut, recalibrated) of each network}, at the same cut."""
    few = replace(digits, train=digits.train.take(256), val=digits.test)
    accuracies = {name: [] for name in METHODS}
    for seed in SEEDS:
        model = models.build("resnet", digits, seed=seed, depth=8, width=16)
        train.fit(model, digits, Recipe(epochs=6, learning_rate=3e-3, seed=seed), progress=False)
        assert train.accuracy(model, digits.test) > 0.95
        ratio = ratio_for_macs(model, 0.5)
        for name, score in METHODS.items():
            (step,) = one_shot(model, score, ratio, few, seed=seed).steps
            assert 0.5 <= 1 - step.macs / macs(model) < 0.53
            accuracies[name].append((step.accuracy_cut, step.accuracy_recalibrated))
    return {name: np.array(values).T for name, values in accuracies.items()}


@pytest.mark.parametrize("method", ["lfe", "pgbp"])
@pytest.mark.parametrize("yardstick", ["random", "l1"])
def test_what_tells_masks_from_norms_and_chance_is_mostly_stale_statistics(kept, method, yardstick):
    cut, recalibrated = (kept[method][stage].mean() - kept[yardstick][stage].mean() for stage in (0, 1))
    assert cut >= 0.3
    assert abs(recalibrated) <= 0.1


@pytest.mark.parametrize("method", METHODS)
def test_recalibrated_every_choice_of_half_the_channels_works(kept, method):
    cut, recalibrated = kept[method]
    assert (recalibrated > cut).all()
    assert recalibrated.mean() > 0.8
