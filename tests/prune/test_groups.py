"""Groups: which channels stand or fall together, on small wirings whose answer is written here by hand."""

import numpy as np
import pytest
import tf_keras as keras
from tf_keras import layers

from projectkit.errors import ModelError
from projectkit.prune.groups import groups


def model_of(wiring, shape=(6, 6, 3)):
    inputs = keras.Input(shape)
    return keras.Model(inputs, wiring(inputs))


def conv(channels, name, **options):
    return layers.Conv2D(channels, 1, name=name, **options)


def end(x):
    return layers.Dense(2, name="logits")(layers.GlobalAveragePooling2D()(x))


def by_name(model):
    return {group.name: group for group in groups(model)}


def positions(places):
    return {place.layer: place.positions.tolist() for place in places}


def rows(start, stop):
    return [[position] for position in range(start, stop)]


def test_batch_norm_follows_and_the_next_layer_consumes():
    def wiring(x):
        x = layers.BatchNormalization(name="norm")(conv(4, "first")(x))
        return end(layers.ReLU()(x))

    group = by_name(model_of(wiring))["first"]
    assert (group.channels, group.prunable) == (4, True)
    assert positions(group.producers) == {"first": rows(0, 4)}
    assert positions(group.followers) == {"norm": rows(0, 4)}
    assert positions(group.consumers) == {"logits": rows(0, 4)}
    assert group.producers[0].axes == (("kernel", -1), ("bias", -1))
    assert group.followers[0].axes == (("gamma", -1), ("beta", -1), ("moving_mean", -1), ("moving_variance", -1))
    assert group.consumers[0].axes == (("kernel", -2),)


@pytest.mark.parametrize(
    "merge",
    [layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum],
    ids=lambda m: m.__name__,
)
def test_channels_that_are_merged_stand_together(merge):
    found = by_name(model_of(lambda x: end(merge()([conv(4, "left")(x), conv(4, "right")(x)]))))
    assert set(found) == {"left", "logits"}
    assert positions(found["left"].producers) == {"left": rows(0, 4), "right": rows(0, 4)}


def test_concatenation_shifts_and_a_sum_with_it_splits_a_layer():
    def wiring(x):
        joined = layers.Concatenate()([conv(2, "a")(x), conv(3, "b")(x)])
        return end(layers.Add()([joined, conv(5, "c")(x)]))

    found = by_name(model_of(wiring))
    assert set(found) == {"a", "b", "logits"}
    assert positions(found["a"].producers) == {"a": rows(0, 2), "c": rows(0, 2)}
    assert positions(found["b"].producers) == {"b": rows(0, 3), "c": rows(2, 5)}
    assert positions(found["b"].consumers) == {"logits": rows(2, 5)}
    assert {place.layer: place.offset for place in found["b"].producers} == {"b": 0, "c": 2}


def test_two_parts_of_a_layer_with_different_fates_have_two_names():
    """The first half of c is added to a, the second half is not: it is tied to the input."""

    def wiring(x):
        joined = layers.Concatenate()([x, conv(2, "a")(x)])
        return end(layers.Add()([conv(5, "c")(x), joined]))

    found = by_name(model_of(wiring))
    assert len(found) == 3 and len(set(found)) == 3
    tied, free = (group for group in found.values() if any(place.layer == "c" for place in group.producers))
    if tied.prunable:
        tied, free = free, tied
    assert (tied.channels, free.channels) == (3, 2)
    assert "input" in tied.reason and free.prunable
    assert positions(free.producers) == {"a": rows(0, 2), "c": rows(3, 5)}


def test_concatenation_in_space_keeps_channels_together():
    found = by_name(model_of(lambda x: end(layers.Concatenate(axis=1)([conv(4, "left")(x), conv(4, "right")(x)]))))
    assert positions(found["left"].producers) == {"left": rows(0, 4), "right": rows(0, 4)}


@pytest.mark.parametrize(
    "flatten",
    [layers.Flatten, lambda: layers.Reshape((12,)), lambda: layers.Reshape((-1,))],
    ids=["flatten", "12", "-1"],
)
def test_a_dense_layer_behind_flatten_reads_a_channel_once_a_pixel(flatten):
    def wiring(x):
        x = layers.AveragePooling2D(3)(conv(3, "first")(x))  # 2×2 pixels
        return layers.Dense(2, name="logits")(flatten()(x))

    (place,) = by_name(model_of(wiring))["first"].consumers
    assert place.factor == 4
    assert place.positions.tolist() == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]


def test_depthwise_layers_follow_their_multiplier_included():
    def wiring(x):
        x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(conv(3, "first")(x))
        return end(layers.BatchNormalization(name="norm")(x))

    group = by_name(model_of(wiring))["first"]
    pairs = [[0, 1], [2, 3], [4, 5]]
    assert positions(group.followers) == {"depthwise": rows(0, 3), "norm": pairs}
    assert positions(group.consumers) == {"logits": pairs}


def test_squeeze_and_excite_ties_its_gate_to_what_it_scales():
    def wiring(x):
        x = conv(4, "first")(x)
        gate = layers.Reshape((1, 1, 4))(layers.GlobalAveragePooling2D()(x))
        gate = conv(4, "widen", activation="sigmoid")(conv(2, "narrow", activation="relu")(gate))
        return end(layers.Multiply()([x, gate]))

    found = by_name(model_of(wiring))
    assert positions(found["first"].producers) == {"first": rows(0, 4), "widen": rows(0, 4)}
    assert positions(found["first"].consumers) == {"narrow": rows(0, 4), "logits": rows(0, 4)}
    assert found["narrow"].channels == 2 and found["narrow"].prunable


