"""Our attacks are at least as strong as those of foolbox and ART, on the same model with the same budget.

The quick ones; `benchmarks/attacks.py` has all of them, on MNIST and with more images.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("foolbox")
pytest.importorskip("art")
sys.path.append(str(Path(__file__).parent.parent.parent / "benchmarks"))
from attack_oracles import PAIRS, foolbox_carlini_wagner

from projectkit import robustness
from projectkit.robustness import evaluate

RADII = {"linf": 0.12, "l2": 0.6, "l0": 0.06}
IMAGES = {"pgd": 100, "fgsm": 100, "bim": 100, "mim": 100, "deepfool": 40, "jsma": 60, "square": 40, "apgd_ce": 60}
LONG = {"deepfool", "square", "apgd_ce"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.proof] if name in LONG else []) for name in IMAGES])
def test_at_least_as_strong(name, trained, digits):
    pair, n = PAIRS[name], IMAGES[name]
    x, y, epsilon = digits.test.x[:n], digits.test.y[:n], RADII[PAIRS[name].norm]
    ours = evaluate(trained, x, y, pair.ours, epsilon, norm=pair.norm)
    for attack in pair.theirs.values():
        theirs = evaluate(trained, x, y, attack, epsilon, norm=pair.norm)
        assert ours.value <= theirs.high  # the images are the same: far more slack than the draw of starts needs


def test_one_step_is_the_same_step(trained, digits):
    x, y = digits.test.x[:50], digits.test.y[:50]
    theirs = PAIRS["fgsm"].theirs["foolbox"](trained, x, y, 0.1)
    differing = np.abs(robustness.fgsm(trained, x, y, 0.1) - theirs) > 1e-6
    assert differing.mean() < 0.01  # signs of gradients that are zero but for rounding


def test_the_line_to_the_border_is_the_same_line(trained, digits):
    x, y = digits.test.x[:50], digits.test.y[:50]
    ours, theirs = (attack(trained, x, y, 1.0) for attack in (robustness.deepfool, PAIRS["deepfool"].theirs["foolbox"]))
    lengths = [robustness.distances(found, x, "l2") for found in (ours, theirs)]
    assert np.median(lengths[0]) == pytest.approx(np.median(lengths[1]), rel=0.05)


@pytest.mark.parametrize(("searches", "steps"), [(4, 40), pytest.param(7, 100, marks=pytest.mark.proof)])
def test_the_optimizer_finds_images_as_near_as_theirs(searches, steps, trained, digits):
    x, y = digits.test.x[:12], digits.test.y[:12]
    right = robustness.margins(robustness.logits(trained, x), y) > 0
    ours, theirs = (
        attack(trained, x[right], y[right], 1.0)
        for attack in (
            partial(robustness.carlini_wagner, searches=searches, steps=steps),
            foolbox_carlini_wagner(searches, steps),
        )
    )
    assert np.median(robustness.distances(ours, x[right], "l2")) <= 1.02 * np.median(robustness.distances(theirs, x[right], "l2"))


def test_ten_steps_cross_every_border(trained, withheld):
    x, y = withheld.x[:40], withheld.y[:40]
    crossed = robustness.deepfool(trained, x, y, 1.0, steps=10)
    assert (robustness.margins(robustness.logits(trained, crossed), y) <= 0).all()
