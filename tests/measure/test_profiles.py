"""Profiles of real files, the table and the page made of them."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from onnx import helper
from rich.console import Console

from models_by_hand import linear_onnx, linear_tflite, onnx_model, saved, slow_onnx
from projectkit.data import load
from projectkit.errors import MeasureError
from projectkit.measure import compare, page, profile, table
from projectkit.measure.profiling import counts
from projectkit.measure.terminal_table import heading
from projectkit.metrics import PROFILE_METRICS
from projectkit.types import Artifact, Measurement, Profile, Split

MEASURED_BY_RUNNING = ("latency_p50", "latency_p90", "io_time", "latency_ratio", "peak_memory", "arena", "energy")
NASTY = "<script>alert(1)<b>$x_{&.onnx"


@pytest.fixture(scope="module")
def profiles(tmp_path_factory) -> list[Profile]:
    folder = tmp_path_factory.mktemp("profiles")
    files = {"linear.tflite": linear_tflite(), NASTY: linear_onnx(), "wide.onnx": linear_onnx(hidden=2000)}
    artifacts = [Artifact.of(saved(folder, name, content)) for name, content in files.items()]
    return compare(artifacts, load("digits").test, budget=0.05, baseline=artifacts[2])


def test_every_metric_has_a_value_or_a_reason(profiles):
    for one in profiles:  # they have a baseline, and so a latency_ratio too
        assert PROFILE_METRICS.keys() <= one.values.keys() | one.missing.keys()
        assert not one.values.keys() & one.missing.keys()
        assert all(metric == measured.metric for metric, measured in one.values.items())
        assert all(len(reason.split()) > 3 for reason in one.missing.values())


def test_the_files_compute_the_same_and_cost_differently(profiles):
    litert, onnx, wide = (one.values for one in profiles)
    assert litert["accuracy"].value == onnx["accuracy"].value > 0.9
    assert litert["macs"].value == onnx["macs"].value == 640
    assert wide["macs"].value == 64 * 2000 + 2000 * 10
    assert wide["size"].value == profiles[2].artifact.size
    assert litert["latency_ratio"].high < 1


def test_profile_is_compare_of_one(profiles):
    alone = profile(profiles[0].artifact, load("digits").test, budget=0.05)
    counted = ("parameters", "nonzero_parameters", "sparsity", "weight_bits", "macs", "two_of_four", "distinct_weights")
    exact = ("accuracy", "size", "compressed_size", *counted)
    assert {metric: alone.values[metric] for metric in exact} == {metric: profiles[0].values[metric] for metric in exact}
    assert "latency_ratio" not in alone.values


def test_a_file_that_runs_but_cannot_be_counted_says_why(tmp_path):
    values, missing = counts(Artifact.of(saved(tmp_path, "loop.onnx", slow_onnx(turns=1))))
    assert [value.metric for value in values] == ["size", "compressed_size"]
    assert set(missing) == set(PROFILE_METRICS) - {"accuracy", "size", "compressed_size", *MEASURED_BY_RUNNING}
    assert all("Loop" in reason for reason in missing.values())


def test_a_file_without_weights_has_no_bits_a_weight(tmp_path):
    nodes = [helper.make_node("Flatten", ["x"], ["y"])]
    values, missing = counts(Artifact.of(saved(tmp_path, "flat.onnx", onnx_model(nodes, {}, classes=64))))
    assert "weight_bits" in missing and "weight_bits" not in [value.metric for value in values]
    assert {value.metric: value.value for value in values}["parameters"] == 0


def test_answers_that_are_no_logits_for_the_labels_are_refused(profiles):
    data = load("digits").test
    with pytest.raises(MeasureError, match="one output per class"):
        profile(profiles[0].artifact, Split(data.x, data.y + 5), budget=0.05)


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_a_terminal_and_shows_everything(profiles, width):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table([*profiles, *profiles]))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text and "640" in text and "alert" in text
    for metric, reason in profiles[0].missing.items():
        words = " ".join(text.split())
        assert heading(metric) in words and reason.split(":")[0] in words


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text, self.links = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href", "action")]

    def handle_data(self, data):
        self.text.append(data)


def test_a_notebook_shows_the_table(profiles):
    shown = table(profiles)._repr_mimebundle_((), ())
    assert "Latency p50" in shown["text/html"] and "Latency p50" in shown["text/plain"]


def test_the_page_escapes_names_and_needs_no_other_file(profiles, tmp_path):
    path = page(profiles, tmp_path / "page.html", title="<i>Digits</i> & co", command="projectkit measure <x>.tflite")
    content = path.read_text(encoding="utf-8")
    elements = Elements()
    elements.feed(content)
    assert "script" not in elements.tags and "i" not in elements.tags and "b" not in elements.tags
    assert elements.tags.count("svg") == 2
    assert NASTY in "".join(elements.text) and "projectkit measure <x>.tflite" in "".join(elements.text)
    assert all(link.startswith("#") for link in elements.links)
    assert not re.search(r"url\((?!#)|@import", content)
    ids = re.findall(r'\bid="([^"]+)"', content)
    assert len(ids) == len(set(ids))
    assert profiles[0].device in content
    for reason in profiles[0].missing.values():
        assert reason.split("(")[0] in content


def test_one_profile_or_none_makes_a_page_without_plots(profiles, tmp_path):
    for some in (profiles[:1], []):
        content = page(some, tmp_path / "page.html").read_text(encoding="utf-8")
        assert "<svg" not in content


def test_points_apart_by_magnitudes_and_equal_points_can_be_drawn(profiles, tmp_path):
    def made(name: str, size: float, accuracy: float) -> Profile:
        values = {
            "accuracy": Measurement("accuracy", accuracy, max(0, accuracy - 0.1), min(1, accuracy + 0.1), 100),
            "size": Measurement.exact("size", size),
            "latency_p50": Measurement("latency_p50", size * 1e-6, size * 1e-7, size * 1e-5, 100),
        }
        return Profile(Artifact(name, "onnx", "0" * 64, int(size)), "a device", values)

    many = [made(f"model-{index}.onnx", 10.0**index, 0.5 + index / 30) for index in range(1, 9)]
    same = [made("a.onnx", 100, 0.9), made("b.onnx", 100, 0.9)]
    for some in (many, same):
        assert page(some, tmp_path / "page.html").read_text(encoding="utf-8").count("<svg") == 2


def test_importing_measure_is_light():
    import subprocess
    import sys

    heavy = ("tensorflow", "matplotlib", "jinja2", "rich", "onnx", "onnxruntime", "ai_edge_litert", "scipy", "sklearn", "psutil")
    code = f"import projectkit.measure, sys; print([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_counting_loads_no_runtime_and_no_tensorflow(profiles):
    import subprocess
    import sys

    for one in profiles[:2]:
        code = (
            "import sys; from projectkit.measure import read_graph; from projectkit.types import Artifact; "
            f"read_graph(Artifact.of({one.artifact.path!r})); "
            "print([name for name in ('tensorflow', 'onnxruntime', 'ai_edge_litert.interpreter') if name in sys.modules])"
        )
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_labels_never_change_what_is_not_accuracy(profiles):
    data = load("digits").test
    wrong = profile(profiles[0].artifact, Split(data.x, np.roll(data.y, 1)), budget=0.05)
    assert wrong.values["accuracy"].value < profiles[0].values["accuracy"].value
    assert wrong.values["macs"] == profiles[0].values["macs"]
