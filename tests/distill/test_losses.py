"""The losses against SciPy and NumPy in double precision, and the laws that their papers state."""

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from scipy.special import huber, log_softmax, logsumexp, rel_entr, softmax
from scipy.stats import ortho_group

from projectkit.distill import FEATURE_LOSSES, LOSSES
from projectkit.distill.decoupled import other_divergence, target_divergence
from projectkit.distill.hinton import divergence
from projectkit.errors import ModelError

# isort: split
import tensorflow as tf

IMAGES, CLASSES = 9, 6


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def three(rng):
    """Logits of student and teacher, float64, and labels, some of them hidden."""
    labels = rng.integers(0, CLASSES, IMAGES)
    labels[[1, 4]] = -1
    return (*rng.normal(0, 3, (2, IMAGES, CLASSES)), labels)


@pytest.fixture
def pair(rng):
    """Features (n, height, width, channels) of student and teacher, as after a ReLU."""
    return np.maximum(rng.normal(0.3, 1, (2, 7, 4, 3, 5)), 0)


def entropy(student, labels):
    known = labels >= 0
    return -log_softmax(student, axis=1)[known, labels[known]].mean()


def kl(student, teacher, temperature):
    return rel_entr(softmax(teacher / temperature, axis=1), softmax(student / temperature, axis=1)).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.5, 1, 4, 20])
