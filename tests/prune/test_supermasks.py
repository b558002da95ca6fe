"""Supermasks: what a search finds in untrained networks, where it cannot find anything, and that it trains nothing."""

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from projectkit import data, runtimes
from projectkit.errors import ModelError
from projectkit.prune.supermask_layers import layer_shares
from projectkit.prune.supermask_scene import GAIN
from projectkit.prune.supermasks import SCORES, Effort, best, cut, front_to_back, iterative, judge, one_shot, prepare, restrict
from projectkit.runtimes.supermask import draw, kept_kernels, logits, write_supermask

ROOT = Path(__file__).parents[2]
SMALL = Effort(masks=6, images=200, steps=300, groups=128)
EFFORTS = {"pgbp_exponential": Effort(steps=300, groups=8)}
LATER = {
    "lfe": Effort(masks=6, images=200, keep=0.9, gain=5.0),
    "pgbp_loss": Effort(steps=60, groups=128),
    "pgbp_exponential": Effort(steps=40, groups=8),
}


@pytest.fixture(scope="module")
def scene(digits):
    return prepare(digits, (300, 100), seed=0)


@pytest.fixture(scope="module")
def searched(scene):
    """The rounds of the methods that look at what a unit does."""
    return {
        name: iterative(scene, SCORES[name], first=EFFORTS.get(name, SMALL), effort=later, seed=1)
        for name, later in LATER.items()
    }


def seen_by(scene, found, digits):
    """Accuracy on images that no search has seen."""
    answers = logits(kept_kernels(found.supermask(scene)), digits.test.x)
    return float(np.mean(answers.argmax(axis=1) == digits.test.y))


@pytest.mark.parametrize("name", ["random", "l1", "l2"])
def test_scores_that_do_not_look_stay_near_chance(name, digits):
    right = []
    for seed in range(3):
        scene = prepare(digits, (300, 100), seed=seed)
        right += [seen_by(scene, one_shot(scene, SCORES[name], seed=seed), digits)]
        right += [seen_by(scene, best(iterative(scene, SCORES[name], seed=seed)), digits)]
    assert np.mean(right) < 0.23


@pytest.mark.parametrize(("name", "floor"), [("lfe", 0.35), ("pgbp_exponential", 0.40), ("pgbp_loss", 0.50)])
def test_scores_that_look_find_a_network_that_sees(name, floor, searched, scene, digits):
    assert seen_by(scene, best(searched[name]), digits) >= floor


def test_one_shot_finds_a_network_that_sees(scene, digits):
    found = one_shot(scene, SCORES["pgbp_loss"], effort=Effort(steps=700))
    assert seen_by(scene, found, digits) >= 0.42


def test_layer_by_layer_finds_a_network_that_sees(scene, digits):
    """… with the same masks a unit better than when all layers are scored at once, on the mean of three networks."""
    gains = []
    for seed in range(3):
        own = prepare(digits, (300, 100), seed=seed)
        layered = front_to_back(own, effort=SMALL, keeps=(0.3, 0.7), beam=3, seed=seed)
        gains.append(seen_by(own, layered, digits) - seen_by(own, one_shot(own, SCORES["lfe"], effort=SMALL, seed=seed), digits))
    assert np.mean(gains) > 0.03


def test_a_layers_shares_are_those_of_the_masks_that_it_wears(digits):
    """The oracle: every mask of a tiny layer through `judge`, by least squares."""
    scene = prepare(replace(digits, train=digits.train.take(100)), (7, 5), seed=0)
    effort, rng = Effort(masks=200, images=100), np.random.default_rng(0)
    for layer, units in enumerate(scene.units):
        (shares,) = layer_shares(scene, layer, rng=rng, effort=effort, gains=(GAIN,))
        masks = [np.array(bits, bool) for bits in product((0, 1), repeat=units) if any(bits)]
        whole = [np.ones(other, bool) for other in scene.units]
        losses = [judge(scene, scene.train, [*whole[:layer], mask, *whole[layer + 1 :]]).loss for mask in masks]
        exact = np.linalg.lstsq(np.column_stack([masks, np.ones(len(masks))]), -np.array(losses), rcond=None)[0][:-1]
        assert np.corrcoef(shares, exact)[0, 1] > 0.98


@pytest.mark.parametrize("name", LATER)
def test_accuracy_rises_and_falls_again_as_units_go(name, searched):
    accuracies = [found.accuracy for found in searched[name]]
    assert max(accuracies) > accuracies[-1] + 0.1
    assert np.argmax(accuracies) > 0
    removed = [found.removed for found in searched[name]]
    assert removed == sorted(removed) and removed[-1] >= 0.98


def test_nothing_is_trained(digits):
    scene = prepare(digits, (60, 30), seed=4)
    before = [kernel.copy() for kernel in (*scene.kernels, *scene.entering)]
    rounds = iterative(scene, SCORES["pgbp_accuracy"], effort=Effort(steps=5, groups=8), share=0.5)
    assert all(np.array_equal(a, b) for a, b in zip(before, (*scene.kernels, *scene.entering), strict=True))
    whole = list(draw((64, 60, 30, 10), 4))
    masks = rounds[1].masks
    for kept, full, (rows, columns) in zip(
        kept_kernels(rounds[1].supermask(scene)),
        whole,
        [(np.ones(64, bool), masks[0]), (masks[0], masks[1]), (masks[1], np.ones(10, bool))],
        strict=True,
    ):
        assert np.array_equal(kept, full[np.ix_(rows, columns)])


