"""The parts of a defense on numbers made by hand: verdicts, questions, plan, report, sheets."""

import csv
import re
from dataclasses import replace
from datetime import datetime

import pytest

from grading.defense.claims import judge_claims
from grading.defense.merge import merge
from grading.defense.points import models_of, points_of
from grading.defense.questions import TEMPLATES, own_questions, questions
from grading.defense.report_text import LONGEST, report_html
from grading.defense.schedule import calendar, plan_of, schedule
from grading.defense.sheets import SHEETS, load_sheet, sheet_table
from grading.defense.types import CONFIRMED, REFUTED, UNMEASURABLE, Work
from grading.errors import GradingError
from grading.types import Slot
from projectkit.types import Artifact, Measurement, Profile


def slot(accuracy=0.95, size=100_000, latency=1e-3, classes=(), **more):
    values = {"accuracy": Measurement("accuracy", accuracy, accuracy - 0.01, accuracy + 0.01, 1000)}
    values["latency_p50"] = Measurement("latency_p50", latency, latency * 0.98, latency * 1.02, 100)
    values |= {name: Measurement.exact(name, value) for name, value in {"size": size, **more}.items()}
    profile = Profile(Artifact("x.onnx", "onnx", "0" * 64, size), "here", values, {"energy": "no meter"})
    return Slot(profile, classes=tuple(Measurement("accuracy", value, 0, 1, 100) for value in classes))


def work(claims=None, **slots):
    return Work("a.zip", "a", "Ann", "T", "digits", "R", claims or {}, slots, {}, "d" * 64, "h", "here")


def ask(made):
    return {one.id: one.text for one in own_questions(made)}


@pytest.mark.parametrize(
    ("name", "claimed", "verdict", "says"),
    [
        ("optimized/accuracy", 0.924, CONFIRMED, "measured 92.0 %"),
        ("optimized/accuracy", 0.93, REFUTED, "1.0 points less than claimed"),  # on the same images only rounding is allowed
        ("optimized/accuracy", 0.97, REFUTED, "5.0 points less than claimed"),
        ("optimized/accuracy", 97, REFUTED, "5.0 points less"),  # in percent
        ("optimized/accuracy", 0.5, CONFIRMED, "better than claimed"),
        ("optimized/size", 25_000 / 1.009, CONFIRMED, ""),
        ("optimized/size", 20_000, REFUTED, "25 % more than claimed"),
        ("optimized/size_ratio", 0.25, CONFIRMED, ""),
        ("optimized/size_ratio", 0.1, REFUTED, "2.50× as much as claimed"),
        ("optimized/latency_ratio", 0.75, CONFIRMED, ""),
        ("optimized/latency_p50_ratio", 0.4, REFUTED, "2.00× as much"),
        ("optimized/latency_p50", 2e-3, CONFIRMED, "better than claimed"),
        ("optimized/latency_p50", 0.5e-3, UNMEASURABLE, "another machine"),
        ("optimized/latency_p50", 0.1e-3, REFUTED, "8.00× as much"),
        ("optimized/energy", 1e-3, UNMEASURABLE, "no meter"),
        ("variant_b/size", 1.0, UNMEASURABLE, "no model was handed in as variant_b"),
        ("optimized/beauty", -1e18, UNMEASURABLE, "no metric of the course"),
        ("", 1.0, UNMEASURABLE, "no metric"),
        ("optimized/size", 0.0, REFUTED, "more than claimed"),
    ],
)
def test_verdicts(name, claimed, verdict, says):
    (judged,) = judge_claims(work({name: claimed}, baseline=slot(), optimized=slot(0.92, 25_000, 0.8e-3)))
    assert judged.verdict == verdict and says in judged.sentence, judged


def test_a_time_of_another_machine_is_judged_by_the_ratio_to_the_baseline():
    fast = {"baseline/latency_p50": 0.4e-3, "optimized/latency_p50": 0.32e-3}
    slots = {"baseline": slot(), "optimized": slot(latency=0.8e-3)}
    honest = {one.name: one for one in judge_claims(work(fast, **slots))}
    assert honest["optimized/latency_p50"].verdict == CONFIRMED
    boast = {one.name: one for one in judge_claims(work(fast | {"optimized/latency_p50": 0.2e-3}, **slots))}
    assert boast["optimized/latency_p50"].verdict == REFUTED and "0.500×" in boast["optimized/latency_p50"].sentence


