"""The exercises of l05 against the distill room, which computes with TensorFlow, and against SciPy."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import entr, softmax

from exercises_by_hand import cases_of
from grading.exercises import SOLUTIONS
from grading.exercises.scoring import score
from projectkit.distill import FEATURE_LOSSES, LOSSES
from projectkit.distill.decoupled import other_divergence, target_divergence
from projectkit.distill.hinton import divergence
from projectkit.submit import exercise_inputs

# isort: split
import tensorflow as tf

LAB = "l05_distillation"
STUDENTS = ("Ann", "Bob", "Cyd")
RELATIVE = 2e-5  # of the room's float32; a quarter of what the grader allows a student
case = cases_of(LAB)


@pytest.mark.parametrize("student", STUDENTS)
def test_softened_answers(student):
    inputs, found = case(student, "soft_targets")
    p = softmax(inputs["logits"] / inputs["temperature"], axis=1)
    np.testing.assert_allclose(found["probabilities"], p, rtol=1e-9)
    np.testing.assert_allclose(found["entropy"], entr(p).sum(axis=1), rtol=1e-9)
    each = np.arange(8), inputs["labels"]
    np.testing.assert_allclose(found["not_the_label"], 1 - p[each], rtol=1e-9)
    p[each] = 0
    np.testing.assert_array_equal(found["runner_up"], p.argmax(axis=1))


@pytest.mark.parametrize("student", STUDENTS)
def test_the_loss_and_its_gradient(student):
    inputs, found = case(student, "soft_loss")
    options = {name: float(inputs[name]) for name in ("temperature", "alpha")}
    logits = tf.Variable(inputs["student"], dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = LOSSES["hinton"](logits, inputs["teacher"], inputs["labels"], **options)
    assert found["loss"] == pytest.approx(float(loss), rel=RELATIVE)
    np.testing.assert_allclose(found["slope"], tape.gradient(loss, logits).numpy(), rtol=1e-3, atol=1e-5)
    mean = float(tf.reduce_mean(divergence(inputs["student"], inputs["teacher"], options["temperature"])))
    assert found["divergence"] == pytest.approx(mean, rel=RELATIVE)
    alone = LOSSES["hinton"](inputs["student"], inputs["teacher"], inputs["labels"], alpha=0.0)
    assert found["cross_entropy"] == pytest.approx(float(alone), rel=RELATIVE)


@pytest.mark.parametrize("student", STUDENTS)
def test_the_interval_of_paired_gains(student):
    inputs, found = case(student, "paired_gain")
    oracle = stats.ttest_rel(inputs["taught"], inputs["plain"])
    interval = oracle.confidence_interval(0.95)
    np.testing.assert_allclose([found["low"], found["high"]], [interval.low, interval.high], rtol=1e-5, atol=1e-6)
    assert found["gain"] == pytest.approx(np.mean(inputs["taught"]) - np.mean(inputs["plain"]), abs=1e-9)
    welch = stats.ttest_ind(inputs["taught"], inputs["plain"], equal_var=False)
    standard_error = float(found["gain"]) / welch.statistic
    assert found["unpaired"] == pytest.approx(stats.t.ppf(0.975, 6) * standard_error, rel=1e-6)
    assert found["unpaired"] > (found["high"] - found["low"]) / 2, "the draw is meant to show what pairs are good for"
    assert found["seeds"] == np.count_nonzero(inputs["taught"] > inputs["plain"])


@pytest.mark.parametrize("student", STUDENTS)
def test_the_two_parts_of_the_divergence(student):
    inputs, found = case(student, "decoupled_parts")
    three = inputs["student"], inputs["teacher"], inputs["labels"]
    temperature = float(inputs["temperature"])
    for name, part in (("target", target_divergence), ("others", other_divergence)):
        np.testing.assert_allclose(found[name], part(*three, temperature).numpy(), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found["whole"], divergence(*three[:2], temperature).numpy(), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found["whole"], found["target"] + (1 - found["sure"]) * found["others"], rtol=1e-9)


@pytest.mark.parametrize("student", STUDENTS)
def test_maps_of_attention(student):
    inputs, found = case(student, "attention_maps")
    assert found["loss"] == pytest.approx(
        float(FEATURE_LOSSES["attention_transfer"](inputs["student"], inputs["teacher"])), rel=1e-4
    )
    for name in ("student", "teacher"):
        squares = (inputs[name].astype(np.float64) ** 2).sum(axis=3)
        lengths = np.linalg.norm(squares, axis=(1, 2), keepdims=True)
        np.testing.assert_allclose(found[f"{name}_map"] * lengths, squares, rtol=1e-9)


def test_students_have_different_inputs():
    for exercise in SOLUTIONS[LAB]:
        drawn = [exercise_inputs(student, LAB, exercise) for student in STUDENTS]
        for name in drawn[0]:
            if drawn[0][name].ndim > 1:
                assert not np.array_equal(drawn[0][name], drawn[1][name])


@pytest.mark.parametrize("exercise", ["soft_targets", "soft_loss", "decoupled_parts"])
def test_an_answer_without_the_temperature_earns_little(exercise):
    """The commonest mistake must not pass for a rounding."""
    inputs, found = case("Ann", exercise)
    forgetful = SOLUTIONS[LAB][exercise]({**inputs, "temperature": np.array(1.0)})
    assert score(found, found).fraction == 1
    assert score(forgetful, found).fraction <= 0.3