def test_a_found_mask_does_in_its_file_what_the_search_saw(searched, scene, digits, tmp_path):
    found = best(searched["pgbp_loss"], removed=0.9)
    artifact = write_supermask(found.supermask(scene), tmp_path / "found.supermask")
    with closing(runtimes.open(artifact)) as session:
        right = np.mean(session.run(digits.val.x).argmax(axis=1) == digits.val.y)
    assert right == pytest.approx(found.accuracy, abs=1 / 360)
    assert found.removed >= 0.9


def test_what_is_restricted_is_what_was_masked(scene):
    rng = np.random.default_rng(0)
    masks = tuple(rng.random(units) < 0.5 for units in scene.units)
    rest = restrict(scene, masks)
    assert rest.units == tuple(int(mask.sum()) for mask in masks)
    everything = tuple(np.ones(units, bool) for units in rest.units)
    seen, expected = judge(rest, rest.val, everything), judge(scene, scene.val, masks)
    assert seen.loss == pytest.approx(expected.loss, rel=1e-5) and seen.accuracy == expected.accuracy
    again = tuple(rng.random(units) < 0.5 for units in rest.units)
    assert [int(mask.sum()) for mask in restrict(rest, again).left] == [int(mask.sum()) for mask in again]


@pytest.mark.parametrize(("name", "cosine"), [("pgbp_loss", 0.98), ("pgbp_accuracy", 0.8)])
def test_a_step_goes_where_the_exact_gradient_points(name, cosine, digits):
    """The oracle tries all 2^9 masks of a tiny network: the gradient of the expected score is the mean of (z − 1/2) · s."""
    scene = prepare(replace(digits, train=digits.train.take(300)), (6, 3), seed=0)
    masks = [np.array(bits, bool) for bits in product((0, 1), repeat=9)]
    outcomes = [judge(scene, scene.train, (mask[:6], mask[6:])) for mask in masks]
    scores = np.array([-one.loss if name == "pgbp_loss" else one.accuracy for one in outcomes])
    exact = np.mean([(mask - 0.5) * score for mask, score in zip(masks, scores, strict=True)], axis=0)
    theta = np.concatenate(SCORES[name](scene, rng=np.random.default_rng(0), effort=Effort(steps=1, groups=20000)))
    assert theta @ exact / np.linalg.norm(theta) / np.linalg.norm(exact) > cosine


@pytest.mark.parametrize("name", SCORES)
def test_a_score_is_finite_one_a_unit_and_the_same_for_the_same_numbers(name, digits):
    scene = prepare(digits, (20, 8), seed=1)
    effort = Effort(masks=4, images=50, steps=10, groups=4)
    first, second = (SCORES[name](scene, rng=np.random.default_rng(3), effort=effort, start=None) for _ in range(2))
    assert [len(values) for values in first] == [20, 8]
    for one, other in zip(first, second, strict=True):
        assert np.isfinite(one).all() and np.array_equal(one, other)


def test_three_hidden_layers_work_as_well(digits):
    scene = prepare(digits, (40, 30, 20), seed=0)
    rounds = iterative(scene, SCORES["pgbp_loss"], effort=Effort(steps=40, groups=32), share=0.4)
    assert len(best(rounds).masks) == 3 and best(rounds).accuracy > 0.2


def test_a_students_own_score_is_a_member(digits):
    scene = prepare(digits, (20, 8), seed=1)

    def first_units(scene, *, rng, effort, start=None):
        return tuple(-np.arange(units, dtype=float) for units in scene.units)

    found, masks = cut(scene, first_units(scene, rng=None, effort=None), [(0.5, 0.25)])
    assert np.array_equal(masks[0], np.arange(20) < 10) and np.array_equal(masks[1], np.arange(8) < 6)
    assert found.removed == pytest.approx(1 - (64 * 10 + 10 * 6 + 6 * 10) / (64 * 20 + 20 * 8 + 8 * 10))


def test_what_makes_no_sense_is_refused(scene, searched):
    with pytest.raises(ModelError, match="between 0 and 1"):
        iterative(scene, SCORES["l1"], share=1.0)
    with pytest.raises(ModelError, match="No round removed 100%"):
        best(searched["lfe"], removed=0.9999)
    one = np.ones(100)
    for scores in ((np.full(300, np.nan), one), (np.ones(299), one), (one,)):
        with pytest.raises(ModelError, match="finite number for each unit"):
            cut(scene, scores, [(0.5, 0.5)])
    for effort in (Effort(samples=1), Effort(steps=0), Effort(groups=0)):
        with pytest.raises(ModelError, match="two masks a group"):
            SCORES["pgbp_loss"](scene, rng=np.random.default_rng(0), effort=effort)


def mnist():
    return any(listing.about.name == "mnist" and listing.place != "absent" for listing in data.describe())


@pytest.mark.skipif(not mnist(), reason="MNIST is not in the data folder")
def test_the_kept_masks_do_what_was_recorded():
    command = [
        sys.executable,
        ROOT / "benchmarks" / "supermasks.py",
        "--verify",
        "lenet300.pgbp",
        "lenet300.lfe.0",
        "lenet300.lfe_layers",
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "2"}, timeout=300)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    kept = ROOT / "benchmarks" / "results" / "supermasks"
    files = {
        path.name for pattern in ("lenet300.pgbp*", "lenet300.lfe.*.0.*", "lenet300.lfe_layers*") for path in kept.glob(pattern)
    }
    assert {line.split()[1] for line in lines} == files and len(files) >= 21
    assert all(line.startswith("✓") for line in lines)


def test_the_gain_of_the_loss_does_not_change_what_is_right(scene):
    """Accuracy does not depend on the scale of the logits, so that the search may choose the one that its loss sees best."""
    masks = tuple(np.ones(units, bool) for units in scene.units)
    scaled = replace(scene, kernels=(scene.kernels[0], scene.kernels[1] * 7))
    assert judge(scene, scene.val, masks).accuracy == judge(scaled, scaled.val, masks).accuracy
