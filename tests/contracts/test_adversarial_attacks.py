"""What every attack promises, and what `evaluate` holds it to. A new member of ATTACKS is tested by being there."""

import itertools
from functools import partial

import numpy as np
import pytest

from projectkit import models
from projectkit.errors import RobustnessError
from projectkit.robustness import ATTACKS, NORMS, check_attack, distances, evaluate, logits
from projectkit.robustness.evaluate import attacked

NORM = {name: norm for norm, members in ATTACKS.items() for name in members}
# Less than usual of what costs most; a member that is not here runs as it is.
CHEAP = {
    "pgd": {"steps": 10},
    "universal": {"steps": 20},
    "apgd_ce": {"steps": 20},
    "apgd_targeted": {"steps": 20, "targets": 3},
    "square": {"queries": 150},
    "rays": {"queries": 150},
    "strongest": {"steps": 15, "targets": 2, "queries": 50},
    "carlini_wagner": {"steps": 30, "searches": 5},
    "deepfool": {"steps": 10},
    "boundary": {"steps": 100},
    "hop_skip_jump": {"steps": 3, "samples": 30},
}
RADII = {"linf": (0.05, 0.15, 0.3), "l2": (0.3, 0.8, 1.6), "l0": (0.04, 0.1, 0.2)}
COUNT = 24


@pytest.fixture(params=NORM)
def name(request):
    return request.param


@pytest.fixture
def attack(name):
    return partial(ATTACKS[NORM[name]][name], **CHEAP.get(name, {}))


@pytest.fixture(scope="module")
def images(withheld):
    return withheld.x[:COUNT], withheld.y[:COUNT]


