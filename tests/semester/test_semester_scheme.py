"""A scheme is read whole or refused with a sentence that names the field."""

from fractions import Fraction

import pytest

from grading.errors import GradingError
from grading.semester.scheme import load_scheme

GOOD = """
title = "A course"
pass = 50.5
[[component]]
id = "laboratory"
title = "Laboratory"
weight = 33.3
threshold = 50
source = "labs"
drop = 1
items = ["l01", "l02"]
[[component]]
id = "exam"
title = "Exam"
weight = 66.7
items = ["exam"]
[[mark]]
mark = "pass"
from = 50.5
[[mark]]
mark = "fail"
from = 0
[rounding]
step = 0.5
how = "half_even"
[late]
per_day = 10
cap = 50
grace_hours = 1.5
[[late.extension]]
student = " ANN "
hours = 48
item = "l01"
"""


def load(folder, text):
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_scheme(path)


def test_a_good_scheme_is_read_exactly(tmp_path):
    scheme = load(tmp_path, GOOD)
    assert [part.worth for part in scheme.components] == [Fraction("33.3"), Fraction("66.7")] and scheme.maximum == 100
    assert (scheme.components[0].drop, scheme.components[0].items) == (1, ("l01", "l02"))
    assert [band.mark for band in scheme.bands] == ["fail", "pass"] and scheme.least == Fraction("50.5")
    assert scheme.rounding.step == Fraction(1, 2) and scheme.late.grace == Fraction(3, 2)
    assert scheme.late.extensions[0].student == "ann" and not scheme.points


def test_points_may_sum_to_anything(tmp_path):
    text = GOOD.replace("weight = 33.3", "points = 60").replace("weight = 66.7", "points = 80")
    scheme = load(tmp_path, text)
    assert scheme.points and scheme.maximum == 140 and scheme.components[0].threshold == 50


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("weight = 33.3", "weight = 33.4", "the weights come to 100.1, expected 100"),
        ("weight = 33.3", "points = 33.3", "either a weight each or points each"),
        ("weight = 33.3", "weight = 33.3\npoints = 3", "either a weight each or points each"),
        ("weight = 33.3", "", "either a weight each or points each"),
        ("weight = 33.3", "weight = nan", "weight is NaN"),
        ("weight = 33.3", "weight = -inf", "expected a number of 0 or more"),
        ("weight = 33.3", "weight = 1e-999999", "weight is 1E-999999, expected a number of 0 or more, with at most 9 decimals"),
        ("weight = 33.3", "weight = 1e999999", "weight is 1E+999999"),
        ("weight = 33.3", "weight = 1e9999999999999999999999", "not readable as TOML"),
        ("weight = 33.3", "weight = " + "9" * 5000, "not readable as TOML"),
        ("weight = 33.3", "weight = 0", "weight is 0, expected a positive number"),
        ("weight = 33.3", "weight = '33.3'", "expected a number of 0 or more"),
        ("weight = 33.3", "weight = true", "weight is True"),
        ("threshold = 50", "threshold = 101", "threshold is 101, expected a number from 0 to 100, with"),
        ("threshold = 50", "treshold = 50", "unknown fields treshold"),
        ('source = "labs"', 'source = "moodle"', "source is 'moodle', expected labs or file"),
        ("drop = 1", "drop = 2", "drop is 2 of 2 items"),
        ("drop = 1", "drop = 0.5", "drop is 0.5"),
        ('"l02"]', '"l01"]', "item l01 is there twice"),
        ('"l02"]', "2]", "expected a list of names"),
        ('id = "exam"', 'id = "laboratory"', "component id laboratory is there twice"),
        ('id = "exam"', 'id = "the=exam"', "expected lower-case letters"),
        ('title = "Exam"', 'title = "Laboratory"', "component title Laboratory is there twice"),
        ('title = "Exam"', "", "title is None, expected a text"),
        ("pass = 50.5", "pass = 51", "pass is 51, expected the number above 0 at which one of the marks begins"),
        ("pass = 50.5", "", "pass is None"),
        ("pass = 50.5", "pass = 0", "pass is 0"),
        ("from = 0", "from = 1", "the lowest mark begins at 1, expected 0"),
        ("from = 0", "from = 50.5", "from of a mark 50.5 is there twice"),
        ("from = 0", "from = 2000", "from is 2000, expected a number from 0 to 100"),
        ('mark = "fail"', 'mark = "pass"', "mark pass is there twice"),
        ("step = 0.5", "step = 0", "step is 0, expected a positive number"),
        ('"half_even"', '"banker"', "how is 'banker', expected one of half_up, half_even"),
        ("cap = 50", "cap = 120", "cap is 120, expected a number from 0 to 100"),
        ("per_day = 10", "per_day = -1", "per_day is -1"),
        ('item = "l01"\n', 'item = "l09"\n', "item is 'l09', expected one of exam, l01, l02, laboratory"),
        ("hours = 48", "", "hours is None"),
        ("[late]", "[late", "not readable as TOML"),
        ("[[component]]", "[component]", "not readable as TOML"),
        ('title = "A course"', 'title = "A course"\nlate = 3', "not readable as TOML"),
        ("pass = 50.5", "pass = 50.5\npas = 3", "the file has the unknown fields pas"),
    ],
)
def test_a_bad_scheme_is_refused_with_a_sentence(tmp_path, old, new, says):
    assert old in GOOD
    with pytest.raises(GradingError) as caught:
        load(tmp_path, GOOD.replace(old, new))
    assert says in str(caught.value) and str(caught.value).startswith("mine.toml: ") and str(caught.value).endswith("file.")


@pytest.mark.parametrize("text", ["", "component = 3\npass = 1", "title = 'x'\nrounding = 3", "[[component]]\nid = 'x'"])
def test_a_scheme_that_lacks_everything(tmp_path, text):
    with pytest.raises(GradingError, match=r"mine\.toml"):
        load(tmp_path, text)


def test_an_unknown_scheme_names_the_shipped_ones(tmp_path):
    with pytest.raises(GradingError, match="expected a TOML file or one of gdansk_tech, podgorica"):
        load_scheme(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(GradingError, match="not readable as TOML"):
        load_scheme(tmp_path / "bytes.toml")
