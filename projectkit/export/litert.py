"""Keras → .tflite, in the precisions that LiteRT runs."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras

from projectkit.errors import ExportError
from projectkit.export.files import check_suffix, write_artifact
from projectkit.export.layer_bits import quantize_weights
from projectkit.quiet import quiet
from projectkit.runtimes.tensors import first_line
from projectkit.types import Artifact

OPERATORS = {
    "int8": "TFLITE_BUILTINS_INT8",
    "int16x8": "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",
}
PRECISIONS = ("float32", "sparse", "float16", "dynamic", *OPERATORS, "int4")


def to_litert(
    model: keras.Model,
    path: str | Path,
    *,
    precision: str | Mapping[str, int] = "float32",
    calibrate: np.ndarray | None = None,
) -> Artifact:
    """Writes `model` to the .tflite file `path`.

    precision:
      "float32"   weights and arithmetic in float32.
      "sparse"    float32, but of a kernel with many zeros only the other weights are stored, with their places: a smaller file,
                  and on this runtime's CPU kernels no less time. A kernel with few zeros stays as it is.
      "float16"   weights stored in 16 bits; the CPU still computes in float32, so the file shrinks, not the time.
      "dynamic"   int8 weights, those of fewer than 1024 elements in float32; activations quantized by their range in each call.
      "int8"      int8 weights (per channel) and activations (per tensor, range from `calibrate`), int8 in and out.
      "int16x8"   int8 weights, int16 activations; runs on slow reference kernels.
      "int4"      4-bit weights (per channel; 8 bits in depthwise convolutions, for which LiteRT has no 4-bit kernel),
                  activations quantized by their range in each call.
      {name: bits} 4- or 8-bit weights for the layers named, the bits of the key "*" for the others, which stay float32 without
                  that key.

    A model prepared for quantization-aware training carries its own int8 ranges: it needs no `calibrate` for "int8", and no
    other precision fits it.
    Raises ExportError for an unknown precision, missing or misshapen calibration data or a model the converter refuses.
    """
    path = Path(path)
    check_suffix(path, ".tflite")
    if not isinstance(precision, Mapping) and precision not in PRECISIONS:
        raise ExportError(f"{path.name}: there is no LiteRT precision {precision!r}; known are {', '.join(PRECISIONS)}.")
    if is_quantization_aware(model):
        if precision != "int8":
            raise ExportError(
                f"{path.name}: quantization-aware training learned ranges for 8 bits; write this model as int8, or "
                "quantize.qat.trained_weights(aware, model) in any precision."
            )
    elif precision in ("int8", "int16x8"):
        check_calibration(path, model, precision, calibrate)
    bits = {"*": 4} if precision == "int4" else precision
    if not isinstance(bits, str):
        layers = [layer.name for layer in model.layers if any(len(weight.shape) > 1 for weight in layer.weights)]
        return write_artifact(path, quantize_weights(convert(model), layers, bits))
    return write_artifact(path, convert(model, bits, calibrate))


def check_calibration(path: Path, model: keras.Model, precision: str, calibrate: np.ndarray | None) -> None:
    """Raises ExportError unless `calibrate` holds real inputs of the model's shape, at least one."""
    if calibrate is None or len(calibrate) == 0:
        raise ExportError(
            f"{path.name}: {precision} fixes the range of every activation ahead of time and needs real inputs to see them. "
            "Give calibrate=dataset.train.x[:200]."
        )
    if np.shape(calibrate)[1:] != tuple(model.input_shape[1:]):
        wanted = ", ".join(["n", *map(str, model.input_shape[1:])])
        raise ExportError(f"{path.name}: `calibrate` has shape {np.shape(calibrate)}; {model.name} takes ({wanted}).")


def is_quantization_aware(model: keras.Model) -> bool:
    """Whether TFMOT has wrapped the model for quantization-aware training."""
    return any(type(layer).__name__.startswith("Quantize") for layer in model.layers)


def convert(
    model: keras.Model, precision: str = "float32", calibrate: np.ndarray | None = None, *, integer_io: bool = True
) -> bytes:
    """The .tflite file's bytes in one of the converter's own precisions; without `integer_io` the file takes and gives
    floats even when it computes in integers. Raises ExportError when TensorFlow refuses."""
    import tensorflow as tf

    # from_keras_model would trace every layer on its own as well, which takes most of the time and changes nothing in the file.
    inputs = [tf.TensorSpec(one.shape, one.dtype, name) for one, name in zip(model.inputs, model.input_names, strict=True)]

    @tf.function(input_signature=inputs)
    def answer(*given: tf.Tensor) -> dict[str, tf.Tensor]:
        answers = model(given[0] if len(given) == 1 else list(given), training=False)
        return dict(zip(model.output_names, answers if isinstance(answers, list) else [answers], strict=True))

    try:
        with tempfile.TemporaryDirectory() as folder, quiet():
            module = tf.Module()
            module.kept = list(model.variables)
            tf.saved_model.save(module, folder, signatures=answer)
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            _set(converter, model, precision, calibrate, integer_io)
            return converter.convert()
    except Exception as error:  # the converter raises many unrelated classes
        raise ExportError(f"{model.name}: TensorFlow cannot convert it to LiteRT {precision} ({first_line(error)}).") from error


def _set(converter: Any, model: keras.Model, precision: str, calibrate: np.ndarray | None, integer_io: bool) -> None:
    """The settings for `precision`, as `to_litert` describes it."""
    import tensorflow as tf

    if precision == "sparse":  # together with DEFAULT the converter writes integer kernels that LiteRT does not load
        converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
    elif precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision in OPERATORS:
        if integer_io:
            converter.inference_input_type = converter.inference_output_type = tf.int8 if precision == "int8" else tf.int16
        if not is_quantization_aware(model):  # which brings its own ranges
            converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, OPERATORS[precision])]
            images = () if calibrate is None else calibrate
            converter.representative_dataset = lambda: ([example[None].astype(np.float32)] for example in images)
