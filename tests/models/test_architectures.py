"""The architectures against counts made by hand, and what `build` refuses."""

import numpy as np
import pytest

from projectkit import data, models
from projectkit.errors import ModelError
from projectkit.models import BUILDERS


def residual(channels, projected=0):
    """Weights of a residual block's two 3×3 convolutions without bias, from `channels`[0] to `channels`[1]; its projection."""
    before, after = channels
    return 9 * before * after + 9 * after * after + projected * before * after


def norm(*channels):
    return 4 * sum(channels)


BY_HAND = [
    ("mlp", (8, 8, 1), {}, 64 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10),
    ("mlp", (8, 8, 1), {"widths": ()}, 64 * 10 + 10),
    ("lenet300", (28, 28, 1), {}, 266_610),
    ("convnet", (8, 8, 1), {}, 9 * (1 * 32 + 32 * 64 + 64 * 128) + norm(32, 64, 128) + 128 * 10 + 10),
    ("dsconv", (8, 8, 1), {}, 9 * (32 + 32 + 64) + 32 * 64 + 64 * 128 + norm(32, 32, 64, 64, 128) + 128 * 10 + 10),
    ("resnet8", (32, 32, 3), {}, 78_666),
    (
        "resnet",
        (32, 32, 3),
        {"depth": 20},
        9 * 3 * 16
        + 3 * residual((16, 16))
        + residual((16, 32), 1)
        + 2 * residual((32, 32))
        + residual((32, 64), 1)
        + 2 * residual((64, 64))
        + norm(*[16] * 7, *[32] * 6, *[64] * 6)
        + 64 * 10
        + 10,
    ),
]


@pytest.mark.parametrize(("name", "shape", "options", "parameters"), BY_HAND)
def test_parameters_are_those_counted_by_hand(name, shape, options, parameters):
    assert BUILDERS[name](shape, 10, **options).count_params() == parameters


@pytest.mark.parametrize("depth", [7, 9, 2, 0])
def test_a_resnet_has_depth_6n_plus_2(depth):
    with pytest.raises(ModelError, match=f"6n \\+ 2.*got {depth}"):
        BUILDERS["resnet"]((8, 8, 1), 10, depth=depth)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("transformer", {}, "no model 'transformer'; known are mlp, lenet300"),
        ("convnet", {"depth": 3}, "convnet has no option depth; its options are widths"),
        ("lenet300", {"widths": (3,)}, "its options are none"),
        ("convnet", {"widths": (4,) * 6}, "cannot build it"),  # 8×8 images can be halved three times
        ("mlp", {"widths": 16}, "cannot build it"),
    ],
)
def test_what_cannot_be_built_is_refused_with_a_reason(name, options, sentence):
    with pytest.raises(ModelError, match=sentence):
        models.build(name, data.load("digits"), **options)


def test_a_convolution_sees_its_neighbours_and_the_mean_forgets_the_place():
    """Away from the border a shifted image has the same logits, by the architecture: 3×3 convolutions, then the mean."""
    model = BUILDERS["convnet"]((16, 16, 1), 3, widths=(4,))
    x = np.zeros((2, 16, 16, 1), np.float32)
    patch = np.random.default_rng(0).random((4, 4, 1))
    x[0, 3:7, 3:7], x[1, 9:13, 8:12] = patch, patch
    logits = model(x).numpy()
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-5)
    assert np.abs(logits).max() > 1e-3
