"""`projectkit` on the command line: what a person sees."""

import numpy as np
import pytest
from typer.testing import CliRunner

from models_by_hand import linear_onnx, linear_tflite
from projectkit.cli import app


@pytest.fixture
def run(tmp_path, monkeypatch):
    """run("measure", "a.onnx") -> (exit code, everything printed), in a folder with two small models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "linear.onnx").write_bytes(linear_onnx())
    (tmp_path / "linear.tflite").write_bytes(linear_tflite())

    def invoke(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, list(words))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    return invoke


def test_data_list_names_every_set_and_where_it_is(run):
    code, out = run("data", "list")
    assert code == 0
    for name in ("digits", "shapes", "mnist", "fashion_mnist", "cifar10", "cifar100", "embedded", "CC BY"):
        assert name in out


def test_data_get_of_an_embedded_set_has_nothing_to_do(run):
    assert run("data", "get", "digits") == (0, "digits is embedded: nothing to download.\n")


def test_an_unknown_set_is_answered_with_the_known_ones(run):
    code, out = run("data", "get", "imagenet")
    assert code == 2
    assert "imagenet" in out and "digits" in out and "Traceback" not in out


def test_measure_prints_a_table_and_writes_a_page(run, tmp_path):
    code, out = run(
        "measure", "linear.onnx", "linear.tflite", "--budget", "0.1", "--baseline", "linear.tflite", "--html", "page.html"
    )
    assert code == 0
    for word in (".onnx", ".tflite", "Accuracy", "Size", "650", "640", "Latency", "Energy"):
        assert word in out
    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.count("<svg") == 2
    assert "projectkit measure linear.onnx linear.tflite --data digits" in page


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("measure", "absent.onnx"), "absent.onnx: cannot be read"),
        (("measure", "linear.onnx", "--data", "shapes"), "expects inputs of shape"),
        (("measure", "linear.onnx", "--data", "absent.npz"), "absent.npz"),
        (("pack", "x.zip", "--student", "a@b.c", "--lab", "l01_quantization", "--model", "linear.onnx"), "expected SLOT=FILE"),
        (("pack", "x.zip", "--student", "a@b.c", "--lab", "l01_quantization", "--model", "int8=absent.onnx"), "absent.onnx"),
    ],
)
def test_a_wrong_call_gets_a_sentence_and_exit_code_2(run, words, reason):
    code, out = run(*words)
    assert code == 2
    assert reason in " ".join(out.replace("│", " ").split())
    assert "Traceback" not in out


def test_pack_then_check(run, tmp_path):
    np.savez(tmp_path / "answers.npz", **{"affine/scale": np.float64(0.1)})
    call = ("pack", "my.zip", "--student", "ann@example.edu", "--lab", "l01_quantization")
    code, out = run(*call, "--model", "int8=linear.tflite", "--answers", "answers.npz")
    assert code == 0 and "projectkit check my.zip" in out
    code, out = run("check", "my.zip")
    assert code == 0
    assert "ann@example.edu" in out and "int8" in out and "affine" in out


def test_check_of_something_that_is_no_zip_says_so_and_exits_1(run, tmp_path):
    (tmp_path / "my.zip").write_text("not a zip")
    code, out = run("check", "my.zip")
    assert code == 1
    assert "zip" in out


def test_check_refuses_a_keras_file_in_disguise(run, tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"PK\x03\x04" + b"\0" * 100)
    code, out = run("pack", "my.zip", "--student", "ann@example.edu", "--lab", "l01_quantization", "--model", "int8=model.tflite")
    if code == 0:  # packing may leave it to check to say so
        code, out = run("check", "my.zip")
    assert code != 0
    assert "int8" in out or "model.tflite" in out