def test_a_layer_that_is_called_twice_ties_what_it_reads():
    def wiring(x):
        shared = conv(3, "shared")
        return end(layers.Concatenate()([shared(conv(4, "left")(x)), shared(conv(4, "right")(x))]))

    found = by_name(model_of(wiring))
    assert positions(found["left"].producers) == {"left": rows(0, 4), "right": rows(0, 4)}
    assert positions(found["shared"].consumers) == {"logits": [[0, 3], [1, 4], [2, 5]]}


def test_padding_pooling_dropout_and_upsampling_pass_channels_on():
    def wiring(x):
        x = layers.ZeroPadding2D()(conv(4, "first")(layers.Rescaling(1 / 255)(x)))
        x = layers.MaxPooling2D()(layers.UpSampling2D()(layers.Dropout(0.5)(layers.Activation("swish")(x))))
        return end(conv(3, "second")(layers.Cropping2D(1)(x)))

    found = by_name(model_of(wiring))
    assert positions(found["first"].consumers) == {"second": rows(0, 4)}
    assert found["first"].prunable and found["second"].prunable


@pytest.mark.parametrize(
    ("wiring", "reason"),
    [
        (lambda x: conv(3, "kept")(x), "output of the model"),
        (lambda x: end(layers.Add()([x, conv(3, "kept")(x)])), "input of the model"),
        (lambda x: end(layers.Softmax()(conv(4, "kept")(x))), "softmax"),
        (lambda x: end(conv(4, "kept", activation="softmax")(x)), "softmax"),
        (lambda x: end(conv(4, "second", groups=2)(conv(4, "kept")(x))), "grouped convolution"),
        (lambda x: end(layers.Multiply()([conv(4, "wide")(x), conv(1, "kept")(x)])), "repeats it"),
        (lambda x: end(layers.Rescaling([1.0, 2.0])(conv(2, "kept")(x))), "constants"),
        (lambda x: end(layers.Reshape((12, 6, 2))(conv(4, "kept")(x))), "spreads"),
    ],
    ids=["output", "input", "softmax", "softmax-activation", "grouped", "broadcast", "constants", "reshape"],
)
def test_what_cannot_be_pruned_says_why(wiring, reason):
    group = by_name(model_of(wiring))["kept"]
    assert not group.prunable and reason in group.reason


def test_a_sequential_model_is_followed_too():
    model = keras.Sequential([layers.Input((5,)), layers.Dense(4, name="hidden"), layers.Dense(2, name="logits")])
    assert [(group.name, group.channels, group.prunable) for group in groups(model)] == [
        ("hidden", 4, True),
        ("logits", 2, False),
    ]


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


class OwnConvolution(layers.Conv2D):
    """A subclass may compute anything, so it is not taken for the layer that it extends."""


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: Subclassed(), ["Subclassed", "functional", "keras.Model(inputs, outputs)"]),
        (lambda: keras.Sequential([layers.Dense(2)]), ["Sequential", "input shape"]),
        (lambda: "model.tflite", ["a str", "functional"]),
        (lambda: model_of(lambda x: end(OwnConvolution(4, 1)(x))), ["OwnConvolution", "Conv2D, ", "BatchNormalization"]),
        (lambda: model_of(lambda x: end(layers.Lambda(lambda y: y + 1)(x))), ["Lambda", "supported are"]),
        (lambda: model_of(lambda x: end(x + 1)), ["TFOpLambda", "supported are"]),
        (lambda: model_of(lambda x: end(layers.LayerNormalization()(x))), ["LayerNormalization", "supported are"]),
        (lambda: model_of(model_of(end)), ["Functional", "nested"]),
        (lambda: model_of(lambda x: end(layers.BatchNormalization(axis=1)(x))), ["axis", "axis=-1"]),
        (lambda: model_of(lambda x: end(layers.MaxPooling2D(data_format="channels_first")(x))), ["channels_last"]),
        (lambda: model_of(lambda x: end(conv(4, "odd", activation=lambda y: y * y)(x))), ["odd", "keras.activations"]),
    ],
    ids=[
        "subclassed",
        "unbuilt",
        "no-model",
        "custom",
        "lambda",
        "operator",
        "layernorm",
        "nested",
        "axis",
        "format",
        "activation",
    ],
)
def test_a_model_that_cannot_be_followed_is_refused_with_the_reason(model, words):
    with pytest.raises(ModelError) as error:
        groups(model())
    assert all(word in str(error.value) for word in words), str(error.value)


def test_positions_are_distinct_and_inside_the_layer():
    def wiring(x):
        x = layers.Concatenate()([conv(4, "a")(x), conv(3, "b")(x)])
        return layers.Dense(2)(layers.Flatten()(conv(5, "c")(x)))

    model = model_of(wiring)
    for group in groups(model):
        for place in (*group.producers, *group.followers, *group.consumers):
            assert len(np.unique(place.positions)) == place.positions.size
            for weight, axis in place.axes:
                assert place.positions.max() < getattr(model.get_layer(place.layer), weight).shape[axis]
