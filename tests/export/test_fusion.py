"""Folding: the same answers from fewer layers, whatever the network; and taking a file apart again."""

import numpy as np
import pytest
import tf_keras as keras
from tf_keras import layers

from projectkit import export, models, runtimes
from projectkit.errors import ArtifactError, ModelError
from projectkit.measure import fusions, read_graph
from projectkit.types import Artifact

RNG = np.random.default_rng(0)


def with_statistics(model: keras.Model) -> keras.Model:
    """Normalization as after training: a fresh one is the identity, and folding it wrongly would not be seen."""
    draw = {
        "gamma": lambda n: RNG.uniform(0.5, 1.5, n) * RNG.choice([-1, 1], n),
        "beta": lambda n: RNG.normal(0, 0.3, n),
        "moving_mean": lambda n: RNG.normal(0, 0.3, n),
        "moving_variance": lambda n: RNG.uniform(0.3, 2, n),
    }
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            for weight in layer.weights:
                weight.assign(draw[weight.name.split("/")[-1].partition(":")[0]](weight.shape[0]))
    return model


def network(*stack, shape=(12, 12, 3)) -> keras.Model:
    return with_statistics(keras.Sequential([keras.Input(shape), *stack]))


def normalizations(model: keras.Model) -> int:
    return sum(isinstance(layer, layers.BatchNormalization) for layer in model._flatten_layers())


def assert_folded(model: keras.Model, *, left: int = 0) -> keras.Model:
    """That the same answers come from `left` normalizations and that `model` stays as it was; the folded network."""
    x = RNG.random((3, *model.input_shape[1:]), dtype=np.float32)
    expected, weights = model(x).numpy(), [weight.numpy() for weight in model.weights]
    fused = export.fuse(model)
    largest = max(1.0, np.abs(expected).max())
    assert np.abs(fused(x).numpy() - expected).max() < 1e-5 * largest
    assert normalizations(fused) == left
    assert np.array_equal(model(x).numpy(), expected), "the model that was given has changed"
    assert all(np.array_equal(before, after.numpy()) for before, after in zip(weights, model.weights, strict=True))
    return fused


@pytest.mark.parametrize("name", models.BUILDERS)
def test_every_network_answers_the_same_without_its_normalization(name):
    assert_folded(with_statistics(models.BUILDERS[name]((16, 16, 3), 10)))


def test_mobilenet_v2():
    options = {"weights": None, "classes": 10, "classifier_activation": None, "alpha": 0.35}
    fused = assert_folded(with_statistics(keras.applications.MobileNetV2((32, 32, 3), **options)))
    assert not any(isinstance(layer, layers.ReLU) for layer in fused.layers)


@pytest.mark.parametrize("norm", [{}, {"scale": False}, {"center": False}, {"scale": False, "center": False}, {"epsilon": 0.1}])
@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.Conv2D(4, 3),
        lambda: layers.Conv2D(6, 3, groups=3, use_bias=False),
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=2),
        lambda: layers.SeparableConv2D(4, 3, depth_multiplier=2, use_bias=False),
        lambda: layers.Dense(5),
    ],
    ids=["convolution", "grouped", "depthwise", "separable", "dense"],
)
def test_every_kind_of_layer_takes_every_kind_of_normalization_in(layer, norm):
    fused = assert_folded(network(layer(), layers.BatchNormalization(**norm), layers.ReLU(6.0)))
    assert len(fused.layers) == 2


def test_a_one_dimensional_convolution():
    stack = layers.Conv1D(4, 3, use_bias=False), layers.BatchNormalization(), layers.Activation("tanh")
    assert_folded(network(*stack, shape=(12, 3)))


