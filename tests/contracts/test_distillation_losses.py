"""What every distillation loss promises. A new member of LOSSES or FEATURE_LOSSES is held to it by being there."""

import numpy as np
import pytest

from projectkit.distill import FEATURE_LOSSES, LOSSES, check_loss
from projectkit.errors import ModelError

# isort: split
import tensorflow as tf

IMAGES, CLASSES = 12, 5
FITS_ITSELF = {"hinton": {"alpha": 1.0}, "logit_matching": {"alpha": 1.0}, "decoupled": {"label_weight": 0.0}}


def drawn(seed=0):
    rng = np.random.default_rng(seed)
    student, teacher = rng.normal(0, 2, (2, IMAGES, CLASSES)).astype(np.float32)
    return student, teacher, rng.integers(0, CLASSES, IMAGES)


def drawn_features(seed=0, shape=(IMAGES, 4, 4, 6)):
    return np.random.default_rng(seed).normal(0, 1, (2, *shape)).astype(np.float32)


@pytest.fixture(params=LOSSES)
def loss(request):
    return LOSSES[request.param]


@pytest.fixture(params=FEATURE_LOSSES)
def feature_loss(request):
    return FEATURE_LOSSES[request.param]


def test_keeps_the_promises_of_the_family(loss):
    check_loss(loss)
    value = loss(*drawn())
    assert value.shape == () and value.dtype == tf.float32
    assert 0 < float(value) < np.inf
    assert float(value) == float(loss(*drawn()))


def squares(student, teacher, labels):
    """A student's own loss: labels are not looked at."""
    return tf.reduce_mean(tf.square(student - tf.stop_gradient(teacher)))


def test_a_loss_of_ones_own_is_held_to_the_same_promises():
    check_loss(squares)


def in_numpy(student, teacher, labels):
    return np.mean(np.square(student.numpy() - teacher))


def graph_only_fails(student, teacher, labels):
    assert tf.executing_eagerly()
    return squares(student, teacher, labels)


def first_counts_twice(student, teacher, labels):
    return squares(student, teacher, labels) + squares(student[:1], teacher[:1], labels)


def by_labels_alone(student, teacher, labels):
    known = tf.cast(labels >= 0, tf.float32)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), student)
    return tf.reduce_sum(known * each) / tf.maximum(tf.reduce_sum(known), 1.0)


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        (lambda s, t, y: tf.reduce_mean(tf.square(s - tf.stop_gradient(t)), axis=1), r"shape \(12,\); expected one number"),
        (lambda s, t, y: squares(s, t, y) * np.nan, "received nan; expected a finite number"),
        (lambda s, t, y: -squares(s, t, y), "received the loss -.*; expected a number ≥ 0"),
        (in_numpy, "in_numpy: the gradient for the student's logits is absent; .*Use TensorFlow"),
        (lambda s, t, y: 0.0 * squares(s, t, y), "is zero, NaN or infinite; expected finite numbers that are not all 0"),
        (lambda s, t, y: tf.reduce_mean(tf.square(s - t)), "a gradient reaches the teacher's logits; .*Put tf.stop_gradient"),
        (graph_only_fails, r"graph_only_fails: fails in a graph \(AssertionError.*\); expected it to work"),
        (lambda s, t, y: squares(s, t, y) * (1.0 + tf.executing_eagerly()), "in a graph, .* before; expected the same"),
        (first_counts_twice, "for the same images in another order, .* before; expected the same. Take the mean"),
        (by_labels_alone, "an image with the label -1, which has none, gives no finite gradient; expected the teacher"),
    ],
    ids=["a number an image", "NaN", "negative", "NumPy", "flat", "teacher learns", "no graph", "other graph", "order", "labels"],
)
def test_a_broken_promise_is_told(loss, sentence):
    with pytest.raises(ModelError, match=sentence):
        check_loss(loss)


