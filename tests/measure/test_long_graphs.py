"""The time that counting takes grows with the file and no faster, whatever the graph looks like.

Counted are the lines of Python that run, which no clock disturbs: four times the file may take six times as many.
"""

import sys
from collections.abc import Callable

import numpy as np
import pytest
from litert_by_hand import LiteRTByHand
from onnx import helper

from models_by_hand import onnx_model, saved
from projectkit.errors import ArtifactError
from projectkit.measure import random_operators, read_graph, read_lifetimes, read_operators, read_patterns, read_symmetric
from projectkit.types import Artifact

SMALL, TIMES, MOST = 40, 4, 6
READERS = (read_graph, read_patterns, read_lifetimes, read_operators, read_symmetric, random_operators)
KERNEL = np.eye(8, dtype=np.float32)
node = helper.make_node


def chain_of_formats(size: int) -> bytes:
    """A kernel behind many operators, and many layers behind it."""
    file = LiteRTByHand((1, 8))
    kernel = file.constant(KERNEL)
    for _ in range(size):
        kernel = file.add("CAST", [kernel], (8, 8))
    return file.content(file.add("ADD_N", [file.dense(0, kernel, 8) for _ in range(size)], (1, 8)))


def chain_that_is_no_kernel(size: int) -> bytes:
    file = LiteRTByHand((1, 8))
    kernel = file.add("NEG", [file.constant(KERNEL)], (8, 8))
    for _ in range(size):
        kernel = file.add("RESHAPE", [kernel], (8, 8))
    return file.content(file.add("ADD_N", [file.dense(0, kernel, 8) for _ in range(size)], (1, 8)))


def many_outputs(size: int) -> bytes:
    """As many outputs, and as many layers that all of them need."""
    file = LiteRTByHand((1, 8))
    value, kernel = 0, file.constant(KERNEL)
    for _ in range(size):
        value = file.dense(value, kernel, 8)
    return file.content(*(file.add("RELU", [value], (1, 8)) for _ in range(size)))


def one_name(size: int) -> bytes:
    """Every tensor of one name, every kernel of one buffer; each value is read by all behind it that follow."""
    file = LiteRTByHand((1, 8))
    first, value = file.constant(KERNEL), 0
    for _ in range(size):
        value = file.dense(value, file.constant(KERNEL, buffer=file.tensors[first].buffer), 8)
        value = file.add("ADD", [value, 0], (1, 8))
    for tensor in file.tensors:
        tensor.name = b"x"
    return file.content(value)


def onnx_chain(size: int) -> bytes:
    names = ["w", *(f"w{number}" for number in range(size))]
    nodes = [node("Flatten", ["x"], ["f"]), *(node("Identity", [names[i]], [names[i + 1]]) for i in range(size))]
    nodes += [node("MatMul", ["f", names[-1]], [f"y{number}"]) for number in range(size)]
    nodes.append(node("Sum", [f"y{number}" for number in range(size)], ["y"]))
    return onnx_model(nodes, {"w": KERNEL}, shape=(8,), classes=8)


def onnx_pairs(size: int) -> bytes:
    """Activations through many Q/DQ pairs, each read by a layer of its own."""
    nodes, value = [node("Flatten", ["x"], ["v0"])], "v0"
    for number in range(size):
        nodes += [
            node("QuantizeLinear", [value, "s", "z"], [f"q{number}"]),
            node("DequantizeLinear", [f"q{number}", "s", "z"], [f"d{number}"]),
        ]
        nodes.append(node("MatMul", [f"d{number}", "w"], [f"v{number + 1}"]))
        value = f"v{number + 1}"
    nodes.append(node("Identity", [value], ["y"]))
    return onnx_model(nodes, {"w": KERNEL, "s": np.array(0.1, np.float32), "z": np.array(0, np.int8)}, shape=(8,), classes=8)


def onnx_fan(size: int) -> bytes:
    """One value that many read, many constants, and a calculation of shapes that all of them need."""
    nodes = [node("Flatten", ["x"], ["f"]), node("Shape", ["f"], ["shape"])]
    nodes += [node("Reshape", ["f", "shape"], [f"r{number}"]) for number in range(size)]
    nodes += [node("MatMul", [f"r{number}", f"w{number}"], [f"y{number}"]) for number in range(size)]
    nodes.append(node("Sum", [f"y{number}" for number in range(size)], ["y"]))
    return onnx_model(nodes, {f"w{number}": KERNEL for number in range(size)}, shape=(8,), classes=8)


GRAPHS: dict[str, tuple[str, Callable[[int], bytes]]] = {
    **{made.__name__: (".tflite", made) for made in (chain_of_formats, chain_that_is_no_kernel, many_outputs, one_name)},
    **{made.__name__: (".onnx", made) for made in (onnx_chain, onnx_pairs, onnx_fan)},
}


def lines(work: Callable[[], object]) -> int:
    """How many lines of Python run in it."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except ArtifactError:
        pass  # a reason takes its time, too
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
@pytest.mark.parametrize("name", GRAPHS)
def test_counting_takes_as_long_as_the_file(tmp_path, name, reader):
    suffix, make = GRAPHS[name]
    files = [Artifact.of(saved(tmp_path, f"{size}{suffix}", make(size))) for size in (SMALL, SMALL * TIMES)]
    lines(lambda: reader(files[0]))  # what is imported or built once
    short, long = (lines(lambda file=file: reader(file)) for file in files)
    assert long <= MOST * short, f"{short} lines for {SMALL}, {long} for {SMALL * TIMES}"
