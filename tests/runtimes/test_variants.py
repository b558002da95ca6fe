"""The switches of the runtimes: each does something, and what is not here says so."""

import sys
from contextlib import closing

import numpy as np
import onnxruntime
import pytest

from models_by_hand import linear_onnx, linear_tflite, saved
from projectkit import runtimes
from projectkit.errors import ArtifactError, NotHere
from projectkit.runtimes.litert import open_litert
from projectkit.runtimes.litert_micro import open_litert_micro
from projectkit.runtimes.onnx import LEVELS, open_onnx
from projectkit.types import Artifact


@pytest.fixture
def tflite(tmp_path):
    return Artifact.of(saved(tmp_path, "m.tflite", linear_tflite()))


@pytest.fixture
def onnx(tmp_path):
    return Artifact.of(saved(tmp_path, "m.onnx", linear_onnx()))


def test_every_format_has_variants_and_the_usual_runtime_is_the_first():
    assert runtimes.VARIANTS.keys() == runtimes.OPENERS.keys()
    assert next(iter(runtimes.VARIANTS["litert"].values())) is runtimes.OPENERS["litert"]
    assert next(iter(runtimes.VARIANTS["onnx"])) == "all"  # open_onnx's own default


@pytest.mark.parametrize("xnnpack", [True, False])
def test_xnnpack_takes_over_or_not(tflite, xnnpack):
    with closing(open_litert(tflite, xnnpack=xnnpack)) as session:
        operators = [operator["op_name"] for operator in session._interpreter._get_ops_details()]
    assert ("DELEGATE" in operators) == xnnpack


@pytest.mark.parametrize("level", LEVELS)
def test_the_level_reaches_the_session(onnx, level):
    with closing(open_onnx(onnx, level=level)) as session:
        found = session._session.get_session_options().graph_optimization_level
    assert found == getattr(onnxruntime.GraphOptimizationLevel, LEVELS[level])


def test_an_unknown_level_and_a_provider_that_is_not_installed_are_told(onnx):
    with pytest.raises(ArtifactError, match="no optimization level 'most'; known are none, basic, extended, all"):
        open_onnx(onnx, level="most")
    with pytest.raises(NotHere, match=r"has no CUDAExecutionProvider, only .*CPUExecutionProvider"):
        open_onnx(onnx, providers=["CUDAExecutionProvider", "CPUExecutionProvider"])


def test_providers_are_tried_in_order(onnx):
    with closing(open_onnx(onnx, providers=onnxruntime.get_available_providers())) as session:
        assert session.run(np.zeros((2, 8, 8, 1), np.float32)).shape == (2, 10)


def test_without_the_package_the_interpreter_for_microcontrollers_is_not_here(tflite, monkeypatch):
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    with pytest.raises(NotHere, match=r"not installed .*projectkit-labs\[micro\]"):
        open_litert_micro(tflite)


def test_the_arena_is_told_on_the_descriptor_that_programs_print_to(tflite, capfd):
    """What the interpreter prints is caught, and what others print afterwards arrives."""
    pytest.importorskip("tflite_micro")
    with closing(open_litert_micro(tflite)) as session:
        session.run(np.zeros((3, 8, 8, 1), np.float32))
        first, second = session.arena(), session.arena()
    print("still here", file=sys.stderr)
    assert first == second and first.total == first.head + first.tail > 4 * (64 + 10)
    assert capfd.readouterr().err == "still here\n"
