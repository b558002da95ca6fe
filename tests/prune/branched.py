"""A branched network of the tests' own in which masks, placed by hand, stand for removed channels."""

import tf_keras as keras
from tf_keras import layers

SHAPE = (8, 8, 3)
CHANNELS = {"stem": 6, "left": 5, "right": 7, "squeeze": 4, "up": 6, "shared": 3, "hidden": 9}
GROUPS = list(CHANNELS)


def branched(masks=None) -> keras.Model:
    """Branches that are concatenated and added to a wider layer, squeeze-excite, a depthwise layer with multiplier 2, a
    transposed convolution, a layer called twice, Flatten → Dense, a second output.

    masks[group]: (channels,) of 0 and 1, multiplied in behind batch normalization and activation, wherever the group's
    channels have been computed anew. Layers with weights have the same names and order with and without masks.
    """
    masks = masks or {}

    def masked(x, *names, repeats=1):
        if not masks:
            return x
        values = [float(value) for name in names for value in masks[name] for _ in range(repeats)]
        return layers.Rescaling(values)(x)

    def block(x, name, *, kernel=3, activation="relu", **options):
        x = layers.Conv2D(CHANNELS.get(name, 12), kernel, padding="same", name=name, use_bias=False, **options)(x)
        return layers.Activation(activation)(layers.BatchNormalization()(x))

    inputs = keras.Input(SHAPE)
    stem = masked(block(layers.Rescaling(2.0, offset=-1.0)(inputs), "stem"), "stem")
    right = masked(block(layers.MaxPooling2D()(stem), "right", activation="swish"), "right")
    right = layers.UpSampling2D()(layers.Cropping2D(1)(layers.ZeroPadding2D()(right)))
    joined = layers.Concatenate()([masked(block(stem, "left"), "left"), right])
    total = masked(layers.Add()([joined, block(stem, "both", kernel=1)]), "left", "right")

    gate = layers.Dense(CHANNELS["squeeze"], activation="swish", name="squeeze")(layers.GlobalAveragePooling2D()(total))
    gate = layers.Dense(12, activation="sigmoid", name="excite")(masked(gate, "squeeze"))
    total = layers.Multiply()([total, layers.Reshape((1, 1, 12))(gate)])

    deep = layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, name="depthwise")(total)
    deep = masked(layers.ReLU(6.0)(layers.BatchNormalization()(deep)), "left", "right", repeats=2)
    up = layers.Conv2DTranspose(CHANNELS["up"], 2, strides=2, name="up")(deep)
    up = layers.Dropout(0.1)(masked(layers.LeakyReLU()(layers.BatchNormalization()(up)), "up"))
    side = layers.SeparableConv2D(CHANNELS["up"], 3, padding="same", depth_multiplier=2, name="side")(total)
    side = masked(layers.Activation("tanh")(side), "up")

    shared = layers.Conv2D(CHANNELS["shared"], 3, strides=2, activation="relu", name="shared")
    pair = layers.Concatenate()([masked(shared(up), "shared"), masked(shared(side), "shared")])
    hidden = layers.Dense(CHANNELS["hidden"], activation="elu", name="hidden")(layers.Flatten()(pair))
    logits = layers.Dense(4, name="logits")(masked(hidden, "hidden"))
    return keras.Model(inputs, [logits, layers.Dense(2, name="second")(layers.GlobalMaxPooling2D()(side))], name="branched")
