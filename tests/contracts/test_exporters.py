"""What every exporter promises, in each of its module's PRECISIONS. A new member of EXPORTERS is held to it by being there."""

import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from projectkit import runtimes, train
from projectkit.errors import ArtifactError, ExportError
from projectkit.export import EXPORTERS, write
from projectkit.measure import read_graph, read_patterns
from projectkit.runtimes.session import CHUNK
from projectkit.types import FORMATS, Artifact

SUFFIXES = {format: suffix for suffix, format in FORMATS.items()}
CASES = [
    (format, precision) for format, exporter in EXPORTERS.items() for precision in sys.modules[exporter.__module__].PRECISIONS
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exported")


@pytest.fixture(scope="module")
def files(trained, digits, folder):
    """Every format in every precision, written once."""
    return {
        (format, precision): write(
            trained,
            folder / f"{precision}{SUFFIXES[format]}",
            precision=precision,
            calibrate=digits.train.x[:200],
            compare=digits.val.x,
        )
        for format, precision in CASES
    }


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def exported(request, files):
    return files[request.param]


def answers_of_litert(path, x):
    """The file's logits by TensorFlow's own interpreter, integers scaled by hand."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(str(path))
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.resize_tensor_input(source["index"], x.shape)
    interpreter.allocate_tensors()
    if source["dtype"] != np.float32:
        scale, zero_point = source["quantization"]
        limits = np.iinfo(source["dtype"])
        x = np.clip(np.rint(x / np.float32(scale)) + zero_point, limits.min, limits.max).astype(source["dtype"])
    interpreter.set_tensor(source["index"], x)
    interpreter.invoke()
    stored = interpreter.get_tensor(target["index"])
    if target["dtype"] == np.float32:
        return stored
    scale, zero_point = target["quantization"]
    return (stored.astype(np.float64) - zero_point) * scale


def answers_of_onnx(path, x):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    name = session.get_inputs()[0].name
    # In our own batches: dynamic quantization takes its ranges from the whole batch.
    return np.concatenate([session.run(None, {name: x[start : start + CHUNK]})[0] for start in range(0, len(x), CHUNK)])


ORACLES = {"litert": answers_of_litert, "onnx": answers_of_onnx}


def test_the_artifact_describes_the_file(exported):
    assert Artifact.of(exported.artifact.path) == exported.artifact
    assert exported.artifact.size == Path(exported.artifact.path).stat().st_size


def test_the_file_is_as_right_as_the_model(exported, trained, digits):
    with closing(runtimes.open(exported.artifact)) as session:
        got = np.mean(session.run(digits.val.x).argmax(axis=1) == digits.val.y)
    allowed = 0.05 if exported.precision == "int4" else 0.02
    assert got >= train.accuracy(trained, digits.val) - allowed


@pytest.mark.filterwarnings("ignore:\\s*Warning. tf.lite.Interpreter is deprecated")
def test_the_difference_is_what_another_runtime_measures(exported, trained, digits):
    oracle = ORACLES[exported.artifact.format](exported.artifact.path, digits.val.x)
    expected = trained.predict(digits.val.x, verbose=0)
    apart = np.abs(oracle - expected)
    reported = exported.difference
    assert reported.n == len(digits.val)
    assert reported.agreement == pytest.approx(np.mean(oracle.argmax(1) == expected.argmax(1)), abs=1.5 / len(digits.val))
    assert reported.mean == pytest.approx(apart.mean(), rel=0.1, abs=2e-6)
    assert reported.largest == pytest.approx(apart.max(), rel=0.1, abs=2e-5)


def test_the_precision_costs_what_it_should(exported):
    """float32 moves the logits by rounding errors of the arithmetic, float16 by those of the weights, integers by more."""
    most = {"float32": 1e-5, "sparse": 1e-5, "float16": 5e-3}.get(exported.precision, 1.0)
    least = {"float32": 0.0, "sparse": 0.0, "float16": 1e-5}.get(exported.precision, 1e-3)
    assert least <= exported.difference.mean <= most


def test_the_report_can_be_read(exported):
    text = str(exported)
    assert Path(exported.artifact.path).name in text
    assert f"{exported.artifact.size / 1000:.1f} kB" in text
    assert f"{exported.difference.agreement:.1%}" in text


@pytest.mark.parametrize("format", EXPORTERS)
def test_fewer_bits_make_smaller_files(files, format):
    size = {precision: file.artifact.size for (where, precision), file in files.items() if where == format}
    assert size["float16"] < 0.65 * size["float32"]
    assert max(size["int8"], size["dynamic"]) < 0.6 * size["float32"]
    assert size.get("int4", 0) < size["int8"]


def test_the_sparse_format_leaves_zeros_out_and_keeps_dense_kernels_whole(trained, digits, files, tmp_path):
    import tf_keras as keras

    from projectkit import models

    assert files["litert", "sparse"].artifact.size <= 1.01 * files["litert", "float32"].artifact.size
    zeroed, weights, left = models.copy(trained), 0, 0
    for layer in zeroed.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            kernel = layer.kernel.numpy()
            kernel[np.abs(kernel) < np.quantile(np.abs(kernel), 0.85)] = 0
            layer.kernel.assign(kernel)
            weights, left = weights + kernel.size, left + np.count_nonzero(kernel)
    written = {
        precision: write(zeroed, tmp_path / f"{precision}.tflite", precision=precision, compare=digits.val.x)
        for precision in ("float32", "sparse")
    }
    assert written["sparse"].difference.largest < 1e-4
    assert written["sparse"].artifact.size < 0.35 * written["float32"].artifact.size
    graphs = {precision: read_graph(file.artifact) for precision, file in written.items()}
    assert graphs["sparse"].nonzero_parameters == graphs["float32"].nonzero_parameters
    assert graphs["sparse"].parameters == graphs["float32"].parameters
    assert 0 <= graphs["sparse"].nonzero_parameters - left < 200  # biases
    with pytest.raises(ArtifactError, match="stores only the non-zero weights of"):
        read_patterns(written["sparse"].artifact)
    assert 4 * left < written["sparse"].artifact.size < 4 * weights


@pytest.mark.parametrize("format", EXPORTERS)
def test_the_model_stays_as_it_was(trained, digits, format, tmp_path):
    before = [array.copy() for array in trained.get_weights()]
    expected = trained.predict(digits.val.x[:20], verbose=0)
    write(trained, tmp_path / f"m{SUFFIXES[format]}", precision="int8", calibrate=digits.train.x[:50], compare=digits.val.x[:20])
    assert all(np.array_equal(a, b) for a, b in zip(before, trained.get_weights(), strict=True))
    assert np.array_equal(trained.predict(digits.val.x[:20], verbose=0), expected)


X = np.zeros((20, 8, 8, 1), np.float32)
REFUSED = [
    ("m.tflite", {"precision": "int8"}, "calibrate=dataset.train.x"),
    ("m.tflite", {"precision": "int16x8"}, "calibrate=dataset.train.x"),
    ("m.onnx", {"precision": "int8"}, "calibrate=dataset.train.x"),
    ("m.tflite", {"precision": "int8", "calibrate": X[:0]}, "needs real inputs"),
    ("m.onnx", {"precision": "int8", "calibrate": X[:0]}, "needs real inputs"),
    ("m.tflite", {"precision": "int8", "calibrate": X[..., 0]}, r"shape \(20, 8, 8\).*takes \(n, 8, 8, 1\)"),
    ("m.onnx", {"precision": "int8", "calibrate": X[:, :7]}, r"shape \(20, 7, 8, 1\).*takes \(n, 8, 8, 1\)"),
    ("m.tflite", {"precision": "int3"}, "no LiteRT precision 'int3'; known are float32"),
    ("m.onnx", {"precision": "int16x8"}, "no ONNX precision 'int16x8'; known are float32"),
    ("m.onnx", {"precision": {"*": 4}}, "no ONNX precision"),
    ("m.onnx", {"precision": "sparse"}, "no ONNX precision 'sparse'"),
    ("m.onnx", {"precision": "int8", "calibrate": X, "preset": "arm"}, "no ONNX preset 'arm'; known are x86, tensorrt"),
    ("m.onnx", {"precision": "int8", "calibrate": X, "method": "guess"}, "no ONNX calibration method 'guess'; known are minmax"),
    ("m.tflite", {"precision": {"dense": 4}}, "no layer 'dense' with a kernel; those that have one are .*logits"),
    ("m.tflite", {"precision": {"logits": 3}}, "'logits' can have 4 or 8 bits, got 3"),
    ("m.tflite", {"precision": {}}, "No layer is named"),
    ("m.h5", {}, r"expected .tflite or .onnx, got '.h5'"),
    ("m", {}, r"expected .tflite or .onnx, got ''"),
    ("m.tflite", {"compare": X[:0]}, "`compare` has shape"),
    ("m.onnx", {"compare": X[..., 0]}, r"shape \(20, 8, 8\).*takes \(n, 8, 8, 1\)"),
]


@pytest.mark.parametrize(("name", "options", "sentence"), REFUSED)
def test_a_refusal_says_why_and_touches_nothing(trained, tmp_path, name, options, sentence):
    path = tmp_path / name
    path.write_bytes(b"what was there before")
    with pytest.raises(ExportError, match=sentence):
        write(trained, path, **{"compare": X, **options})
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    assert path.read_bytes() == b"what was there before"
    with pytest.raises(ExportError):
        write(trained, tmp_path / "new" / name, **{"compare": X, **options})
    assert not (tmp_path / "new").exists()


def poisoned(shape):
    """A model that only fails when its file has been written: its answers are not finite."""
    from projectkit import models

    model = models.BUILDERS["mlp"](shape, 10)
    model.set_weights([np.full_like(array, np.nan) for array in model.get_weights()])
    return model


def inconvertible(shape):
    """A model with an operation that neither converter knows."""
    import tensorflow as tf
    import tf_keras as keras

    inputs = keras.Input(shape)
    flat = keras.layers.Flatten()(inputs)
    counted = keras.layers.Lambda(lambda x: tf.ensure_shape(tf.numpy_function(np.cos, [x], tf.float32), [None, 64]))(flat)
    return keras.Model(inputs, counted)


@pytest.mark.parametrize("format", EXPORTERS)
@pytest.mark.parametrize("make", [poisoned, inconvertible])
def test_what_fails_late_touches_nothing_either(make, format, tmp_path):
    path = tmp_path / f"m{SUFFIXES[format]}"
    path.write_bytes(b"what was there before")
    with pytest.raises(ExportError) as error:
        write(make((8, 8, 1)), path, compare=X)
    assert len(str(error.value)) < 600
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"what was there before"


@pytest.mark.parametrize("precision", ["sparse", "dynamic"])
def test_a_quantization_aware_model_is_written_in_integers_only(aware, precision, tmp_path):
    """Sparse integer kernels are written by the converter and refused by LiteRT: they must not be asked for."""
    with pytest.raises(ExportError, match="write this model as int8"):
        write(aware, tmp_path / "m.tflite", precision=precision, compare=X)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", EXPORTERS)
def test_an_exporter_of_its_own_refuses_other_suffixes(trained, format, tmp_path):
    with pytest.raises(ExportError, match=f"writes {SUFFIXES[format]} files"):
        EXPORTERS[format](trained, tmp_path / "m.bin")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(trained, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ExportError, match="cannot be written"):
        write(trained, tmp_path / "file" / "m.tflite", compare=X)


@pytest.mark.parametrize("format", EXPORTERS)
def test_an_existing_file_is_replaced_whole(trained, format, tmp_path):
    path = tmp_path / "made" / f"m{SUFFIXES[format]}"
    first = write(trained, path, compare=X)
    second = write(trained, path, precision="float16", compare=X)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert path.stat().st_size == second.artifact.size < first.artifact.size
