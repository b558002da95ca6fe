"""The exercises of l16 against other programs: the room robustness, SciPy, and loops."""

import numpy as np
import pytest
from scipy import stats

from exercises_by_hand import cases_of
from projectkit import robustness
from projectkit.robustness import losses, smoothing

STUDENTS = ("Ann", "Bob", "Cyd", "Dan", "Eve", "Fay")
CASE = cases_of("l16_robustness")


@pytest.mark.parametrize("student", STUDENTS)
def test_attack_steps(student):
    inputs, found = CASE(student, "attack_steps")
    x, point, gradient = (inputs[name][..., None] for name in ("x", "point", "gradient"))
    epsilon, step, radius = (float(inputs[name]) for name in ("epsilon", "step", "radius"))
    assert np.abs(point - x).max() <= epsilon + 1e-12 and 0 <= point.min() <= point.max() <= 1 and (gradient != 0).all()
    of_fgsm = robustness.project(x + 1e3 * np.sign(gradient), x, epsilon, "linf")
    np.testing.assert_allclose(found["fgsm"], of_fgsm[..., 0], atol=1e-6)
    of_pgd = robustness.project(point + step * np.sign(gradient), x, epsilon, "linf")
    np.testing.assert_allclose(found["pgd"], of_pgd[..., 0], atol=1e-6)
    along = np.stack([one / np.linalg.norm(one) for one in gradient])
    of_l2 = robustness.project(point + step * along, x, radius, "l2")
    np.testing.assert_allclose(found["l2"], of_l2[..., 0], atol=1e-6)
    assert not np.allclose(found["fgsm"], found["pgd"])


def test_the_ball_of_the_third_step_matters_to_somebody():
    lengths = []
    for student in STUDENTS:
        inputs, found = CASE(student, "attack_steps")
        gone = np.linalg.norm((found["l2"] - inputs["x"]).reshape(3, -1), axis=1)
        lengths += (gone / float(inputs["radius"])).tolist()
    assert max(lengths) == pytest.approx(1.0) and min(lengths) < 1


@pytest.mark.parametrize("student", STUDENTS)
def test_attack_losses(student):
    inputs, found = CASE(student, "attack_losses")
    logits, labels = inputs["logits"].astype(np.float32), inputs["labels"]
    np.testing.assert_allclose(found["cross_entropy"], losses.cross_entropy(logits, labels), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["lead"], robustness.margins(logits, labels), rtol=1e-4, atol=1e-5)
    for scale, name in ((1, "ratio"), (1000, "scaled")):
        np.testing.assert_allclose(found[name], losses.difference_of_logits_ratio(scale * logits, labels), rtol=1e-3, atol=1e-5)
    assert found["fooled"] == np.count_nonzero(logits.argmax(axis=1) != labels) >= 2


@pytest.mark.parametrize("student", STUDENTS)
def test_certificates(student):
    inputs, found = CASE(student, "certificates")
    n, hits, alpha, sigma = int(inputs["n"]), inputs["hits"], float(inputs["alpha"]), float(inputs["sigma"])
    bounds = stats.beta.ppf(alpha, hits, n - hits + 1)
    np.testing.assert_allclose(found["bound"], bounds, rtol=1e-9)
    np.testing.assert_allclose(stats.binom.sf(hits - 1, n, found["bound"]), alpha, rtol=1e-6)
    radii = np.where(bounds > 0.5, sigma * stats.norm.ppf(bounds), 0)
    np.testing.assert_allclose(found["radius"], radii, rtol=1e-8)
    np.testing.assert_allclose(bounds, [smoothing.lower_bound(int(k), n, alpha) for k in hits], rtol=1e-9)
    assert found["certified"] == np.mean([bool(c) and r > inputs["asked"] for c, r in zip(inputs["correct"], radii, strict=True)])
    assert (radii == 0).sum() >= 3 and found["most"] >= radii.max() * (1 - 1e-12) > 0


@pytest.mark.parametrize("student", STUDENTS)
def test_corruption_errors(student):
    inputs, found = CASE(student, "corruption_errors")
    ce = [100 * sum(a) / sum(b) for a, b in zip(inputs["errors"].tolist(), inputs["reference"].tolist(), strict=True)]
    assert found["ce"].tolist() == pytest.approx(ce) and found["mce"] == pytest.approx(sum(ce) / 6)
    assert found["worst"] == max(range(6), key=ce.__getitem__)
    added, of_reference = inputs["errors"] - inputs["clean"], inputs["reference"] - inputs["clean_reference"]
    assert found["relative"].tolist() == pytest.approx(
        [100 * a.mean() / b.mean() for a, b in zip(added, of_reference, strict=True)]
    )
    assert found["relative_mce"] == pytest.approx(found["relative"].mean()) and abs(found["relative_mce"] - found["mce"]) > 0.1


@pytest.mark.parametrize("student", STUDENTS)
def test_transferred(student):
    inputs, found = CASE(student, "transferred")
    clean, attacked = inputs["clean"].tolist(), inputs["attacked"].tolist()
    for target in range(4):
        stands = [[clean[target][i] and attacked[source][target][i] for i in range(40)] for source in range(4)]
        counts = [sum(line) for line in stands]
        assert found["matrix"][:, target].tolist() == [count / 40 for count in counts]
        assert found["together"][target] == sum(all(line[i] for line in stands) for i in range(40)) / 40
        others = {source: counts[source] for source in range(4) if source != target}
        assert len(set(others.values())) == 3 and found["source"][target] == min(others, key=others.get)
        assert (min(others.values()) < counts[target]) == (target == found["masked"])
    careless = inputs["attacked"].mean(axis=2)
    assert not np.allclose(careless, found["matrix"]), "an image that was wrong before and right by luck does not count"
