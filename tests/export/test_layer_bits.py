"""Bits for the weights of each layer: what the file stores is what was asked for."""

import numpy as np
import pytest

from projectkit import models
from projectkit.errors import ExportError
from projectkit.export import write
from projectkit.export.layer_bits import quantize_weights
from projectkit.export.litert import convert
from projectkit.measure import read_graph
from projectkit.types import Artifact

NETWORKS = {"mlp": {}, "convnet": {"widths": (8, 16)}, "dsconv": {"widths": (8, 16, 24)}, "resnet8": {}}


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=[pytest.mark.proof] if name == "resnet8" else []) for name in NETWORKS]
)
def model(request, digits):
    """With random values everywhere: the converter drops biases that are zero."""
    built = models.build(request.param, digits, **NETWORKS[request.param])
    rng = np.random.default_rng(0)
    built.set_weights([rng.uniform(0.1, 0.3, array.shape) for array in built.get_weights()])
    return built


@pytest.fixture(scope="module")
def float_file(model):
    return convert(model)


def kernels(model):
    """{layer name: weights and biases that the file stores for it}, of convolutions and dense layers. Batch normalization ends
    up in the bias."""
    found = {}
    for layer in model.layers:
        if hasattr(layer, "kernel") or hasattr(layer, "depthwise_kernel"):
            found[layer.name] = int(np.prod(layer.weights[0].shape)) + layer.output_shape[-1]
    return found


def is_depthwise(name):
    return name.startswith("depthwise")


def stored(path, content):
    """[(bits, parameters)] of the layers in the file, sorted."""
    path.write_bytes(content)
    return sorted((layer.bits, layer.parameters) for layer in read_graph(Artifact.of(path)).layers)


def wanted(model, bits):
    """What `stored` must find: 4 bits for "*" become 8 where there is no 4-bit kernel."""

    def width(name):
        asked = bits.get(name, bits.get("*", 32))
        return 8 if is_depthwise(name) and asked == 4 else asked

    return sorted((width(name), parameters) for name, parameters in kernels(model).items())


def test_a_named_layer_and_no_other(model, float_file, tmp_path):
    """The last one included, whose output has no name of its own in the file."""
    names = list(kernels(model))
    for name in (names[0], names[len(names) // 2], names[-1]):
        content = quantize_weights(float_file, names, {name: 8})
        assert stored(tmp_path / "m.tflite", content) == wanted(model, {name: 8})


def test_the_rest_and_one_named(model, float_file, tmp_path):
    names = list(kernels(model))
    for bits in ({"*": 4, names[-1]: 8}, {names[-1]: 4, "*": 8}):
        content = quantize_weights(float_file, names, bits)
        assert stored(tmp_path / "m.tflite", content) == wanted(model, bits)


def test_int4_is_smaller_than_int8_and_has_four_bits_wherever_there_is_a_kernel(model, digits, tmp_path):
    four = write(model, tmp_path / "four.tflite", precision="int4", compare=digits.val.x[:20])
    eight = write(model, tmp_path / "eight.tflite", precision={"*": 8}, compare=digits.val.x[:20])
    assert sorted((layer.bits, layer.parameters) for layer in read_graph(four.artifact).layers) == wanted(model, {"*": 4})
    assert sorted((layer.bits, layer.parameters) for layer in read_graph(eight.artifact).layers) == wanted(model, {"*": 8})
    assert four.artifact.size < eight.artifact.size


def test_a_width_without_a_kernel_is_refused_by_name(digits, tmp_path):
    model = models.build("dsconv", digits, widths=(8, 16))
    name = next(name for name in kernels(model) if is_depthwise(name))
    with pytest.raises(ExportError, match=f"no kernel with 4-bit weights for layer '{name}'. Give it 8"):
        write(model, tmp_path / "m.tflite", precision={name: 4}, compare=digits.val.x[:20])
    assert not list(tmp_path.iterdir())


def test_an_activation_is_no_layer_with_weights(digits, tmp_path):
    """The converter fuses a ReLU into the convolution before it, whose weights must not be rounded in its name."""
    model = models.build("convnet", digits, widths=(8,))
    name = next(layer.name for layer in model.layers if layer.name.startswith("re_lu"))
    with pytest.raises(ExportError, match=f"no layer '{name}' with a kernel"):
        write(model, tmp_path / "m.tflite", precision={name: 4}, compare=digits.val.x[:20])