def test_questions_come_from_the_numbers():
    base = slot(0.95, 400_000, 1e-3, (0.95,) * 10, macs=1e6, sparsity=0.0, parameters=100_000, weight_bits=32)
    classes = (0.95,) * 8 + (0.82, 0.77)
    small = slot(0.919, 102_000, 0.9e-3, classes, macs=2e5, sparsity=0.8, parameters=20_000, weight_bits=8)
    texts = ask(work({"optimized/accuracy": 0.99}, baseline=base, optimized=small))
    assert "lost 3.1 points, and 100 % of what was lost in two classes (9 and 8)" in texts["loss_in_few_classes"]
    assert "Size fell 3.9× but latency only 1.11×" in texts["smaller_not_faster"]
    assert "fell 5.0×, latency 1.11×" in texts["less_work_not_faster"] and "80.0 %" in texts["sparse_not_faster"]
    assert "99.0 %" in texts["claim_refuted"] and {"file_larger_than_weights", "energy_unmeasured", "accuracy_lost"} <= set(texts)
    assert len(TEMPLATES) >= 12


def test_nothing_is_asked_where_nothing_sticks_out():
    same = slot(parameters=25_000, weight_bits=32)
    assert set(ask(work({"optimized/size": 100_000}, baseline=same, optimized=same))) == {"energy_unmeasured"}
    assert "nothing_claimed" in ask(work(baseline=same, optimized=same))
    assert "better_variant" in ask(work(baseline=same, optimized=same, variant_a=slot(size=50_000)))
    assert "model_refused" in ask(replace(work(), problems={"optimized": "x.onnx: damaged."}))


def test_questions_hang_on_student_and_seed_alone():
    made = work({"a": 1.0}, baseline=slot())
    first = questions(made, 9, "s")
    assert first == questions(made, 9, "s") and len(first) == 9 and len({one.id for one in first}) == 9
    assert questions(made, 9, "t") != first != questions(replace(made, student="Bob"), 9, "s")
    origins = [one.origin.split(" · ")[0] for one in first if "·" in one.origin]
    assert len(set(origins[:4])) == 4 and all(one.guide for one in first)


def test_others_are_compared_only_where_data_and_machine_are_the_same():
    ann, bob = work(baseline=slot(), optimized=slot()), replace(work(optimized=slot()), student="Bob")
    points, left_out = points_of(ann, models_of([ann, bob, replace(bob, hidden="other")]))
    assert [point.kind for point in points] == ["baseline", "own", "class"] and left_out == 1
    (far,) = [point for point in points_of(replace(ann, device="there"), models_of([bob]))[0] if point.kind == "class"]
    assert "latency_p50" not in far.values and "size" in far.values


def test_the_plan_leaves_breaks_free_and_goes_on_the_next_day():
    plan = plan_of("2027-01-29 09:00", 30, "11:00", ["10:10-10:30"])
    times = [one.start for one in schedule([(f"s{n}", "T") for n in range(5)], plan)]
    assert times == [datetime(2027, 1, 29 + d, h, m) for d, h, m in ((0, 9, 0), (0, 9, 30), (0, 10, 30), (1, 9, 0), (1, 9, 30))]
    for wrong in (("tomorrow", 20, "17:00", []), ("2027-01-29 09:00", 20, "09:10", []), ("2027-01-29 09:00", 20, "17:00", ["x"])):
        with pytest.raises(GradingError, match="expected"):
            plan_of(*wrong)
    text = calendar(schedule([("Ż" * 90 + "; x,y", "a\nBEGIN:VALARM")], plan), plan)
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n")) and "\r\nBEGIN:VALARM" not in text
    assert r"Ż\; x\,y" in text.replace("\r\n ", "") and text.count("BEGIN:VEVENT") == 1


