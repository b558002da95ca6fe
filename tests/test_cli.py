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
    for text in (out, page):
        assert "against linear.tflite (p: McNemar" in text and "linear.onnx: right where the other is wrong" in text


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("measure", "absent.onnx"), "absent.onnx: cannot be read"),
        (("measure", "linear.onnx", "--data", "shapes"), "expects inputs of shape"),
        (("measure", "linear.onnx", "--data", "absent.npz"), "absent.npz"),
        (("pack", "l01_quantization", "--out", "x.zip", "--student", "a@b.c", "--model", "linear.onnx"), "expected SLOT=FILE"),
        (("pack", "l01_quantization", "--out", "x.zip", "--student", "a@b.c", "--model", "int8=absent.onnx"), "absent.onnx"),
    ],
)
def test_a_wrong_call_gets_a_sentence_and_exit_code_2(run, words, reason):
    code, out = run(*words)
    assert code == 2
    assert reason in " ".join(out.replace("│", " ").split())
    assert "Traceback" not in out


def test_pack_then_check(run, tmp_path):
    np.savez(tmp_path / "answers.npz", **{"affine/scale": np.float64(0.1)})
    call = ("pack", "l01_quantization", "--out", "my.zip", "--student", "ann@example.edu")
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
    code, out = run("pack", "l01_quantization", "--out", "my.zip", "--student", "ann@example.edu", "--model", "int8=model.tflite")
    if code == 0:  # packing may leave it to check to say so
        code, out = run("check", "my.zip")
    assert code != 0
    assert "int8" in out or "model.tflite" in out


PROJECT = ("pack", "project", "--out", "p.zip", "--student", "ann@example.edu", "--model", "baseline=linear.tflite")
WORDS = ("--title", "Tiny/fast digits", "--dataset", "digits", "--report", "report.md", "--model", "optimized=linear.onnx")


def test_pack_project_then_check(run, tmp_path):
    (tmp_path / "report.md").write_text("# Tiny digits\n\nWhy, and what came out.\n", "utf-8")
    claims = ("--claim", "optimized/accuracy=0.97", "--claim", "optimized/size_ratio=1.1")
    code, out = run(*PROJECT, *WORDS, *claims)
    assert code == 0 and "projectkit check p.zip" in out
    code, out = run("check", "p.zip")
    assert code == 0
    for words in ("Tiny/fast digits", "measured on digits", "report.md", "2 claimed numbers: the jury", "variant_a, variant_b"):
        assert words in out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--title", "T"), "a project needs --dataset, --report as well"),
        ((*WORDS, "--report", "absent.md"), "absent.md: cannot be read"),
        ((*WORDS, "--report", "latin.md"), "is not UTF-8 (byte 3)"),
        ((*WORDS, "--dataset", "My photos"), "expected a name like digits"),
        ((*WORDS, "--claim", "optimized/accuracy"), "expected SLOT/METRIC=NUMBER"),
        ((*WORDS, "--claim", "optimized/accuracy=high"), "expected SLOT/METRIC=NUMBER"),
        ((*WORDS, "--claim", "optimized/accuracy=nan"), "finite number"),
        ((*WORDS, "--claim", "optimized/beauty=1"), "names nothing that is measured"),
        ((*WORDS, "--model", "optimized=linear.tflite"), "names 'optimized' twice"),
    ],
)
def test_a_wrong_project_gets_a_sentence_and_exit_code_2(run, tmp_path, words, reason):
    (tmp_path / "report.md").write_text("Text.\n")
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    code, out = run(*PROJECT, *words)
    assert code == 2
    assert reason in " ".join(out.replace("│", " ").split())
    assert "Traceback" not in out and not (tmp_path / "p.zip").exists()


def test_a_lab_has_no_title(run):
    call = ("pack", "l01_quantization", "--out", "x.zip", "--student", "a@b.c", "--model", "int8=linear.tflite")
    code, out = run(*call, "--title", "T")
    assert code == 2 and "only the project has this" in " ".join(out.replace("│", " ").split())
