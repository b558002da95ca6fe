"""The reference solutions against independent oracles, and the comparison of answers."""

import numpy as np
import pytest
from scipy import stats

from grading.exercises import SOLUTIONS
from grading.exercises.scoring import score
from projectkit.submit import INPUTS, exercise_inputs

STUDENTS = ("Ann", "Bob", "Cyd")


def case(student, lab, exercise):
    inputs = exercise_inputs(student, lab, exercise)
    return inputs, SOLUTIONS[lab][exercise](inputs)


def test_every_exercise_has_a_solution():
    assert {lab: set(exercises) for lab, exercises in INPUTS.items()} == {lab: set(found) for lab, found in SOLUTIONS.items()}


@pytest.mark.parametrize("student", STUDENTS)
def test_the_reference_earns_everything_and_another_students_answer_does_not(student):
    for lab, exercises in SOLUTIONS.items():
        for exercise in exercises:
            _, reference = case(student, lab, exercise)
            assert score(reference, reference).fraction == 1
            assert score({name: np.float32(a) for name, a in reference.items()}, reference).fraction == 1, exercise
            assert score(case("Someone else", lab, exercise)[1], reference).fraction < 0.7, exercise


@pytest.mark.parametrize("student", STUDENTS)
def test_count_layers_against_a_convolution_counted_by_running_it(student):
    inputs, found = case(student, "l00_measurement", "count_layers")
    for row, parameters, macs in zip(inputs["layers"].tolist(), found["parameters"], found["macs"], strict=True):
        kind, height, width, channels_in, channels_out, kernel, stride = row
        groups = channels_in if kind == 1 else 1
        weights = np.ones((channels_out, channels_in // groups, kernel, kernel))
        positions = len(range(0, height, stride)) * len(range(0, width, stride))
        assert parameters == weights.size + channels_out
        assert macs == positions * weights.size


@pytest.mark.parametrize("student", STUDENTS)
def test_intervals_against_scipy_and_the_measure_room(student):
    from projectkit.measure import quantile_interval

    inputs, found = case(student, "l00_measurement", "latency_interval")
    samples = inputs["latencies"]
    assert found["median"] == np.median(samples)
    np.testing.assert_allclose(found["p90"], np.quantile(samples, 0.9), rtol=1e-12)
    lower, upper = stats.binom.ppf([0.025, 0.975], len(samples), 0.5).astype(int)
    assert (found["low"], found["high"]) == (np.sort(samples)[lower - 1], np.sort(samples)[upper])
    assert (found["low"], found["high"]) == quantile_interval(samples, 0.5)
    inputs, found = case(student, "l00_measurement", "accuracy_interval")
    for index, (correct, total) in enumerate(zip(inputs["correct"], inputs["total"], strict=True)):
        interval = stats.binomtest(int(correct), int(total)).proportion_ci(method="wilson")
        np.testing.assert_allclose([found["low"][index], found["high"][index]], interval, rtol=1e-6)


@pytest.mark.parametrize("student", STUDENTS)
def test_energy_counter_unwraps(student):
    inputs, found = case(student, "l00_measurement", "energy_counter")
    unwrapped = np.unwrap(inputs["microjoules"].astype(float), period=float(inputs["max_energy_range_uj"]))
    joules = (unwrapped[-1] - unwrapped[0]) / 1e6
    np.testing.assert_allclose(found["joules"], joules, rtol=1e-9)
    np.testing.assert_allclose(found["watts"], joules / np.ptp(inputs["seconds"]), rtol=1e-9)


@pytest.mark.parametrize("student", STUDENTS)
def test_quantization_against_float_arithmetic(student):
    inputs, found = case(student, "l01_quantization", "affine")
    assert np.abs(found["dequantized"] - inputs["x"]).max() <= 0.501 * found["scale"] * 2
    assert {found["quantized"].min(), found["quantized"].max()} <= {-128, -127, 126, 127}
    inputs, found = case(student, "l01_quantization", "per_channel")
    assert found["error_per_channel"] < found["error_per_tensor"]
    for channel, scale in enumerate(found["scales"]):
        weights = inputs["w"][..., channel] / scale
        np.testing.assert_allclose(np.abs(weights).max(), 127, rtol=1e-6)
    inputs, found = case(student, "l01_quantization", "observers")
    assert found["clipped"] == pytest.approx(0.002, abs=0.0006)


@pytest.mark.parametrize(
    ("answer", "fraction", "says"),
    [
        (None, 0, "no answer"),
        ({}, 0, "is missing"),
        ({"a": np.zeros(3), "b": 2.0}, 0.5, "a: has shape"),
        ({"a": np.full(4, np.nan), "b": np.inf}, 0, "0 %"),
        ({"a": np.array([1, 2, 3, 5]), "b": 2.0}, 0.875, "75 %"),
        ({"a": np.array([[1.0, 2, 3, 4]]), "b": np.array([2.00001])}, 1, "2 of 2"),
        ({"a": np.array([1, 2, 3, 4]), "b": 2.01, "c": 9}, 0.5, "b: is wrong"),
        ({"a": np.array([1, 2, 3, 4]) + 1e-6, "b": 2.0}, 0.5, "0 %"),
    ],
)
def test_score_is_the_mean_share_of_right_entries(answer, fraction, says):
    scored = score(answer, {"a": np.array([1, 2, 3, 4]), "b": np.array(2.0)})
    assert scored.fraction == fraction
    assert says in scored.sentence
