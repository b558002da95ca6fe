"""How a slot's model must be built: each rule lets through what it is for and says what is wrong with the rest."""

from dataclasses import replace

import pytest

from grading.measuring.layers import RULES, unfit
from grading.points.award import award
from grading.types import Check, Layers, Limits, Rubric, Slot
from projectkit.types import Artifact, Measurement, Profile

START = Layers(((16, 9, 1), (32, 9, 16), (10, 1, 32)), ("CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "MEAN"), 0, 1.0)
PRUNED = replace(START, kernels=((8, 9, 1), (20, 9, 8), (10, 1, 20)), kinship=0.8)
SEPARABLE = replace(START, kernels=((16, 9, 1), (16, 9, 1), (32, 1, 16), (10, 1, 32)), kinship=None)
TABLE = Layers(((900, 1, 64), (10, 1, 900)), ("FULLY_CONNECTED", "RESHAPE"))
KEEPS_TO = {
    "same": START,
    "fewer_channels": PRUNED,
    "copies": replace(START, kernels=START.kernels * 3, operators=(*START.operators, "LOG_SOFTMAX")),
    "convolutional": PRUNED,
    "separable": SEPARABLE,
}
BREAKS = {
    "same": (PRUNED, "expected the same ones"),
    "fewer_channels": (replace(PRUNED, kinship=0.3), "are to 0.30 alike to"),
    "copies": (START, "expected two to ten networks"),
    "convolutional": (TABLE, "expected a convolutional network"),
    "separable": (START, "Put a depthwise and a 1×1 convolution"),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_lets_through_what_it_is_for(rule):
    assert unfit(rule, KEEPS_TO[rule], START) == ""
    found, words = BREAKS[rule]
    assert words in unfit(rule, found, START)
    assert unfit("", found, START) == "", "without a rule everything goes"


@pytest.mark.parametrize("rule", RULES)
def test_what_cannot_be_seen_is_none_of_them(rule):
    assert "2 of its kernels are computed" in unfit(rule, replace(KEEPS_TO[rule], computed=2), START)
    assert "cannot be read (damaged)" in unfit(rule, Layers(problem="damaged."), START)
    assert "nothing was told" in unfit(rule, None, START)


@pytest.mark.parametrize("rule", ["same", "fewer_channels", "convolutional", "separable"])
def test_nothing_is_added(rule):
    more = replace(KEEPS_TO[rule], operators=(*START.operators, "ARG_MAX", "GATHER"))
    assert "operators ARG_MAX, GATHER" in unfit(rule, more, START)


def test_more_channels_are_not_fewer():
    assert "as many channels or fewer" in unfit("fewer_channels", replace(START, kernels=((17, 9, 1), *START.kernels[1:])), START)
    assert "cannot be compared" in unfit("fewer_channels", replace(PRUNED, kinship=None), START)


def slot(value: float, wrong: str = "") -> Slot:
    values = {"weight_bits": Measurement.exact("weight_bits", value), "size": Measurement.exact("size", 10)}
    return Slot(Profile(Artifact("m.tflite", "litert", "0" * 64, 1), "here", values), unfit=wrong)


def earned(found: Slot, points: float = 0) -> dict[str, tuple[str, float, str]]:
    checks = (
        Check("bits", "Bits", "weight_bits", 16, 8.5, points, "one", gate=True),
        Check("size", "Size", "size", 20, 10, 5, "one"),
    )
    rubric = Rubric("l01_quantization", "T", "quick", "digits", checks, Limits(), "")
    return {
        verdict.check.id: (verdict.status, verdict.points, verdict.message) for verdict in award(rubric, {"one": found}, {}, {})
    }


def test_an_unfit_model_earns_nothing_and_is_told_why():
    found = earned(slot(8, "m.tflite: its kernels are others."), points=3)
    assert [one[:2] for one in found.values()] == [("gated", 0.0)] * 2
    assert all("its kernels are others. So this slot earns nothing" in one[2] for one in found.values())


def test_a_gate_without_points_closes_below_its_target():
    assert earned(slot(8))["size"][:2] == ("full", 5)
    found = earned(slot(12))
    assert found["size"][:2] == ("gated", 0) and "“Bits” does not hold" in found["size"][2]
    assert found["bits"][2].endswith("expected 8.50 bit or less, or this slot earns nothing.")
    assert earned(slot(12), points=3)["size"][:2] == ("full", 5), "one with points closes at its floor"
