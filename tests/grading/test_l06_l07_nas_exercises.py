"""The exercises of l06 and l07 against other programs: Optuna, SciPy, the rooms nas and distill, and brute force."""

import math

import numpy as np
import optuna
import pytest
import scipy.stats
import tensorflow as tf

from exercises_by_hand import cases_of
from grading.exercises import SOLUTIONS
from grading.exercises.scoring import score
from projectkit.distill import LOSSES
from projectkit.nas.annealing import current
from projectkit.nas.evolution import alive
from projectkit.nas.history import Seen

STUDENTS = ("Ann", "Bob", "Cyd")
CASE_OF = {exercise: cases_of(lab) for lab in ("l06_nas", "l07_nas_distillation") for exercise in SOLUTIONS[lab]}


def case(student, exercise):
    return CASE_OF[exercise](student, exercise)


@pytest.mark.parametrize("student", STUDENTS)
def test_pareto(student):
    inputs, found = case(student, "pareto")
    study = optuna.create_study(directions=["minimize", "minimize"])
    for point in inputs["points"].tolist():
        study.add_trial(optuna.create_trial(values=point))
    assert found["front"].tolist() == [trial.number for trial in study.best_trials]
    assert ((found["dominators"] == 0) == np.isin(np.arange(20), found["front"])).all()
    # Points are whole hundredths: count the little squares.
    corners = (np.indices((100, 100)) + 0.5).reshape(2, -1) / 100
    covered = (inputs["points"][:, :, None] <= corners[None]).all(axis=1).any(axis=0)
    assert float(found["hypervolume"]) == pytest.approx(covered.mean(), abs=1e-9)


@pytest.mark.parametrize("student", STUDENTS)
def test_acceptance_is_what_the_sampler_of_the_room_does(student):
    inputs, found = case(student, "acceptance")
    for worse, step, luck, accepted in zip(
        inputs["worse"], inputs["step"], inputs["luck"], found["accepted"].tolist(), strict=True
    ):
        chain = (Seen(0, {}, (), 0.0), Seen(1, {}, (), float(worse), {"luck": float(luck)}))
        # The sampler's unit is the mean |Δ|, here |Δ| itself, and its first step is number 1.
        temperature = float(inputs["start"] * inputs["cooling"] ** step) / abs(worse)
        assert (current(chain, temperature=temperature, cooling=1.0, startup=1).number == 1) == bool(accepted)
    assert found["probability"].min() > 0 and found["probability"].max() == 1


@pytest.mark.parametrize("student", STUDENTS)
def test_tournament(student):
    inputs, found = case(student, "tournament")
    members = tuple(Seen(number, {}, (), -float(value)) for number, value in enumerate(inputs["scores"]))
    for number, (places, child) in enumerate(zip(inputs["draws"], inputs["children"], strict=True)):
        living = alive(members, 8)
        assert found["parents"][number] == min((living[place] for place in places), key=lambda seen: seen.score).number
        members += (Seen(8 + number, {}, (), -float(child)),)
    assert found["survivors"].tolist() == [seen.number for seen in alive(members, 8)]
    assert found["best_alive"] < found["best_ever"] == inputs["scores"][0], "the best of all must die of age"


@pytest.mark.parametrize("student", STUDENTS)
def test_simple_regret(student):
    inputs, found = case(student, "simple_regret")
    regret = float(inputs["best"]) - np.maximum.accumulate(inputs["accuracy"], axis=1)
    np.testing.assert_allclose(found["regret"], regret, atol=1e-12)
    np.testing.assert_allclose(found["mean"], regret.mean(axis=0), atol=1e-12)
    interval = scipy.stats.t.interval(0.95, 5, regret[:, -1].mean(), scipy.stats.sem(regret[:, -1]))
    np.testing.assert_allclose(found["interval"], interval, rtol=1e-3)


@pytest.mark.parametrize("student", STUDENTS)
def test_policy_gradient_is_the_one_of_a_tape(student):
    inputs, found = case(student, "policy_gradient")
    logits = tf.Variable(inputs["logits"])
    with tf.GradientTape() as tape:
        log_p = tf.nn.log_softmax(logits)
        drawn = tf.reduce_sum(tf.one_hot(inputs["choices"], 4, dtype=tf.float64) * log_p, axis=(1, 2))
        gain = tf.reduce_mean((inputs["rewards"] - inputs["rewards"].mean()) * drawn)
    np.testing.assert_allclose(found["gradient"], tape.gradient(gain, logits), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(found["stepped"], inputs["logits"] + 0.5 * found["gradient"])
    np.testing.assert_allclose(found["entropy"], [scipy.stats.entropy(row) for row in found["probabilities"]])
    np.testing.assert_allclose(found["probabilities"], tf.nn.softmax(inputs["logits"]))


@pytest.mark.parametrize("student", STUDENTS)
def test_latency_reward(student):
    inputs, found = case(student, "latency_reward")
    ratio = inputs["latency"] / inputs["target"]
    np.testing.assert_allclose(found["soft"], inputs["accuracy"] * ratio**-0.07)
    np.testing.assert_allclose(found["hard"], inputs["accuracy"] * np.minimum(1, 1 / ratio))
    assert (found["best_soft"], found["best_hard"]) == (np.argmax(found["soft"]), np.argmax(found["hard"]))
    assert 0 < np.mean(ratio > 1) < 1


@pytest.mark.parametrize("student", STUDENTS)
def test_kendall(student):
    inputs, found = case(student, "kendall")
    assert float(found["tau"]) == pytest.approx(scipy.stats.kendalltau(inputs["score"], inputs["outcome"]).statistic)
    best = [scipy.stats.rankdata(-inputs[name]) <= 4 for name in ("score", "outcome")]
    assert found["top"] == np.sum(best[0] & best[1])
    assert found["concordant"] == round((found["tau"] + 1) / 2 * 91)


@pytest.mark.parametrize("student", STUDENTS)
def test_distilled_objective(student):
    inputs, found = case(student, "distilled_objective")
    options = {"temperature": float(inputs["temperature"]), "alpha": float(inputs["alpha"])}
    loss = LOSSES["hinton"](inputs["student_logits"], inputs["teacher_logits"], inputs["labels"], **options)
    assert float(found["loss"]) == pytest.approx(float(loss), rel=1e-5)
    ours, theirs = (inputs[name] - inputs[name].mean(axis=0) for name in ("student_features", "teacher_features"))
    expected = np.linalg.norm(ours.T @ theirs) ** 2 / np.linalg.norm(ours.T @ ours) / np.linalg.norm(theirs.T @ theirs)
    assert float(found["cka"]) == pytest.approx(expected)
    assert 0 <= found["agreement"] <= 1


@pytest.mark.parametrize("exercise", CASE_OF)
def test_another_students_answer_does_not_fit(exercise):
    inputs, mine = case("Ann", exercise)
    assert score({name: np.asarray(array, np.float32) for name, array in mine.items()}, mine).fraction == 1
    assert score(case("Bob", exercise)[1], mine).fraction < 0.7
    assert all(np.isfinite(array).all() for array in (*inputs.values(), *mine.values()))
    assert not any(math.isclose(float(np.sum(array)), 0) and np.ptp(array) == 0 for array in inputs.values())
