"""Randomized smoothing: its bounds by an independent implementation, a linear model whose radius is known, attacks inside."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from projectkit.errors import RobustnessError
from projectkit.robustness import ABSTAIN, Certificate, certify, gradient, noise_training
from projectkit.robustness.losses import cross_entropy
from projectkit.robustness.smoothing import lower_bound, predict, radius, votes
from projectkit.types import Recipe

SIGMA = 0.25


@pytest.fixture(scope="module")
def plane():
    """(a function of two classes, split by a plane; the distance of images from it, above 0 on the side of class 1)."""
    weights = np.random.default_rng(0).normal(size=(36, 2)).astype(np.float32)
    normal = (weights[:, 1] - weights[:, 0]).astype(float)
    shift = 0.5 * normal.sum()  # the plane goes through the grey image

    def model(x):
        answers = x.reshape(len(x), -1) @ weights
        answers[:, 1] -= np.float32(shift)
        return answers

    def distance(x):
        return (x.reshape(len(x), -1) @ normal - shift) / np.linalg.norm(normal)

    return model, distance, normal / np.linalg.norm(normal)


def at_distances(normal, distances):
    """Images at these distances from the plane through the grey one, within [0, 1]."""
    flat = 0.5 + np.asarray(distances)[:, None] * normal
    assert flat.min() >= 0 and flat.max() <= 1
    return flat.reshape(-1, 6, 6, 1).astype(np.float32)


def test_the_radius_by_hand():
    assert radius(0.5, 2.0) == 0
    assert radius(0.841344746068543, 0.5) == pytest.approx(0.5)
    assert radius(0.9772498680518208, 0.25) == pytest.approx(0.5)
    assert radius(0.99, 1.0) == pytest.approx(NormalDist().inv_cdf(0.99))


@pytest.mark.parametrize(("hits", "n"), [(1, 10), (7, 10), (10, 10), (60, 100), (990, 1000), (1000, 1000)])
def test_the_bound_is_that_of_clopper_and_pearson(hits, n):
    from scipy.stats import binom, binomtest

    bound = lower_bound(hits, n, 0.001)
    exact = binomtest(hits, n, alternative="greater").proportion_ci(confidence_level=0.999, method="exact")
    assert bound == pytest.approx(exact.low)
    assert binom.sf(hits - 1, n, bound) == pytest.approx(0.001)


def test_no_hit_bounds_nothing_and_more_hits_never_shrink_the_radius():
    assert lower_bound(0, 100, 0.001) == 0
    bounds = [lower_bound(hits, 200, 0.001) for hits in range(201)]
    assert (np.diff(bounds) > 0).all()
    radii = [radius(bound, SIGMA) for bound in bounds if bound > 0.5]
    assert (np.diff(radii) > 0).all()
    assert radii[-1] == pytest.approx(SIGMA * NormalDist().inv_cdf(0.001 ** (1 / 200)))


def test_the_certificate_of_a_plane_is_nearly_the_distance_and_never_more(plane):
    model, distance, normal = plane
    x = at_distances(normal, np.linspace(-0.45, 0.45, 31))
    certificate = certify(model, x, sigma=SIGMA, n=5000)
    true, told = np.abs(distance(x)), certificate.labels != ABSTAIN
    assert (certificate.radii <= true).all()
    assert np.array_equal(certificate.labels[told], (distance(x) > 0)[told].astype(int))
    assert told[true > 0.05].all() and not told[15]  # the image on the plane itself
    middle = (true > 0.1) & (true < 0.4)
    assert (certificate.radii[middle] > true[middle] - 0.06).all()


def test_what_is_told_is_the_winner_of_the_votes_and_a_draw_is_not_told(plane):
    model, _, normal = plane
    x = at_distances(normal, [-0.4, 0.0, 0.4])
    assert predict(model, x, sigma=SIGMA).tolist() == [0, ABSTAIN, 1]
    counts = votes(model, x[2], SIGMA, 2500, np.random.default_rng(0))
    assert counts.sum() == 2500
    share = NormalDist().cdf(0.4 / SIGMA)
    assert abs(counts[1] / 2500 - share) < 4 * math.sqrt(share * (1 - share) / 2500)


def test_equal_seeds_give_equal_certificates_and_the_place_alone_decides_the_noise(plane):
    model, _, normal = plane
    x = at_distances(normal, [-0.3, -0.1, 0.2])
    before = x.copy()
    first, again, other = (certify(model, x, sigma=SIGMA, n=200, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.radii, again.radii) and not np.array_equal(first.radii, other.radii)
    assert np.array_equal(certify(model, x[:2], sigma=SIGMA, n=200).radii, first.radii[:2])
    assert np.array_equal(x, before)


def test_the_certified_accuracy_counts_right_classes_beyond_the_radius():
    certificate = Certificate(np.array([3, 3, ABSTAIN, 1]), np.array([0.5, 0.2, 0.0, 0.9]), SIGMA)
    y = np.array([3, 3, 0, 2])
    assert certificate.accuracy(y).value == 0.5
    assert certificate.accuracy(y, 0.3).value == 0.25
    assert certificate.accuracy(y, 0.5).value == 0
    assert certificate.accuracy(y).low < 0.5 < certificate.accuracy(y).high
    with pytest.raises(RobustnessError, match=r"Received labels of shape \(3,\); expected \(4,\). Give"):
        certificate.accuracy(y[:3])


@pytest.fixture(scope="module")
def used_to_noise(digits):
    from projectkit import models

    model = models.build("convnet", digits, widths=(16, 32, 64))
    history = noise_training(model, digits, Recipe(epochs=6, learning_rate=4e-3), sigma=SIGMA, progress=False)
    return model, history


def test_training_on_noise_is_seen_in_its_history_and_certifies_more_than_plain_training(used_to_noise, trained, digits):
    model, history = used_to_noise
    x, y = digits.test.x[:60], digits.test.y[:60]
    assert history.val_accuracy[-1] > 0.8
    ours, plain = (certify(some, x, sigma=SIGMA, n=300).accuracy(y, 0.3).value for some in (model, trained))
    assert ours > plain + 0.1


def test_an_l2_attack_inside_the_radius_never_flips_the_smoothed_class(used_to_noise, digits):
    """The attack goes against the mean over noise, which is what the smoothed class is made of."""
    model, _ = used_to_noise
    x = digits.test.x[:40]
    certificate = certify(model, x, sigma=SIGMA, n=1000)
    told = (certificate.labels != ABSTAIN) & (certificate.radii > 0.1)
    assert told.sum() > 20
    x, labels, radii = x[told], certificate.labels[told], certificate.radii[told]
    beyond = attacked_through_noise(model, x, labels, 4 * radii)
    assert (predict(model, beyond, sigma=SIGMA, n=400) != labels).mean() > 0.5  # the attack is no weak one
    inside = attacked_through_noise(model, x, labels, 0.99 * radii)
    answers = predict(model, inside, sigma=SIGMA, n=400)
    assert ((answers == labels) | (answers == ABSTAIN)).all()
    assert (answers == labels).mean() > 0.5


def attacked_through_noise(model, x, labels, radii, steps=10, copies=16):
    rng = np.random.default_rng(0)
    change = np.zeros_like(x)
    for _ in range(steps):
        noisy = np.repeat(x + change, copies, axis=0)
        noisy += SIGMA * rng.standard_normal(noisy.shape, np.float32)
        slopes = gradient(model, cross_entropy, noisy, np.repeat(labels, copies))[0]
        slope = slopes.reshape(len(x), copies, *x.shape[1:]).mean(axis=1)
        change += to_length(slope, 0.4 * radii)
        change = np.where((lengths(change) > radii)[:, None, None, None], to_length(change, radii), change)
        change = (np.clip(x + change, 0, 1) - x).astype(np.float32)  # the nearest image is no farther away
    assert (lengths(change) <= radii * 1.0001).all()
    return x + change


def lengths(change):
    return np.sqrt(np.square(change).sum(axis=(1, 2, 3)))


def to_length(change, wanted):
    return (change * (wanted / np.maximum(lengths(change), 1e-12))[:, None, None, None]).astype(np.float32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma": 0.0}, "Received sigma 0.0; expected the noise's standard deviation, above 0. Give"),
        ({"sigma": float("nan")}, "Received sigma nan"),
        (
            {"sigma": 0.5, "alpha": 0.0},
            r"Received alpha 0.0; expected the probability of a wrong answer, in \(0, 1\). Give 0.001",
        ),
        ({"sigma": 0.5, "n": 0}, "Received n=0; expected at least 1"),
        ({"sigma": 0.5, "n0": 0}, "Received n0=0; expected at least 1"),
    ],
)
def test_options_out_of_range_are_refused(plane, options, message):
    with pytest.raises(RobustnessError, match=message):
        certify(plane[0], np.zeros((1, 6, 6, 1), np.float32), **options)
    if "n0" not in options:
        with pytest.raises(RobustnessError, match=message):
            predict(plane[0], np.zeros((1, 6, 6, 1), np.float32), **options)


def test_a_model_whose_answers_are_no_numbers_and_images_that_are_none_are_refused(plane, digits):
    with pytest.raises(RobustnessError, match="NaN or infinite"):
        certify(lambda x: np.full((len(x), 2), np.nan), np.zeros((1, 6, 6, 1), np.float32), sigma=SIGMA)
    with pytest.raises(RobustnessError, match=r"expected .*floats in \[0, 1\]"):
        certify(plane[0], np.full((1, 6, 6, 1), 255.0), sigma=SIGMA)
    from projectkit import models

    with pytest.raises(RobustnessError, match="Received sigma -1"):
        noise_training(models.build("mlp", digits), digits, Recipe(epochs=1), sigma=-1, progress=False)