def test_what_cannot_be_folded_stays():
    image = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, activation="relu")(image)
    x = layers.LeakyReLU()(layers.BatchNormalization(name="behind_an_activation")(x))
    y = layers.Conv2D(4, 3)(x)
    x = layers.Add()([y, layers.BatchNormalization(name="others_read_its_input")(y)])
    x = layers.BatchNormalization(name="behind_a_sum")(x)
    x = layers.BatchNormalization(axis=1, name="of_rows")(layers.Conv2D(4, 3)(x))
    twice = layers.Conv2D(4, 3, padding="same")
    x = layers.BatchNormalization(name="behind_a_shared_layer")(twice(twice(x)))
    x = layers.Activation("softmax", name="mixes_channels")(layers.Dense(4)(x))
    fused = assert_folded(with_statistics(keras.Model(image, x)), left=5)
    assert fused.get_layer("mixes_channels")


def test_an_output_inside_the_network_keeps_its_values():
    image = keras.Input((12, 12, 3))
    middle = layers.Conv2D(4, 3)(image)
    model = with_statistics(keras.Model(image, [layers.BatchNormalization()(middle), middle]))
    x = RNG.random((2, 12, 12, 3), dtype=np.float32)
    for expected, found in zip(model(x), export.fuse(model)(x), strict=True):
        assert np.array_equal(expected, found)


def test_a_network_inside_a_network_is_folded_too():
    inner = keras.Sequential([keras.Input((12, 12, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU()])
    image = keras.Input((12, 12, 3))
    assert_folded(with_statistics(keras.Model(image, layers.Dense(2)(layers.Flatten()(inner(image))))))


def test_a_network_without_a_graph_is_refused():
    class Own(keras.Model):
        pass

    with pytest.raises(ModelError, match="functional or sequential"):
        export.fuse(Own())


@pytest.fixture(scope="module", params=["float32", "int8"])
def exported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unfuse")
    model = network(
        *(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(6.0)),
        *(layers.DepthwiseConv2D(3), layers.BatchNormalization(), layers.ReLU()),
        *(layers.Flatten(), layers.Dense(3)),
    )
    x = RNG.random((40, 12, 12, 3), dtype=np.float32)
    return export.write(model, folder / "m.tflite", compare=x, precision=request.param, calibrate=x).artifact, x


def test_a_file_taken_apart_answers_the_same_with_more_operators(exported, tmp_path):
    artifact, x = exported
    apart = export.unfuse(artifact, tmp_path / "apart.tflite")
    expected, found = (runtimes.open(one).run(x) for one in (artifact, apart))
    assert np.array_equal(expected, found)
    before, after = (dict(fusions(one)["file"]) for one in (artifact, apart))
    assert before["CONV_2D + RELU6"] == before["DEPTHWISE_CONV_2D + RELU"] == 1
    assert {name: after[name] for name in ("CONV_2D", "DEPTHWISE_CONV_2D", "MUL", "ADD", "RELU", "RELU6")} == {
        **{"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "MUL": 2, "ADD": 2, "RELU": 1, "RELU6": 1}
    }
    assert read_graph(apart).operator_count == read_graph(artifact).operator_count + 6


def test_tensors_of_tiny_numbers_are_taken_apart_too(tmp_path):
    """Where two scales are far apart, LiteRT's kernels would not refuse a sum but end the process."""
    model = network(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(), layers.Flatten(), layers.Dense(3))
    model.layers[1].gamma.assign(np.full(4, 1e-6))
    model.layers[1].beta.assign(np.full(4, 1e-6))
    x = RNG.random((20, 12, 12, 3), dtype=np.float32)
    artifact = export.write(model, tmp_path / "m.tflite", compare=x, precision="int8", calibrate=x).artifact
    apart = export.unfuse(artifact, tmp_path / "apart.tflite")
    assert np.array_equal(*(runtimes.open(one).run(x) for one in (artifact, apart)))


def test_only_tflite_files_are_taken_apart(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"nothing")
    with pytest.raises(ArtifactError, match=r"\.tflite"):
        export.unfuse(Artifact.of(tmp_path / "m.onnx"), tmp_path / "x.tflite")
