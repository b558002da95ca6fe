"""Keras → .onnx, in the precisions that ONNX Runtime runs and TensorRT reads."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tf_keras as keras

from projectkit.errors import ExportError
from projectkit.export.files import check_suffix, write_artifact
from projectkit.export.litert import check_calibration, convert, is_quantization_aware
from projectkit.quiet import quiet
from projectkit.runtimes.tensors import first_line
from projectkit.types import Artifact

if TYPE_CHECKING:
    import onnx
    from onnxruntime.quantization import CalibrationMethod

PRECISIONS = ("float32", "float16", "dynamic", "int8")
METHODS = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}  # by ONNX Runtime's names
ENTROPY_BINS = 1024  # of the histogram that 128 quantization steps are fitted to; 2048 take three times as long
PERCENTILE = 99.9
OPSET = 17  # the newest that tf2onnx, ONNX Runtime and TensorRT 10 and 11 all take


def to_onnx(
    model: keras.Model,
    path: str | Path,
    *,
    precision: str | Mapping[str, int] = "float32",
    calibrate: np.ndarray | None = None,
    method: str = "minmax",
    preset: str = "x86",
) -> Artifact:
    """Writes `model` to the .onnx file `path`. Inputs and outputs stay float32 in every precision.

    precision: "float32"; "float16"; "dynamic" (8-bit weights, activations quantized by the range of the whole batch in each
    call, so that answers depend a little on their batch); "int8" (static, QDQ form, weights per channel, activation ranges
    from `calibrate`).
    method: how a range is found from the activations: "minmax", "entropy" (the narrower range that loses
    least information, in Kullback and Leibler's sense) or "percentile" (99.9 %).
    preset: "x86" has unsigned activations, which ONNX Runtime fuses into VNNI kernels; "tensorrt" has symmetric signed
    ones with zero point 0 and keeps the weights in float before their Q/DQ pair, as TensorRT requires: it makes the int8
    engine itself, so that file does not shrink. On a CPU it is two to three times slower than the x86 one.

    A model prepared for quantization-aware training brings its own ranges: "int8" needs no `calibrate` then, and the file
    computes what that model computed in training.

    Raises ExportError for an unknown precision, method or preset, missing or misshapen calibration data, or a model that
    cannot be converted.
    """
    path = Path(path)
    check_suffix(path, ".onnx")
    if not isinstance(precision, str):
        raise ExportError(f"{path.name}: there is no ONNX precision {precision!r}; known are {', '.join(PRECISIONS)}.")
    _refuse_nonsense(path, model, precision, method, preset)
    if precision == "int8" and not is_quantization_aware(model):
        check_calibration(path, model, precision, calibrate)
    try:
        with quiet():
            proto = _proto(model, precision, calibrate, method, preset)
    except Exception as error:  # tf2onnx and ONNX Runtime's quantizer raise many unrelated classes
        raise ExportError(f"{model.name}: cannot be converted to ONNX {precision} ({first_line(error)}).") from error
    return write_artifact(path, proto.SerializeToString())


def _refuse_nonsense(path: Path, model: keras.Model, precision: str, method: str, preset: str) -> None:
    for what, value, known in (
        ("precision", precision, PRECISIONS),
        ("calibration method", method, tuple(METHODS)),
        ("preset", preset, ("x86", "tensorrt")),
    ):
        if value not in known:
            raise ExportError(f"{path.name}: there is no ONNX {what} {value!r}; known are {', '.join(known)}.")
    if is_quantization_aware(model) and (precision, preset) != ("int8", "x86"):
        raise ExportError(
            f"{path.name}: quantization-aware training learned int8 ranges with zero points, so this model can be written as "
            f"int8 with the x86 preset, not as {precision} with {preset}. "
            "Write quantize.qat.trained_weights(aware, model) instead."
        )


def _proto(model: keras.Model, precision: str, calibrate: np.ndarray | None, method: str, preset: str) -> "onnx.ModelProto":
    if is_quantization_aware(model):
        return _quantization_aware(model)
    proto = _convert(model)
    if precision == "float16":
        return _half(proto)
    if precision == "dynamic":
        return _dynamic(proto)
    return _static(proto, calibrate, method, preset) if precision == "int8" and calibrate is not None else proto


def _convert(model: keras.Model) -> "onnx.ModelProto":
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")]
    proto, _ = tf2onnx.convert.from_keras(model, input_signature=signature, opset=OPSET)
    return proto


def _half(proto: "onnx.ModelProto") -> "onnx.ModelProto":
    from onnxconverter_common import float16

    return float16.convert_float_to_float16(proto, keep_io_types=True)


def _dynamic(proto: "onnx.ModelProto") -> "onnx.ModelProto":
    from onnxruntime.quantization import QuantType, quantize_dynamic

    return _by_file(proto, lambda source, target: quantize_dynamic(source, target, weight_type=QuantType.QUInt8))


def _static(proto: "onnx.ModelProto", calibrate: np.ndarray, method: str, preset: str) -> "onnx.ModelProto":
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    symmetric = {
        "ActivationSymmetric": True,
        "WeightSymmetric": True,
        "QuantizeBias": False,
        "AddQDQPairToWeight": True,
        "DedicatedQDQPair": True,
    }

    def run(source: str, target: str) -> None:
        quant_pre_process(source, source)  # folds batch normalization into the convolutions
        ranges = Path(source).with_suffix(".ranges.json")
        _save_ranges(source, ranges, _Reader(proto.graph.input[0].name, calibrate), method)
        quantize_static(
            source,
            target,
            None,
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8 if preset == "x86" else QuantType.QInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=_calibration(method),
            extra_options=symmetric if preset == "tensorrt" else {},
            calibration_cache_path=ranges,
        )

    return _by_file(proto, run)


def _save_ranges(source: str, ranges: Path, reader: "_Reader", method: str) -> None:
    """Observes the activations on its own: `quantize_static` would give the entropy method 128 bins to merge into 128, so that
    it could only ever choose the full range."""
    from onnxruntime.quantization import create_calibrator
    from onnxruntime.quantization.calibrate import save_tensors_data

    calibrator = create_calibrator(
        source,
        augmented_model_path=str(ranges.with_suffix(".onnx")),
        calibrate_method=_calibration(method),
        extra_options={"entropy": {"num_bins": ENTROPY_BINS}, "percentile": {"percentile": PERCENTILE}}.get(method, {}),
    )
    calibrator.collect_data(reader)
    save_tensors_data(calibrator.compute_data(), ranges)


def _calibration(method: str) -> "CalibrationMethod":
    from onnxruntime.quantization import CalibrationMethod

    return CalibrationMethod[METHODS[method]]


def _quantization_aware(model: keras.Model) -> "onnx.ModelProto":
    """By way of an int8 .tflite file, which keeps the learned ranges; tf2onnx would fold the weights' rounding away."""
    with quiet(), tempfile.TemporaryDirectory() as folder:
        import tf2onnx

        source = Path(folder) / "aware.tflite"
        source.write_bytes(convert(model, "int8", integer_io=False))
        proto, _ = tf2onnx.convert.from_tflite(str(source), opset=OPSET)
    return _unsigned_activations(proto)


def _unsigned_activations(proto: "onnx.ModelProto") -> "onnx.ModelProto":
    """Shifts int8 activations and their zero points by 128 to uint8: the same real values, in the form that ONNX Runtime
    fuses into x86 kernels. Weights stay int8."""
    from onnx import numpy_helper

    constants = {constant.name: constant for constant in proto.graph.initializer}
    for node in proto.graph.node:
        is_activation = node.op_type == "QuantizeLinear" or (
            node.op_type == "DequantizeLinear" and node.input[0] not in constants
        )
        if not is_activation or len(node.input) < 3 or not node.input[2]:
            continue
        zero_point = numpy_helper.to_array(constants[node.input[2]])
        if zero_point.dtype == np.int8:
            name = f"{node.input[2]}_unsigned"
            if name not in constants:
                shifted = numpy_helper.from_array((zero_point.astype(np.int16) + 128).astype(np.uint8), name)
                proto.graph.initializer.append(shifted)
                constants[name] = shifted
            node.input[2] = name
    del proto.graph.value_info[:]  # they still say int8
    return proto


class _Reader:
    """Hands the calibration inputs to ONNX Runtime one by one (its histograms refuse batches of unequal length)."""

    def __init__(self, name: str, x: np.ndarray):
        self._batches = iter([{name: example[None].astype(np.float32)} for example in x])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._batches, None)


def _by_file(proto: "onnx.ModelProto", step: Callable[[str, str], object]) -> "onnx.ModelProto":
    """Runs a step of ONNX Runtime's quantizer, which works on files."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.onnx", Path(folder) / "target.onnx"
        onnx.save(proto, source)
        step(str(source), str(target))
        return onnx.load(target)
