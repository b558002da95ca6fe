"""Four Keras models with weights made for counting, converted once a session to every kind of file that is counted."""

from pathlib import Path

import numpy as np
import pytest

KINDS = (
    "float32.tflite",
    "float16.tflite",
    "int8.tflite",
    "float32.onnx",
    "float16.onnx",
    "qdq.onnx",
    "qoperator.onnx",
    "dynamic.onnx",
)


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> dict[str, Path]:
    """ "model-kind" → path, for the models mlp, conv, residual and paired and every one of KINDS."""
    import projectkit  # noqa: F401  settles which Keras TensorFlow takes

    folder = tmp_path_factory.mktemp("files")
    found = {}
    for name, model in {"mlp": _mlp(), "conv": _conv(), "residual": _residual(), "paired": _paired()}.items():
        inputs = np.random.default_rng(1).random((16, *model.input_shape[1:]), dtype=np.float32)
        for kind in ("float32", "float16", "int8"):
            path = folder / f"{name}-{kind}.tflite"
            path.write_bytes(_litert(model, kind, inputs))
        _onnx_family(model, inputs, folder, name)
        found |= {f"{name}-{kind}": folder / f"{name}-{kind}" for kind in KINDS}
    return found


def _mlp():
    import tf_keras as keras

    layers = keras.layers
    return _filled(
        keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), layers.Dense(32, activation="relu"), layers.Dense(10)])
    )


def _conv():
    import tf_keras as keras

    layers = keras.layers
    return _filled(
        keras.Sequential(
            [
                layers.Input((9, 9, 3)),
                layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
                layers.Conv2D(12, (3, 2), padding="valid", use_bias=False),
                layers.ReLU(),
                layers.MaxPool2D(2),
                layers.Flatten(),
                layers.Dense(7),
            ]
        )
    )


def _residual():
    import tf_keras as keras

    layers = keras.layers
    image = layers.Input((8, 8, 3))
    stem = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same", use_bias=False)(image)))
    branch = layers.ReLU()(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(stem)))
    branch = layers.Conv2D(16, 1)(branch)
    pooled = layers.GlobalAveragePooling2D()(layers.Add()([branch, stem]))
    return _filled(keras.Model(image, layers.Dense(4)(pooled)))


def _paired():
    """In every group of four inputs two weights are zero, and the others ±0.5 or ±1: every filter holds all five values."""
    import tf_keras as keras

    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 8, 4)),
            layers.Conv2D(8, 3, use_bias=False),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ]
    )
    kernels = [np.empty(weight.shape, np.float32) for weight in model.weights[:2]]
    for kernel in kernels:
        by_four = kernel.reshape(-1, 4, kernel.shape[-1])
        by_four[:] = np.resize(np.array([0.5, 0, 0, -1, 0, 1, -0.5, 0], np.float32), len(by_four) * 4).reshape(-1, 4, 1)
    model.set_weights([*kernels, np.full(10, 0.25, np.float32)])
    return model


def _filled(model):
    """Every weight between 0.5 and 1 in size, so that none rounds to zero in 8 bits; in every kernel the first two are zero."""
    rng = np.random.default_rng(0)
    weights = []
    for weight in model.weights:
        value = rng.uniform(0.5, 1.0, weight.shape).astype(np.float32)
        if len(weight.shape) > 1:
            value *= rng.choice([-1, 1], weight.shape)
            value.reshape(-1)[:2] = 0
        weights.append(value)
    model.set_weights(weights)
    return model


def _litert(model, kind: str, inputs: np.ndarray) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":
        converter.representative_dataset = lambda: ([image[None]] for image in inputs)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def _onnx_family(model, inputs: np.ndarray, folder: Path, name: str) -> None:
    import onnx
    import tensorflow as tf
    import tf2onnx
    from onnxconverter_common import float16
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.images = iter(inputs)

        def get_next(self):
            image = next(self.images, None)
            return None if image is None else {"x": image[None]}

    path = folder / f"{name}-float32.onnx"
    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="x")]
    tf2onnx.convert.from_keras(model, input_signature=signature, opset=17, output_path=str(path))
    onnx.save(float16.convert_float_to_float16(onnx.load(path)), folder / f"{name}-float16.onnx")
    quantize_static(
        path,
        folder / f"{name}-qdq.onnx",
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    quantize_static(
        path,
        folder / f"{name}-qoperator.onnx",
        Reader(),
        quant_format=QuantFormat.QOperator,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QUInt8,  # its zero points are not 0
    )
    quantize_dynamic(path, folder / f"{name}-dynamic.onnx", weight_type=QuantType.QUInt8)
