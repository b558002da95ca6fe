"""Several networks in one: what its softmax is, in Keras and in the file."""

from contextlib import closing

import numpy as np
import pytest

from projectkit import runtimes
from projectkit.errors import UncertaintyError
from projectkit.uncertainty import Temperature, ensemble, joined, predictive, softmax


@pytest.fixture(scope="module")
def members(digits):
    from projectkit import models

    return tuple(models.build("mlp", digits, seed=seed, widths=(16,)) for seed in range(3))


def test_its_softmax_is_the_mean_of_the_members_also_in_the_file(members, digits, tmp_path):
    from projectkit import export, train

    x, before = digits.test.x[:50], [member.get_weights() for member in members]
    mean = predictive(ensemble(members, x))
    assert np.allclose(softmax(train.logits(joined(members), x)), mean, atol=1e-6)
    tempered = joined(members, Temperature(2.5))
    assert np.allclose(softmax(train.logits(tempered, x)), softmax(np.log(mean) / 2.5), atol=1e-6)
    with closing(runtimes.open(export.write(tempered, tmp_path / "joined.tflite", compare=x).artifact)) as session:
        assert np.allclose(softmax(session.run(x)), softmax(np.log(mean) / 2.5), atol=1e-5)
    for member, weights in zip(members, before, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(member.get_weights(), weights, strict=True))


def test_members_that_are_all_sure_of_the_same_leave_finite_logits(members, digits):
    from projectkit import train

    logits = train.logits(joined([_scaled(member, 1e4) for member in members]), digits.test.x[:50])
    assert np.isfinite(logits).all() and logits.min() < -200


def test_members_that_do_not_fit_together_are_refused(members, digits):
    import tf_keras as keras

    other = keras.Sequential([keras.Input(digits.shape), keras.layers.Flatten(), keras.layers.Dense(3)])
    for bad in ((), (members[0], other)):
        with pytest.raises(UncertaintyError, match=r"Received \d members.*expected"):
            joined(bad)


def _scaled(model, factor):
    from projectkit import models

    twin = models.copy(model)
    kernel, bias = twin.layers[-1].get_weights()
    twin.layers[-1].set_weights([factor * kernel, factor * bias])
    return twin