def test_accuracy_is_claimed_of_public_images_and_stands_beside_the_hidden_ones():
    known = Measurement("accuracy", 0.99, 0.97, 0.995, 360)
    base, small = replace(slot(0.93), plain=known), replace(slot(0.92), plain=known)
    (judged,) = judge_claims(work({"optimized/accuracy": 0.99}, baseline=base, optimized=small))
    assert judged.verdict == CONFIRMED
    assert (
        "On the hidden images: 92.0 %" in judged.sentence and "7.0 points less; the baseline loses 6.0 there" in judged.sentence
    )
    assert "99.0 % on the public test images" in ask(work(baseline=base, optimized=small))["hidden_data_gap"]


def test_a_report_becomes_harmless_html():
    page = report_html("# A\n\none\n\n- x\n- y\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\n# no <b>\n```\n")
    for part in ("<h3>A</h3>", "<li>x</li>", "<td>2</td>", "# no &lt;b&gt;"):
        assert part in page
    hostile = (
        "<script>alert(1)</script>\n\n<b onclick=x>y\n\n[z](javascript:alert(1)) ![i](http://x/y.png) <http://x>\n\n"
        "[r]\n\n[r]: http://x\n\n<!-- -->\n\n" + ">" * 5000 + "\n" + "- " * 3000 + "\n" + "[" * 5000
    )
    page = report_html(hostile)
    assert not re.findall(r"<(?!/?(?:p|ul|ol|li|blockquote|em|strong|code|pre|h[3-6]|hr|br)\b)[^>]*>", page)
    assert not re.findall(r"<[^>]*(?:href|src|on[a-z]+)=", page)
    assert "goes on for 7 more" in report_html("a" * (LONGEST + 7))


def filled(path, juror, scores, scheme="podgorica"):
    """A juror's sheet; scores by student, the same for every criterion; None leaves it empty."""
    rows = list(csv.reader(sheet_table(load_sheet(scheme), list(scores), juror).splitlines()))
    for row in rows[1:]:
        row[6] = "" if scores[row[1]] is None else str(scores[row[1]])
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def test_jurors_are_merged_and_pointed_out(tmp_path):
    sheet = load_sheet("podgorica")
    one = filled(tmp_path / "a.csv", "Ada", {"Ann": 4, "Bob": 6})
    two = filled(tmp_path / "b.csv", "Ben", {"Ann": 5, "Bob": None})
    merged, notes = merge([one, two], sheet)
    assert [(each.student, each.total) for each in merged] == [("Ann", 22.5), ("Bob", 30)]
    assert notes == (
        "Ann: Experiments and measurements: Ada 4, Ben 5 of 6.",
        "Ann: The device and its limits: Ada 4, Ben 5 of 6.",
        "Ann: Presentation and answers: Ada 4, Ben 5 of 6.",
        "Bob: not scored by Ben.",
    )
    cases = [
        ([one, one], None, "scored Ann for method already"),
        ([filled(tmp_path / "c.csv", "Cy", {"Ann": 99})], None, "from 0 to 12"),
        ([filled(tmp_path / "d.csv", "Di", {"Ann": "-1"})], None, "expected a number"),
        ([one], {"ann": "Ann"}, "not in the list of students"),
        ([filled(tmp_path / "e.csv", "Ed", {"Ann": 1}, "gdansk_tech")], None, "Another course's sheet"),
    ]
    for paths, known, says in cases:
        with pytest.raises(GradingError, match=says):
            merge(paths, sheet, known)
    one.write_text(one.read_text(encoding="utf-8").replace(",12,4,", ",12,,"), encoding="utf-8")
    with pytest.raises(GradingError, match="no score for method"):
        merge([one], sheet)
    assert merge([two], sheet, {"ann": "Ann", "bob": "Bob", "eve": "Eve"})[0][2].total is None


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("points = 12", "points = 11", "come to 39 points, expected 40"),
        ("points = 12", "points = -1", "above 0"),
        ('outcome = "methods"', 'outcome = "magic"', "expected one of methods"),
        ('component = "project"', 'component = "labs"', "expected one of seminar"),
        ('id = "method"', 'id = "device"', "twice"),
        ("disagreement = 15", "disagreement = 15\nmore = 1", "unknown fields more"),
    ],
)
def test_a_slip_in_a_sheet_is_named(before, after, says, tmp_path):
    text = (SHEETS / "podgorica.toml").read_text(encoding="utf-8")
    assert before in text
    (tmp_path / "mine.toml").write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(GradingError, match=says):
        load_sheet(tmp_path / "mine.toml")
