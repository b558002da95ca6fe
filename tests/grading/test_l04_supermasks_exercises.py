"""The exercises of l04 against the code that the lab builds on, and against simulation."""

import numpy as np
import pytest

from exercises_by_hand import cases_of
from grading.exercises import SOLUTIONS
from projectkit.runtimes.supermask import Supermask, draw
from projectkit.submit import exercise_inputs

LAB = "l04_supermasks"
STUDENTS = ("Ann", "Bob", "Cyd")
case = cases_of(LAB)


@pytest.mark.parametrize("student", STUDENTS)
def test_a_network_is_drawn_as_for_a_file(student):
    inputs, found = case(student, "drawn_network")
    kernels = list(draw(tuple(inputs["units"].tolist()), int(inputs["seed"])))
    np.testing.assert_allclose(found["first"], kernels[0][0], rtol=1e-5)
    np.testing.assert_allclose(found["last"], kernels[-1][-1], rtol=1e-5)


@pytest.mark.parametrize("student", STUDENTS)
def test_shares_of_an_ensemble(student):
    from projectkit.prune.lfe import filter_shares, success

    inputs, found = case(student, "ensemble")
    np.testing.assert_allclose(found["success"], success(inputs["losses"]), atol=1e-9)
    np.testing.assert_allclose(found["shares"], filter_shares(inputs["masks"], inputs["losses"], ridge=0.0), atol=1e-8)
    assert np.min(np.diff(np.sort(found["shares"]))) > 1e-3, "the order must not hang on the last digit"
    assert np.array_equal(found["shares"][found["order"]], np.sort(found["shares"]))


@pytest.mark.parametrize("student", STUDENTS)
def test_a_step_of_the_climb(student):
    """A baseline changes the estimate and not what it estimates: both agree on average over many draws of the masks."""
    inputs, found = case(student, "climb")
    np.testing.assert_allclose(found["stepped"], inputs["theta"] + 2 * found["baselined"])
    rng, solve, many = np.random.default_rng(0), SOLUTIONS[LAB]["climb"], []
    for _ in range(3000):
        masks = (rng.random((8, 5)) < found["probability"]).astype(int)
        estimate = solve({"theta": inputs["theta"], "masks": masks, "scores": masks @ np.arange(5.0) - 3})
        many.append([estimate["plain"], estimate["baselined"]])
    plain, baselined = np.moveaxis(many, 1, 0)
    exact = found["probability"] * (1 - found["probability"]) * np.arange(5.0)
    assert np.abs(plain.mean(axis=0) - exact).max() < 0.1 and np.abs(baselined.mean(axis=0) - exact).max() < 0.1


@pytest.mark.parametrize("student", STUDENTS)
def test_what_is_left_is_what_a_file_counts(student):
    inputs, found = case(student, "dense_rest")
    masks = tuple(inputs[name].astype(bool) for name in ("mask_1", "mask_2"))
    supermask = Supermask((int(inputs["inputs"]), 1, 1), 0, masks, int(inputs["classes"]))
    assert found["parameters"] == supermask.parameters and found["kept"].tolist() == list(supermask.kept[1:-1])
    assert found["removed"] == pytest.approx(supermask.removed)


def test_students_have_different_inputs():
    drawn = [exercise_inputs(student, LAB, "drawn_network") for student in STUDENTS]
    assert len({(int(one["seed"]), *one["units"].tolist()) for one in drawn}) == len(STUDENTS)
