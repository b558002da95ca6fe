"""The inputs of the exercises: fixed for a student, different between students, and plausible."""

import subprocess
import sys

import numpy as np
import pytest

from projectkit.errors import SubmissionError
from projectkit.submit import INPUTS, exercise_inputs

EVERY = [(lab, exercise) for lab, exercises in INPUTS.items() for exercise in exercises]


@pytest.mark.parametrize(("lab", "exercise"), EVERY)
def test_inputs_depend_on_the_student_and_on_nothing_else(lab, exercise):
    first, again, other = (exercise_inputs(student, lab, exercise) for student in ("Ann", "Ann", "Bob"))
    assert first.keys() == other.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
        if array.dtype.kind == "U":  # a text; NumPy counts its length into the type
            assert other[name].dtype.kind == "U" and str(array)
        else:
            assert array.dtype == other[name].dtype and np.isfinite(array).all()
    assert any(not np.array_equal(array, other[name]) for name, array in first.items())


def test_another_process_draws_the_same():
    code = "from projectkit.submit import *; print([a.tobytes().hex() for a in exercise_inputs('Ann', *{0!r}).values()])"
    for pair in EVERY[:2]:
        printed = subprocess.run([sys.executable, "-c", code.format(pair)], capture_output=True, text=True, check=True).stdout
        assert printed.strip() == str([array.tobytes().hex() for array in exercise_inputs("Ann", *pair).values()])


def test_the_separator_keeps_names_apart():
    lab, exercise = EVERY[0]
    assert not np.array_equal(exercise_inputs("a", lab, exercise)["layers"], exercise_inputs("al", lab, exercise)["layers"])


def test_unknown_names_are_told_with_the_known_ones():
    with pytest.raises(SubmissionError, match="affine"):
        exercise_inputs("Ann", "l01_quantization", "afine")
    with pytest.raises(SubmissionError, match="none"):
        exercise_inputs("Ann", "l99", "affine")


@pytest.mark.parametrize("seed", range(20))
def test_the_draws_show_what_each_exercise_is_about(seed):
    def draw(lab, exercise):
        return exercise_inputs(f"student {seed}", lab, exercise)

    layers = draw("l00_measurement", "count_layers")["layers"]
    assert (layers[:, 1:] > 0).all() and (layers[layers[:, 0] == 1, 3] == layers[layers[:, 0] == 1, 4]).all()
    counter = draw("l00_measurement", "energy_counter")
    steps = np.diff(counter["microjoules"])
    assert (steps < 0).any(), "the counter must wrap around"
    assert (steps % counter["max_energy_range_uj"] < counter["max_energy_range_uj"] / 2).all()
    turns = draw("l00_measurement", "interleaved_ratio")
    honest = np.median(turns["interleaved"][:, 1]) / np.median(turns["interleaved"][:, 0])
    believed = np.median(turns["sequential_b"]) / np.median(turns["sequential_a"])
    assert honest < 0.95 and believed > honest * 1.1, "the sequential measurement must mislead"
    x = draw("l01_quantization", "affine")["x"]
    assert x.min() < 0 < -x.min() < x.max()
    spread = np.abs(draw("l01_quantization", "per_channel")["w"]).max(axis=(0, 1, 2))
    assert spread.max() / spread.min() > 4
    activations = draw("l01_quantization", "observers")["activations"]
    assert np.ptp(activations) > 1.2 * np.ptp(np.percentile(activations, [0.1, 99.9]))
