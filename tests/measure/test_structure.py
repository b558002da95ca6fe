"""What is read of a file's layers, against the networks that the files were written from."""

import dataclasses

import numpy as np
import pytest

from projectkit import export, models
from projectkit.measure import KernelShape, kinship, read_structure
from projectkit.types import Artifact

CONVNET = [KernelShape(4, 9, 1), KernelShape(8, 9, 4), KernelShape(10, 1, 8)]


@pytest.fixture(scope="module")
def narrow(digits):
    return models.build("convnet", digits, widths=(4, 8))


@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic", "int8"])
@pytest.mark.parametrize("suffix", ["tflite", "onnx"])
def test_a_network_has_the_same_layers_in_every_form(narrow, digits, tmp_path, suffix, precision):
    images = digits.val.x[:50]
    written = export.write(narrow, tmp_path / f"m.{suffix}", precision=precision, calibrate=images, compare=images)
    found = read_structure(written.artifact)
    assert list(found.kernels) == CONVNET and found.computed == 0


def test_depthwise_filters_have_one_channel(digits, tmp_path):
    written = export.write(models.build("dsconv", digits, widths=(4, 8)), tmp_path / "m.tflite", compare=digits.val.x[:50])
    assert read_structure(written.artifact).kernels[1:3] == (KernelShape(4, 9, 1), KernelShape(8, 1, 4))


def test_kin_is_what_is_left_of_a_network(digits, tmp_path):
    """Some of its channels, each layer's filters scaled by anything, are kin; the same shapes drawn anew are not."""
    whole = models.build("convnet", digits, widths=(16, 24, 32))
    convolutions = [layer for layer in whole.layers if "conv" in layer.name]
    chosen = [
        np.random.default_rng(index).permutation(layer.filters)[: layer.filters // 2] for index, layer in enumerate(convolutions)
    ]
    part = models.build("convnet", digits, widths=(8, 12, 16), seed=3)
    before = np.arange(1)
    for layer, mine, kept in zip(convolutions, (one for one in part.layers if "conv" in one.name), chosen, strict=True):
        scales = np.random.default_rng(9).uniform(0.1, 10, len(kept))
        mine.set_weights([layer.get_weights()[0][:, :, before][:, :, :, kept] * scales])
        before = kept
    kernel, bias = whole.get_layer("logits").get_weights()
    part.get_layer("logits").set_weights([kernel[before], bias])
    networks = {"whole": whole, "part": part, "other": models.build("convnet", digits, widths=(8, 12, 16), seed=5)}
    files = {
        name: Artifact.of(export.write(one, tmp_path / f"{name}.tflite", compare=digits.val.x[:20]).artifact.path)
        for name, one in networks.items()
    }
    assert kinship(files["part"], files["whole"]) == pytest.approx(1, abs=1e-4)
    assert kinship(files["other"], files["whole"]) < 0.5
    assert kinship(files["whole"], files["part"]) is None, "a part has no room for the whole"
    assert kinship(dataclasses.replace(files["part"], format="onnx"), files["whole"]) is None