def test_the_order_of_the_classes_does_not_matter(loss):
    student, teacher, labels = drawn()
    order = np.random.default_rng(1).permutation(CLASSES)
    again = loss(student[:, order], teacher[:, order], np.argsort(order)[labels])
    assert float(again) == pytest.approx(float(loss(student, teacher, labels)), rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_is_left_to_learn_of_a_teacher_with_the_same_logits(name):
    student, _, labels = drawn()
    assert float(LOSSES[name](student, student, labels, **FITS_ITSELF[name])) == 0


def test_logits_of_a_very_sure_network_give_finite_numbers_and_gradients(loss):
    student, teacher, labels = drawn()
    student = tf.Variable(500 * student)
    with tf.GradientTape() as tape:
        value = loss(student, 500 * teacher, labels)
    assert np.isfinite(float(value))
    assert np.isfinite(tape.gradient(value, student).numpy()).all()


def test_images_without_a_label_are_taught_by_the_teacher_alone(loss):
    student, teacher, _ = drawn()
    student, none = tf.Variable(student), np.full(IMAGES, -1)
    with tf.GradientTape() as tape:
        value = loss(student, teacher, none)
    assert np.isfinite(float(value))
    gradients = tape.gradient(value, student).numpy()
    assert (np.abs(gradients).max(axis=1) > 0).all()
    assert not np.isclose(float(value), float(loss(student, teacher[::-1], none)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda student, teacher, labels: (student[:, :4], teacher, labels),
        lambda student, teacher, labels: (student, teacher[:5], labels),
        lambda student, teacher, labels: (student, teacher, labels[:5]),
        lambda student, teacher, labels: (student, teacher, labels[:, None]),
        lambda student, teacher, labels: (student, teacher, labels.astype(float)),
        lambda student, teacher, labels: (student[0], teacher[0], labels),
    ],
    ids=["fewer classes", "fewer teacher's images", "fewer labels", "labels in a column", "labels with fractions", "one image"],
)
def test_shapes_that_do_not_fit_are_refused(loss, spoil):
    with pytest.raises(
        ModelError, match=r"Received student logits of shape .*expected \(n, classes\) twice and \(n,\) integers.*Give all three"
    ):
        loss(*spoil(*drawn()))


@pytest.mark.parametrize("wrong", [CLASSES, -2])
def test_a_label_that_is_no_class_is_refused(loss, wrong):
    student, teacher, labels = drawn()
    labels[3] = wrong
    with pytest.raises(ModelError, match=r"Received labels from .*; expected 0 to 4, or -1 .*Number the classes from 0"):
        loss(student, teacher, labels)


def test_what_is_no_number_is_refused(loss):
    student, _, labels = drawn()
    with pytest.raises(ModelError, match=r"Received a list; expected an array of numbers.*Give floats"):
        loss(student, [["a"] * CLASSES] * IMAGES, labels)


@pytest.mark.parametrize("name", ["hinton", "decoupled"])
@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), float("inf")])
def test_a_temperature_that_is_not_positive_is_refused(name, temperature):
    with pytest.raises(ModelError, match=r"Received the temperature .*; expected a number above 0. Give 2 to 8"):
        LOSSES[name](*drawn(), temperature=temperature)


@pytest.mark.parametrize("name", ["hinton", "logit_matching"])
@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_and_1_is_refused(name, alpha):
    with pytest.raises(ModelError, match=r"Received alpha .*; expected the teacher's share of the loss, in \[0, 1\]. Give"):
        LOSSES[name](*drawn(), alpha=alpha)


@pytest.mark.parametrize("name", ["alpha", "beta", "label_weight"])
def test_a_negative_weight_is_refused(name):
    with pytest.raises(ModelError, match=f"Received {name} -1; expected a finite weight"):
        LOSSES["decoupled"](*drawn(), **{name: -1})


def test_features_give_one_finite_number_and_0_for_those_of_the_teacher(feature_loss):
    student, teacher = drawn_features()
    value = feature_loss(student, teacher)
    assert value.shape == () and value.dtype == tf.float32
    assert 0 < float(value) < np.inf
    assert float(value) == float(feature_loss(student, teacher))
    assert float(feature_loss(student, student)) == 0
    assert float(tf.function(feature_loss)(*map(tf.constant, (student, teacher)))) == pytest.approx(float(value), rel=1e-4)


def test_the_gradient_reaches_the_students_features_and_not_the_teachers(feature_loss):
    student, teacher = map(tf.Variable, drawn_features())
    with tf.GradientTape() as tape:
        value = feature_loss(student, teacher)
    ours, theirs = tape.gradient(value, [student, teacher])
    assert theirs is None
    assert np.isfinite(ours.numpy()).all() and np.abs(ours.numpy()).max() > 0


def test_the_order_of_the_images_does_not_matter_to_features(feature_loss):
    student, teacher = drawn_features()
    order = np.random.default_rng(1).permutation(IMAGES)
    assert float(feature_loss(student[order], teacher[order])) == pytest.approx(float(feature_loss(student, teacher)), rel=1e-4)


def test_a_batch_of_any_size_and_dead_features_give_finite_numbers_and_gradients(feature_loss):
    for images in (1, 2, 3):
        for student in (np.zeros((images, 4, 4, 6), np.float32), drawn_features(shape=(1, 4, 4, 6))[0].repeat(images, axis=0)):
            student = tf.Variable(student)
            with tf.GradientTape() as tape:
                value = feature_loss(student, drawn_features(shape=(images, 4, 4, 6))[1])
            assert float(value) >= 0 and np.isfinite(float(value))
            assert np.isfinite(tape.gradient(value, student, unconnected_gradients="zero").numpy()).all()


def test_features_of_other_images_are_refused(feature_loss):
    student, teacher = drawn_features()
    with pytest.raises(ModelError, match=r"Received student features of shape .*; expected .*Choose layers"):
        feature_loss(student, teacher[:5])
    with pytest.raises(ModelError, match="expected an array of numbers"):
        feature_loss(student, "features")
