"""The exercises of l03 against the prune room: another program, written for Keras models."""

import numpy as np
import pytest
import tf_keras as keras
from tf_keras import layers

from exercises_by_hand import cases_of
from projectkit.prune import SCORES, groups, keep_best, remove

LAB = "l03_structured_pruning"
STUDENTS = ("Ann", "Bob", "Cyd")
case = cases_of(LAB)


@pytest.mark.parametrize("student", STUDENTS)
def test_scores_of_filters(student):
    inputs, found = case(student, "filter_scores")
    model = keras.Sequential([layers.Conv2D(12, 3, input_shape=(5, 5, 6), name="conv"), layers.Flatten(), layers.Dense(2)])
    model.get_layer("conv").set_weights([inputs["w"], np.zeros(12)])
    for name in ("l1", "fpgm"):
        scores = SCORES[name](model, "conv", None)
        np.testing.assert_allclose(found[name], scores, rtol=1e-6)
        np.testing.assert_array_equal(found[f"kept_{name}"], np.flatnonzero(keep_best(scores, float(inputs["ratio"]))))


def test_the_two_scores_do_not_always_agree():
    answers = [case(f"student {number}", "filter_scores")[1] for number in range(12)]
    assert sum(not np.array_equal(one["kept_l1"], one["kept_fpgm"]) for one in answers) >= 6


@pytest.mark.parametrize("student", STUDENTS)
def test_surgery_on_a_model(student):
    inputs, found = case(student, "surgery")
    image = keras.Input((2, 2, 2))
    x = layers.Conv2D(6, 3, padding="same", use_bias=False, name="first")(image)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(x))
    ends = [layers.Conv2D(4, 3, padding="same", use_bias=False, name="second")(x)]
    ends += [layers.Dense(3, use_bias=False, name="last")(layers.Flatten()(x))]
    model = keras.Model(image, ends)
    for name in ("first", "second", "last"):
        model.get_layer(name).set_weights([inputs[name]])
    model.get_layer("norm").set_weights([inputs[name] for name in ("gamma", "beta", "mean", "variance")])
    smaller = remove(model, {"first": inputs["keep"].astype(bool)})
    for name in ("first", "second", "last"):
        np.testing.assert_allclose(found[name], smaller.get_layer(name).get_weights()[0], rtol=1e-6)
    model.get_layer("first").set_weights([np.zeros((3, 3, 2, 6))])
    silent = keras.Model(image, model.get_layer("relu").output)(np.ones((1, 2, 2, 2), np.float32)).numpy()
    np.testing.assert_allclose(found["leftover"], silent[0, 0, 0, inputs["keep"] == 0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("student", STUDENTS)
def test_groups_of_a_model(student):
    inputs, found = case(student, "channel_groups")
    tensors = []
    for number, (kind, a, b) in enumerate(inputs["tensors"].tolist()):
        if kind == 0:
            made = keras.Input((4, 4, 3))
        elif kind == 3:
            made = layers.Add()([tensors[a], tensors[b]])
        else:
            made = (layers.Conv2D(3, 1, name=f"t{number}") if kind == 1 else layers.ReLU())(tensors[a])
        tensors.append(made)
    oracle = groups(keras.Model(tensors[0], tensors[-1]))
    makers = {tuple(sorted(place.layer for place in group.producers)): group.prunable for group in oracle}
    for number, (count, prunable) in enumerate(zip(found["convolutions"], found["prunable"], strict=True)):
        members = np.flatnonzero((found["group"] == number) & (inputs["tensors"][:, 0] == 1))
        assert len(members) == count
        if count:
            assert makers.pop(tuple(sorted(f"t{member}" for member in members))) == bool(prunable)
    assert not makers
    _, firsts = np.unique(found["group"], return_index=True)
    assert (np.diff(firsts) > 0).all() and found["group"][0] == 0