@pytest.mark.parametrize("alpha", [0, 0.3, 1])
def test_hinton(three, temperature, alpha):
    student, teacher, labels = three
    expected = (1 - alpha) * entropy(student, labels) + alpha * temperature**2 * kl(student, teacher, temperature).mean()
    assert float(LOSSES["hinton"](*three, temperature=temperature, alpha=alpha)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("alpha", [0, 0.3, 1])
def test_logit_matching(three, alpha):
    student, teacher, labels = three
    expected = (1 - alpha) * entropy(student, labels) + alpha * np.mean((student - teacher) ** 2)
    assert float(LOSSES["logit_matching"](*three, alpha=alpha)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("temperature", "alpha", "beta", "label_weight"), [(4, 1, 8, 1), (1, 0, 1, 0), (2, 3, 0, 0), (4, 0, 0, 2)]
)
def test_decoupled(three, temperature, alpha, beta, label_weight):
    student, teacher, labels = three
    expected = label_weight * entropy(student, labels)
    for ours, theirs, label in zip(student / temperature, teacher / temperature, labels, strict=True):
        target = label if label >= 0 else theirs.argmax()
        p, q = softmax(theirs)[target], softmax(ours)[target]
        others = np.arange(CLASSES) != target
        of_others = rel_entr(softmax(theirs[others]), softmax(ours[others])).sum()
        of_target = rel_entr([p, 1 - p], [q, 1 - q]).sum()
        expected += temperature**2 * (alpha * of_target + beta * of_others) / IMAGES
    options = {"temperature": temperature, "alpha": alpha, "beta": beta, "label_weight": label_weight}
    assert float(LOSSES["decoupled"](*three, **options)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("temperature", [1, 4])
def test_the_divergence_is_the_targets_part_and_the_others_by_their_share(three, temperature):
    student, teacher, _ = three
    targets = np.arange(IMAGES) % CLASSES
    share = softmax(teacher / temperature, axis=1)[np.arange(IMAGES), targets]
    parts = [part(*three[:2], targets, temperature).numpy() for part in (target_divergence, other_divergence)]
    whole = divergence(student, teacher, temperature).numpy()
    np.testing.assert_allclose(parts[0] + (1 - share) * parts[1], whole, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(whole, kl(student, teacher, temperature), rtol=1e-4, atol=1e-6)


def test_the_targets_part_is_exact_for_a_teacher_that_is_almost_sure():
    """1 − p rounds to 0 in float32; the two teachers differ in it by a factor of e¹⁰ all the same."""
    teacher = np.array([[40.0, 0.0, 0.0]])
    student = np.array([[30.0, 0.0, 0.0]])
    p = np.exp(-np.array([30.0, 40.0]) + np.log(2))  # of the others, of student and teacher
    gradient_of_the_others = p[0] - p[1]
    student = tf.Variable(student, dtype=tf.float32)
    with tf.GradientTape() as tape:
        value = target_divergence(student, teacher, np.array([0]))
    assert tape.gradient(value, student).numpy()[0, 1:].sum() == pytest.approx(gradient_of_the_others, rel=1e-2)


@pytest.mark.parametrize("temperature", [0.1, 1, 100])
def test_identical_networks_diverge_by_nothing_at_any_temperature(three, temperature):
    student = three[0]
    assert not divergence(student, student, temperature).numpy().any()


def test_logits_moved_by_a_constant_are_the_same_teacher(three):
    student, teacher, labels = three
    for name in ("hinton", "decoupled"):
        assert float(LOSSES[name](student, teacher + 5, labels)) == pytest.approx(float(LOSSES[name](*three)), rel=1e-4)


def test_the_size_of_the_gradient_hardly_depends_on_the_temperature(rng):
    student, teacher = rng.normal(0, 1, (2, IMAGES, CLASSES)).astype(np.float32)

    def size(temperature):
        ours = tf.Variable(student)
        with tf.GradientTape() as tape:
            value = LOSSES["hinton"](ours, teacher, np.full(IMAGES, -1), temperature=temperature, alpha=1)
        return np.linalg.norm(tape.gradient(value, ours).numpy())

    sizes = [size(temperature) for temperature in (4, 8, 16, 32)]
    assert max(sizes) < 1.25 * min(sizes)  # without T² the first is 64 times the last


def test_a_hot_teacher_teaches_its_logits(three):
    """At a high temperature, soft targets are half of logit matching with logits of mean 0 (Hinton et al., equation 4)."""
    student, teacher, labels = (three[0], three[1], np.full(IMAGES, -1))
    student, teacher = (logits - logits.mean(axis=1, keepdims=True) for logits in (student, teacher))
    matched = float(LOSSES["logit_matching"](student, teacher, labels, alpha=1))
    assert float(LOSSES["hinton"](student, teacher, labels, temperature=100, alpha=1)) == pytest.approx(matched / 2, rel=0.05)


def test_images_without_a_label_do_not_thin_the_labels_out(three):
    student, teacher, labels = three
    known = labels >= 0
    alone = LOSSES["hinton"](student[known], teacher[known], labels[known], alpha=0)
    assert float(LOSSES["hinton"](*three, alpha=0)) == pytest.approx(float(alone), rel=1e-6)


def test_hints(pair):
    assert float(FEATURE_LOSSES["hints"](*pair)) == pytest.approx(np.mean((pair[0] - pair[1]) ** 2), rel=1e-5)
    with pytest.raises(ModelError, match=r"expected the same shape twice.*give the Match a regressor"):
        FEATURE_LOSSES["hints"](pair[0], pair[1][..., :3])


def test_attention_transfer(pair):
    maps = [(features**2).sum(axis=3).reshape(len(features), -1) for features in pair]
    ours, theirs = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in maps)
    assert float(FEATURE_LOSSES["attention_transfer"](*pair)) == pytest.approx(np.mean((ours - theirs) ** 2), rel=1e-4)


def test_attention_does_not_see_channels_or_scale(pair, rng):
    student, teacher = pair
    loss = FEATURE_LOSSES["attention_transfer"]
    expected = pytest.approx(float(loss(student, teacher)), rel=1e-4)
    assert float(loss(3 * student[..., rng.permutation(5)], 0.2 * teacher[..., rng.permutation(5)])) == expected
    assert float(loss(student.repeat(2, axis=3), teacher)) == expected  # twice as wide
    assert float(loss(student[:, ::-1], teacher)) != expected


@pytest.mark.parametrize("shape", [(7, 4, 2, 5), (7, 12, 5), (7, 60)], ids=str)
def test_attention_needs_maps_of_one_size(pair, shape):
    with pytest.raises(ModelError, match=r"expected .n, height, width, channels. twice.*Choose layers of one image size"):
        FEATURE_LOSSES["attention_transfer"](pair[0], np.ones(shape))


def test_attention_needs_more_than_one_place():
    with pytest.raises(ModelError, match="more than one place"):
        FEATURE_LOSSES["attention_transfer"](*np.ones((2, 7, 1, 1, 5)))


def test_relational_distance(pair):
    ours, theirs = (pdist(features.reshape(len(features), -1)) for features in pair)
    expected = huber(1, ours / ours.mean() - theirs / theirs.mean()).mean()
    assert float(FEATURE_LOSSES["relational_distance"](*pair)) == pytest.approx(expected, rel=1e-4)


def test_relational_distance_of_far_outliers_is_linear():
    """One image far away: differences above 1, where Huber's loss leaves the parabola."""
    student, teacher = np.eye(6), np.eye(6)
    student[0] *= 50
    ours, theirs = pdist(student), pdist(teacher)
    difference = ours / ours.mean() - theirs / theirs.mean()
    assert np.abs(difference).max() > 1.5
    assert float(FEATURE_LOSSES["relational_distance"](student, teacher)) == pytest.approx(huber(1, difference).mean(), rel=1e-4)


def test_relational_angle(pair):
    flat = [features.reshape(len(features), -1) for features in pair]
    differences = []
    for j, i, k in itertools.permutations(range(len(flat[0])), 3):
        cosines = [1 - cdist([x[i] - x[j]], [x[k] - x[j]], "cosine").item() for x in flat]
        differences.append(cosines[0] - cosines[1])
    expected = huber(1, differences).mean()
    assert float(FEATURE_LOSSES["relational_angle"](*pair)) == pytest.approx(expected, rel=1e-3)


def test_relational_is_distance_and_twice_the_angle(pair):
    distance, angle, both = (
        float(FEATURE_LOSSES[name](*pair)) for name in ("relational_distance", "relational_angle", "relational")
    )
    assert both == pytest.approx(distance + 2 * angle, rel=1e-5)


@pytest.mark.parametrize("name", ["relational_distance", "relational_angle", "relational"])
def test_relations_do_not_see_rotation_place_scale_or_width(pair, rng, name):
    student, teacher = (features.reshape(len(features), -1) for features in pair)
    loss = FEATURE_LOSSES[name]
    expected = pytest.approx(float(loss(student, teacher)), rel=1e-3)
    turned = 7 * student @ ortho_group.rvs(student.shape[1], random_state=1) + rng.normal(0, 3, student.shape[1])
    assert float(loss(turned, teacher)) == expected
    assert float(loss(student, 0.1 * teacher[:, ::-1] - 2)) == expected
    assert float(loss(np.pad(student, ((0, 0), (0, 30))), teacher)) == expected  # a wider student
    assert float(loss(turned, student)) == pytest.approx(0, abs=1e-6)
    assert float(loss(student * np.linspace(0.1, 3, student.shape[1]), teacher)) != expected  # no rotation


def test_two_images_that_lie_on_each_other_are_at_distance_0(pair):
    student, teacher = (features.reshape(len(features), -1) for features in pair)
    student[3] = student[5]
    ours, theirs = pdist(student), pdist(teacher)
    ours = ours / ours[ours > 0].mean()  # the mean of those that are apart
    expected = huber(1, ours - theirs / theirs.mean()).mean()
    assert float(FEATURE_LOSSES["relational_distance"](student, teacher)) == pytest.approx(expected, rel=1e-4)


def test_the_gradient_of_soft_targets_is_the_difference_of_the_probabilities(three):
    """∂L/∂student = T · (softmax(student / T) − softmax(teacher / T)) / n (Hinton et al., equation 2, times T²)."""
    student, teacher, labels = three
    ours = tf.Variable(student, dtype=tf.float32)
    with tf.GradientTape() as tape:
        value = LOSSES["hinton"](ours, teacher, labels, temperature=3, alpha=1)
    expected = 3 * (softmax(student / 3, axis=1) - softmax(teacher / 3, axis=1)) / IMAGES
    np.testing.assert_allclose(tape.gradient(value, ours).numpy(), expected, rtol=1e-3, atol=1e-6)
    assert logsumexp(log_softmax(student, axis=1), axis=1) == pytest.approx(0, abs=1e-9)
