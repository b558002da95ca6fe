"""What every metric promises: a record that is whole, a function that measures it, and tables that follow from the record."""

from dataclasses import replace

import numpy as np
import pytest

from grading.errors import GradingError
from grading.measuring.quality import QUALITIES, quality
from grading.points.award import award
from grading.points.flags import flags
from grading.results.store import slot_from_json, slot_to_json
from grading.rubrics.loading import load_rubric
from grading.rubrics.probe_tables import METRICS_OF, TABLES
from grading.types import Grade, Slot
from projectkit import measure
from projectkit.measure import format_interval, format_value
from projectkit.measure.terminal_table import heading
from projectkit.metrics import DEVICE_METRICS, METRICS, PROFILE_METRICS, QUALITY_METRICS, is_share
from projectkit.types import Artifact, Measurement, Profile

LAB = "l01_quantization"
PROBES = {
    "attack": "[scale.quick.attack]\nepsilon = 0.1\nqueries = 20\n",
    "corruption": '[scale.quick.corruption]\nkinds = ["fog"]\n',
    "ood": '[scale.quick.ood]\ndataset = "shapes"\n',
}
# Not from a reader, a meter or the answers: the file's own size, the two ends of one timing, and a ratio of two timings.
MEASURED_OTHERWISE = {"size", "compressed_size", "latency_p50", "latency_p90", "latency_ratio", "io_time"}


@pytest.fixture(params=METRICS)
def metric(request):
    return request.param


@pytest.fixture(params=[name for name in METRICS if name not in DEVICE_METRICS and name != "latency_ratio"])
def asked(request):
    """A metric that a rubric may ask for."""
    return request.param


def rubric_asking_for(folder, metric: str, *, relative: bool = False, tables: str | None = None):
    """A rubric with one check of `metric`, with the table of its probe unless other `tables` are given."""
    probe = METRICS[metric].probe
    tables = (PROBES[probe] if probe else "") if tables is None else tables
    check = '[[scale.quick.check]]\nid = "one"\ntitle = "One"\nslot = "lite"\nfloor = 2\ntarget = 1\npoints = 10\n'
    check += f'metric = "{metric}"\n'
    baselines = folder / "baselines"
    baselines.mkdir(exist_ok=True)
    (baselines / "b.tflite").write_bytes(b"")
    (folder / "rubrics").mkdir(exist_ok=True)
    text = f'lab = "{LAB}"\ntitle = "T"\n[scale.quick]\ndataset = "digits"\nbaseline = "b.tflite"\n{tables}{check}'
    (folder / "rubrics" / f"{LAB}.toml").write_text(text + ("relative = true\n" if relative else ""))
    return load_rubric(LAB, "quick", folder / "rubrics")


def test_a_record_is_whole(metric):
    known = METRICS[metric]
    assert metric == metric.lower() and known.label[0].isupper() and heading(metric) == (known.heading or known.label)
    assert len(heading(metric)) <= 40, "a heading fits above a column"
    assert known.claim_tolerance is None or known.claim_tolerance > 0
    assert not known.probe or (known.probe in TABLES and metric in METRICS_OF[known.probe])
    assert sum(metric in kind for kind in (PROFILE_METRICS, QUALITY_METRICS, DEVICE_METRICS)) == 1
    labels = [other.label for other in METRICS.values()]
    assert labels.count(known.label) == 1, "two metrics may not be called the same"


def test_a_value_is_shown_in_its_unit(metric):
    unit = METRICS[metric].unit
    text = format_value(metric, 0.25)
    expected = "25.0 %" if is_share(metric) else "0.250×" if metric.endswith("_ratio") else text
    assert text == expected and (not unit or text.endswith(unit))
    assert format_interval(metric, 0.25, 0.25) == text
    assert format_interval(metric, 0.25, 0.5).endswith(format_value(metric, 0.5))


def test_a_quality_has_a_function_and_a_metric_of_files_is_read_or_metered(metric):
    read = {name for kind in measure.READERS for name in measure.metrics_of(kind)}
    if metric in QUALITY_METRICS:
        assert (metric in QUALITIES) != (METRICS[metric].probe == "attack"), (
            "an attack asks the model, the others ask its answers"
        )
    elif metric in PROFILE_METRICS:
        assert (metric in {*read, *measure.METERS, "accuracy"}) != (metric in MEASURED_OTHERWISE)
    assert set(QUALITIES) <= {"accuracy", *QUALITY_METRICS} and read <= set(PROFILE_METRICS)


