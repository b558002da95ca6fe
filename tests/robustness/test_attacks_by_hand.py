"""Attacks on models of which the answer is known."""

import itertools
from functools import partial

import numpy as np
import pytest
import tf_keras as keras

from projectkit import robustness
from projectkit.errors import RobustnessError
from projectkit.robustness import distances, evaluate, gradient, logits, losses, project

PIXELS = (4, 4, 1)


def linear(weights: np.ndarray, biases: np.ndarray) -> keras.Model:
    """logits = x · weights + biases, weights: (pixels, classes)."""
    inputs = keras.Input(PIXELS)
    outputs = keras.layers.Dense(weights.shape[1])(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, outputs)
    model.set_weights([weights, biases])
    return model


@pytest.fixture(scope="module")
def plane():
    """Two classes with a hyperplane between them, images in the middle of the range, and their distances to it."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(16, 2)).astype(np.float32)
    x = rng.uniform(0.4, 0.6, (10, *PIXELS)).astype(np.float32)
    normal = weights[:, 1] - weights[:, 0]
    biases = np.array([0.0, -np.median(x.reshape(10, -1) @ normal) - 0.05], np.float32)
    heights = x.reshape(10, -1) @ normal + biases[1]
    return linear(weights, biases), x, (heights > 0).astype(np.int64), normal, np.abs(heights) / np.linalg.norm(normal)


def test_fgsm_is_the_sign_of_the_weights(plane):
    model, x, y, normal, _ = plane
    towards = np.where(y == 1, -1, 1)[:, None] * np.sign(normal)
    expected = x + np.float32(0.1) * towards.reshape(-1, *PIXELS).astype(np.float32)
    np.testing.assert_array_equal(robustness.fgsm(model, x, y, 0.1), expected)


@pytest.mark.parametrize(
    "attack",
    [
        robustness.bim,
        robustness.mim,
        partial(robustness.pgd, steps=10, step_size=0.1),
        partial(robustness.pgd, loss=losses.negative_margin),
    ],
)
def test_steps_reach_the_corner_of_the_cube(plane, attack):
    model, x, y, _, _ = plane
    np.testing.assert_allclose(attack(model, x, y, 0.1), robustness.fgsm(model, x, y, 0.1), atol=1e-6)


def test_apgd_reaches_the_corner_of_the_images_that_it_cannot_fool(plane):
    model, x, y, normal, far = plane
    epsilon = 0.8 * np.median(far) * np.linalg.norm(normal) / np.abs(normal).sum()  # the radius in L∞ of that distance
    x_adv = robustness.apgd_ce(model, x, y, epsilon)
    stands = far * np.linalg.norm(normal) > epsilon * np.abs(normal).sum()
    assert 0 < stands.sum() < 10
    np.testing.assert_allclose(x_adv[stands], robustness.fgsm(model, x, y, epsilon)[stands], atol=1e-6)
    assert evaluate(model, x, y, robustness.apgd_ce, epsilon).value == stands.mean()


def test_deepfool_goes_the_distance_to_the_hyperplane(plane):
    model, x, y, _, far = plane
    gone = distances(robustness.deepfool(model, x, y, 1.0), x, "l2")
    np.testing.assert_allclose(gone, 1.02 * far, rtol=1e-3)


@pytest.mark.parametrize(
    ("attack", "slack"),
    [
        (robustness.carlini_wagner, 1.03),
        (partial(robustness.boundary, steps=3000), 1.05),
        (partial(robustness.hop_skip_jump, steps=20), 1.05),
    ],
)
def test_the_nearest_image_that_fools_lies_just_behind_the_hyperplane(plane, attack, slack):
    model, x, y, _, far = plane
    gone = distances(attack(model, x, y, 0.0), x, "l2")
    assert (gone >= 0.999 * far).all()
    assert np.median(gone / far) <= slack


def test_evaluation_in_l2_counts_the_images_that_lie_farther_than_epsilon(plane):
    model, x, y, _, far = plane
    for epsilon in (0.9 * far.min(), 1.1 * np.median(far)):
        assert evaluate(model, x, y, robustness.deepfool, epsilon).value == np.mean(far * 1.02 > epsilon)


def test_deepfool_takes_the_nearest_of_several_borders():
    weights = np.random.default_rng(1).normal(size=(16, 5)).astype(np.float32)
    x = np.full((1, *PIXELS), 0.5, np.float32)
    model = linear(weights, np.zeros(5, np.float32))
    heights = logits(model, x)[0]
    label = int(heights.argmax())
    borders = [(heights[label] - heights[k]) / np.linalg.norm(weights[:, k] - weights[:, label]) for k in range(5) if k != label]
    gone = distances(robustness.deepfool(model, x, np.array([label]), 1.0), x, "l2")
    assert gone[0] == pytest.approx(1.02 * min(borders), rel=1e-3)


def test_jsma_changes_the_two_pixels_that_matter():
    weights = np.zeros((16, 3), np.float32)
    weights[[2, 7], 1] = 1.0  # class 1 sees two pixels, and the others lose by them
    weights[[2, 7], 2] = -1.0
    model = linear(weights, np.array([1.5, 0.0, 0.0], np.float32))
    x = np.zeros((1, *PIXELS), np.float32)
    x_adv = robustness.jsma(model, x, np.array([0]), 2 / 16)
    assert np.flatnonzero(x_adv).tolist() == [2, 7] and x_adv.max() == 1
    assert evaluate(model, x, np.array([0]), robustness.jsma, 2 / 16).value == 0
    assert evaluate(model, x, np.array([0]), robustness.jsma, 1 / 16).value == 1


def test_universal_finds_the_one_change_that_fools_all():
    rng = np.random.default_rng(0)
    normal = rng.choice([-1.0, 1.0], 16).astype(np.float32)
    model = linear(np.stack([0 * normal, normal], axis=1), np.zeros(2, np.float32))
    x = rng.uniform(0.4, 0.6, (12, *PIXELS)).astype(np.float32)
    x += (np.float32(0.5 / 16) - (x.reshape(12, -1) @ normal / 16)[:, None, None, None]) * normal.reshape(PIXELS)
    y = np.ones(12, np.int64)  # every image has the height 0.5: 16 · 0.04 takes all of them across
    x_adv = robustness.universal(model, x, y, 0.04)
    np.testing.assert_allclose(x_adv - x, np.broadcast_to(-0.04 * normal.reshape(PIXELS), x.shape), atol=1e-6)
    assert evaluate(model, x, y, robustness.universal, 0.04).value == 0


def test_iterating_is_not_weaker_than_one_step_and_a_radius_of_1_leaves_nothing(trained, withheld):
    x, y = withheld.x[:100], withheld.y[:100]
    for epsilon in (0.05, 0.1, 0.2):
        one, many = (evaluate(trained, x, y, attack, epsilon).value for attack in (robustness.fgsm, robustness.pgd))
        restarted = evaluate(trained, x, y, partial(robustness.pgd, restarts=3), epsilon).value
        assert many <= one + 0.005
        assert restarted <= many
    assert evaluate(trained, x, y, robustness.pgd, 1.0).value < 0.05
    assert evaluate(trained, x, y, robustness.square, 1.0).value < 0.05


def test_the_strongest_is_as_strong_as_its_parts(trained, digits):
    x, y = digits.test.x[:60], digits.test.y[:60]
    options = {"steps": 20, "targets": 3}
    together = evaluate(trained, x, y, partial(robustness.strongest, queries=100, **options), 0.1).value
    parts = [
        partial(robustness.apgd_ce, steps=20),
        partial(robustness.apgd_targeted, **options),
        partial(robustness.square, queries=100),
    ]
    assert together <= min(evaluate(trained, x, y, part, 0.1).value for part in parts)


def test_gradients_are_those_of_central_differences():
    keras.utils.set_random_seed(0)
    inputs = keras.Input(PIXELS)
    hidden = keras.layers.Dense(12, activation="tanh")(keras.layers.Flatten()(inputs))  # smooth: no kinks to step across
    model = keras.Model(inputs, keras.layers.Dense(3)(hidden))
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 1, (300, *PIXELS)).astype(np.float32), rng.integers(0, 3, 300)  # more than one batch
    slopes, values, answers = gradient(model, losses.cross_entropy, x, y)
    np.testing.assert_allclose(answers, model(x).numpy(), atol=1e-5)
    powers = np.exp(answers.astype(np.float64))
    np.testing.assert_allclose(values, -np.log(powers[np.arange(300), y] / powers.sum(axis=1)), atol=1e-5)
    way = rng.normal(size=x.shape).astype(np.float32)
    ahead, behind = (gradient(model, losses.cross_entropy, x + step * way, y)[1] for step in (1e-2, -1e-2))
    np.testing.assert_allclose((slopes * way).sum(axis=(1, 2, 3)), (ahead - behind) / 2e-2, rtol=1e-2, atol=2e-3)


def test_ratios_of_differences_do_not_depend_on_the_scale_and_know_their_sign():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(50, 6)).astype(np.float32), rng.integers(0, 6, 50)
    wrong = z.argmax(axis=1) != y
    target = (y + 1) % 6
    for loss in (losses.difference_of_logits_ratio, lambda z, y: losses.targeted_difference_of_logits_ratio(z, y, target)):
        np.testing.assert_allclose(loss(1000 * z + 7, y), loss(z, y), rtol=1e-3, atol=1e-4)
    ordered = np.sort(z, axis=1)[:, ::-1]
    best_other = np.where(np.arange(6) == y[:, None], -np.inf, z).max(axis=1)
    dlr = losses.difference_of_logits_ratio(z, y).numpy()
    np.testing.assert_allclose(dlr, -(z[np.arange(50), y] - best_other) / (ordered[:, 0] - ordered[:, 2]), rtol=1e-5)
    assert ((dlr > 0) == wrong).all()


class TestSquare:
    def test_the_same_questions_whoever_answers_them(self, trained, digits):
        x, y = digits.test.x[:20], digits.test.y[:20]
        asked, batches = robustness.square_queries(x, y, 0.1, 40, np.random.default_rng(3)), []

        def answer(batch):
            batches.append(batch)
            assert np.abs(batch.max()) <= 1 and batch.min() >= 0 and batch.dtype == np.float32
            return logits(trained, batch)

        x_adv, robust = robustness.answered(asked, answer)
        np.testing.assert_array_equal(x_adv, robustness.square(trained, x, y, 0.1, queries=40, seed=3))
        assert len(batches) <= 40 and len(batches[0]) == 20
        np.testing.assert_array_equal(batches[0], x)
        sizes = [len(batch) for batch in batches]
        assert all(after <= before for before, after in itertools.pairwise(sizes)) and sizes[-1] < 20
        np.testing.assert_array_equal(robust, robustness.margins(logits(trained, x_adv), y) > 0)
        assert np.abs(x_adv - x).max() <= 0.1 + 1e-6

    def test_an_image_fares_alike_whatever_the_others_do(self, trained, digits):
        x, y = digits.test.x[:12], digits.test.y[:12].copy()
        before = robustness.square(trained, x, y, 0.1, queries=60)
        y[:6] = (y[:6] + 1) % 10  # these are wrong from the start and leave at once
        after = robustness.square(trained, x, y, 0.1, queries=60)
        np.testing.assert_array_equal(after[6:], before[6:])
        np.testing.assert_array_equal(after[:6], x[:6])

    @pytest.mark.parametrize(
        "blinded",
        [
            lambda z: 1000 * z,
            lambda z: (
                np.exp(30 * (z - z.max(1, keepdims=True))) / np.exp(30 * (z - z.max(1, keepdims=True))).sum(1, keepdims=True)
            ),
        ],
        ids=["times 1000", "sure softmax"],
    )
    def test_scales_and_saturation_do_not_hide_a_weak_model(self, trained, digits, blinded):
        x, y = digits.test.x[:100], digits.test.y[:100]
        plain = robustness.square(trained, x, y, 0.15, queries=400)
        hidden = robustness.square(lambda batch: blinded(logits(trained, batch)), x, y, 0.15, queries=400)
        of_plain, of_hidden = (np.mean(robustness.margins(logits(trained, found), y) > 0) for found in (plain, hidden))
        assert of_hidden <= of_plain + 0.15 < 0.7

    def test_constant_logits_are_never_right(self, digits):
        x, y = digits.test.x[:20], digits.test.y[:20]
        assert evaluate(lambda batch: np.zeros((len(batch), 10)), x, y, robustness.square, 0.1).value == 0


def test_forward_passes_suffice_for_the_black_boxes_and_not_for_gradients(trained, digits):
    x, y = digits.test.x[:10], digits.test.y[:10]

    def model(batch):
        return logits(trained, batch)

    class Session:
        run = staticmethod(model)

    for box in (model, Session()):
        value = evaluate(box, x, y, partial(robustness.square, queries=50), 0.15).value
        assert value == evaluate(trained, x, y, partial(robustness.square, queries=50), 0.15).value
        with pytest.raises(RobustnessError, match=r"which has no gradients; expected a Keras model. Use square"):
            robustness.fgsm(box, x, y, 0.1)
    with pytest.raises(RobustnessError, match=r"a model of type str; expected a Keras model, an open session or a function"):
        logits("model.tflite", x)
    with pytest.raises(RobustnessError, match=r"Received answers of shape \(10,\) to 10 images; expected \(10, classes\)"):
        logits(lambda batch: batch[:, 0, 0, 0], x)
    with pytest.raises(RobustnessError, match=r"model of 3 classes; expected at least 4 .* Use apgd_ce"):
        robustness.apgd_targeted(lambda batch: np.eye(3)[np.zeros(len(batch), int)], x, np.zeros(10, int), 0.1)
    with pytest.raises(RobustnessError, match=r"Received steps=0; expected at least 1. Give"):
        robustness.pgd(trained, x, y, 0.1, steps=0)


def test_projections_by_hand():
    x = np.full((1, 2, 2, 1), 0.5, np.float32)
    moved = np.array([0.9, 0.5, 0.2, 2.0], np.float32).reshape(x.shape)  # changes 0.4, 0, −0.3, and 0.5 once in [0, 1]
    np.testing.assert_allclose(project(moved, x, 0.1, "linf").ravel(), [0.6, 0.5, 0.4, 0.6], atol=1e-7)
    length = np.sqrt(0.4**2 + 0.3**2 + 0.5**2)
    half = project(moved, x, length / 2, "l2").ravel()
    np.testing.assert_allclose(half, 0.5 + np.array([0.4, 0, -0.3, 0.5]) / 2, atol=1e-6)
    np.testing.assert_array_equal(project(moved, x, 2.0, "l2").ravel(), np.clip(moved, 0, 1).ravel())
    np.testing.assert_array_equal(project(moved, x, np.inf, "l2").ravel(), np.clip(moved, 0, 1).ravel())
    np.testing.assert_allclose(project(moved, x, 0.5, "l0").ravel(), [0.9, 0.5, 0.5, 1.0])
    assert distances(moved, x, "l0").tolist() == [0.75]
