"""Signs of masked gradients: found where gradients are hidden on purpose, not found in honest models."""

import pytest

from projectkit import models
from projectkit.errors import RobustnessError
from projectkit.robustness import pgd_training, signs_of_masking
from projectkit.types import Recipe

EPSILON = 0.15
CHECKS = ["one_step", "black_box", "unbounded", "more_steps", "zero_gradients"]


@pytest.fixture(scope="module")
def shown(digits):
    return digits.test.x[:150], digits.test.y[:150]


@pytest.fixture(scope="module")
def pgd_trained(digits):
    model = models.build("convnet", digits, widths=(16, 32, 64))
    pgd_training(model, digits, Recipe(epochs=6, learning_rate=4e-3), epsilon=EPSILON, steps=5, progress=False)
    return model


def signs(model, shown):
    return {finding.check: finding for finding in signs_of_masking(model, *shown, EPSILON)}


def in_front(trained, layer):
    """`trained`, behind a layer."""
    import tf_keras as keras

    inputs = keras.Input(trained.input_shape[1:])
    return keras.Model(inputs, trained(layer(inputs)))


def behind(trained, layer):
    import tf_keras as keras

    inputs = keras.Input(trained.input_shape[1:])
    return keras.Model(inputs, layer(trained(inputs)))


@pytest.mark.parametrize("honest", ["trained", pytest.param("pgd_trained", marks=pytest.mark.proof)])
def test_an_honest_model_shows_no_sign(honest, shown, request):
    findings = signs(request.getfixturevalue(honest), shown)
    assert list(findings) == CHECKS
    assert not [finding.sentence for finding in findings.values() if finding.suspicious]
    numbers = findings["one_step"].numbers
    assert numbers["pgd"] < numbers["fgsm"] and findings["unbounded"].numbers["pgd"] == 0


def test_saturated_logits_are_flagged(trained, shown):
    import tf_keras as keras

    findings = signs(behind(trained, keras.layers.Rescaling(1000.0)), shown)
    for check in ("black_box", "unbounded", "zero_gradients"):
        assert findings[check].suspicious
    assert findings["black_box"].numbers["square"] < 0.2 < 0.8 < findings["black_box"].numbers["pgd"]
    assert "random search finds what the gradient should have shown" in findings["black_box"].sentence


def test_rounded_images_are_flagged(trained, shown):
    import tensorflow as tf
    import tf_keras as keras

    findings = signs(in_front(trained, keras.layers.Lambda(lambda x: tf.round(4 * x) / 4)), shown)
    for check in ("black_box", "unbounded", "more_steps", "zero_gradients"):
        assert findings[check].suspicious
    assert findings["zero_gradients"].numbers["zero"] == 1
    assert "100.0% of the images" in findings["zero_gradients"].sentence


def test_a_gradient_that_points_the_wrong_way_after_one_step_is_flagged(trained, shown):
    """Honest at the image itself and useless a little beside it, as a wavy loss is: one step goes through, forty do not."""
    import tensorflow as tf
    import tf_keras as keras

    @tf.custom_gradient
    def wavy(x):
        def slope(above):
            # Images of digits have whole sixteenths; what an attack has touched has not.
            touched = tf.reduce_any(tf.abs(16 * x - tf.round(16 * x)) > 1e-3, axis=(1, 2, 3), keepdims=True)
            return tf.where(touched, -above, above)

        return x, slope

    findings = signs(in_front(trained, keras.layers.Lambda(wavy)), shown)
    assert findings["one_step"].suspicious and findings["more_steps"].suspicious
    assert findings["one_step"].numbers["fgsm"] < findings["one_step"].numbers["pgd"]


def test_the_findings_are_the_same_twice(trained, shown):
    x, y = shown
    assert signs_of_masking(trained, x[:40], y[:40], EPSILON, queries=50) == signs_of_masking(
        trained, x[:40], y[:40], EPSILON, queries=50
    )


def test_a_model_without_gradients_and_one_that_is_never_right_are_refused(trained, shown):
    x, y = shown
    with pytest.raises(RobustnessError, match="which has no gradients; expected a Keras model"):
        signs_of_masking(trained.predict_on_batch, x, y, EPSILON)
    with pytest.raises(RobustnessError, match=r"Received 4 images, none classified rightly; expected some\. Give"):
        wrong = (trained.predict_on_batch(x[:4]).argmax(axis=1) + 1) % 10
        signs_of_masking(trained, x[:4], wrong, EPSILON)
    with pytest.raises(RobustnessError, match="Received epsilon 0; expected a radius that attacks can use"):
        signs_of_masking(trained, x, y, 0)
    with pytest.raises(RobustnessError, match="Received epsilon -1"):
        signs_of_masking(trained, x, y, -1)