def test_quality_measures_what_is_wanted_under_its_own_name(asked, hidden_answers):
    if asked not in QUALITIES:
        return
    outputs, hidden, probes = hidden_answers
    found = quality(outputs, hidden, probes, {asked}, "m.onnx").values
    assert set(found) == {"accuracy", asked} and all(name == one.metric for name, one in found.items())
    assert found[asked].low <= found[asked].value <= found[asked].high


@pytest.fixture(scope="module")
def hidden_answers(tmp_path_factory):
    from grading.hidden.data import hidden_data
    from grading.hidden.probes import probes_for

    folder = tmp_path_factory.mktemp("answers")
    rubric = rubric_asking_for(folder, "ood_auroc")
    corrupted = rubric_asking_for(folder, "corrupted_nll").corruption
    hidden = hidden_data("digits", "salt")
    probes = probes_for(replace(rubric, corruption=corrupted), hidden, "salt")
    count = len(hidden.split) + len(hidden.plain) + len(hidden.val) + len(probes.corrupted) + len(probes.out_of_distribution)
    outputs, start = np.random.default_rng(0).normal(0, 1, (2, count, hidden.classes)).astype(np.float32)
    return outputs, hidden, replace(probes, start=start[: len(hidden.split)])


def test_a_rubric_may_ask_for_it_with_the_table_of_its_probe_only(asked, tmp_path):
    rubric = rubric_asking_for(tmp_path, asked)
    assert rubric.metrics("lite") == (asked,)
    if METRICS[asked].probe:
        with pytest.raises(GradingError, match=f"no table {METRICS[asked].probe}"):
            rubric_asking_for(tmp_path, asked, tables="")
    for probe, table in PROBES.items():
        if probe != METRICS[asked].probe:
            with pytest.raises(GradingError, match=f"a table {probe}"):
                rubric_asking_for(tmp_path, asked, tables=table + (PROBES.get(METRICS[asked].probe, "")))


def test_a_rubric_may_compare_it_with_the_baseline_where_a_ratio_means_something(asked, tmp_path):
    if METRICS[asked].ratio:
        assert rubric_asking_for(tmp_path, asked, relative=True).checks[0].relative
    else:
        with pytest.raises(GradingError, match=f"{asked} cannot be relative"):
            rubric_asking_for(tmp_path, asked, relative=True)


def test_a_device_metric_is_nothing_to_ask_for(tmp_path):
    for metric in DEVICE_METRICS:
        with pytest.raises(GradingError, match="metric is"):
            rubric_asking_for(tmp_path, metric, tables="")


def slot_with(metric: str, value: float) -> Slot:
    values = {metric: Measurement.exact(metric, value)}
    return Slot(Profile(Artifact("m.tflite", "litert", "0" * 64, 1), "here", values))


def test_points_name_it_and_survive_storage(asked, tmp_path):
    rubric = rubric_asking_for(tmp_path, asked)
    slot = slot_from_json(slot_to_json(slot_with(asked, 1.5)))
    (verdict,) = award(rubric, {"lite": slot}, {}, {})
    assert verdict.points == pytest.approx(5)
    assert verdict.message.startswith(f"{METRICS[asked].label} {format_value(asked, 1.5)}")


def test_a_claim_is_flagged_beyond_its_tolerance_only(asked):
    measured, tolerance = 0.5, METRICS[asked].claim_tolerance
    near, far = (0.5 + 0.9 * tolerance, 0.5 + 1.1 * tolerance) if tolerance else (0.95, 1.05)
    for claimed, flagged in ((near, False), (far, True)):
        grade = Grade(
            "a.zip",
            "a",
            "Ann",
            LAB,
            claims={f"lite/{asked}": claimed},
            measured={"slots": {"lite": slot_to_json(slot_with(asked, measured))}},
        )
        found = [flag for flag in flags([grade]) if flag.kind == "claim"]
        assert bool(found) == flagged
        assert not found or format_value(asked, claimed) in found[0].sentence
