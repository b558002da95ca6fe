"""`projectkit schedule`: from a TOML file to a plan that was run."""

import json
import os
import tomllib

import pytest
from typer.testing import CliRunner

from models_by_hand import linear_onnx, linear_tflite, saved
from projectkit.cli import app
from projectkit.schedule.settings import EXAMPLE, read_settings

TINY = """
cores = 1
profile = 0.02
simulate = 2.0
blocks = 2
seconds = 0.5
[[model]]
name = "one"
files = ["linear.tflite", "linear.onnx"]
rate = 40
deadline = 0.5
[[model]]
name = "two"
files = ["linear.onnx"]
rate = 20.0
deadline = 0.4
arrivals = "periodic"
"""


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "200")
    saved(tmp_path, "linear.tflite", linear_tflite())
    saved(tmp_path, "linear.onnx", linear_onnx())

    def call(text, *arguments):
        (tmp_path / "plan.toml").write_text(text)
        return CliRunner().invoke(app, ["schedule", str(tmp_path / "plan.toml"), *arguments])

    return call


def test_a_plan_is_found_run_beside_the_naive_ones_and_written(run, tmp_path):
    done = run(TINY)
    assert done.exit_code == 0, done.output
    for words in ("one beside two", "the best of", "core 0", "planned", "all_threads", "one_after_another", "paired by blocks"):
        assert words in done.output
    written = json.loads((tmp_path / "plan.json").read_text())
    assert len(written["plan"]["choices"]) == 2 and written["plan"]["order"] in ("edf", "fifo")
    blocks = [
        [[task["requests"] for task in block["tasks"]] for block in written["measured"][name]]
        for name in ("planned", "all_threads", "one_after_another")
    ]
    assert blocks[0] == blocks[1] == blocks[2] and len(blocks[0]) == 2, "all plans get the same requests"
    assert {call["file"] for call in written["costs"]["calls"]} == {0, 1}


def test_the_example_is_a_file_that_can_be_read(tmp_path):
    done = CliRunner().invoke(app, ["schedule", "--example"])
    assert done.exit_code == 0 and done.output == EXAMPLE
    for model in tomllib.loads(EXAMPLE)["model"]:
        for file in model["files"]:
            saved(tmp_path, file, b"")
    (tmp_path / "plan.toml").write_text(EXAMPLE)
    workload = read_settings(tmp_path / "plan.toml").workload
    assert [task.name for task in workload.tasks] == ["camera", "keyword"] and workload.memory_cap == 1e9


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("cores = 1", "", "the file has no cores"),
        ("cores = 1", "cores = 1.5", "says cores = 1.5, expected a whole number"),
        ("cores = 1", f"cores = {1 + (os.cpu_count() or 1)}", "this process may use"),
        ("blocks = 2", "blocks = 1", "number of blocks is 1; expected 2 to 10"),
        ("seconds = 0.5", "seconds = 0", "seconds is 0"),
        ("simulate = 2.0", "simulate = 1e-9", "No request arrives within 1e-09 s"),
        ("profile = 0.02", "seed = -1", "The seed is -1"),
        ("profile = 0.02", 'optimizer = "magic"', "no optimizer 'magic'"),
        ("profile = 0.02", "batches = [4]", "expected 1 and"),
        ("profile = 0.02", "memory_cap = 1000", "smallest plan needs"),
        ("profile = 0.02", "speed = 1", "'speed', which is unknown"),
        ("[[model]]", "[[modell]]", "the file has no model"),
        ("rate = 40", "", "number 1 has no rate"),
        ("rate = 40", "rate = -1", "one: rate is -1"),
        ("rate = 40", "rate = true", "expected a number"),
        ('arrivals = "periodic"', 'arrivals = "never"', "expected one of poisson, periodic"),
        ('name = "two"', 'name = "one"', "each name once"),
        ('files = ["linear.onnx"]', 'files = ["absent.onnx"]', "there is no file absent.onnx"),
        ('files = ["linear.onnx"]', "files = []", "expected a list, each a text"),
        ('files = ["linear.onnx"]', 'files = ["plan.toml"]', "a model file ends in .tflite or .onnx"),
        ("cores = 1", "cores = ", "is not TOML"),
    ],
)
def test_what_is_wrong_gets_a_sentence_and_exit_code_2(run, tmp_path, old, new, words):
    done = run(TINY.replace(old, new))
    assert done.exit_code == 2, done.output
    assert words in " ".join(done.output.split())
    assert "Traceback" not in done.output and not (tmp_path / "plan.json").exists()


def test_without_a_file_it_says_how_to_get_one():
    for arguments in ([], ["absent.toml"]):
        done = CliRunner().invoke(app, ["schedule", *arguments])
        assert done.exit_code == 2 and "--example" in done.output
