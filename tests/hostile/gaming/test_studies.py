"""What a study earns that is no search, beside the honest one with the same network: the kinds of earned.py that change it."""

import earned
import pytest

from projectkit.submit import STUDIES

FREE = {  # nothing in the file shows that these were not trained: see SECURITY.md and --recheck-trials
    "records: accuracies that somebody made up, far too low",
    "records: accuracies that somebody made up, near what is usual",
}


@pytest.mark.parametrize("lab", [STUDIES[0], *(pytest.param(lab, marks=pytest.mark.proof) for lab in STUDIES[1:])])
def test_what_is_no_search_earns_little(lab, tmp_path):
    points = earned.studies_of(lab, tmp_path, ways=("",))
    assert set(points) > FREE and len(points) > len(FREE) + 1
    for kind, (found, honest) in points.items():
        assert honest > 25, "the reference's own study"
        assert found <= (honest if kind in FREE else honest / 2), kind


@pytest.mark.proof
def test_made_up_accuracies_are_found_when_trials_are_trained_again(tmp_path):
    points = earned.studies_of(STUDIES[0], tmp_path, ways=("recheck_trials",))
    found, honest = points["records: accuracies that somebody made up, far too low, trained again"]
    assert honest > 25 and found <= honest / 2