def test_inside_the_ball_and_the_range_and_the_same_twice(name, attack, trained, images):
    epsilon = RADII[NORM[name]][1]
    first, second = (attacked(trained, *images, attack, epsilon) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.shape == images[0].shape and first.dtype == np.float32
    assert first.min() >= 0 and first.max() <= 1
    assert distances(first, images[0], NORM[name]).max() <= epsilon * (1 + 1e-5)
    assert not np.array_equal(first, images[0])


def test_fools_the_model_more_with_a_larger_radius(name, attack, trained, images):
    robust = [evaluate(trained, *images, attack, epsilon) for epsilon in (0.0, *RADII[NORM[name]])]
    values = [measured.value for measured in robust]
    clean = np.mean(logits(trained, images[0]).argmax(axis=1) == images[1])
    assert values[0] == clean  # a radius of 0 changes nothing
    assert all(after <= before + 2 / COUNT for before, after in itertools.pairwise(values))
    assert values[-1] <= clean - 0.2
    assert all(one.n == COUNT and one.metric == "robust_accuracy" and one.low <= one.value <= one.high for one in robust)


def test_keeps_the_promises_of_the_family(attack, name, trained, images):
    bounded = NORM[name] != "l2"  # those look for the nearest image that fools the model
    found = check_attack(attack, trained, *images, RADII[NORM[name]][0], bounded=bounded)
    assert found.shape == images[0].shape


def towards_grey(model, x, y, epsilon):
    """A student's own attack: deterministic, within the ball and within [0, 1], and not clever."""
    return x + np.clip(0.5 - x, -epsilon, epsilon)


def unseeded(model, x, y, epsilon):
    return np.clip(x + np.random.default_rng().uniform(-epsilon, epsilon, x.shape), 0, 1)


def darkens(model, x, y, epsilon):
    x *= 1 - epsilon
    return x


def relabels(model, x, y, epsilon):
    y[:] = 0
    return towards_grey(model, x, y, epsilon)


def retrains(model, x, y, epsilon):
    model.set_weights([0.9 * array for array in model.get_weights()])
    return towards_grey(model, x, y, epsilon)


def test_an_attack_of_ones_own_is_held_to_the_same_promises(trained, images):
    found = check_attack(towards_grey, trained, *images, 0.1, norm="linf")
    assert np.array_equal(found, towards_grey(None, *images, 0.1))


@pytest.mark.parametrize(
    ("attack", "sentence"),
    [
        (lambda model, x, y, epsilon: x[:5], r"gave an array of shape \(5, .*expected finite floats of shape \(24, .*Return one"),
        (lambda model, x, y, epsilon: (255 * x).astype(np.uint8), "type uint8; expected finite floats"),
        (lambda model, x, y, epsilon: x * np.nan, "expected finite floats"),
        (lambda model, x, y, epsilon: x + epsilon, r"gave pixels from .* to 1\.1; expected \[0, 1\].*Clip"),
        (
            lambda model, x, y, epsilon: np.clip(x + 2 * epsilon, 0, 1),
            r"outside of the ball, at the distance 0\.2 .*Bring",
        ),
        (lambda model, x, y, epsilon: x.copy(), "gave every image as it was; expected changes"),
        (darkens, r"darkens: received images and labels and changed them; expected .*Work on x\.copy"),
        (relabels, "relabels: received images and labels and changed them"),
        (retrains, "retrains: received a model and changed its weights; expected .*Change x only"),
        (unseeded, r"unseeded: gave other images when called again, .*expected the same\. Draw from"),
    ],
    ids=["fewer images", "bytes", "NaN", "no images", "too far", "nothing", "images", "labels", "weights", "chance"],
)
def test_a_broken_promise_is_told(trained, images, attack, sentence):
    with pytest.raises(RobustnessError, match=sentence):
        check_attack(attack, models.copy(trained), *images, 0.1, norm="linf")


def test_an_attack_that_looks_for_the_nearest_image_may_end_outside_of_the_ball(trained, images):
    far = partial(towards_grey, epsilon=0.5)
    check_attack(lambda model, x, y, epsilon: far(model, x, y), trained, *images, 0.1, norm="linf", bounded=False)


def test_an_attack_can_be_checked_only_where_there_is_something_to_do(trained, images):
    x, y = images
    for labels, epsilon in ((y, 0.0), ((logits(trained, x).argmax(axis=1) + 1) % 10, 0.1)):
        with pytest.raises(RobustnessError, match="expected a radius above 0 and an image that the model classifies rightly"):
            check_attack(towards_grey, trained, x, labels, epsilon, norm="linf")


@pytest.mark.parametrize("epsilon", [-0.1, float("nan")])
def test_a_radius_below_0_is_refused(attack, trained, images, epsilon):
    for call in (partial(attack, trained, *images, epsilon), partial(evaluate, trained, *images, attack, epsilon)):
        with pytest.raises(RobustnessError, match=r"Received epsilon .*; expected a radius ≥ 0. Give for example 0.1"):
            call()


@pytest.mark.parametrize("wrong", [10, -1])
def test_a_label_that_is_no_class_is_refused(attack, name, trained, images, wrong):
    x, y = images
    y = np.where(np.arange(COUNT) == 3, wrong, y)
    with pytest.raises(RobustnessError, match=r"Received labels .*expected .*Give"):
        attack(trained, x, y, RADII[NORM[name]][0])


def test_logits_that_are_not_finite_are_refused(attack, name, trained, images):
    import tf_keras as keras

    spoilt = keras.Model(trained.input, keras.layers.Lambda(lambda z: z * float("nan"))(trained.output))
    with pytest.raises(RobustnessError, match=r"logits of 24 of 24 images are NaN or infinite; expected finite .*Look for"):
        attack(spoilt, *images, RADII[NORM[name]][0])


@pytest.mark.parametrize("norm", NORMS)
def test_what_leaves_the_ball_is_brought_back(trained, images, norm):
    def cheat(model, x, y, epsilon):
        x += 5  # its own copy: the caller's images stay
        return np.where(np.arange(COUNT)[:, None, None, None] % 2 == 0, x, -x).astype(np.float64)

    epsilon = RADII[norm][0]
    x_adv = attacked(trained, *images, cheat, epsilon, norm=norm)
    assert x_adv.min() >= 0 and x_adv.max() <= 1
    assert distances(x_adv, images[0], norm).max() <= epsilon * (1 + 1e-5)
    assert evaluate(trained, *images, cheat, 0.0, norm=norm).value == evaluate(trained, *images, cheat, 0, norm=norm).value
    assert evaluate(trained, *images, lambda model, x, y, epsilon: x, epsilon, norm=norm).value > 0.8


@pytest.mark.parametrize(
    "result",
    [
        lambda x: x[:5],
        lambda x: x[..., 0],
        lambda x: (255 * x).astype(np.uint8),
        lambda x: x * float("nan"),
        lambda x: None,
    ],
    ids=["fewer images", "no channel", "bytes", "NaN", "nothing"],
)
def test_a_result_that_is_no_images_is_refused(trained, images, result):
    def broken(model, x, y, epsilon):
        return result(x)

    with pytest.raises(RobustnessError, match=r"broken gave an array of shape .*; expected finite floats of shape .*Return one"):
        evaluate(trained, *images, broken, 0.1, norm="linf")


def test_a_function_of_ones_own_must_say_its_norm(trained, images):
    def mine(model, x, y, epsilon):
        return x

    with pytest.raises(RobustnessError, match=r"mine, which is no member of ATTACKS, and no norm; expected .*Give norm="):
        evaluate(trained, *images, mine, 0.1)
    with pytest.raises(RobustnessError, match=r"Received the norm 'l1'; expected linf, l2, l0. Give"):
        evaluate(trained, *images, mine, 0.1, norm="l1")
    with pytest.raises(RobustnessError, match=r"epsilon 3 in l0; expected a share of the pixels, at most 1. Divide"):
        evaluate(trained, *images, mine, 3, norm="l0")


def test_images_outside_0_and_1_are_refused(trained, images):
    for x in (images[0] * 255, images[0] - 0.5, (images[0] * 255).astype(np.uint8), images[0][0], images[0] * float("nan")):
        with pytest.raises(RobustnessError, match=r"Received images of shape .*expected .* floats in \[0, 1\]. Divide bytes"):
            evaluate(trained, x, images[1], ATTACKS["linf"]["fgsm"], 0.1)
    with pytest.raises(RobustnessError, match=r"Received labels of shape .* for 24 images; expected \(24,\) integers ≥ 0"):
        evaluate(trained, images[0], images[1][:3], ATTACKS["linf"]["fgsm"], 0.1)
    with pytest.raises(RobustnessError, match="Received no images; expected at least one"):
        evaluate(trained, images[0][:0], images[1][:0], ATTACKS["linf"]["fgsm"], 0.1)
